"""Real purchases, replayed over HTTP, and every number checked against the file they came from."""
