"""Mail files as they are read back: taken apart with the standard library, never refused."""

from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.errors import MessageError
from email.message import EmailMessage

Headers = list[tuple[str, str]]
STAMP = "%Y%m%dT%H%M%S%f"
# What the standard parser is known to raise on headers and charsets that it cannot make sense of.
UNREADABLE = (ValueError, LookupError, AttributeError, TypeError, MessageError)


@dataclass(frozen=True)
class Entry:
    """One line of the list: what the head of a mail says."""

    day: str
    name: str
    written_at: datetime
    subject: str
    sender: str
    recipients: str

    @property
    def id(self) -> str:
        return f"{self.day}/{self.name}"


@dataclass(frozen=True)
class Attachment:
    """A further part of a mail."""

    filename: str
    content_type: str
    size: int


@dataclass(frozen=True)
class Mail:
    """One mail, taken apart. ``html`` and ``text`` are empty when the mail has no such part."""

    entry: Entry
    date: str
    html: str
    text: str
    headers: list[tuple[str, str]]
    attachments: list[Attachment]
    raw: bytes


def parse_mail(raw: bytes, *, day: str, name: str) -> Mail:
    """Take a mail apart; what cannot be decoded is shown as it stands."""
    message = message_from_bytes(raw, policy=policy.default)
    headers = list(message.raw_items())
    return Mail(
        entry=_entry_of(headers, day=day, name=name),
        date=_header(headers, "Date"),
        html=_body(message, "html"),
        text=_body(message, "plain"),
        headers=[(field, _decoded(field, value)) for field, value in headers],
        attachments=[_attachment(part) for part in message.iter_attachments()],
        raw=raw,
    )


def parse_head(head: bytes, *, day: str, name: str) -> Entry:
    """Read the headers of a mail whose body may be missing."""
    # The old policy leaves every header as it stands, which makes a long list ten times faster.
    message = message_from_bytes(head, policy=policy.compat32)
    return _entry_of(list(message.raw_items()), day=day, name=name)


def _entry_of(headers: Headers, *, day: str, name: str) -> Entry:
    subject, sender = _header(headers, "Subject"), _header(headers, "From")
    recipients = ", ".join(filter(None, (_header(headers, field) for field in ("To", "Cc"))))
    return Entry(day, name, written_at(name), subject, sender, recipients)


def written_at(name: str) -> datetime:
    """Return the moment that a mail's name tells; the epoch if it is no moment."""
    try:
        return datetime.strptime(name.partition("Z")[0], STAMP).replace(tzinfo=UTC)
    except ValueError:
        return datetime.fromtimestamp(0, UTC)


def _header(headers: Headers, field: str) -> str:
    return next((_decoded(name, value) for name, value in headers if name.lower() == field.lower()), "")


def _decoded(field: str, value: str) -> str:
    # Parsing an address header takes milliseconds; without encoded words there is only the folding to undo.
    if "=?" not in value:
        return "".join(value.splitlines())
    try:
        return str(policy.default.header_fetch_parse(field, value))
    except UNREADABLE:
        return value


def _body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    if part is None:
        return ""
    try:
        return str(part.get_content())
    except UNREADABLE:
        return bytes(part.get_payload(decode=True) or b"").decode(errors="replace")


def _attachment(part: EmailMessage) -> Attachment:
    content = part.get_payload(decode=True)
    size = len(content) if isinstance(content, bytes) else 0
    return Attachment(part.get_filename() or "unnamed", part.get_content_type(), size)
