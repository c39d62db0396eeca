"""The development mailbox: every mail becomes one ``.eml`` file, shelved by day, and can be read back."""

import os
import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

from emails.eml import STAMP, Entry, Mail, parse_head, parse_mail

DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
NAME = re.compile(r"[0-9]{8}T[0-9]{9}Z-[0-9a-f]{16}")
SUFFIX = ".eml"
FILE_LENGTH = len("20261123T120000123Z-0123456789abcdef.eml")
HEAD_BYTES = 65_536
SCAN_LIMIT = 1_000
# Keeps the mails of one process in order within a millisecond.
_written = count()


class UnknownMailError(LookupError):
    """No mail of the mailbox carries the id."""


class MailboxBackend(BaseEmailBackend):
    """Deliver to the directory ``HOGSEND_OUTBOX_DIR`` instead of to people.

    Safe with any number of processes: a file appears complete under a name of its own, or not at all.
    """

    def __init__(self, fail_silently: bool = False, **kwargs: Any) -> None:  # noqa: FBT001, FBT002 - Django's signature
        super().__init__(fail_silently=fail_silently, **kwargs)
        self.root = Path(settings.HOGSEND_OUTBOX_DIR)

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Write each message that has a recipient and return how many were written."""
        return sum(self._deliver(message) for message in email_messages)

    def _deliver(self, message: EmailMessage) -> bool:
        if not message.recipients():
            return False
        content = message.message().as_bytes()
        try:
            write_mail(self.root, content, now=datetime.now(UTC))
        except OSError:
            if not self.fail_silently:
                raise
            return False
        return True


def write_mail(root: Path, content: bytes, *, now: datetime) -> str:
    """Write ``content`` as one file below ``root`` and return the mail's id (``<day>/<name>``)."""
    shelf = root / f"{now:%Y-%m-%d}"
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    shelf.mkdir(mode=0o700, exist_ok=True)
    name = f"{now.strftime(STAMP)[:-3]}Z-{next(_written) % 16**6:06x}{secrets.token_hex(5)}"
    draft = shelf / f".{name}"
    try:
        # Not synced to the disk: losing the last mails of a development machine with its power is acceptable.
        with open(draft, "xb", opener=_private) as handle:
            handle.write(content)
        draft.rename(shelf / f"{name}{SUFFIX}")
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    return f"{shelf.name}/{name}"


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


@dataclass(frozen=True)
class Page:
    """Entries, newest first. ``older`` is the id to continue from, or empty at the end of the mailbox."""

    entries: list[Entry]
    older: str
    scanned: int


class Mailbox:
    """Read what MailboxBackend wrote. Only the days that a page needs are listed, only its files are opened."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def page(self, *, before: str = "", size: int = 50, search: str = "", scan: int = SCAN_LIMIT) -> Page:
        """Return up to ``size`` entries older than the mail ``before`` (none = from the newest on).

        ``search`` keeps those with the words in an address or the subject; a search looks at ``scan`` mails at most,
        then says in ``older`` where to go on. Raises UnknownMailError if ``before`` is not an id.
        """
        needle, looked_at, last = search.strip().casefold(), 0, ""
        found: list[Entry] = []
        for day, name in self._names(before):
            if len(found) == size or (needle and looked_at == scan):
                return Page(found, last, looked_at)
            looked_at, last = looked_at + 1, f"{day}/{name}"
            entry = self._entry(day, name)
            if entry is not None and _matches(entry, needle):
                found.append(entry)
        return Page(found, "", looked_at)

    def read(self, mail_id: str) -> Mail:
        """Return one mail. Raises UnknownMailError if there is none of that id, whatever the id looks like."""
        day, name = split_id(mail_id)
        try:
            raw = self._path(day, name).read_bytes()
        except OSError as error:
            raise UnknownMailError(f"There is no mail {mail_id!r} in the outbox; it may have been deleted.") from error
        return parse_mail(raw, day=day, name=name)

    def count(self) -> int:
        """Return how many mails there are, by the shape of their names alone."""
        return sum(len(self._files_of(day)) for day in self._days())

    def _names(self, before: str) -> Iterator[tuple[str, str]]:
        last_day, last_name = split_id(before) if before else ("~", "~")
        for day in filter(lambda day: day <= last_day, self._days()):
            for name in filter(NAME.fullmatch, (file[: -len(SUFFIX)] for file in self._files_of(day))):
                if day < last_day or name < last_name:
                    yield day, name

    def _days(self) -> list[str]:
        return sorted(filter(DAY.fullmatch, _listdir(self.root)), reverse=True)

    def _files_of(self, day: str) -> list[str]:
        files = (file for file in _listdir(self.root / day) if len(file) == FILE_LENGTH and file.endswith(SUFFIX))
        return sorted(files, reverse=True)

    def _path(self, day: str, name: str) -> Path:
        return self.root / day / f"{name}{SUFFIX}"

    def _entry(self, day: str, name: str) -> Entry | None:
        try:
            with self._path(day, name).open("rb") as handle:
                head = handle.read(HEAD_BYTES)
        except OSError:
            return None
        return parse_head(head.partition(b"\n\n")[0], day=day, name=name)


def split_id(mail_id: str) -> tuple[str, str]:
    """Return day and name of a mail's id. Raises UnknownMailError for anything else, a path outside included."""
    day, _, name = mail_id.partition("/")
    if not DAY.fullmatch(day) or not NAME.fullmatch(name):
        raise UnknownMailError(f"{mail_id!r} is not the id of a mail in the outbox.")
    return day, name


def _matches(entry: Entry, needle: str) -> bool:
    return not needle or needle in f"{entry.subject}\n{entry.sender}\n{entry.recipients}".casefold()


def _listdir(directory: Path) -> list[str]:
    try:
        return os.listdir(directory)  # noqa: PTH208 - names are enough, paths of 25,000 files are not cheap
    except (FileNotFoundError, NotADirectoryError):
        return []
