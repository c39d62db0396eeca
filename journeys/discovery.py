from hogsend.discovery import discover_modules
from journeys.definitions import registry


def discover() -> list[str]:
    """Import the ``journeys`` modules of every installed app, then close the registry; return the modules' names."""
    found = discover_modules("journeys")
    registry.freeze()
    return found
