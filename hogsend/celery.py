"""The Celery application, and the beat table: every periodic task of the product on one screen."""

import os
from typing import Any

from celery import Celery
from celery.signals import worker_ready
from django.apps import apps
from django.conf import settings
from kombu import Queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hogsend.settings")

app = Celery("hogsend")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.task_queues = [Queue(name) for name in ("journeys", "mail", "bulk")]
app.conf.task_routes = {
    "journeys.capture": {"queue": "bulk"},
    "journeys.*": {"queue": "journeys"},
    "emails.*": {"queue": "mail"},
    "tracking.*": {"queue": "mail"},
}
app.autodiscover_tasks()

# name: (task, seconds, or minute and hour of a cron line). Loaded into django-celery-beat's tables by `manage.py
# bootstrap`; edited there from then on.
BEAT: dict[str, tuple[str, int | str]] = {
    "Wake journey runs that are due": ("journeys.advance", 1),
    "Heal journey runs that stand still": ("journeys.heal", 60),
    "Move people between buckets as time passes": ("buckets.reconcile", 5),
    "Judge everybody by new and changed buckets": ("buckets.backfill", 30),
    "Verify who is in buckets": ("buckets.verify", "17 3 * * *"),
    "Count what buckets did": ("buckets.count", 15),
    "Tell PostHog who is in buckets": ("buckets.mirror", 5),
    "Tell PostHog what journeys say": ("journeys.capture", 5),
    "Deliver mail that waits": ("emails.deliver", 5),
    "Resolve mail whose worker died": ("emails.reclaim", 60),
    "Forget expired idempotency keys": ("events.forget_keys", 3600),
    "Forget settled dead letters": ("events.forget_dead_letters", 3600),
    "Beat of the workers": ("ops.heartbeat", 10),
}
if settings.BUCKET_RECONCILE_CRON:
    BEAT["Move people between buckets when the cron says"] = ("buckets.reconcile_rest", settings.BUCKET_RECONCILE_CRON)


def load_beat() -> None:
    """Create the schedules that are missing; what an operator has changed stays changed."""
    interval_model = apps.get_model("django_celery_beat", "IntervalSchedule")
    task_model = apps.get_model("django_celery_beat", "PeriodicTask")
    for name, (task, when) in BEAT.items():
        if isinstance(when, int):
            interval, _ = interval_model.objects.get_or_create(every=when, period="seconds")
            task_model.objects.get_or_create(name=name, defaults={"task": task, "interval": interval})
        else:
            task_model.objects.get_or_create(name=name, defaults={"task": task, "crontab": _crontab(when)})


def _crontab(line: str) -> Any:
    fields = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")
    given = dict(zip(fields, line.split(), strict=True))
    found, _ = apps.get_model("django_celery_beat", "CrontabSchedule").objects.get_or_create(**given, timezone="UTC")
    return found


@worker_ready.connect
def plan_backfills(sender: Any, **_more: Any) -> None:
    """A worker that starts may bring other criteria for buckets."""
    sender.app.send_task("buckets.plan", retry=False)
