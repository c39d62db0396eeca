"""Pure building blocks, importable without Django."""
