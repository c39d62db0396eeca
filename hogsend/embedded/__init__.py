"""PostgreSQL, Valkey and the processes of a development stack, started and stopped by `./run`."""
