from collections.abc import Callable
from operator import itemgetter
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.utils import quote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import reverse

from emails.models import EmailSend
from events.models import Event
from hogsend.admin_site import LookAdmin, column
from hogsend.clock import database_now
from hogsend.pages import badge, link, pretty
from journeys.actions.end import RunNotFoundError, RunStateError, cancel_run, retry_run
from journeys.actions.operate import skip_wait
from journeys.actions.park import unparked
from journeys.admin.skips import JourneyFilter
from journeys.admin.words import TONES, declared, waits_for
from journeys.deploys import DRIFT, absence_of
from journeys.models import LIVE, JourneyOverride, JourneyRun, JourneyStep, RunStatus, StepStatus
from journeys.overview import awaited

MOST_STEPS = 300


@admin.register(JourneyRun)
class JourneyRunAdmin(LookAdmin):
    """People's ways through journeys: where each stands, and why."""

    list_display = ("person", "journey_id", "state", "node", "due", "created_at", "ended_at")
    list_display_links = ("journey_id",)
    list_filter = (JourneyFilter, "status")
    list_select_related = ("contact",)
    page_template = "admin/journeys/run.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[JourneyRun]:
        """Fetch the wakeups with the runs: each tells when its run goes on."""
        rows: QuerySet[JourneyRun] = super().get_queryset(request)
        return rows.select_related("contact").prefetch_related("wakeups")

    def get_custom_urls(self) -> tuple[tuple[str, str, Any], ...]:
        """Add the addresses of the buttons."""
        return (
            ("<uuid:run_id>/cancel/", "journeys_journeyrun_cancel", self.cancel),
            ("<uuid:run_id>/retry/", "journeys_journeyrun_retry", self.retry),
            ("<uuid:run_id>/skip-wait/", "journeys_journeyrun_skip_wait", self.skip_wait),
        )

    def cancel(self, request: HttpRequest, *, run_id: UUID, **_url: Any) -> HttpResponse:
        """End a live run."""
        reason = f"cancelled by {request.user}"
        return self._press(
            request, run_id, lambda: cancel_run(run_id=run_id, reason=reason), "The run has left its journey."
        )

    def retry(self, request: HttpRequest, *, run_id: UUID, **_url: Any) -> HttpResponse:
        """Let a failed run go on."""
        return self._press(
            request, run_id, lambda: retry_run(run_id=run_id), "The run goes on after its last recorded step."
        )

    def skip_wait(self, request: HttpRequest, *, run_id: UUID, **_url: Any) -> HttpResponse:
        """Let a run go on as if its wait were over."""
        by = str(request.user)
        return self._press(
            request,
            run_id,
            lambda: skip_wait(run_id=run_id, by=by, now=database_now()),
            "The wait is over; the run goes on, once its journey is not paused.",
        )

    def _press(self, request: HttpRequest, run_id: UUID, act: Callable[[], None], done: str) -> HttpResponse:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not request.user.has_perm("journeys.change_journeyrun"):
            raise PermissionDenied
        try:
            act()
        except RunNotFoundError as error:
            raise Http404("There is no such run.") from error
        except RunStateError as error:
            messages.warning(request, str(error))
        else:
            self.log_change(request, JourneyRun.objects.get(id=run_id), done)
            messages.success(request, done)
        return HttpResponseRedirect(reverse("admin:journeys_journeyrun_change", args=[run_id]))

    @column("Contact")
    def person(self, run: JourneyRun) -> str:
        """Link to whose run it is."""
        return link("contacts_contact", run.contact_id, run.contact)

    @column("Status", labels={status.value: label for status, (label, _) in TONES.items()})
    def state(self, run: JourneyRun) -> str:
        """Where it stands."""
        return run.status

    @column("Goes on at")
    def due(self, run: JourneyRun) -> Any:
        """When the next wakeup is due."""
        return min((unparked(wakeup.due_at) for wakeup in run.wakeups.all()), default=None)

    def facts(self, obj: Any) -> list[tuple[str, Any]]:
        """Where the run stands, and what began and ended it."""
        return [
            ("Contact", self.person(obj)),
            ("Journey", link("journeys_journeyoverride", quote(obj.journey_id), obj.journey_id)),
            ("Status", badge(obj.get_status_display(), TONES[RunStatus(obj.status)][1])),
            ("Last wait or checkpoint", obj.node),
            ("Entry", f"no. {obj.entry_number} of this person"),
            ("Why it left", obj.exit_reason),
            ("Began", obj.created_at),
            ("Last progress", obj.progressed_at),
            ("Ended", obj.ended_at),
            ("Crashes in a row", obj.crash_count),
            ("Version", obj.version),
            ("Code when it began", f"{obj.code_hash[:12]}…"),
            ("Id", obj.id),
            ("Properties of the trigger", obj.context),
        ]

    def page(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        """The journal, what the run waits for, and the mails it asked for."""
        steps = list(obj.steps.order_by("seq")[: MOST_STEPS + 1])
        return {
            "steps": [step_line(step) for step in steps[:MOST_STEPS]],
            "more_steps": len(steps) > MOST_STEPS,
            "wait": _wait(obj),
            "code_note": _code_note(obj),
            "is_paused": JourneyOverride.objects.filter(journey_id=obj.journey_id, paused=True).exists(),
            "drift": next((step.result for step in steps if step.kind == DRIFT), None),
            "wakeups": sorted(((unparked(one.due_at), one) for one in obj.wakeups.all()), key=itemgetter(0)),
            "trigger": Event.objects.filter(id=obj.trigger_event_id).first() if obj.trigger_event_id else None,
            "sends": EmailSend.objects.filter(run_id=obj.id).defer("html", "text", "headers").order_by("id")[:100],
            "is_live": obj.status in LIVE,
            "may_act": request.user.has_perm("journeys.change_journeyrun"),
            "has_failed": obj.status == RunStatus.FAILED,
        }


def step_line(step: JourneyStep) -> dict[str, Any]:
    """Return one step of the journal in the words of the page."""
    _, _, site = step.key.partition(":")
    return {
        "row": step,
        "site": site or step.key,
        "waits": step.status == StepStatus.PENDING,
        "result": None if step.result in (None, {}, []) or step.status == StepStatus.PENDING else pretty(step.result),
        "took": step.finished_at - step.created_at if step.finished_at else None,
    }


def _wait(run: JourneyRun) -> dict[str, Any] | None:
    """Say at which place a run waits, for what, and until when."""
    found = awaited([run]).get(run.id)
    return None if found is None else {"label": found.label, "words": waits_for(found), "until": found.until}


def _code_note(run: JourneyRun) -> str:
    """Say how a live run stands to the code that is here, if it is not the code with which it began."""
    if run.status not in LIVE:
        return ""
    journey = declared(run.journey_id)
    absent = absence_of(run.journey_id, run.version)
    if journey is None or absent:
        return absent
    if journey.code_hash_of(run.version) != run.code_hash:
        return "The code has changed since this run began: it goes on with the newer code, and its recorded steps hold."
    return "" if journey.version == run.version else f"It goes on with version {run.version}, which the code keeps."
