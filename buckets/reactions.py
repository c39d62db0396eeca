"""What adopters want done when somebody joins, leaves or stays; each becomes a journey of its own."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Self, TypedDict, TypeVar, Unpack, overload

from buckets.rules import Schedule, Transition, event_name
from hogsend.lib.playable import fault_of
from hogsend.lib.registry import Source, declared_at

KINDS: Final[Mapping[str, Transition]] = {
    "enter": Transition.ENTERED,
    "leave": Transition.LEFT,
    "dwell": Transition.DWELL,
}
OPTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "enter": ("first_entry_only",),
    "leave": ("reason",),
    "dwell": ("after", "every"),
}
REASONS: Final = ("criteria", "maxDwell")
DECORATING: Final[Any] = object()

Handler = Callable[[Any, Any], object]
Run = TypeVar("Run", bound=Handler)


class InvalidBucketError(ValueError):
    """A bucket that cannot be; the message says what to write instead."""


class Wish(TypedDict, total=False):
    """What ``bucket.on`` can be told beside the kind (see there)."""

    first_entry_only: bool
    reason: str | Collection[str]
    after: timedelta
    every: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    """A function that runs as a journey after a transition of a bucket.

    Attributes:
        kind: ``enter``, ``leave`` or ``dwell``.
        first_entry_only: With ``enter``: only for those who join for the first time.
        reasons: With ``leave``: only for these reasons (``criteria``, ``maxDwell``); empty is any.
        schedule: With ``dwell``: when.
    """

    kind: str
    run: Handler
    source: Source
    first_entry_only: bool = False
    reasons: frozenset[str] = frozenset()
    schedule: Schedule | None = None

    def journey_id(self, bucket_id: str) -> str:
        """Return the id of its journey."""
        label = "" if self.schedule is None else f"-{self.schedule.label}"
        return f"bucket-{bucket_id}-on-{self.kind}{label}"

    def trigger(self, bucket_id: str) -> str:
        """Return the name of the event that starts its journey."""
        label = "" if self.schedule is None else f":{self.schedule.label}"
        return event_name(KINDS[self.kind], bucket_id) + label


class Reactions(list[Reaction]):
    """The reactions of one bucket: until it is closed there may be more, and some may still lack their function."""

    def __init__(self) -> None:
        super().__init__()
        self.unfinished: list[tuple[str, Source]] = []
        self.closed = False


class Reactive:
    """A bucket as far as functions can be put to its transitions."""

    id: str
    max_dwell: timedelta | None
    reactions: Reactions

    @overload
    def on(self, kind: str, /, **wish: Unpack[Wish]) -> Callable[[Run], Run]: ...
    @overload
    def on(self, kind: str, run: Handler, /, **wish: Unpack[Wish]) -> Self: ...
    def on(self, kind: str, run: Any = DECORATING, /, **wish: Unpack[Wish]) -> Any:
        """Run a function ``(user, ctx)`` as a journey whenever somebody joins, leaves or has stayed so long.

        Used as a decorator it returns the function; with the function as its second argument it returns the bucket.

        Args:
            kind: ``"enter"``, ``"leave"`` or ``"dwell"``.
            run: What a journey can be; its ``ctx`` is a ``ReactionContext``.
            wish: With ``enter``: ``first_entry_only=True`` for those who join for the first time. With ``leave``:
                ``reason="criteria"`` or ``"maxDwell"`` for those who leave for that. With ``dwell`` exactly one of
                ``after``, how long somebody must have stayed, and ``every``, the same again and again.

        Raises InvalidBucketError for what could never run, for a second reaction with the same id, and after the start.

        Example:
            >>> from hogsend.authoring import Bucket, days, prop
            >>> from buckets.definitions import registry
            >>> with registry.scratch():
            ...     trial = Bucket("trial", name="On trial", criteria=prop("plan").eq("trial"))
            ...     @trial.on("dwell", after=days(30))
            ...     def nudge(user, ctx): ...
            >>> [one.journey_id(trial.id) for one in trial.reactions]
            ['bucket-trial-on-dwell-after-2592000000']
        """
        source = declared_at(depth=1)
        self._refuse(kind, *faults_of_wish(kind, wish, max_dwell=self.max_dwell))
        if run is not DECORATING:
            self._react(reaction_of(kind, wish, run, source))
            return self
        pending = (kind, source)
        self.reactions.unfinished.append(pending)

        def decorate(run: Run) -> Run:
            self._react(reaction_of(kind, wish, run, source))
            if pending in self.reactions.unfinished:
                self.reactions.unfinished.remove(pending)
            return run

        return decorate

    def close(self) -> None:
        """Refuse further reactions. Raises InvalidBucketError for one that still lacks its function."""
        for kind, source in self.reactions.unfinished:
            self._refuse(kind, f"{source.file}:{source.line} lacks a function; write def run(user, ctx) below it")
        self.reactions.closed = True

    def _react(self, reaction: Reaction) -> None:
        if fault := fault_of(reaction.run):
            self._refuse(reaction.kind, f"the reaction {fault}")
        own = reaction.journey_id(self.id)
        if first := next((one for one in self.reactions if one.journey_id(self.id) == own), None):
            where = f"{first.source.file}:{first.source.line}"
            self._refuse(reaction.kind, f"a collision: {where} makes the journey {own!r} already; do both in one")
        self._refuse(reaction.kind)
        self.reactions.append(reaction)

    def _refuse(self, kind: object, *faults: str) -> None:
        """Raise if there are faults, or it is too late."""
        if self.reactions.closed:
            faults = ("it was declared after the start; declare it in a module that is discovered",)
        if faults:
            raise InvalidBucketError(f"The bucket {self.id!r} cannot react on {kind!r}: {'; '.join(faults)}.")


def reaction_of(kind: str, wish: Mapping[str, Any], run: Handler, source: Source) -> Reaction:
    """Build the reaction that is meant by a wish without faults. All reasons together are any reason."""
    reasons = frozenset(_listed(wish.get("reason", REASONS)))
    offset = wish.get("after") or wish.get("every")
    return Reaction(
        kind=kind,
        run=run,
        source=source,
        first_entry_only=wish.get("first_entry_only", False),
        reasons=frozenset() if reasons == frozenset(REASONS) else reasons,
        schedule=None if offset is None else Schedule(offset, repeats="every" in wish),
    )


def faults_of_wish(kind: object, wish: Mapping[str, object], *, max_dwell: timedelta | None) -> Iterator[str]:
    """Say what makes no sense in a kind of reaction and its options."""
    if not isinstance(kind, str) or kind not in KINDS:
        yield f"there is no such kind; write one of: {', '.join(KINDS)}"
    elif stranger := next((name for name in wish if name not in OPTIONS[kind]), None):
        yield f"it has no option {stranger!r}; it takes {' or '.join(OPTIONS[kind])}"
    elif kind == "dwell":
        yield from _faults_of_schedule(wish)
    elif not isinstance(wish.get("first_entry_only", False), bool):
        yield f"first_entry_only is {wish['first_entry_only']!r}; write True or False"
    elif "reason" in wish:
        yield from _faults_of_reason(wish["reason"], max_dwell)


def _faults_of_reason(reason: object, max_dwell: timedelta | None) -> Iterator[str]:
    reasons = _listed(reason)
    if not reasons or not all(one in REASONS for one in reasons):
        yield f"the reason is {reason!r}; write {' or '.join(map(repr, REASONS))}, or leave it out for any"
    elif set(reasons) == {"maxDwell"} and max_dwell is None:
        yield "nobody leaves for 'maxDwell', for the bucket has no max_dwell; give it one"


def _faults_of_schedule(wish: Mapping[str, object]) -> Iterator[str]:
    if len(wish) != 1:
        yield "it needs exactly one of after=days(7), for once, and every=days(7), for again and again"
        return
    [(name, offset)] = wish.items()
    if not isinstance(offset, timedelta) or offset <= timedelta(0):
        yield f"{name} is {offset!r}; write a positive duration, like days(30)"
    elif offset % timedelta(milliseconds=1):
        yield f"{name} is {offset!r}; write whole milliseconds"


def _listed(reason: Any) -> list[Any]:
    if isinstance(reason, str) or not isinstance(reason, Collection):
        return [reason]
    return list(reason)
