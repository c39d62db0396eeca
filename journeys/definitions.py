"""What an adopter declares: a journey, when it begins, for whom, and what ends it early."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

from django.conf import settings

from buckets.definitions import Bucket
from buckets.reactions import Reaction
from conditions.property import PropertyCondition
from conditions.reading import Where, property_conditions
from hogsend.lib.registry import Registry, Source
from journeys.fingerprint import code_hash
from journeys.rules import EntryLimit
from journeys.validation import (
    ExitRule,
    entry_limit_of,
    entry_period_of,
    event_name,
    exit_rules_of,
    require_id,
    require_playable,
    require_versions,
    suppress_of,
    where_of,
)

if TYPE_CHECKING:
    from types import FunctionType

    from journeys.answers import User
    from journeys.context import Context


@dataclass(frozen=True, kw_only=True, eq=False)
class Journey:
    """A journey as declared; made by ``@journey``, or for a ``reaction`` of a ``bucket``."""

    id: str
    trigger: str
    name: str
    description: str
    where: tuple[PropertyCondition, ...]
    entry_limit: EntryLimit
    entry_period: timedelta | None
    exit_on: tuple[ExitRule, ...]
    suppress: timedelta
    enabled: bool
    category: str | None
    run: "Callable[[User, Context], object]"
    source: Source
    version: int = 1
    keep: "Mapping[int, Callable[[User, Context], object]]" = field(default_factory=dict)
    bucket: Bucket | None = None
    reaction: Reaction | None = None

    @property
    def bucket_id(self) -> str | None:
        """The id of the bucket to which it reacts, if it was made for that."""
        return None if self.bucket is None else self.bucket.id

    @cached_property
    def code_hash(self) -> str:
        """Sixty-four hexadecimal digits that change when the journey's behaviour does; comments do not count."""
        return self._hash_of(self.run)

    @cached_property
    def _kept_hashes(self) -> dict[int, str]:
        return {version: self._hash_of(run) for version, run in self.keep.items()}

    def code_hash_of(self, version: int) -> str:
        """Return the ``code_hash`` of a version; empty if it is neither the current one nor kept."""
        return self.code_hash if version == self.version else self._kept_hashes.get(version, "")

    @cached_property
    def functions(self) -> "Mapping[int, Callable[[User, Context], object]]":
        """Which function runs play, by the version under which they began."""
        return {**self.keep, self.version: self.run}

    def _hash_of(self, run: "Callable[[User, Context], object]") -> str:
        behaviour = [
            self.trigger,
            [condition.as_data() for condition in self.where],
            [self.entry_limit, self.entry_period],
            [[rule.event, [condition.as_data() for condition in rule.where]] for rule in self.exit_on],
            [self.suppress, self.category],
        ]
        return code_hash(cast("FunctionType", run), behaviour)

    @property
    def is_wanted(self) -> bool:
        """Whether ENABLED_JOURNEYS, or ENABLED_BUCKETS if it reacts to a bucket, lets this journey run here."""
        if self.bucket is not None:
            return self.bucket.is_wanted
        return settings.ENABLED_JOURNEYS is None or self.id in settings.ENABLED_JOURNEYS


registry: Registry[Journey] = Registry("journey")


def exit_rule(event: str, *, where: Where = ()) -> ExitRule:
    """End a run when ``event`` comes and ``where`` is true of its properties.

    Example:
        >>> exit_rule("plan.changed", where=prop("plan").eq("paid")).event
        'plan.changed'
    """
    return ExitRule(event_name(event, "An exit rule"), property_conditions(where))


def journey(
    *,
    id: str,  # noqa: A002 - the word of the wire and of every other definition
    trigger: str,
    name: str | None = None,
    description: str = "",
    where: Where = (),
    entry_limit: str = EntryLimit.ONCE,
    entry_period: timedelta | None = None,
    exit_on: Iterable[str | ExitRule] = (),
    suppress: timedelta = timedelta(0),
    enabled: bool = True,
    category: str | None = None,
    version: int = 1,
    keep: "Mapping[int, Callable[[User, Context], object]]" = MappingProxyType({}),
) -> "Callable[[Callable[[User, Context], object]], Journey]":
    """Declare the decorated function ``run(user, ctx)`` as a journey.

    Args:
        id: Names the journey in code and on the wire: letters, digits, ``.``, ``_`` and ``-``.
        trigger: The exact name of the event that starts it.
        name: How people call it; the id if not given.
        description: One sentence for the admin.
        where: Conditions on the properties of the trigger event; all must hold.
        entry_limit: ``"once"``, ``"once_per_period"`` or ``"unlimited"`` per person.
        entry_period: With ``"once_per_period"``: how long after an entry the next may follow; 24 hours if not given.
        exit_on: Names of events, or ``exit_rule(…)``, each of which ends a run early.
        suppress: The least time between two mails of this journey to one person.
        enabled: False keeps everybody from entering; runs that have begun go on.
        category: What people can opt out of, for all mails of this journey; if not given, each mail's own.
        version: Which version of the journey the function is. Raise it to let new people take another way.
        keep: The functions of earlier versions, which people go on with who entered under them: ``{1: run_v1}``.

    Raises InvalidJourneyError, ConditionError, or DuplicateIdError when the id is taken.

    Example:
        >>> with registry.scratch():
        ...     @journey(id="hello", trigger="user.created")
        ...     def hello(user, ctx): ...
        >>> hello.entry_limit.value
        'once'
    """

    def declare(run: "Callable[[User, Context], object]") -> Journey:
        require_playable(run, id)
        require_versions(version, keep, id)
        declared = Journey(
            id=id,
            trigger=event_name(trigger, f"The journey {id!r}"),
            name=name or id,
            description=description,
            where=where_of(where, id),
            entry_limit=entry_limit_of(entry_limit, id),
            entry_period=entry_period_of(entry_limit, entry_period, id),
            exit_on=exit_rules_of(exit_on, id),
            suppress=suppress_of(suppress, id),
            enabled=enabled,
            category=category,
            run=run,
            source=Source(run.__code__.co_filename, run.__code__.co_firstlineno),
            version=version,
            keep=MappingProxyType(dict(keep)),
        )
        registry.add(id, declared, declared.source)
        return declared

    require_id(id)
    return declare


@dataclass(frozen=True)
class Index:
    """The declared journeys by the events that concern them."""

    by_trigger: dict[str, tuple[Journey, ...]]
    by_id: dict[str, Journey]
    exit_names: frozenset[str]
    exitable: tuple[str, ...]


def index() -> Index:
    """Return the index of the registry as it is now."""
    return registry.derived(_build, settings.ENABLED_JOURNEYS, settings.ENABLED_BUCKETS)


def _build(journeys: tuple[Journey, ...], *_filters: frozenset[str] | None) -> Index:
    by_trigger: dict[str, tuple[Journey, ...]] = {}
    for declared in journeys:
        if declared.is_wanted:
            by_trigger[declared.trigger] = (*by_trigger.get(declared.trigger, ()), declared)
    return Index(
        by_trigger=by_trigger,
        by_id={declared.id: declared for declared in journeys},
        exit_names=frozenset(rule.event for declared in journeys for rule in declared.exit_on),
        exitable=tuple(declared.id for declared in journeys if declared.exit_on),
    )
