"""E-mail lists that are defined in code, and their polarity."""
