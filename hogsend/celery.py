"""The Celery application, and the beat table: every periodic task of the product on one screen."""

import os

from celery import Celery
from django.apps import apps
from kombu import Queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hogsend.settings")

app = Celery("hogsend")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.task_queues = [Queue(name) for name in ("journeys", "mail", "bulk")]
app.conf.task_routes = {
    "journeys.*": {"queue": "journeys"},
    "emails.*": {"queue": "mail"},
    "tracking.*": {"queue": "mail"},
}
app.autodiscover_tasks()

# name: (task, seconds). Loaded into django-celery-beat's tables by `manage.py bootstrap`; edited there from then on.
BEAT: dict[str, tuple[str, int]] = {
    "Wake journey runs that are due": ("journeys.advance", 1),
    "Heal journey runs that stand still": ("journeys.heal", 60),
    "Move people between buckets as time passes": ("buckets.reconcile", 5),
    "Deliver mail that waits": ("emails.deliver", 5),
    "Resolve mail whose worker died": ("emails.reclaim", 60),
    "Forget expired idempotency keys": ("events.forget_keys", 3600),
    "Forget settled dead letters": ("events.forget_dead_letters", 3600),
    "Beat of the workers": ("ops.heartbeat", 10),
}


def load_beat() -> None:
    """Create the schedules that are missing; what an operator has changed stays changed."""
    interval_model = apps.get_model("django_celery_beat", "IntervalSchedule")
    task_model = apps.get_model("django_celery_beat", "PeriodicTask")
    for name, (task, seconds) in BEAT.items():
        interval, _ = interval_model.objects.get_or_create(every=seconds, period="seconds")
        task_model.objects.get_or_create(name=name, defaults={"task": task, "interval": interval})
