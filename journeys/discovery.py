from buckets.definitions import registry as buckets
from hogsend.discovery import discover_modules
from journeys.definitions import registry
from journeys.reactions import declare_reactions


def discover() -> list[str]:
    """Import the ``journeys`` modules of every installed app, and return the modules' names.

    Then the reactions of all buckets are known and become journeys, and the registry closes.
    """
    found = discover_modules("journeys")
    for bucket in buckets:
        bucket.close()
    declare_reactions()
    registry.freeze()
    return found
