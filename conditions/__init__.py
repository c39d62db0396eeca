"""How groups of people and events are described: one grammar, one meaning."""
