"""What happens to the rows of this app when something happens to a person (contacts/following.py).

A hit belongs to its mail and goes with it; only who asks for everything needs more.
"""

from typing import Any
from uuid import UUID

from hogsend.lib.wire import wire_time
from tracking.models import Hit


def contact_exported(contact_id: UUID) -> dict[str, Any]:
    """Every open and click of somebody's mails, as it came."""
    hits = Hit.objects.filter(send__contact_id=contact_id).select_related("link").order_by("created_at")
    return {
        "hits": [
            {
                "emailSendId": str(hit.send_id),
                "kind": hit.kind,
                "visitor": hit.visitor,
                "link": hit.link.url if hit.link else None,
                "ip": hit.ip,
                "userAgent": hit.user_agent,
                "at": wire_time(hit.created_at),
            }
            for hit in hits
        ]
    }
