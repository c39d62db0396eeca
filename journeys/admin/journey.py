from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import quote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from hogsend.admin_site import LookAdmin, RefusedError
from hogsend.api.errors import ApiError
from hogsend.api.writes import written
from hogsend.clock import database_now
from hogsend.pages import query, sorted_by
from journeys.actions.invite import EnrolResult, Guest, enrol_person
from journeys.actions.operate import set_journey
from journeys.admin.survey import SORTS, arranged, survey
from journeys.admin.words import REASONS, declared, policy, state_of
from journeys.definitions import Journey
from journeys.guests import InvalidPropertiesError, known_as, properties_of
from journeys.models import JourneyOverride, JourneyRun
from journeys.overview import moved_last, run_counts, skip_counts
from journeys.queries import drifted_runs, runs_by_code
from journeys.validation import JOURNEY_ID

KINDS = {"": "All", "on": "On", "paused": "Paused", "off": "Off", "gone": "Not in the code"}
MONTH = timedelta(days=30)
NOBODY = "Nobody is known by “{}”; give a user id, an address, an anonymous id or our id in full."


@admin.register(JourneyOverride)
class JourneyAdmin(LookAdmin):
    """Every declared journey, also one of which nothing is stored yet, and those that are gone from the code."""

    ordering = ("journey_id",)
    page_template = "admin/journeys/journey.html"

    def get_custom_urls(self) -> tuple[tuple[str, str, Any], ...]:
        """Add the addresses of the buttons."""
        buttons = {"switch": self.switch, "pause": self.pause, "enrol": self.enrol}
        return tuple(
            (f"<str:journey_id>/{name}/", f"journeys_journeyoverride_{name}", page) for name, page in buttons.items()
        )

    def get_object(
        self, _request: HttpRequest, object_id: str, _from_field: str | None = None
    ) -> JourneyOverride | None:
        """Return what staff said of a journey; one that is declared, or has runs, needs no row."""
        if not JOURNEY_ID.fullmatch(object_id):
            return None
        stored = JourneyOverride.objects.filter(journey_id=object_id).first()
        known = stored or declared(object_id) or JourneyRun.objects.filter(journey_id=object_id).exists()
        return stored or (JourneyOverride(journey_id=object_id) if known else None)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show all journeys at a glance."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        lines = survey(now=database_now())
        kind, words, sort = (request.GET.get(name, "") for name in ("state", "q", "sort"))
        context = {
            "title": "Journeys",
            "lines": arranged(lines, kind=kind, words=words, sort=sort),
            "live": sum(line.live for line in lines),
            "failed": sum(line.counts["failed"] for line in lines),
            "skipped": sum(line.skipped for line in lines),
            "total": len(lines),
            "on": sum(line.state.kind == "on" for line in lines),
            "kinds": [
                (key, label, sum(key in {"", line.state.kind} for line in lines), query(state=key, q=words, sort=sort))
                for key, label in KINDS.items()
            ],
            "kind": kind,
            "words": words,
            "sort": sort,
            "sorts": {name: sorted_by(name, sort, state=kind, q=words) for name in SORTS},
        }
        context |= {**self.admin_site.each_context(request), **(extra_context or {})}
        return TemplateResponse(request, "admin/journeys/list.html", context)

    def facts(self, obj: Any) -> list[tuple[str, Any]]:
        """What the code says of the journey."""
        journey = declared(obj.journey_id)
        return policy(journey) if journey else [("Id", obj.journey_id)]

    def page(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        """How many stand where, under which code, who did not enter and why, and what may be pressed."""
        journey, now, user = declared(obj.journey_id), database_now(), request.user
        counts, skips = run_counts([obj.journey_id]), skip_counts([obj.journey_id], now=now)
        code = runs_by_code(obj.journey_id)
        is_here = journey is not None and journey.is_wanted
        return {
            "title": journey.name if journey else obj.journey_id,
            "opts": None,  # its name is that of the table
            "journey": journey,
            "state": state_of(journey, obj),
            "counts": counts[obj.journey_id],
            "live": sum(one.runs for one in code),
            "skips": [(REASONS.get(reason, reason), count) for reason, count in skips[obj.journey_id].items()],
            "code": [(one, _standing(journey, one.version, one.code_hash)) for one in code],
            "drifted": drifted_runs(obj.journey_id, since=now - MONTH),
            "moved": moved_last(obj.journey_id),
            "may_act": user.has_perm("journeys.change_journeyoverride"),
            "may_enrol": is_here and user.has_perm("journeys.add_journeyrun"),
            "may_see_people": user.has_perm("contacts.view_contact"),
        }

    def switch(self, request: HttpRequest, *, journey_id: str, **_url: Any) -> HttpResponse:
        """Keep everybody out of a journey, or let people in again."""
        enabled = request.POST.get("enabled") == "1"

        def act(journey: Journey | None) -> tuple[bool, str]:
            if journey is not None and not journey.enabled:
                raise RefusedError(f"The journey “{journey.name}” is off in the code (enabled=False); change it there.")
            written(lambda: set_journey(journey_id=journey_id, enabled=enabled))
            return True, "The journey is on." if enabled else "The journey is off: nobody enters, and its runs go on."

        return self._press(request, journey_id, "journeys.change_journeyoverride", act)

    def pause(self, request: HttpRequest, *, journey_id: str, **_url: Any) -> HttpResponse:
        """Let the runs of a journey stand still, or go on."""
        paused = request.POST.get("paused") == "1"

        def act(_journey: Journey | None) -> tuple[bool, str]:
            written(lambda: set_journey(journey_id=journey_id, paused=paused))
            if paused:
                return True, "The journey is paused: its runs stand still, and whoever enters stands at the start."
            return True, "The journey goes on; what became due meanwhile goes first."

        return self._press(request, journey_id, "journeys.change_journeyoverride", act)

    def enrol(self, request: HttpRequest, *, journey_id: str, **_url: Any) -> HttpResponse:
        """Let one person in by hand."""
        name, given = (request.POST.get(field, "").strip() for field in ("person", "properties"))

        def act(journey: Journey | None) -> tuple[bool, str]:
            if journey is None or not journey.is_wanted:
                raise RefusedError("This journey does not exist here, so nobody can enter it.")
            contact = known_as(name) if name and "\0" not in name else None
            if contact is None:
                raise RefusedError(NOBODY.format(name))
            guest = Guest(contact.pk, properties_of(given))
            by = str(request.user)
            answer = written(lambda: enrol_person(journey=journey, guest=guest, by=by, now=database_now()))
            return answer.result is EnrolResult.ENROLLED, f"{contact}: {answer.sentence}"

        return self._press(request, journey_id, "journeys.add_journeyrun", act)

    def _press(
        self, request: HttpRequest, journey_id: str, permission: str, act: Callable[[Journey | None], tuple[bool, str]]
    ) -> HttpResponse:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not request.user.has_perms(["journeys.view_journeyoverride", permission]):
            raise PermissionDenied
        override = self.get_object(request, journey_id)
        if override is None:
            raise Http404("There is no such journey.")
        try:
            well, said = act(declared(journey_id))
        except (RefusedError, InvalidPropertiesError, ApiError) as error:
            well, said = False, str(error)
        if well:
            self.log_change(request, override, said)
        messages.add_message(request, messages.SUCCESS if well else messages.WARNING, said)
        return HttpResponseRedirect(reverse("admin:journeys_journeyoverride_change", args=[quote(journey_id)]))


def _standing(journey: Journey | None, version: int, code_hash: str) -> tuple[str, str]:
    """Say how the code of runs stands to the code that is here, and in which tone."""
    if journey is None or version not in journey.functions:
        return "cannot be played here", "bad"
    if journey.code_hash_of(version) != code_hash:
        return "goes on with newer code", "warn"
    return ("as it is now", "good") if version == journey.version else ("kept", "live")
