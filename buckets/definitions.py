"""What an adopter declares about a bucket."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from uuid import UUID

from django.conf import settings

from buckets.members import Member, MembersPage, count_members, each_member, has_member, members_page
from buckets.reactions import InvalidBucketError, Reactions, Reactive
from buckets.rules import EntryLimit, Schedule, Transition, event_name, faults_of_criteria, faults_of_policy
from conditions.event import EventCondition
from conditions.property import PropertyCondition
from conditions.reading import fingerprint, read
from conditions.tree import ConditionError, Node, Person, events_of
from hogsend.lib.registry import Registry, declared_at

ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}", re.IGNORECASE)

NOBODY_KNOWN = Person(datetime.max.replace(tzinfo=UTC))

registry: Registry["Bucket"] = Registry("bucket")


@dataclass(frozen=True, eq=False)
class Bucket(Reactive):
    """A group of people whose membership follows their properties and what they do. Declaring it registers it.

    Args:
        id: letters, digits, ``.``, ``_`` and ``-``; stands in the names of its events.
        name: how people call it.
        criteria: who is in it: conditions on the contact's properties and events, built or in plain form.
        description: one sentence for those who read the admin.
        enabled: False keeps its members as they are and judges nobody.
        entry_limit: how often joining is announced to journeys: ``unlimited``, ``once`` or ``once_per_period``.
        entry_period: with ``once_per_period``: how long somebody must have been out for it.
        min_dwell: nobody leaves sooner after joining.
        max_dwell: everybody leaves then, whatever the criteria say.
        reconcile_joins: False: nobody joins by the passing of time alone.
        time_based: False: the windows of its criteria do not slide; who is in changes only when something happens.
        fast_expiry: True: followed every few seconds, also where BUCKET_RECONCILE_CRON makes the others wait.
        sync_to_posthog: True: a person's property in PostHog says whether they are in.
        posthog_property_key: its name; ``hogsend_bucket_<id>`` if not given.

    Raises:
        InvalidBucketError: something in it could never work; all of it is told at once.
        DuplicateIdError: another bucket carries the id.
    """

    id: str
    _: KW_ONLY
    name: str
    criteria: Node
    description: str = ""
    enabled: bool = True
    entry_limit: str = EntryLimit.UNLIMITED
    entry_period: timedelta | None = None
    min_dwell: timedelta | None = None
    max_dwell: timedelta | None = None
    reconcile_joins: bool = True
    time_based: bool | None = None
    fast_expiry: bool = False
    sync_to_posthog: bool = False
    posthog_property_key: str | None = None
    reactions: Reactions = field(default_factory=Reactions, init=False)

    def __post_init__(self) -> None:
        faults = []
        if not isinstance(self.id, str) or not ID.fullmatch(self.id):
            faults.append("its id may hold letters, digits, '.', '_' and '-' only, at most 100")
        if not self.name.strip():
            faults.append("it needs a name that people can read")
        try:
            # What is given in plain form is kept as what it means.
            object.__setattr__(self, "criteria", read(self.criteria))
            faults += faults_of_criteria(self.criteria)
        except ConditionError as error:
            faults.append(str(error))
        faults += faults_of_policy(
            entry_limit=self.entry_limit,
            entry_period=self.entry_period,
            min_dwell=self.min_dwell,
            max_dwell=self.max_dwell,
        )
        if faults:
            raise InvalidBucketError(f"The bucket {self.id!r} cannot be: {'; '.join(faults)}.")
        registry.add(self.id, self, declared_at(depth=2))

    @property
    def entered(self) -> str:
        """The name of the event of joining."""
        return event_name(Transition.ENTERED, self.id)

    @property
    def left(self) -> str:
        """The name of the event of leaving."""
        return event_name(Transition.LEFT, self.id)

    @property
    def is_wanted(self) -> bool:
        """Whether ENABLED_BUCKETS lets this bucket exist here."""
        return settings.ENABLED_BUCKETS is None or self.id in settings.ENABLED_BUCKETS

    @cached_property
    def criteria_hash(self) -> str:
        """Changes when the criteria mean something else."""
        return fingerprint(self.criteria)

    @cached_property
    def belongs(self) -> Node:
        """Who is in it: the criteria; with only "not lately" in them, those alone who did it at least once.

        Whoever never did it has not stopped doing it.
        """
        return belonging(self.criteria)

    @property
    def schedules(self) -> tuple[Schedule, ...]:
        """When stays that last are told of."""
        return tuple(one.schedule for one in self.reactions if one.schedule is not None)

    @property
    def property_key(self) -> str:
        """The name of the property in PostHog."""
        return self.posthog_property_key or f"hogsend_bucket_{self.id}"

    @property
    def events(self) -> frozenset[str]:
        """The names of the events that its criteria count."""
        return events_of(self.criteria)

    @property
    def properties(self) -> frozenset[str]:
        """The names of the properties that its criteria look at."""
        return frozenset(leaf.property for leaf in self.criteria.leaves() if isinstance(leaf, PropertyCondition))

    def count(self) -> int:
        """Return how many people are in. What the database refuses is raised, here and below."""
        return count_members(self.id)

    def has(self, user_id: str) -> bool:
        """Say whether somebody is in, by user id, anonymous id or our own id; a key of before a merge counts too."""
        return has_member(self.id, user_id)

    def members(self, limit: int = 50, cursor: UUID | str | None = None) -> MembersPage:
        """Return up to ``limit`` (at most 100) members, the earliest stays first, from the last page's ``cursor`` on.

        Raises:
            ValueError: the limit is less than 1, or the cursor is none.
        """
        return members_page(self.id, limit=limit, cursor=cursor)

    def iterate(self, page_size: int = 50) -> Iterator[Member]:
        """Give every member once, as ``for member in bucket`` does; ``page_size`` of them are fetched at a time."""
        return each_member(self.id, page_size=page_size)

    def __iter__(self) -> Iterator[Member]:
        return self.iterate()

    def __contains__(self, user_id: object) -> bool:
        return isinstance(user_id, str) and self.has(user_id)


@dataclass(frozen=True)
class Index:
    """The buckets that exist here by what can change who is in them."""

    by_id: Mapping[str, Bucket]
    by_event: Mapping[str, tuple[Bucket, ...]]
    by_property: Mapping[str, tuple[Bucket, ...]]
    of_strangers: tuple[Bucket, ...]

    def concerned(
        self, *, event: str | None = None, properties: frozenset[str] = frozenset(), is_new: bool = False
    ) -> list[Bucket]:
        """Return the enabled buckets whose answer an event or a write of properties may change, each once.

        Somebody new may be in those already that somebody is in of whom nothing is known.
        """
        found = list(self.of_strangers) if is_new else []
        found += self.by_event.get(event or "", ())
        found += [bucket for name in sorted(properties) for bucket in self.by_property.get(name, ())]
        return list({bucket.id: bucket for bucket in found if bucket.enabled}.values())

    def enabled(self) -> list[Bucket]:
        """Return the buckets that the code switches on."""
        return [bucket for bucket in self.by_id.values() if bucket.enabled]


def belonging(criteria: Node) -> Node:
    """Return what criteria mean in a bucket (``Bucket.belongs``)."""
    if isinstance(criteria, EventCondition) and criteria.check == "not_exists" and criteria.window is not None:
        return criteria & EventCondition(criteria.name, "exists")
    return criteria


def index() -> Index:
    """Return the index of the registry as it is now."""
    return registry.derived(_build, settings.ENABLED_BUCKETS)


def _build(buckets: tuple[Bucket, ...], wanted: frozenset[str] | None) -> Index:
    by_event: dict[str, tuple[Bucket, ...]] = {}
    by_property: dict[str, tuple[Bucket, ...]] = {}
    here = [bucket for bucket in buckets if wanted is None or bucket.id in wanted]
    for bucket in here:
        for name in bucket.events:
            by_event[name] = (*by_event.get(name, ()), bucket)
        for name in bucket.properties:
            by_property[name] = (*by_property.get(name, ()), bucket)
    of_strangers = tuple(bucket for bucket in here if bucket.belongs.is_true_of(NOBODY_KNOWN))
    return Index({one.id: one for one in here}, by_event, by_property, of_strangers)
