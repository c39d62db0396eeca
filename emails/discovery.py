from emails.definitions import registry
from hogsend.discovery import discover_modules


def discover() -> list[str]:
    """Import the ``emails`` modules of every installed app, then close the registry; return the modules' names."""
    found = discover_modules("emails")
    registry.freeze()
    return found
