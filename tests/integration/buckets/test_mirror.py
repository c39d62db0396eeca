"""PostHog says of people what membership says, whatever happens on the way."""

import gzip
import json
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import structlog
from django.core.checks import run_checks
from django.db import connection, transaction

from buckets.actions import run_backfill
from buckets.actions.mirror import DUE, Mirrored, mirror_due
from buckets.definitions import Bucket, registry
from buckets.models import BucketMembership, MirrorDue
from conditions.property import prop
from contacts.actions import delete_contact, merge_contacts
from contacts.models import Contact
from contacts.rules import Keys
from events.actions import ingest_events
from events.submission import Submission
from hogsend.lib.ids import new_id
from tests.people import ada, ben, cleo, dora, person

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
KEY = "phc_secret"


@dataclass
class PostHog:
    """What PostHog was told, and what is true there; a test may tell it how to answer."""

    url: str = ""
    batches: list[dict[str, Any]] = field(default_factory=list)
    people: dict[str, dict[str, Any]] = field(default_factory=dict)
    answer: Callable[[dict[str, Any]], tuple[int, Any]] = lambda body: (200, {"status": "Ok"})
    headers: dict[str, str] = field(default_factory=dict)
    arrived: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, body: dict[str, Any]) -> tuple[int, Any]:
        self.arrived.set()
        status, words = self.answer(body)
        with self.lock:
            self.batches.append(body)
            if status == 200:
                for event in body["batch"]:
                    known = self.people.setdefault(event["distinct_id"], {})
                    known.update(event["properties"].get("$set", {}))
                    for name in event["properties"].get("$unset", []):
                        known.pop(name, None)
        return status, words

    @property
    def events(self) -> list[dict[str, Any]]:
        return [event for body in self.batches for event in body["batch"]]


@pytest.fixture
def posthog(settings):
    told = PostHog()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            sent = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.path == "/batch/"
            status, words = told.take(json.loads(gzip.decompress(sent)))
            answer = words.encode() if isinstance(words, str) else json.dumps(words).encode()
            self.send_response(status)
            for name, value in {**told.headers, "Content-Length": str(len(answer))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer)

        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = False
    thread = threading.Thread(target=server.serve_forever, args=[0.05])
    thread.start()
    told.url = f"http://127.0.0.1:{server.server_port}"
    settings.POSTHOG_API_KEY, settings.POSTHOG_HOST = KEY, told.url
    yield told
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def trial() -> Bucket:
    with registry.scratch():
        registry._items.clear()
        yield declare("trial")


def declare(bucket_id: str, **more) -> Bucket:
    return Bucket(
        **{"id": bucket_id, "name": "B", "criteria": prop("plan").eq("trial"), "sync_to_posthog": True, **more}
    )


def moves(contact: Contact, bucket_id: str = "trial", *, inside: bool = True, at: datetime = NOW) -> None:
    """Join or leave, with the row that tells of it, in one transaction as the judging statement does it."""
    with transaction.atomic():
        if inside:
            BucketMembership.objects.create(contact=contact, bucket_id=bucket_id, source="event", entered_at=at)
        else:
            stays = BucketMembership.objects.filter(contact=contact, bucket_id=bucket_id, status="active")
            stays.update(status="left", left_at=at)
        notes(contact, bucket_id, at=at)


def notes(contact: Contact, bucket_id: str = "trial", *, at: datetime = NOW) -> None:
    MirrorDue.objects.update_or_create(
        contact=contact, bucket_id=bucket_id, defaults={"due_at": at, "attempts": 0}, create_defaults={"due_at": at}
    )


def in_thread(work: Callable[[], object]) -> threading.Thread:
    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_who_is_in_has_the_property_and_who_left_has_it_no_more(posthog):
    moves(ada())
    gone = ben()
    moves(gone)
    moves(gone, inside=False)

    assert mirror_due(now=NOW) == Mirrored(sent=2)

    (batch,) = posthog.batches
    assert batch["api_key"] == KEY
    by_person = {event["distinct_id"]: event for event in batch["batch"]}
    assert by_person["ada"]["event"] == "$set"
    assert by_person["ada"]["properties"] == {"$geoip_disable": True, "$set": {"hogsend_bucket_trial": True}}
    assert by_person["ada"]["timestamp"] == NOW.isoformat()
    assert by_person[str(gone.id)]["properties"] == {"$geoip_disable": True, "$unset": ["hogsend_bucket_trial"]}
    assert not MirrorDue.objects.exists()


def test_membership_is_followed_whatever_moves_people_and_whether_or_not_it_is_announced(posthog, trial):
    person(user_id="old", plan="trial")
    run_backfill(trial, now=NOW)
    for plan in ("trial", "paid", "trial"):
        ingest_events([Submission(id=new_id(), name="x", keys=Keys("ada"), patch={"plan": plan})], now=NOW)
    ingest_events([Submission(id=new_id(), name="x", keys=Keys("old"), patch={"plan": "paid"})], now=NOW)
    mirror_due(now=NOW)
    assert posthog.people == {"ada": {"hogsend_bucket_trial": True}, "old": {}}


def test_one_event_tells_of_all_buckets_of_a_person(posthog):
    declare("paying", posthog_property_key="Pays")
    visitor = cleo()
    moves(visitor)
    moves(visitor, "paying")
    moves(visitor, "paying", inside=False)
    mirror_due(now=NOW)
    (event,) = posthog.events
    assert event["distinct_id"] == "cleo-visit"
    assert event["properties"]["$set"] == {"hogsend_bucket_trial": True}
    assert event["properties"]["$unset"] == ["Pays"]


def test_nothing_is_asked_where_nothing_is_due(posthog):
    moves(ada(), at=NOW + SECOND)
    assert mirror_due(now=NOW) == Mirrored()
    assert posthog.batches == []


def test_without_a_key_rows_wait_for_one(posthog, settings):
    settings.POSTHOG_API_KEY = ""
    moves(ada())
    assert mirror_due(now=NOW) == Mirrored()

    settings.POSTHOG_API_KEY = KEY
    assert mirror_due(now=NOW + SECOND) == Mirrored(sent=1)


def test_a_bucket_that_is_not_mirrored_here_keeps_its_rows_and_holds_up_no_other(posthog):
    declare("silent", sync_to_posthog=False)
    for bucket_id in ("silent", "unknown"):
        moves(ada(), bucket_id)
    moves(ben(), at=NOW + SECOND)
    assert mirror_due(now=NOW + SECOND, limit=1) == Mirrored(sent=1)
    assert set(MirrorDue.objects.values_list("bucket_id", flat=True)) == {"silent", "unknown"}


def test_who_is_deleted_is_out(posthog):
    contact = ada()
    moves(contact)
    mirror_due(now=NOW)
    delete_contact(contact_id=contact.id, now=NOW)
    mirror_due(now=NOW)
    assert posthog.people == {"ada": {}}


def test_who_comes_back_under_the_id_of_somebody_deleted_is_not_put_out(posthog):
    old = ada()
    delete_contact(contact_id=old.id, now=NOW)
    moves(ada())
    mirror_due(now=NOW)
    notes(old, at=NOW + SECOND)
    mirror_due(now=NOW + SECOND)
    assert posthog.people == {"ada": {"hogsend_bucket_trial": True}}


def test_the_row_of_somebody_merged_tells_of_the_survivor(posthog):
    visitor, known = cleo(plan="trial"), ada()
    moves(visitor)
    merge_contacts(survivor_id=known.id, absorbed_id=visitor.id, actor="test", now=NOW)
    MirrorDue.objects.all().delete()
    notes(Contact.objects.get(pk=visitor.id))
    mirror_due(now=NOW)
    assert posthog.people == {"ada": {"hogsend_bucket_trial": True}}


def test_the_row_of_somebody_erased_goes_with_them(posthog):
    contact = ada()
    moves(contact)
    Contact.objects.filter(pk=contact.pk).delete()
    assert mirror_due(now=NOW) == Mirrored()


@pytest.mark.parametrize(
    ("status", "words", "why"),
    [
        (503, "not now", "503: not now"),
        (401, {"detail": f"The key {KEY} is\x00 wrong"}, "401: The key … is wrong"),
        (200, "<html>", "does not answer as PostHog does"),
        (200, {"status": "Ok", "quota_limited": ["events"]}, "over its quota"),
    ],
)
def test_what_is_not_taken_is_kept_with_the_reason_and_told_later(posthog, status, words, why):
    moves(ada())
    posthog.answer = lambda body: (status, words)
    with structlog.testing.capture_logs() as logs:
        assert mirror_due(now=NOW) == Mirrored(failed=1)

    row = MirrorDue.objects.get()
    assert row.attempts == 1
    assert SECOND <= row.due_at - NOW < 3 * SECOND
    assert why in row.error
    assert [(line["event"], line["rows"]) for line in logs] == [("buckets.not_mirrored", 1)]
    assert KEY not in str(logs) + row.error

    posthog.answer = lambda body: (200, {"status": 1})
    assert mirror_due(now=NOW) == Mirrored()
    assert mirror_due(now=NOW + 3 * SECOND) == Mirrored(sent=1)


def test_a_redirect_is_no_acceptance(posthog):
    moves(ada())
    posthog.headers["Location"] = f"{posthog.url}/elsewhere"
    posthog.answer = lambda body: (302, "")
    assert mirror_due(now=NOW) == Mirrored(failed=1)
    assert "/elsewhere; set POSTHOG_HOST" in MirrorDue.objects.get().error


def test_a_server_that_is_away_costs_a_pause_that_doubles_up_to_five_minutes(settings):
    settings.POSTHOG_API_KEY, settings.POSTHOG_HOST = KEY, "http://127.0.0.1:9"
    moves(ada())
    pauses, now = [], NOW
    for _ in range(12):
        assert mirror_due(now=now) == Mirrored(failed=1)
        row = MirrorDue.objects.get()
        pauses.append(round((row.due_at - now).total_seconds()))
        now = row.due_at
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
    assert "cannot be reached" in row.error


def test_a_server_that_is_too_slow_is_not_waited_for(posthog, monkeypatch):
    monkeypatch.setattr("buckets.mirror.TIMEOUT", 0.2)
    moves(ada())
    enough = threading.Event()
    posthog.answer = lambda body: (200, {}) if enough.wait(10) else (500, {})
    assert mirror_due(now=NOW) == Mirrored(failed=1)
    enough.set()


@pytest.mark.parametrize(("asked", "waited"), [("60", 60), ("86400", 300), ("nan", 1), ("-5", 1), ("soon", 1)])
def test_posthog_may_ask_for_a_longer_pause(posthog, asked, waited):
    moves(ada())
    posthog.answer = lambda body: (429, {"detail": "slower"})
    posthog.headers["Retry-After"] = asked
    mirror_due(now=NOW)
    assert waited <= (MirrorDue.objects.get().due_at - NOW).total_seconds() < waited + 3


def test_one_row_that_posthog_finds_fault_with_holds_up_no_other(posthog):
    for number in range(100):
        moves(person(user_id=f"p{number}"))
    posthog.answer = lambda body: (
        (400, {"detail": "bad"}) if any(event["distinct_id"] == "p63" for event in body["batch"]) else (200, {})
    )
    assert mirror_due(now=NOW) == Mirrored(sent=99, failed=1)
    assert MirrorDue.objects.get().contact.external_id == "p63"
    assert len(posthog.people) == 99


def test_a_fault_with_everything_is_found_without_asking_of_each(posthog):
    for number in range(100):
        moves(person(user_id=f"p{number}"))
    posthog.answer = lambda body: (400, {"detail": "bad"})
    assert mirror_due(now=NOW) == Mirrored(failed=100)
    assert len(posthog.batches) < 50


def test_a_move_while_posthog_answers_is_told_afterwards_and_not_before(posthog):
    contact = ada()
    moves(contact)
    go_on = threading.Event()
    posthog.answer = lambda body: (200, {}) if go_on.wait(10) else (500, {})
    first = in_thread(lambda: mirror_due(now=NOW))
    assert posthog.arrived.wait(10)

    moves(contact, inside=False)  # at the very same moment, and waits for no lock
    assert mirror_due(now=NOW) == Mirrored()
    assert posthog.batches == []
    go_on.set()
    first.join()

    assert posthog.people == {"ada": {"hogsend_bucket_trial": True}}
    assert mirror_due(now=NOW) == Mirrored(sent=1)
    assert posthog.people == {"ada": {}}
    assert not MirrorDue.objects.exists()


def test_a_move_while_posthog_fails_keeps_its_own_turn(posthog):
    contact = ada()
    moves(contact)
    go_on = threading.Event()
    posthog.answer = lambda body: (500, {}) if go_on.wait(10) else (200, {})
    first = in_thread(lambda: mirror_due(now=NOW))
    assert posthog.arrived.wait(10)
    moves(contact, inside=False)
    go_on.set()
    first.join()
    assert MirrorDue.objects.values_list("due_at", "attempts").get() == (NOW, 0)


def test_a_move_that_is_not_yet_committed_is_neither_waited_for_nor_lost(posthog):
    contact = ada()
    moves(contact)
    written, told = threading.Event(), threading.Event()

    def leave() -> None:
        with transaction.atomic():
            moves(contact, inside=False)
            written.set()
            assert told.wait(10)

    mover = in_thread(leave)
    assert written.wait(10)
    assert mirror_due(now=NOW) == Mirrored(sent=1)
    told.set()
    mover.join()

    assert mirror_due(now=NOW) == Mirrored(sent=1)
    assert posthog.people == {"ada": {}}


def test_whoever_dies_after_telling_is_repeated(posthog):
    moves(ada())
    with transaction.atomic():
        mirror_due(now=NOW)
        transaction.set_rollback(True)
    assert mirror_due(now=NOW) == Mirrored(sent=1)
    assert len(posthog.events) == 2


def test_however_people_move_and_posthog_flaps_the_last_truth_stands(posthog):
    crowd = [ada(), ben(), cleo(), dora()]
    chance = random.Random(7)
    calm, moved = threading.Event(), threading.Event()

    def answer(body: dict[str, Any]) -> tuple[int, Any]:
        time.sleep(chance.uniform(0, 0.01))
        return (200, {}) if calm.is_set() or chance.random() < 0.7 else (chance.choice([500, 429, 400]), {})

    def mover(contact: Contact, seed: int) -> None:
        dice = random.Random(seed)
        for step in range(25):
            moves(contact, inside=step % 2 == 0)
            time.sleep(dice.uniform(0, 0.01))

    def worker() -> None:
        while not moved.is_set():
            mirror_due(now=NOW + timedelta(minutes=5), limit=3)

    posthog.answer = answer
    movers = [in_thread(lambda one=one, seed=seed: mover(one, seed)) for seed, one in enumerate(crowd)]
    workers = [in_thread(worker) for _ in range(3)]
    for thread in movers:
        thread.join()
    leaver = crowd[0]
    moves(leaver, inside=False)
    moved.set()
    for thread in workers:
        thread.join()
    calm.set()
    while mirror_due(now=NOW + timedelta(days=1)).sent:
        pass

    assert not MirrorDue.objects.exists()
    assert posthog.people == {one.key: {} if one == leaver else {"hogsend_bucket_trial": True} for one in crowd}


def test_the_due_rows_are_found_by_their_index_and_the_truth_by_probes():
    contact = ada()
    rows = [MirrorDue(contact=contact, bucket_id=f"b{number}", due_at=NOW + number * SECOND) for number in range(2000)]
    MirrorDue.objects.bulk_create(rows)
    with connection.cursor() as cursor:
        cursor.execute("analyze buckets_mirrordue, contacts_contact, buckets_bucketmembership")
        with transaction.atomic():
            cursor.execute("select contacts_probe()")
            cursor.execute("explain " + DUE, [NOW + 50 * SECOND, ["trial", "b1"], 500])
            plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "mirror_due" in plan
    assert "Seq Scan" not in plan


def test_the_checks_tell_of_buckets_that_posthog_cannot_hear_of(settings, posthog):
    settings.POSTHOG_API_KEY = ""
    assert [found.id for found in run_checks() if found.id.startswith("buckets.")] == ["buckets.W001"]

    settings.POSTHOG_API_KEY = KEY
    assert [found.id for found in run_checks() if found.id.startswith("buckets.")] == []


def test_the_checks_tell_of_two_buckets_with_one_property(posthog):
    declare("other", posthog_property_key="hogsend_bucket_trial")
    (found,) = [found for found in run_checks() if found.id.startswith("buckets.")]
    assert found.id == "buckets.E001"
    assert "'trial'" in found.msg
    assert "test_mirror.py" in str(found.obj)
