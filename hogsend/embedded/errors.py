class EmbeddedError(Exception):
    """Something the person at the terminal can mend; its text is the sentence they read."""
