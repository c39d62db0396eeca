"""What became of somebody who went through a journey of the storm."""

from pathlib import Path
from typing import Any, Final

from django.db.models import Exists, OuterRef, Q

from contacts.models import Contact
from emails.models import EmailSend
from events.models import Event
from journeys.models import Capture, EventWaiter, JourneyRun, JourneyStep, RunStatus, Wakeup
from tests.storm.mortality import CALLS, MAILS
from tests.storm.posthog_stub import told_of

LIVE: Final = [RunStatus.ACTIVE, RunStatus.WAITING]


def count_stranded() -> int:
    """Count the live runs that nothing would wake."""
    return JourneyRun.objects.filter(~Exists(Wakeup.objects.filter(run=OuterRef("pk"))), status__in=LIVE).count()


def outcome(person: Contact) -> dict[str, Any]:
    """Tell what became of somebody, and of a friend of theirs."""
    people = Contact.objects.filter(Q(pk=person.pk) | Q(external_id=f"{person.external_id}-friend"))
    runs = list(JourneyRun.objects.filter(contact__in=people).order_by("journey_id"))
    steps = list(JourneyStep.objects.filter(run__in=runs).order_by("run__journey_id", "seq"))
    person.refresh_from_db()
    return {
        "runs": [[run.journey_id, run.status, run.exit_reason, run.error] for run in runs],
        "steps": [[step.key, step.status] for step in steps],
        "calls": [len(set(_lines(CALLS, run.pk))) for run in runs],
        "calls_again": sum(len(calls) - len(set(calls)) for run in runs if (calls := _lines(CALLS, run.pk))),
        "events": sorted(Event.objects.filter(contact__in=people).values_list("name", flat=True)),
        "properties": person.properties,
        "told": told_of(str(person.external_id)),
        "missed": sum(_missed(step, person) for step in steps),
        "overrun": _overrun(person),
        "left": Wakeup.objects.count() + EventWaiter.objects.count() + Capture.objects.count(),
        **_mail(runs),
    }


def _mail(runs: list[JourneyRun]) -> dict[str, Any]:
    ended = {run.pk: run.ended_at for run in runs}
    sends = list(EmailSend.objects.filter(run_id__in=ended).order_by("origin_id", "created_at", "id"))
    return {
        "sends": [f"{send.origin_id}:{str(send.idempotency_key).split(':', 2)[2]}" for send in sends],
        "ledger": [send.status for send in sends],
        "handed_over": [_lines(MAILS, send.pk) for send in sends],
        "decided_late": sum(bool(end := ended[send.run_id]) and send.created_at > end for send in sends),
    }


def _missed(step: JourneyStep, person: Contact) -> bool:
    """Say whether a wait ran out although its event had come after it began."""
    if step.key != "event:answer" or not (step.result or {}).get("timed_out"):
        return False
    meanwhile = (step.created_at, step.finished_at)
    return Event.objects.filter(contact=person, name="storm.reply", received_at__range=meanwhile).exists()


def _overrun(person: Contact) -> bool:
    """Say whether a run completed after the event that ends it."""
    names = list(Event.objects.filter(contact=person).order_by("seq").values_list("name", flat=True))
    ends = {"storm.stop", "journey:completed"}
    return [name for name in names if name in ends] == ["storm.stop", "journey:completed"]


def _lines(file: Path, about: object) -> list[str]:
    lines = file.read_text().splitlines() if file.exists() else []
    return [line for line in lines if str(about) in line]
