"""Reactions of buckets as journeys: which journey each becomes, and what its ``ctx`` knows more."""

from datetime import timedelta

from buckets.definitions import Bucket
from buckets.definitions import registry as buckets
from buckets.reactions import Reaction
from buckets.rules import Schedule
from conditions.durations import in_words
from conditions.property import PropertyCondition, prop
from hogsend.lib.registry import DuplicateIdError
from journeys.context import Context
from journeys.definitions import Journey, registry
from journeys.journal import Journal
from journeys.rules import EntryLimit


class ReactionContext(Context):
    """The ``ctx`` of a reaction of a bucket: that of any journey, and what the transition was like."""

    @property
    def entry_count(self) -> int:
        """How often the person has joined the bucket by now."""
        return self._count("entryCount")

    @property
    def is_first_entry(self) -> bool:
        """Whether they have joined it for the first time."""
        return self.entry_count == 1

    @property
    def reason(self) -> str:
        """Why they left: ``criteria`` or ``maxDwell``."""
        reason = self.user.properties.get("reason")
        return reason if isinstance(reason, str) else "criteria"

    @property
    def dwell_count(self) -> int:
        """How many times the duration of an ``every`` had passed; 1 with ``after``."""
        return self._count("dwellCount")

    def _count(self, name: str) -> int:
        count = self.user.properties.get(name)
        return count if isinstance(count, int) else 1


def context_of(journal: Journal, journey: Journey) -> Context:
    """Return what a run gets as its ``ctx``."""
    return Context(journal, journey) if journey.reaction is None else ReactionContext(journal, journey)


def declare_reactions() -> None:
    """Declare the journey of every reaction of every bucket; what is declared already stays.

    Raises DuplicateIdError if another journey carries the id of one.
    """
    for bucket in buckets:
        for made in journeys_of(bucket):
            known = registry.get(made.id) if made.id in registry else None
            if known is None:
                registry.add(made.id, made, made.source)
            elif known.reaction is not made.reaction:
                raise DuplicateIdError(
                    f"A collision: the journey {made.id!r} ({known.source.file}:{known.source.line}) has the id that a "
                    f"reaction of the bucket {bucket.id!r} gets ({made.source.file}:{made.source.line}); rename it."
                )


def journeys_of(bucket: Bucket) -> list[Journey]:
    """Return the journeys for the reactions of ``bucket``; nothing is declared."""
    return [_journey(bucket, reaction) for reaction in bucket.reactions]


def _journey(bucket: Bucket, reaction: Reaction) -> Journey:
    return Journey(
        id=reaction.journey_id(bucket.id),
        trigger=reaction.trigger(bucket.id),
        name=f"{bucket.name} — on {reaction.kind}",
        description=f"Runs when somebody {_what_happened(bucket, reaction)}.",
        where=_where(reaction),
        entry_limit=EntryLimit.UNLIMITED,
        entry_period=None,
        exit_on=(),
        suppress=timedelta(0),
        enabled=bucket.enabled,
        category=None,
        run=reaction.run,
        source=reaction.source,
        bucket=bucket,
        reaction=reaction,
    )


def _where(reaction: Reaction) -> tuple[PropertyCondition, ...]:
    first = [prop("entryCount").eq(1)] if reaction.first_entry_only else []
    return (*first, *(prop("reason").eq(reason) for reason in reaction.reasons))


def _what_happened(bucket: Bucket, reaction: Reaction) -> str:
    match reaction:
        case Reaction(schedule=Schedule(offset=offset, repeats=repeats)):
            again = ", and again each time as long" if repeats else ""
            return f"has been in “{bucket.name}” for {in_words(offset)}{again}"
        case Reaction(kind="enter", first_entry_only=first):
            return f"joins “{bucket.name}”{' for the first time' if first else ''}"
        case _:
            why = f" ({', '.join(reaction.reasons)})" if reaction.reasons else ""
            return f"leaves “{bucket.name}”{why}"
