"""End runs before their code does."""

from uuid import UUID

import msgspec

from conditions.evaluate import holds
from contacts.pipeline import array, call
from events.definitions import Batch, Exit, RecordedEvent
from journeys.actions.wake import stop_waiting
from journeys.definitions import Journey, index
from journeys.statements import affect

LIVE_RUNS = "select journeys_live_runs($1)"  # journeys/migrations/0002
EXIT = """
    update journeys_journeyrun r
    set status = 'exited', ended_at = %(now)s, progressed_at = %(now)s, lease_until = null,
        exit_reason = (
            select reason from unnest(%(runs)s::uuid[], %(reasons)s::text[]) as gone(id, reason) where gone.id = r.id
        )
    where r.id = any(%(runs)s::uuid[]) and r.status in ('active', 'waiting')
"""

_runs = msgspec.json.Decoder(list[tuple[UUID, UUID, str]])


def exit_people(batch: Batch) -> None:
    """End the live runs that an event of ``batch`` ends, and tell for each event which runs it considered.

    Nobody is told about events that the engine caused, so those are considered only if a journey may end by them.
    Repeating it changes nothing: a run that has ended is not live. The caller holds the contacts' locks.
    """
    known = index()
    events = [event for event in batch.events if not event.hop or event.name in known.exit_names]
    if not known.exitable or not events:
        return
    live = _live_runs({event.contact_id for event in events}, known.exitable)
    gone: dict[UUID, str] = {}
    for event in events if live else ():
        considered = live.get(event.contact_id, {})
        ended = [run for run, journey_id in considered.items() if _ends(known.by_id[journey_id], event)]
        if considered:
            batch.exits[event.id] = [Exit(journey_id, run, run in ended) for run, journey_id in considered.items()]
        gone |= dict.fromkeys(ended, event.name)
        live[event.contact_id] = {run: journey_id for run, journey_id in considered.items() if run not in gone}
    if gone:
        _write(batch, gone)


def runs_considered(answer: str) -> dict[UUID, tuple[Exit, ...]]:
    """Tell which runs an event that ends none has considered, by contact, from the answer of journeys_live_runs."""
    return {
        contact_id: tuple(Exit(journey_id, run_id, exited=False) for run_id, journey_id in live.items())
        for contact_id, live in _by_contact(answer, index().exitable).items()
    }


def _live_runs(contact_ids: set[UUID], journey_ids: tuple[str, ...]) -> dict[UUID, dict[UUID, str]]:
    return _by_contact(call(LIVE_RUNS, [array(contact_ids)]), journey_ids)


def _by_contact(answer: str | bytes, journey_ids: tuple[str, ...]) -> dict[UUID, dict[UUID, str]]:
    found: dict[UUID, dict[UUID, str]] = {}
    for contact_id, run_id, journey_id in _runs.decode(answer):
        if journey_id in journey_ids:
            found.setdefault(contact_id, {})[run_id] = journey_id
    return found


def _ends(journey: Journey, event: RecordedEvent) -> bool:
    return any(rule.event == event.name and holds(rule.where, event.properties) for rule in journey.exit_on)


def _write(batch: Batch, gone: dict[UUID, str]) -> None:
    # Two statements: the second must see a wakeup that a slice committed while the first waited for its row.
    affect(EXIT, {"now": batch.now, "runs": list(gone), "reasons": list(gone.values())})
    stop_waiting(list(gone))
