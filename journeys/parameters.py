"""What the query of an operator's call about runs asks for; what makes no sense is refused with a sentence."""

from hogsend.api.parameters import Asked, choice
from journeys.models import RunStatus


def run_status_of(asked: Asked) -> RunStatus | None:
    """Read which runs are wanted by where they stand; None is all. Raises ApiError 400."""
    return RunStatus(choice(asked, "status", RunStatus.values)) if "status" in asked else None
