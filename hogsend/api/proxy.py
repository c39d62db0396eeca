"""What a proxy in front says of a request."""

from django.conf import settings
from django.http import HttpRequest


def told_by_proxy(request: HttpRequest) -> str:
    """Return from where the proxy in front was asked, as it wrote it; empty where there is none, or it said nothing.

    It writes behind whatever is there: what stands before the last comma is the client's own word.
    """
    told: str = request.META.get("HTTP_X_FORWARDED_FOR", "") if settings.HOGSEND_BEHIND_PROXY else ""
    return told.rpartition(",")[2].strip()
