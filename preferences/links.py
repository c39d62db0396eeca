from datetime import UTC, datetime
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings

from preferences.tokens import Action, Claims, sign


def unsubscribe_url(
    *, contact_key: str, email: str, category: str | None, send_id: UUID | None, contact_id: UUID | None = None
) -> str:
    """Return the address that ends ``category`` (None: all mail) for this person; it never expires."""
    claims = Claims(contact_key, email, Action.UNSUBSCRIBE, category=category, contact_id=contact_id, send_id=send_id)
    return _url("unsubscribe", claims)


def preferences_url(*, contact_key: str, email: str, contact_id: UUID | None = None) -> str:
    """Return the address of this person's preference page; it is good for 30 days."""
    return _url("preferences", Claims(contact_key, email, Action.MANAGE, contact_id=contact_id))


def _url(page: str, claims: Claims) -> str:
    # The clock is read here because the address is made while a mail is rendered, which takes no time argument.
    token = sign(claims, now=datetime.now(UTC))
    return f"{settings.API_PUBLIC_URL}/v1/email/{page}?{urlencode({'token': token})}"
