"""What the texts of a request may be: the ids and addresses by which people are named."""

import re
from collections.abc import Mapping, Sequence

import msgspec

MAX_ID, MAX_EMAIL = 255, 320

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
ADDRESS = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+(?:[A-Za-z]{{2,}}|[Xx][Nn]--[A-Za-z0-9-]+)")


class InvalidFieldError(ValueError):
    """A value that cannot be taken: what is wrong, where, and what to do."""

    def __init__(self, message: str, *, path: Sequence[str | int] = (), code: str = "invalid") -> None:
        super().__init__(message)
        self.message, self.path, self.code = message, list(path), code


def check_text(value: str | None, *, field: str, limit: int) -> None:
    """A key has at most so many characters; an empty one counts as absent."""
    if value is not None and len(value) > limit:
        raise InvalidFieldError(f"{field} must have at most {limit} characters.", path=[field], code="length")


def check_address(email: str | None, *, field: str = "email") -> None:
    """An address has a local part and a domain with a top level."""
    check_text(email, field=field, limit=MAX_EMAIL)
    if email is not None and not ADDRESS.fullmatch(email):
        sentence = f"{field} must be an e-mail address like ada@example.com."
        raise InvalidFieldError(sentence, path=[field], code="invalid_format")


def check_patch(patch: Mapping[str, msgspec.Raw] | None, *, field: str) -> None:
    """A property holds what can be read again: numbers in the range of JavaScript's or whole ones, and valid text."""
    for name, sent in (patch or {}).items():
        try:
            msgspec.json.decode(sent)
        except (msgspec.DecodeError, ValueError) as error:
            sentence = f"{field}.{name} cannot be stored: a number is out of range, or a text is not valid Unicode."
            raise InvalidFieldError(sentence, path=[field, name], code="unstorable") from error
