"""The worked examples: an adopter's own app, to be replaced by yours."""
