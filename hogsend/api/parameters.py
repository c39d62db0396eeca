"""What the query of an operator's call asks for; what makes no sense is refused with a sentence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hogsend.api.errors import ApiError

LIMITS: Final = range(1, 101)
OFFSETS: Final = range(1_000_000_001)
USUAL_LIMIT = 50

Asked = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """Which rows of a list are asked for."""

    limit: int
    offset: int

    @property
    def rows(self) -> slice:
        """Their places in the list."""
        return slice(self.offset, self.offset + self.limit)

    def place(self, total: int) -> dict[str, int]:
        """Return what every list says of itself, of which there are ``total`` rows."""
        return {"total": total, "limit": self.limit, "offset": self.offset}


def page_of(asked: Asked) -> Page:
    """Read ``limit`` and ``offset``. Raises ApiError 400, as all of these do."""
    return Page(_whole(asked, "limit", USUAL_LIMIT, LIMITS), _whole(asked, "offset", 0, OFFSETS))


def enabled_of(asked: Asked) -> bool | None:
    """Read whether only what is on, or only what is off, is wanted; None is both."""
    return None if "enabled" not in asked else choice(asked, "enabled", ("true", "false")) == "true"


def user_of(asked: Asked) -> str | None:
    """Read whose rows are wanted; None is everybody's."""
    given: str | None = asked.get("userId")
    if given is not None and not given.strip():
        raise invalid("userId", "userId is empty; say who is looked for, or leave it out.")
    return given


def choice(asked: Asked, name: str, options: Sequence[str]) -> str:
    """Return what is chosen; the first option is usual."""
    given = str(asked.get(name, options[0]))
    if given not in options:
        raise invalid(name, f"{name} must be {' or '.join(options)}.")
    return given


def invalid(name: str, sentence: str) -> ApiError:
    """Say what is wrong with one parameter."""
    return ApiError(400, sentence, [{"path": [name], "code": "invalid", "message": sentence}])


def _whole(asked: Asked, name: str, usual: int, allowed: range) -> int:
    given = str(asked.get(name, usual))
    if not (given.isascii() and given.isdecimal() and len(given) <= len(str(allowed.stop)) and int(given) in allowed):
        raise invalid(name, f"{name} must be a whole number between {allowed.start} and {allowed.stop - 1}.")
    return int(given)
