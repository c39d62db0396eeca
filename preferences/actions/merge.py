"""The choices of two people who become one, or who are two again."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils.dateparse import parse_datetime

from hogsend.lib.ids import new_id
from preferences.actions.change import write_standings
from preferences.models import ConsentChange, Preference
from preferences.queries import standings_of
from preferences.rules import Part, Standing, fold, part_again


def merge_consent(*, survivor_id: UUID, absorbed_id: UUID, now: datetime) -> dict[str, Any]:
    """Fold the absorbed person's choices into the survivor's, and return as JSON what undoing it needs.

    The locks of both must be held.
    """
    standings = standings_of([survivor_id, absorbed_id])
    absorbed = standings[absorbed_id]
    folded = fold(standings[survivor_id], absorbed)
    if folded != standings[survivor_id]:
        write_standings({survivor_id: folded}, now=now)
    Preference.objects.filter(contact_id=absorbed_id).delete()
    rows = ConsentChange.objects.filter(contact_id=absorbed_id)
    moved = [str(pk) for pk in rows.order_by("id").values_list("id", flat=True)]
    rows.update(contact_id=survivor_id)
    return {"at": now.isoformat(), "absorbed": _to_json(absorbed), "folded": _to_json(folded), "changes": moved}


def part_consent(*, survivor_id: UUID, absorbed_id: UUID, moved: Mapping[str, Any], now: datetime) -> None:
    """Give the absorbed person their former choices back, with every opt-out made since the merge.

    The survivor keeps what they have: taking a merge back never allows mail. ``moved`` is what the merge returned.
    """
    ConsentChange.objects.filter(id__in=moved["changes"], contact_id=survivor_id).update(contact_id=absorbed_id)
    since = ConsentChange.objects.filter(contact_id=survivor_id, subscribed=False, created_at__gte=moved["at"])
    former = _from_json(moved["absorbed"])
    parted = part_again(
        former=former,
        folded=_from_json(moved["folded"]),
        now=standings_of([survivor_id])[survivor_id],
        left_since=frozenset(since.values_list("category", flat=True)),
    )
    if parted != Standing():
        write_standings({absorbed_id: parted}, now=now)
    _share_history(since, absorbed_id, parted.refused - former.refused)


def _share_history(since: QuerySet[ConsentChange], contact_id: UUID, parts: frozenset[Part]) -> None:
    """Write the opt-outs that both have now into the history of the second, too."""
    last = {change.category: change for change in since.order_by("created_at", "id")}
    shared = [change for part, change in last.items() if part in parts]
    for change in shared:
        change.id, change.contact_id = new_id(), contact_id
    ConsentChange.objects.bulk_create(shared)


def _to_json(standing: Standing) -> dict[str, Any]:
    until = standing.paused_until
    return {
        "unsubscribedAll": standing.unsubscribed_all,
        "categories": dict(standing.categories),
        "pausedUntil": until and until.isoformat(),
    }


def _from_json(said: Mapping[str, Any]) -> Standing:
    until = said["pausedUntil"]
    return Standing(said["unsubscribedAll"], said["categories"], until and parse_datetime(until))
