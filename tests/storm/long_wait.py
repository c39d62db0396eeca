"""A process that lets people wait for 400 days, and another one, with other code, in which the wait ends.

Usage: long_wait.py begin|end. Reads DATABASE_URL and REDIS_URL, both its own; prints how everybody stands, as JSON.
"""

import json
import sys
import threading
from datetime import timedelta
from typing import Any, Final

import django

django.setup()

import redis  # noqa: E402
from django.conf import settings  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402

from contacts.models import Contact  # noqa: E402
from emails.definitions import registry as emails  # noqa: E402
from emails.models import EmailSend  # noqa: E402
from emails.tasks import deliver  # noqa: E402
from events.actions import emit_events  # noqa: E402
from events.definitions import NewEvent  # noqa: E402
from hogsend.authoring import Email, days, journey, send_email  # noqa: E402
from hogsend.clock import database_now  # noqa: E402
from journeys.definitions import registry as journeys  # noqa: E402
from journeys.models import JourneyRun, Wakeup  # noqa: E402
from journeys.tasks import advance  # noqa: E402
from tests.storm.mortality import TEMPLATES  # noqa: E402

RING_SECONDS: Final = 20
COLUMNS: Final = """
    select table_name, column_name from information_schema.columns join information_schema.tables
        using (table_schema, table_name)
    where table_schema = 'public' and data_type = 'timestamp with time zone' and table_type = 'BASE TABLE'
"""


def old_sleeper(user: Any, ctx: Any) -> None:
    send_email(user, "storm-hello")
    ctx.sleep(days(400), label="a-year-and-more")
    send_email(user, "storm-bye")


def new_sleeper(user: Any, ctx: Any) -> None:
    send_email(user, "storm-hello", subject="Hello, and more of it")
    ctx.checkpoint("greeted")
    ctx.sleep(days(30), label="a-year-and-more")
    send_email(user, "storm-bye", subject="It has been long")


def old_listener(user: Any, ctx: Any) -> None:
    answer = ctx.wait_for_event("renewed", timeout=days(400), label="renewal")
    send_email(user, "storm-hello" if answer else "storm-bye")


def new_listener(user: Any, ctx: Any) -> None:
    answer = ctx.wait_for_event("renewed", timeout=days(10), lookback=days(10), label="renewal")
    send_email(user, "storm-hello" if answer else "storm-bye", props={"plan": answer.properties})


def declare(*, edited: bool) -> None:
    """Put this code in the place of all other content."""
    for registry in (emails, journeys):
        registry._items.clear()
        registry._frozen = False
    Email("storm-hello", category="journey", subject="Hello")
    Email("storm-bye", category="journey", subject="Bye")
    journey(id="sleeper", trigger="slept")(new_sleeper if edited else old_sleeper)
    journey(id="listener", trigger="listened")(new_listener if edited else old_listener)


def begin() -> None:
    """Let everybody enter, lose the ring that tells of it, and let the beat find them."""
    call_command("migrate", verbosity=0)
    declare(edited=False)
    now = database_now()
    for name, trigger in {"ada": "slept", "ben": "listened", "cleo": "listened"}.items():
        email = f"{name}@example.com"
        person = Contact.objects.create(external_id=name, email=email, first_seen_at=now, last_seen_at=now)
        emit_events([NewEvent(person.id, trigger, {})], now=database_now())
    lose_the_ring()
    tick()
    tell()


def lose_the_ring() -> None:
    broker, pause = redis.Redis.from_url(settings.REDIS_URL), threading.Event()
    for _ in range(RING_SECONDS * 100):
        if broker.llen("journeys"):
            broker.flushall()
            return
        pause.wait(0.01)
    raise SystemExit("Nobody rang.")


def end() -> None:
    """Let 399 days pass, then an event come, then one more day pass."""
    declare(edited=True)
    days_pass(399)
    tick()
    tell()
    emit_events([NewEvent(Contact.objects.get(external_id="ben").id, "renewed", {"plan": "pro"})], now=database_now())
    tick()
    tell()
    days_pass(1)
    tick()
    tell()


def tick() -> None:
    """Do what the beat has workers do all the time."""
    advance()
    deliver()


def days_pass(number: int) -> None:
    """Move all that is stored into the past."""
    with connection.cursor() as cursor:
        cursor.execute(COLUMNS)
        tables: dict[str, list[str]] = {}
        for table, column in cursor.fetchall():
            tables.setdefault(table, []).append(f'"{column}" = "{column}" - %(past)s')
        for table, moves in tables.items():
            cursor.execute(f'update "{table}" set {", ".join(moves)}', {"past": timedelta(days=number, seconds=1)})


def tell() -> None:
    told = {}
    for run in JourneyRun.objects.select_related("contact"):
        sends = EmailSend.objects.filter(run_id=run.pk).order_by("created_at")
        told[run.contact.external_id] = [
            run.status,
            [[send.email_id, send.subject, send.status] for send in sends],
            [wakeup.reason for wakeup in Wakeup.objects.filter(run=run)],
        ]
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    settings.TEMPLATES[0]["DIRS"] = [*settings.TEMPLATES[0]["DIRS"], TEMPLATES]
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    begin() if sys.argv[1] == "begin" else end()
