from datetime import UTC, datetime, timedelta

import pytest
import structlog
from django.db import connection
from django.test.utils import CaptureQueriesContext

from contacts.models import Contact
from contacts.rules import keys_of
from events.actions import emit_events, forget_keys, ingest_events
from events.definitions import NewEvent
from events.models import Event, IdempotencyKey
from events.queries import events_of
from events.routing import consumers
from events.submission import Submission
from events.tasks import forget_expired_keys
from hogsend.lib.ids import new_id
from tests.integration.events import probes
from tests.people import ada, ben, dora

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def event(name: str = "n", user_id: str = "eve", **options) -> Submission:
    return Submission(id=new_id(), name=name, keys=keys_of(user_id=user_id), **options)


def ingest(*events: Submission):
    return ingest_events(events, now=NOW)


def test_what_one_person_does_by_names_that_count_is_told_one_by_one(listeners):
    listeners(probes.note_one_by_one)
    ingest(event("start"), event("view"), event("stop"), event("start", "ada"), event("start"))
    assert [[name for name, _ in told] for told in probes.seen] == [["start", "view", "start"], ["stop"], ["start"]]


def test_without_such_names_everything_is_told_at_once(listeners):
    listeners(probes.note)
    ingest(event("start"), event("stop"), event("start"))
    assert len(probes.seen) == 1


def test_consumers_are_told_in_the_order_of_the_settings_and_read_anew(listeners, settings):
    settings.HOGSEND_EVENT_CONSUMERS = [f"{probes.HERE}.{name}" for name in ("end_a_run", "note")]
    assert [one.react.__name__ for one in consumers()] == ["end_a_run", "note"]
    settings.HOGSEND_EVENT_CONSUMERS = [f"{probes.HERE}.note"]
    assert [one.react.__name__ for one in consumers()] == ["note"]


def test_what_a_consumer_causes_is_recorded_one_hop_further_and_told(listeners):
    listeners(probes.cause_another, probes.note)
    (answer,) = ingest(event("start"))
    caused = Event.objects.get(name="journey:started")
    assert (caused.hop, caused.contact_id, len(caused.properties["by"])) == (1, answer.contact_id, 36)
    assert probes.seen == [[("start", 0)], [("journey:started", 1)]]


def test_a_chain_of_causes_ends_and_says_so(listeners, settings):
    settings.HOGSEND_MAX_HOPS = 3
    listeners(probes.cause_another)
    with structlog.testing.capture_logs() as lines:
        ingest(event("loop"))
    assert sorted(Event.objects.values_list("hop", flat=True)) == [0, 1, 2, 3]
    assert [(one["event"], one["count"]) for one in lines if one["log_level"] == "warning"] == [
        ("events.too_many_hops", 1)
    ]


def test_a_duplicate_is_told_to_nobody(listeners):
    listeners(probes.note)
    ingest(event(idempotency_key="k", fingerprint=b"x"))
    ingest(event(idempotency_key="k", fingerprint=b"x"))
    assert len(probes.seen) == 1


def test_a_repetition_inside_a_batch_is_the_second_one():
    first, second, other = ingest(*[event(idempotency_key="k", fingerprint=print_) for print_ in (b"x", b"x", b"y")])
    assert [one.stored for one in (first, second, other)] == [True, False, False]
    assert first.contact_id == second.contact_id == other.contact_id
    assert (second.reason, "different event" in other.reason) == (None, True)


def test_a_batch_of_duplicates_only_creates_nobody():
    ingest(event(idempotency_key="k", fingerprint=b"x"))
    ingest(event(user_id="other", idempotency_key="k", fingerprint=b"x"))
    assert Contact.objects.count() == 1


def test_nothing_is_ingested_without_events():
    assert ingest() == []


def test_the_number_of_statements_does_not_grow_with_the_batch(listeners):
    listeners(probes.note)
    counts = []
    for size in (1, 50):
        with CaptureQueriesContext(connection) as queries:
            ingest(*[event(user_id=f"u{size}-{number}") for number in range(size)])
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_the_engine_may_use_reserved_names_for_people_it_knows(listeners):
    listeners(probes.note)
    someone = ben()
    (recorded,) = emit_events(
        [NewEvent(someone.pk, "bucket:entered:vip", {"a": 1}, occurred_at=NOW - timedelta(days=1))], now=NOW
    )
    stored = Event.objects.get()
    assert (stored.pk, stored.contact, stored.properties, stored.hop) == (recorded.id, someone, {"a": 1}, 0)
    assert (stored.occurred_at, stored.received_at) == (NOW - timedelta(days=1), NOW)
    assert probes.seen == [[("bucket:entered:vip", 0)]]


def test_the_engine_says_each_thing_once():
    someone = ada()
    thing = NewEvent(someone.pk, "journey:completed", idempotency_key="run:1")
    first, second = emit_events([thing, thing], now=NOW)
    (third,) = emit_events([thing], now=NOW)
    assert (first is not None, second, third) == (True, None, None)
    assert IdempotencyKey.objects.get().scope == "engine"


def test_the_engines_keys_and_those_of_requests_do_not_meet():
    someone = ada()
    emit_events([NewEvent(someone.pk, "n", idempotency_key="k")], now=NOW)
    assert ingest(event(idempotency_key="k", fingerprint=b"x"))[0].stored


def test_an_engine_event_follows_a_merge_and_skips_the_deleted():
    loser, winner, gone = ada(), dora(), ben()
    Contact.objects.filter(pk=loser.pk).update(deleted_at=NOW, merged_into=winner)
    Contact.objects.filter(pk=gone.pk).update(deleted_at=NOW)
    with structlog.testing.capture_logs() as lines:
        moved, skipped, lost = emit_events([NewEvent(one, "n") for one in (loser.pk, gone.pk, new_id())], now=NOW)
    assert (moved.contact_id, skipped, lost) == (winner.pk, None, None)
    assert [one["event"] for one in lines] == ["events.contact_deleted"] * 2


def test_emitting_nothing_is_nothing():
    assert emit_events([], now=NOW) == []


def test_events_of_a_person_come_latest_first():
    ingest(event("a", occurred_at=NOW - timedelta(days=1)), event("b"), event("c", "other"))
    eve = Contact.objects.get(external_id="eve")
    assert [one.name for one in events_of(eve.pk)] == ["b", "a"]


def test_old_idempotency_keys_are_forgotten_in_slices(settings, time_machine):
    settings.HOGSEND_IDEMPOTENCY_DAYS = 30
    for age, count in ((31, 5), (29, 2)):
        now = NOW - timedelta(days=age)
        ingest_events([event(idempotency_key=f"{age}-{n}", fingerprint=b"x") for n in range(count)], now=now)
    time_machine.move_to(NOW)
    assert forget_expired_keys(limit=2) == 5
    assert sorted(IdempotencyKey.objects.values_list("key", flat=True)) == ["29-0", "29-1"]


def test_one_slice_is_no_larger_than_its_limit():
    ingest_events([event(idempotency_key=f"{n}", fingerprint=b"x") for n in range(5)], now=NOW - timedelta(days=9))
    assert forget_keys(older_than=timedelta(days=1), now=NOW, limit=3) == 3


def test_the_cost_of_an_event_does_not_grow_with_tables_whose_statistics_are_old():
    """Fill empty, analysed tables inside one transaction and count the rows that each block of new people reads."""
    with connection.cursor() as cursor:
        cursor.execute("analyze contacts_contact, contacts_contactkey, events_event")
    costs = []
    for block in range(5):
        before = rows_read()
        for start in range(0, 500, 50):
            ingest(*[event(user_id=f"{block}-{start}-{n}") for n in range(50)])
            ingest(*[event(user_id=f"{block}-{start}-{n}", patch={"n": 1}) for n in range(50)])
        costs.append(rows_read() - before)
    assert costs[4] <= 2 * costs[0]


def rows_read() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "select sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)) from pg_stat_xact_user_tables"
        )
        return cursor.fetchone()[0]
