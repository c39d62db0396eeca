"""Write a message into its row: rendered once, its links leading through us."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from contacts.models import Contact
from emails.definitions import TRANSACTIONAL
from emails.instrument import instrument
from emails.message import prove_sendable
from emails.models import EmailSend
from emails.render import MailLinks, Recipient, RenderError, render
from emails.rules import first_name
from preferences.links import preferences_url, unsubscribe_url


def compose(send: EmailSend, contact: Contact, *, props: Mapping[str, Any], subject: str | None) -> dict[str, UUID]:
    """Render the message into its row; return the addresses it leads to, with the ids of their links.

    Raises RenderError, also for what could never be handed over, such as a sender that would begin a header of its own.
    """
    links = _links(send, contact)
    person = Recipient(send.to_email, first_name(props, contact.properties), contact.properties)
    rendered = render(send.email_id, props=props, links=links, contact=person, subject=subject)
    instrumented = instrument(rendered.html, send_id=send.id, links=links)
    send.subject, send.text, send.html = rendered.subject, rendered.text, instrumented.html
    send.headers = _headers(send, links)
    try:
        prove_sendable(send)
    except (ValueError, UnicodeError) as error:
        raise RenderError(f"The e-mail {send.email_id!r} cannot be sent as a message: {error}") from error
    return instrumented.links


def _links(send: EmailSend, contact: Contact) -> MailLinks:
    key, email = contact.key, send.to_email
    return MailLinks(
        unsubscribe_url(contact_key=key, email=email, category=send.category, send_id=send.id, contact_id=contact.id),
        preferences_url(contact_key=key, email=email, contact_id=contact.id),
    )


def _headers(send: EmailSend, links: MailLinks) -> dict[str, str]:
    headers = {"X-Hogsend-Send": str(send.id)}
    if send.category != TRANSACTIONAL:
        headers["List-Unsubscribe"] = f"<{links.unsubscribe_url}>"
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    return headers
