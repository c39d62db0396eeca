"""Django's PostgreSQL back-end, with a pool that survives a restart of the server."""
