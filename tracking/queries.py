from uuid import UUID

from emails.models import EmailSend, TrackedLink


def link_of(link_id: UUID) -> TrackedLink | None:
    """Return the tracked link with the mail it stood in, or None."""
    return TrackedLink.objects.select_related("send").defer("send__html", "send__text").filter(id=link_id).first()


def send_of(send_id: UUID) -> EmailSend | None:
    """Return the mail whose pixel was loaded, or None."""
    return EmailSend.objects.defer("html", "text").filter(id=send_id).first()
