from typing import Any

from django.http import HttpRequest

from hogsend.clock import database_now
from ops.overview import numbers
from ops.queries import condition

MAY_SEE = "contacts.view_contact"


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add what the first page of the admin shows; without permission to look at people it stays the list of apps."""
    if not request.user.has_perm(MAY_SEE):
        return context
    found = numbers(now=database_now())
    most = max((count for _, count in found.events), default=1)
    return context | {
        "numbers": found,
        "event_bars": [(name, count, round(100 * count / most)) for name, count in found.events],
        "parts": condition(),
    }
