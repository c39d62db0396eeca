import datetime as dt
import inspect
import linecache
import os
import random
import re
import secrets
import threading
import time
import urllib.request
import uuid
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from os import environ
from random import choice
from time import time as clock

import pytest
from django.core.checks import WARNING
from django.db import connection, transaction
from django.utils import timezone

from buckets.definitions import Bucket
from buckets.definitions import registry as buckets
from contacts.models import Contact
from emails.definitions import Email
from emails.definitions import registry as emails
from hogsend.authoring import days, journey, prop, send_email
from journeys.checks import check_journeys
from journeys.definitions import registry
from journeys.reactions import declare_reactions

PAUSE = days(1)


@pytest.fixture(autouse=True)
def scratch():
    with registry.scratch(), emails.scratch():
        registry._items.clear()
        emails._items.clear()
        Email("welcome", category="journey")
        yield


def test_a_journey_in_order_has_no_messages():
    @journey(id="fine", trigger="go")
    def fine(user, ctx):
        send_email(user, "welcome")
        send_email(user, user.properties["which"])
        ctx.sleep(days(2))
        ctx.sleep(days(2) + timedelta(hours=3))
        ctx.sleep(PAUSE, label="pause")
        ctx.sleep(2 * PAUSE)
        ctx.sleep_until("2030-01-01T00:00:00Z")
        ctx.sleep_until(user.properties["when"], label="then")
        ctx.checkpoint("end")
        user.sleep(user.properties["when"])

    assert check_journeys() == []


def test_a_mail_that_is_not_declared_is_found_with_a_did_you_mean():
    @journey(id="typo", trigger="go")
    def typo(user, ctx):
        send_email(user, "wellcome")
        send_email(user, email_id="unlike-any-other")

    first, second = check_journeys()

    assert (first.id, first.hint) == ("journeys.E001", "There is no e-mail 'wellcome'. Did you mean 'welcome'?")
    assert second.hint == "There is no e-mail 'unlike-any-other'."
    assert "Journey 'typo'" in first.msg
    assert __file__ in first.msg


def test_a_label_that_is_used_twice_is_found():
    @journey(id="twice", trigger="go")
    def twice(user, ctx):
        ctx.sleep(days(1), label="rest")
        ctx.sleep_until("2030-01-01T00:00:00Z", "rest")
        ctx.checkpoint("end")

    [message] = check_journeys()

    assert (message.id, "'rest' 2 times" in message.msg) == ("journeys.E002", True)


def test_a_wait_of_computed_length_must_have_a_label():
    @journey(id="computed", trigger="go")
    def computed(user, ctx):
        ctx.sleep(days(user.properties["days"]))
        ctx.sleep_until(datetime.now() + days(2))  # noqa: DTZ005  # unrecorded: of no matter here

    messages = check_journeys()

    assert [message.id for message in messages] == ["journeys.E003"] * 2
    assert "ctx.sleep(…, label='…')" in messages[0].hint
    assert "ctx.sleep_until(…, label='…')" in messages[1].hint


def test_reactions_of_buckets_are_read_like_any_journey():
    with buckets.scratch():
        buckets._items.clear()
        trial = Bucket("trial", name="On trial", criteria=prop("plan").eq("trial"))

        @trial.on("dwell", after=days(3))
        def nudge(user, ctx):
            send_email(user, "wellcome")
            ctx.sleep(days(ctx.dwell_count))

        trial.on("enter", lambda user, ctx: send_email(user, "welcome"))
        declare_reactions()

        messages = check_journeys()

    assert [message.id for message in messages] == ["journeys.E001", "journeys.E003"]
    assert "Journey 'bucket-trial-on-dwell-after-259200000'" in messages[0].msg


def test_a_wait_for_an_event_needs_a_label_of_its_own_but_none_for_its_length():
    @journey(id="twice", trigger="go")
    def twice(user, ctx):
        ctx.wait_for_event("paid", timeout=days(user.properties["days"]))
        ctx.wait_for_event("paid", timeout=days(1), label="again")
        ctx.checkpoint("again")

    [message] = check_journeys()

    assert (message.id, "'again' 2 times" in message.msg) == ("journeys.E002", True)


def test_what_ctx_says_is_the_same_in_every_replay():
    @journey(id="told", trigger="go")
    def told(user, ctx):
        ctx.sleep_until(ctx.now() + days(2))
        ctx.sleep_until(ctx.when.next("tuesday").at("08:00"))

    assert check_journeys() == []


def ids_and_lines(messages):
    return [(message.id, int(re.search(r":(\d+)\)\.$", message.msg)[1])) for message in messages]


def test_what_is_not_recorded_is_found_on_its_line_with_what_to_write_instead():
    line = inspect.currentframe().f_lineno + 4

    @journey(id="impure", trigger="go")
    def impure(user, ctx):
        datetime.now(tz=UTC), dt.date.today(), timezone.now(), clock(), time.monotonic()  # noqa: DTZ011
        random.random(), choice([1, 2]), uuid.uuid4(), secrets.token_hex()
        os.environ["A"], os.environ.get("B"), os.getenv("C"), environ["D"]
        Contact.objects.get(id=user.contact_id).save()
        connection.cursor()
        urllib.request.urlopen("https://example.com")
        threading.Thread(target=print).start()
        time.sleep(3)

    messages = check_journeys()

    found = ids_and_lines(messages)
    kinds = ["W001", "W002", "W003", "W004", "W004", "W005", "W006", "W007"]
    assert found == [(f"journeys.{kind}", line + offset) for offset, kind in enumerate(kinds)]
    assert messages[0].msg.startswith("Journey 'impure' reads the clock where each replay does it again (")
    assert messages[0].hint.startswith("Write ctx.now(): each replay gets the same time.")
    assert messages[0].hint.endswith("# unrecorded: why.")
    assert all(message.level == WARNING for message in messages)


@pytest.mark.parametrize(
    "statement",
    [
        "datetime.now(tz=UTC)",
        "datetime_module.datetime.utcnow()",
        "timezone.localdate()",
        "clock()",
        "random.random()",
        "shuffle([])",
        "uuid4()",
        "environ.get('A')",
        "row.save(update_fields=['name'])",
        "Contact.objects",
        "post('https://example.com')",
        "time.sleep(1)",
        "[choice([1]) for _ in range(3)]",
        "helper(lambda: random.random())",
    ],
)
def test_whatever_a_thing_is_called_it_is_found(statement, tmp_path):
    assert len(impure(statement, tmp_path)) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "ctx.once('now', lambda: datetime.now(tz=UTC).isoformat())",
        "ctx.once('all', Contact.objects.count)",
        "ctx.step('tell', lambda key: post('https://example.com', key=key))",
        "ctx.now()",
        "user.properties['plan'] == 'pro'",
        "user.random()",
        "datetime(2030, 1, 1, tzinfo=UTC) + timedelta(days=1)",
        "datetime.fromisoformat('2030-01-01')",
        "uuid.UUID(user.properties['id'])",
        "random.random()  # unrecorded: only for a log line",
        "print('here')",
        "user.objects",
        "urllib.parse.quote('a')",
    ],
)
def test_what_is_recorded_constant_excused_or_only_sounds_so_is_not_found(statement, tmp_path):
    assert impure(statement, tmp_path) == []


IMPURE = """
import datetime as datetime_module, random, time, urllib.parse, uuid
from datetime import UTC, datetime, timedelta
from os import environ
from random import choice, shuffle
from time import time as clock
from uuid import uuid4
from django.utils import timezone
from contacts.models import Contact
from hogsend.authoring import journey

@journey(id="one", trigger="go")
def one(user, ctx):
    from requests import post
    {statement}
"""


def impure(statement, tmp_path):
    """Declare a journey of one statement, and return what is said about it."""
    path = tmp_path / "one.py"
    path.write_text(IMPURE.format(statement=statement))
    linecache.clearcache()
    exec(compile(path.read_text(), str(path), "exec"), {"__name__": "one"})
    return check_journeys()


def test_what_is_done_once_may_stand_in_a_function_of_its_own():
    @journey(id="once", trigger="go")
    def once(user, ctx):
        def lucky():
            return random.random()

        def unlucky():
            return random.random()

        return ctx.once("luck", lucky) or unlucky()

    [message] = check_journeys()

    assert message.id == "journeys.W002"


def test_who_catches_everything_catches_the_waits_too():
    @journey(id="greedy", trigger="go")
    def greedy(user, ctx):
        try:
            ctx.sleep(days(1), label="one")
        except:  # noqa: E722
            return
        try:
            send_email(user, "welcome")
        except (ValueError, BaseException):  # noqa: BLE001
            ctx.failed = True
        try:
            ctx.sleep(days(1), label="two")
        finally:
            return  # noqa: B012
        with suppress(BaseException):
            ctx.sleep(days(1), label="three")

    messages = check_journeys()

    assert [message.id for message in messages] == ["journeys.E004"] * 4
    assert messages[0].hint == "Write `except Exception:`, or let the handler end with `raise`."


def test_who_catches_errors_or_passes_on_what_was_caught_is_in_order():
    @journey(id="careful", trigger="go")
    def careful(user, ctx):
        try:
            ctx.sleep(days(1))
        except ValueError:
            ctx.exit("odd")
        except BaseException:
            ctx.logged = True
            raise
        try:
            return int(user.properties["x"])
        except:  # noqa: E722
            return 0

    assert check_journeys() == []


def test_steps_in_finally_or_in_a_transaction_are_found():
    @journey(id="late", trigger="go")
    def late(user, ctx):
        try:
            ctx.sleep(days(1))
        finally:
            send_email(user, "welcome")
        with transaction.atomic():
            ctx.checkpoint("inside")

    messages = check_journeys()

    assert [message.id for message in messages] == ["journeys.E005", "journeys.E006"]
    assert "put the step after the `try`" in messages[0].hint
    assert "a rollback would undo" in messages[1].hint.lower()


def test_a_function_that_is_kept_for_those_on_the_way_is_checked_as_well():
    def earlier(user, ctx):
        send_email(user, "no-such-mail")

    with registry.scratch():
        registry._items.clear()
        journey(id="kept", trigger="go", version=2, keep={1: earlier})(lambda user, ctx: None)
        assert [message.id for message in check_journeys()] == ["journeys.E001"]
