"""Code-defined things (journeys, e-mails, lists): filled once at start, then frozen."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Generic, TypeVar

T = TypeVar("T")
D = TypeVar("D")


class DuplicateIdError(ValueError):
    """Two definitions of one kind carry the same id."""


class UnknownIdError(LookupError):
    """No definition of this kind carries the id; the message names the nearest one."""


class FrozenRegistryError(RuntimeError):
    """Something was declared after the application had started."""


@dataclass(frozen=True)
class Source:
    """Where a definition stands: the file's path and line."""

    file: str
    line: int


class Registry(Generic[T]):
    """Definitions of one kind by id, in the order in which they were declared.

    Example:
        >>> colours: Registry[str] = Registry("colour")
        >>> colours.add("red", "#f00")
        >>> colours.get("red")
        '#f00'
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._items: dict[str, T] = {}
        self._sources: dict[str, Source] = {}
        self._frozen = False
        self._derived: dict[Callable[..., Any], tuple[object, Any]] = {}

    def add(self, item_id: str, item: T, source: Source | None = None) -> None:
        """Declare ``item``. Raises DuplicateIdError, or FrozenRegistryError after the start."""
        if self._frozen:
            message = (
                f"The {self.kind} {item_id!r} was declared after the start; declare it in a module that is discovered."
            )
            raise FrozenRegistryError(message)
        if item_id in self._items:
            first = self._sources.get(item_id)
            where = f" (first declared in {first.file}:{first.line})" if first else ""
            message = f"Two {self.kind} definitions carry the id {item_id!r}{where}; give each its own."
            raise DuplicateIdError(message)
        self._items[item_id] = item
        if source is not None:
            self._sources[item_id] = source

    def get(self, item_id: str) -> T:
        """Return the definition. Raises UnknownIdError with the nearest id as a hint."""
        try:
            return self._items[item_id]
        except KeyError:
            raise UnknownIdError(self.unknown(item_id)) from None

    def unknown(self, item_id: str) -> str:
        """Say that ``item_id`` is not declared, with a did-you-mean."""
        near = get_close_matches(item_id, self._items, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        return f"There is no {self.kind} {item_id!r}.{hint}"

    def source(self, item_id: str) -> Source | None:
        """Return where the definition stands, if known."""
        return self._sources.get(item_id)

    def freeze(self) -> None:
        """Refuse any further declaration."""
        self._frozen = True

    def derived(self, build: Callable[..., D], *given: object) -> D:
        """Return ``build(definitions, *given)``, built again only when something was declared or given anew."""
        state = (tuple(self._items.values()), given)
        kept = self._derived.get(build)
        if kept is None or kept[0] != state:
            kept = self._derived[build] = (state, build(state[0], *given))
        found: D = kept[1]
        return found

    @contextmanager
    def scratch(self) -> Iterator["Registry[T]"]:
        """Allow declarations for the length of the block and forget them after it (for tests)."""
        before = (dict(self._items), dict(self._sources), self._frozen)
        self._frozen = False
        try:
            yield self
        finally:
            self._items, self._sources, self._frozen = before

    def __contains__(self, item_id: object) -> bool:
        return item_id in self._items

    def __iter__(self) -> Iterator[T]:
        return iter(self._items.values())

    def __len__(self) -> int:
        return len(self._items)


def declared_at(depth: int = 1) -> Source:
    """Return the file and line ``depth`` frames above the caller: the place of a declaration."""
    frame = inspect.currentframe()
    for _ in range(depth + 1):
        frame = frame.f_back if frame else None
    if frame is None:
        return Source("<unknown>", 0)
    return Source(frame.f_code.co_filename, frame.f_lineno)
