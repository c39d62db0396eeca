"""Where clocks of a person stand, as far as anybody has said so, and what ctx.when makes of it."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
import structlog
from django.core.cache import cache

from contacts.actions import delete_contact, identify, merge_contacts, set_contact_timezone
from contacts.models import Contact
from contacts.rules import keys_of
from hogsend.lib.localtime import Local, Window
from journeys import whereabouts
from journeys.context import Context
from journeys.definitions import journey
from journeys.models import JourneyRun, JourneyStep, Wakeup
from journeys.scheduling import Scheduling
from journeys.timezones import Zone, zone_of
from tests.people import ada, ben, cleo

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 5, 5, 12, tzinfo=UTC)


@dataclass
class PostHog:
    """People as PostHog knows them, who asked for them, and how it answers."""

    people: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    keys: set[str | None] = field(default_factory=set)
    answer: Callable[[str], tuple[int, Any]] | None = None

    def find(self, distinct_id: str) -> tuple[int, Any]:
        self.asked.append(distinct_id)
        if self.answer is not None:
            return self.answer(distinct_id)
        known = self.people.get(distinct_id)
        return 200, {"results": [] if known is None else [{"properties": known}]}


@pytest.fixture
def posthog(settings: Any) -> Iterator[PostHog]:
    told = PostHog()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            assert url.path == "/api/persons/"
            told.keys.add(self.headers["Authorization"])
            status, words = told.find(parse_qs(url.query)["distinct_id"][0])
            self.send_response(status)
            self.send_header("Location", "/elsewhere/")
            self.end_headers()
            with suppress(ConnectionError):  # nobody waits for it any more
                self.wfile.write(words.encode() if isinstance(words, str) else json.dumps(words).encode())

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=[0.05])
    thread.start()
    settings.POSTHOG_PERSONAL_API_KEY = "phx_secret"
    settings.POSTHOG_HOST = f"http://127.0.0.1:{server.server_port}/"
    cache.clear()
    yield told
    server.shutdown()
    thread.join()
    server.server_close()
    cache.clear()


def lives(contact: Contact, zone: str | None, source: str | None = "user") -> Contact:
    Contact.objects.filter(pk=contact.pk).update(timezone=zone, timezone_source=source)
    contact.refresh_from_db()
    return contact


def zone(contact: Contact) -> tuple[str, str]:
    found = zone_of(contact.pk, now=NOW)
    return found.name, found.source


# --- who is believed --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["user", "staff", "api", "import", None])
def test_what_somebody_said_comes_before_all_that_is_believed(posthog: PostHog, source: str | None):
    someone = lives(ada(timezone="Asia/Tokyo"), "Europe/Rome", source)
    posthog.people["ada"] = {"$timezone": "America/New_York"}
    assert zone(someone) == ("Europe/Rome", "contact_column")
    assert posthog.asked == []


def test_the_zone_of_the_device_comes_before_that_of_the_place(posthog: PostHog):
    someone = ada(timezone="Asia/Tokyo")
    posthog.people["ada"] = {"$timezone": "America/New_York", "$geoip_time_zone": "Europe/Paris"}
    assert zone(someone) == ("America/New_York", "posthog_timezone")
    assert posthog.keys == {"Bearer phx_secret"}


def test_the_place_counts_where_the_device_says_nothing_that_is_a_zone(posthog: PostHog):
    someone = ada(timezone="Asia/Tokyo")
    posthog.people["ada"] = {"$timezone": "Etc/Unknown", "$geoip_time_zone": "Europe/Paris"}
    with structlog.testing.capture_logs() as logs:
        assert zone(someone) == ("Europe/Paris", "posthog_geoip")
    assert [(one["event"], one["source"], one["value"]) for one in logs if one["log_level"] == "warning"] == [
        ("journeys.no_such_zone", "posthog_timezone", "Etc/Unknown")
    ]


def test_what_posthog_believed_the_last_time_is_kept_and_comes_before_a_property():
    someone = lives(ada(timezone="Asia/Tokyo"), "Europe/Paris", "posthog_geoip")
    assert zone(someone) == ("Europe/Paris", "posthog_geoip")


def test_a_property_counts_where_nothing_else_is_known(settings: Any):
    settings.HOGSEND_TIMEZONE = "Europe/Berlin"
    assert zone(ada(timezone="asia/tokyo")) == ("Asia/Tokyo", "contact_properties")
    assert zone(ben()) == ("Europe/Berlin", "default")


@pytest.mark.parametrize("value", ["Mars", 7, ["UTC"], {"a": 1}, True])
def test_what_is_no_zone_is_skipped_with_one_warning(settings: Any, value: object):
    settings.HOGSEND_TIMEZONE = "Europe/Berlin"
    with structlog.testing.capture_logs() as logs:
        assert zone(ada(timezone=value)) == ("Europe/Berlin", "default")
    assert [one["source"] for one in logs] == ["contact_properties"]


def test_utc_is_what_remains(settings: Any):
    settings.HOGSEND_TIMEZONE = "Mars"
    someone = lives(ada(timezone=None), "Venus")
    with structlog.testing.capture_logs() as logs:
        assert zone(someone) == ("UTC", "fallback")
    assert [one["source"] for one in logs] == ["contact_column", "default"]


def test_somebody_without_a_user_id_has_a_zone_too(posthog: PostHog):
    visitor, address = cleo(), ben()
    posthog.people |= {
        "cleo-visit": {"$timezone": "Europe/Oslo"},
        str(address.pk): {"$timezone": "Europe/Rome"},
    }
    assert [zone(visitor)[0], zone(address)[0]] == ["Europe/Oslo", "Europe/Rome"]


def test_who_was_merged_lives_where_the_survivor_does_and_the_deleted_nowhere():
    survivor, absorbed = lives(ada(), "Europe/Rome"), lives(cleo(), "Asia/Tokyo")
    merge_contacts(survivor_id=survivor.pk, absorbed_id=absorbed.pk, actor="staff", now=NOW)
    assert zone(absorbed) == ("Europe/Rome", "contact_column")
    delete_contact(contact_id=survivor.pk, now=NOW)
    assert zone(survivor) == ("UTC", "default")
    assert zone_of(uuid4(), now=NOW) == Zone("UTC", "default")


# --- PostHog ----------------------------------------------------------------------------------------------------------


def test_posthog_is_asked_once_a_day_and_its_answer_is_kept_with_its_source(posthog: PostHog):
    someone = ada()
    posthog.people["ada"] = {"$geoip_time_zone": "europe/paris"}
    assert [zone(someone), zone(someone)] == [("Europe/Paris", "posthog_geoip")] * 2
    someone.refresh_from_db()
    assert (someone.timezone, someone.timezone_source) == ("Europe/Paris", "posthog_geoip")
    assert posthog.asked == ["ada"]


def test_on_the_next_day_the_answer_may_be_another_one(posthog: PostHog):
    someone = ada()
    posthog.people["ada"] = {"$timezone": "Europe/Paris"}
    zone(someone)
    cache.delete(f"posthog:whereabouts:{someone.pk}")
    posthog.people["ada"] = {"$timezone": "Asia/Tokyo"}
    assert zone(someone) == ("Asia/Tokyo", "posthog_timezone")


def test_nobody_is_asked_for_again_whom_posthog_does_not_know(posthog: PostHog):
    someone = lives(ada(), "Europe/Rome", "posthog_timezone")
    assert [zone(someone), zone(someone)] == [("Europe/Rome", "posthog_timezone")] * 2
    assert posthog.asked == ["ada"]


@pytest.mark.parametrize(
    "answer",
    [
        (500, "broken"),
        (401, {"detail": "no"}),
        (302, "moved"),
        (200, "<html>"),
        (200, []),
        (200, {"results": [None]}),
        (200, {"results": [{"properties": None}]}),
        (200, {}),
    ],
)
def test_a_bad_answer_is_a_warning_and_the_next_source_counts(posthog: PostHog, answer: tuple[int, Any]):
    posthog.answer = lambda _: answer
    with structlog.testing.capture_logs() as logs:
        assert zone(ada(timezone="Asia/Tokyo")) == ("Asia/Tokyo", "contact_properties")
    assert [one["event"] for one in logs] == ["journeys.whereabouts_unknown"]
    assert "phx_secret" not in str(logs)


def test_after_a_failure_nobody_waits_for_posthog_during_a_minute_and_nobody_loses_the_day(posthog: PostHog):
    posthog.answer = lambda _: (500, "")
    first, second = ada(), ben()
    assert [zone(first), zone(second)] == [("UTC", "default")] * 2
    assert posthog.asked == ["ada"]
    cache.delete(whereabouts.AWAY)
    posthog.answer, posthog.people[str(second.pk)] = None, {"$timezone": "Europe/Oslo"}
    assert zone(second) == ("Europe/Oslo", "posthog_timezone")


def test_a_slow_answer_is_not_waited_for(posthog: PostHog, monkeypatch: pytest.MonkeyPatch):
    done = threading.Event()
    posthog.answer = lambda _: (200, {"results": []}) if done.wait(10) else (500, "")
    monkeypatch.setattr(whereabouts, "TIMEOUT", 0.1)
    assert zone(ada(timezone="Asia/Tokyo")) == ("Asia/Tokyo", "contact_properties")
    done.set()


def test_without_a_server_for_the_cache_nobody_is_asked(posthog: PostHog, settings: Any):
    served = settings.CACHES
    settings.CACHES = {"default": {**served["default"], "LOCATION": "redis://127.0.0.1:1/0"}}
    with structlog.testing.capture_logs() as logs:
        assert zone(ada(timezone="Asia/Tokyo")) == ("Asia/Tokyo", "contact_properties")
    settings.CACHES = served
    assert ([one["event"] for one in logs], posthog.asked) == (["journeys.whereabouts_unasked"], [])


def test_without_a_personal_key_nobody_is_asked(posthog: PostHog, settings: Any):
    settings.POSTHOG_PERSONAL_API_KEY = ""
    assert zone(ada()) == ("UTC", "default")
    assert posthog.asked == []


# --- what is kept -----------------------------------------------------------------------------------------------------


def keep(contact: Contact, name: str, source: str = "user") -> tuple[bool, str | None, str | None]:
    changed = set_contact_timezone(contact_id=contact.pk, timezone=name, source=source, now=NOW)
    contact.refresh_from_db()
    return changed, contact.timezone, contact.timezone_source


def test_a_zone_is_kept_with_who_said_so_and_only_once():
    someone = ada()
    assert keep(someone, "europe/rome", "staff") == (True, "Europe/Rome", "staff")
    assert keep(someone, "Europe/Rome", "staff") == (False, "Europe/Rome", "staff")
    assert keep(someone, "Europe/Rome", "user") == (True, "Europe/Rome", "user")


def test_what_is_believed_never_takes_the_place_of_what_was_said():
    someone = ada()
    assert keep(someone, "Asia/Tokyo", "posthog_geoip") == (True, "Asia/Tokyo", "posthog_geoip")
    assert keep(someone, "Asia/Seoul", "posthog_timezone") == (True, "Asia/Seoul", "posthog_timezone")
    assert keep(someone, "Europe/Rome") == (True, "Europe/Rome", "user")
    assert keep(someone, "Asia/Tokyo", "posthog_geoip") == (False, "Europe/Rome", "user")


def test_what_is_no_zone_is_refused_before_anything_is_read_or_written(django_assert_num_queries: Any):
    someone = ada()
    with django_assert_num_queries(0), pytest.raises(ValueError, match="IANA name"):
        set_contact_timezone(contact_id=someone.pk, timezone="Mars", source="user", now=NOW)
    with django_assert_num_queries(0), pytest.raises(ValueError, match="IANA name"):
        identify(keys=keys_of(user_id="ada"), timezone="Mars", now=NOW)


def test_nobody_there_is_nothing_changed():
    someone = ada()
    delete_contact(contact_id=someone.pk, now=NOW)
    assert keep(someone, "Europe/Rome")[0] is False
    assert set_contact_timezone(contact_id=uuid4(), timezone="Europe/Rome", source="user", now=NOW) is False


def test_the_zone_of_somebody_who_was_merged_is_the_survivors():
    survivor, absorbed = ada(), cleo()
    merge_contacts(survivor_id=survivor.pk, absorbed_id=absorbed.pk, actor="staff", now=NOW)
    assert keep(absorbed, "Europe/Rome")[0] is True
    survivor.refresh_from_db()
    assert survivor.timezone == "Europe/Rome"


@pytest.mark.django_db(transaction=True)
def test_whatever_comes_first_the_persons_word_stands_at_the_end(in_thread: Callable[..., Any]):
    someone, start = ada(), threading.Barrier(8)

    def say(number: int) -> bool:
        name, source = [("Europe/Rome", "user"), ("Asia/Tokyo", "posthog_geoip")][number % 2]
        start.wait(10)
        return set_contact_timezone(contact_id=someone.pk, timezone=name, source=source, now=NOW)

    with ThreadPoolExecutor(8) as pool:
        changed = list(pool.map(in_thread(say), range(8)))
    someone.refresh_from_db()
    assert (someone.timezone, someone.timezone_source) == ("Europe/Rome", "user")
    assert changed[::2].count(True) == 1
    assert changed[1::2].count(True) <= 1


# --- ctx.when ---------------------------------------------------------------------------------------------------------


class Zoned(Context, Scheduling):
    """The ctx of a journey with ctx.when."""


def zoned(ctx: Any) -> Zoned:
    ctx.__class__ = Zoned
    return ctx


def moments_of(run: JourneyRun) -> dict[str, Any]:
    return {step.key: step.result for step in JourneyStep.objects.filter(run=run, kind__in=["zone", "when"])}


def test_a_run_sleeps_until_the_morning_where_the_person_lives(world: Any, facts: Any):
    @journey(id="morning", trigger="go")
    def morning(user: Any, ctx: Any) -> None:
        moment = zoned(ctx).when.tomorrow().at("09:00")
        facts.calls.append(moment)
        ctx.sleep_until(moment)

    someone = lives(world.person(), "Asia/Tokyo")
    world.event(someone, "go")
    world.advance()
    [moment] = facts.calls
    began = datetime.fromisoformat(moments_of(world.run())["when:start"])
    tomorrow = began.astimezone(ZoneInfo("Asia/Tokyo")).date() + timedelta(days=1)
    assert moment == datetime.combine(tomorrow, time(9), ZoneInfo("Asia/Tokyo"))
    assert Wakeup.objects.get(run=world.run()).due_at == moment


def test_a_replay_finds_the_same_moment_though_time_has_passed_and_the_person_has_moved(world: Any, facts: Any):
    @journey(id="morning", trigger="go")
    def morning(user: Any, ctx: Any) -> None:
        moment = zoned(ctx).when.next_local("09:00")
        ctx.sleep(timedelta(days=3), label="pause")
        facts.calls.append((moment, ctx.when.zone.key))

    someone = lives(world.person(), "Asia/Tokyo")
    world.event(someone, "go")
    world.advance()
    before = moments_of(world.run())
    lives(someone, "America/New_York")
    world.wake()
    [(moment, later)] = facts.calls
    assert later == "America/New_York"
    assert before.keys() == {"zone:start", "when:start"}
    assert before.items() <= moments_of(world.run()).items()
    began = datetime.fromisoformat(before["when:start"])
    assert moment == Local(began, ZoneInfo("Asia/Tokyo")).next_time(time(9))


def test_the_zone_is_looked_up_once_between_two_waits_and_stored_with_its_source(world: Any):
    @journey(id="morning", trigger="go")
    def morning(user: Any, ctx: Any) -> None:
        for _ in range(3):
            zoned(ctx).when.next_local("09:00")

    world.event(lives(world.person(), "Asia/Tokyo"), "go")
    world.advance()
    found = moments_of(world.run())
    assert found.keys() == {"zone:start", "when:start", "when:start#2", "when:start#3"}
    assert found["zone:start"] == {"name": "Asia/Tokyo", "source": "contact_column"}


def test_the_window_of_the_settings_holds_where_the_journey_names_none(world: Any, facts: Any, settings: Any):
    settings.HOGSEND_SEND_WINDOW = Window(time(9), time(17))

    @journey(id="morning", trigger="go")
    def morning(user: Any, ctx: Any) -> None:
        when = zoned(ctx).when
        facts.calls += [when.tomorrow().at("23:00"), when.window("22:00", "06:00").tomorrow().at("23:00")]

    world.event(lives(world.person(), "UTC"), "go")
    world.advance()
    assert [moment.hour for moment in facts.calls] == [9, 23]


def test_an_outage_of_posthog_holds_up_no_run(world: Any, facts: Any, posthog: PostHog):
    posthog.answer = lambda _: (503, "")

    @journey(id="morning", trigger="go")
    def morning(user: Any, ctx: Any) -> None:
        facts.calls.append(zoned(ctx).when.zone.key)

    world.event(world.person(), "go")
    world.advance()
    assert (facts.calls, world.run().status) == (["UTC"], "completed")
