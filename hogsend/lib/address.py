"""E-mail addresses: one normal form for storing, comparing and locking."""


def normalise_email(address: str) -> str:
    """Trim and lower-case ``address``; nothing else is folded, so the result stays deliverable."""
    return address.strip().lower()
