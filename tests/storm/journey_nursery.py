"""A process that plays journeys again and again, and each time lets something else happen to a worker.

Usage: journey_nursery.py PART SEED. Reads DATABASE_URL; prints how each story ended, one JSON object per line, and
before its variations each story as it ends undisturbed. PART is ``examples`` (the journeys of the content) or ``storm``
(those of this folder). A seed takes one of STRIDE variations, the next seed the next one; so many seeds take all.
"""

import json
import random
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from importlib import import_module
from itertools import count
from types import SimpleNamespace
from typing import Any, Final

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.db import connection  # noqa: E402

from contacts.models import Contact  # noqa: E402
from emails.actions import deliver_due, reclaim_lost  # noqa: E402
from emails.definitions import registry as emails  # noqa: E402
from emails.models import EmailSend  # noqa: E402
from emails.providers import PROVIDERS, Provider  # noqa: E402
from events.actions import emit_events  # noqa: E402
from events.definitions import NewEvent  # noqa: E402
from hogsend import doorbell  # noqa: E402
from hogsend.clock import database_now  # noqa: E402
from journeys.actions.capture import deliver_captures  # noqa: E402
from journeys.definitions import registry as journeys  # noqa: E402
from journeys.models import JourneyRun, Wakeup  # noqa: E402
from journeys.runtime import advance_due  # noqa: E402
from tests.storm.journey_outcome import LIVE, count_stranded, outcome  # noqa: E402
from tests.storm.mortality import TEMPLATES, Process, boundary, watch_the_database  # noqa: E402
from tests.storm.posthog_stub import serve  # noqa: E402

import_module(settings.ROOT_URLCONF)  # once here, not in every child
emails._frozen = journeys._frozen = False
storm_journeys = import_module("tests.storm.storm_journeys")

STRIDE: Final = {"examples": 41, "storm": 101, "storm-listener": 5}
SLICES: Final = 12
# Which event happens before which slice, and with which properties the story begins.
SCRIPTS: Final[dict[str, dict[int, str]]] = {
    "activation-welcome": {1: "feature.used"},
    "activation-nudge-series": {3: "value.delivered"},
    "conversion-trial-upgrade": {1: "usage.milestone_reached", 2: "paid_feature.attempted"},
    "referral-invite": {1: "session.completed"},
    "churn-prevention": {2: "payment.succeeded"},
}
BEGINNINGS: Final = {"reactivation-dormancy": {"plan": "paid"}, "test-onboarding": {"plan": "pro"}}
BLOCKED: Final = "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
number = count(1)


@dataclass(frozen=True)
class Story:
    """How somebody goes through a journey, and what is done to the worker: at which moment of which slice.

    ``fate`` is ``killed``; ``frozen`` until others have done its work; ``edited``, killed where the code changes;
    ``raced`` by others; or the name of an event that arrives right then. ``keyed`` says that the mail provider tells
    that a message came twice.
    """

    journey_id: str
    script: dict[int, str]
    fate: str = ""
    slice: int = -1
    moment: int = 0
    keyed: bool = True


def stories(part: str) -> list[Story]:
    """Return the stories of a part, undisturbed."""
    if part == "storm":
        return [
            Story("storm", {}),
            Story("storm", {1: "storm.reply"}),
            Story("storm-edited", {}),
            Story("storm-listener", {}),
        ]
    ids = sorted(one.id for one in journeys if not one.id.startswith("storm"))
    return [Story(journey_id, SCRIPTS.get(journey_id, {})) for journey_id in ids]


def variations(story: Story, plan: list[list[bool]]) -> Iterator[Story]:
    """Return the story with everything that can happen in it, at each moment of its plan, with both providers."""
    for index, moments in enumerate(plan):
        here = replace(story, slice=index)
        for moment, inside in enumerate(moments, start=1):
            for fate in possible(story, inside):
                for keyed in (True, False):
                    yield replace(here, fate=fate, moment=moment, keyed=keyed)


def raced(story: Story, slices: int, seed: int) -> Story:
    """Return the story with a race in one of its slices, another one for each seed."""
    turn, index = divmod(seed, slices)
    return replace(story, fate="raced", slice=index, moment=seed, keyed=turn % 2 == 0)


def possible(story: Story, inside: bool) -> list[str]:  # noqa: FBT001 - one moment of a plan
    """Return what can happen at a moment. A worker that sleeps in a transaction keeps all others waiting: not that."""
    if story.journey_id == "storm-listener":
        return ["storm.reply"]
    more = {"storm": ["storm.stop", "storm.reply"], "storm-edited": ["edited"]}.get(story.journey_id, [])
    return ["killed", *([] if inside else ["frozen"]), *more]


def work() -> None:
    """Do what workers do until nothing is due."""
    busy = 1
    while busy:
        busy = advance_due(limit=10) + deliver_due(now=database_now(), limit=10)
        busy += deliver_captures(now=database_now()).sent


def play(story: Story) -> tuple[dict[str, Any], list[list[bool]]]:
    """Let somebody new go through a story; return how it ended, and the moments of each slice."""
    settings.ENABLED_JOURNEYS = frozenset({story.journey_id, f"{story.journey_id}-friend"})
    settings.EMAIL_BACKEND = f"tests.storm.mortality.{'Recognising' if story.keyed else 'Forgetful'}Provider"
    person, plan, happened, stranded = somebody(), [], False, 0
    for index in range(SLICES):
        if index in story.script:
            happens(person, story.script[index])
        if index == 0:
            happens(person, journeys.get(story.journey_id).trigger, BEGINNINGS.get(story.journey_id))
        if index == story.slice:
            happened = disturb(story, person)
        stranded += count_stranded()
        boundary.begin(each_statement=story.journey_id.startswith("storm"))
        with storm_journeys.other_code(edited=story.fate == "edited" and index >= story.slice):
            work()
        plan.append(list(boundary.met))
        stranded += count_stranded()
        if not JourneyRun.objects.filter(status__in=LIVE).exists():
            break
        time_passes()
    return {**asdict(story), "happened": happened, "stranded": stranded, **outcome(person)}, plan


def disturb(story: Story, person: Contact) -> bool:
    """Let the worker of a slice meet its fate; say whether it came to the moment."""
    boundary.begin(each_statement=story.journey_id.startswith("storm"))
    if story.fate == "raced":
        return race(random.Random(repr(story)))
    worker = Process(work, fatal=story.moment)
    if not worker.stops():
        return False
    if story.fate in {"killed", "edited"}:
        worker.dies()
        leases_lapse()
    elif story.fate == "frozen":
        leases_lapse()
        work()
        worker.goes_on()
    else:
        visitor = Process(lambda: happens(person, story.fate))
        while not visitor.has_ended() and not is_blocked():
            pass
        worker.goes_on()
        visitor.ends()
    return True


def race(rnd: random.Random) -> bool:
    """Let three workers do the same while their leases lapse under their hands."""
    workers = [Process(work) for _ in range(3)]
    for _ in range(rnd.randint(1, 3)):
        leases_lapse()
    for worker in workers:
        worker.ends()
    leases_lapse()
    return True


def is_blocked() -> bool:
    """Say whether anybody waits for a lock."""
    with connection.cursor() as cursor:
        cursor.execute(BLOCKED)
        return cursor.fetchone() is not None


def somebody() -> Contact:
    now, name = database_now(), f"p{next(number):05}"
    return Contact.objects.create(external_id=name, email=f"{name}@example.com", first_seen_at=now, last_seen_at=now)


def happens(person: Contact, name: str, properties: dict[str, Any] | None = None) -> None:
    emit_events([NewEvent(person.id, name, properties or {})], now=database_now())


def leases_lapse() -> None:
    """Let everything run out that a worker holds, and nothing else."""
    past = database_now() - timedelta(seconds=1)
    JourneyRun.objects.filter(lease_until__isnull=False).update(lease_until=past)
    Wakeup.objects.filter(claimed_until__isnull=False).update(claimed_until=past)
    EmailSend.objects.filter(claimed_until__isnull=False).update(claimed_until=past)
    reclaim_lost(now=database_now())
    EmailSend.objects.filter(status="queued").update(send_after=past)


def time_passes() -> None:
    """Let every wait run out."""
    Wakeup.objects.update(due_at=database_now() - timedelta(seconds=1), claimed_until=None)


def prepare() -> None:
    """Make a process that can be forked, knows the templates of the storm and has a PostHog and two providers."""
    doorbell._bell = lambda: SimpleNamespace(press=lambda _: None)  # its thread does not survive a fork
    settings.DATABASES["default"]["OPTIONS"].pop("pool", None)  # nor do the pool's
    settings.TEMPLATES[0]["DIRS"] = [*settings.TEMPLATES[0]["DIRS"], TEMPLATES]
    settings.EMAIL_URL = ""
    recognising = "tests.storm.mortality.RecognisingProvider"
    PROVIDERS[recognising] = Provider(recognising, timedelta(hours=23))
    settings.POSTHOG_API_KEY, settings.POSTHOG_HOST = "phc_storm", serve()
    watch_the_database()


def chosen(story: Story, plan: list[list[bool]], part: str, seed: int) -> Iterator[Story]:
    """Return the variations that belong to a seed, some of each fate, and a race."""
    met: Counter[str] = Counter()
    stride = STRIDE.get(story.journey_id, STRIDE[part])
    for varied in variations(story, plan):
        if met[varied.fate] % stride == seed % stride:
            yield varied
        met[varied.fate] += 1
    yield raced(story, len(plan), seed)


def main(part: str, seed: int) -> None:
    prepare()
    for story in stories(part):
        ended, plan = play(story)
        sys.stdout.write(json.dumps(ended) + "\n")
        for varied in chosen(story, plan, part, seed):
            sys.stdout.write(json.dumps(play(varied)[0]) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
