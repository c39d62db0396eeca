from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import quote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from buckets.actions import BucketOffError, NotVerifiableError, begin_backfill, set_enabled, verify
from buckets.admin.page import PERIODS, fed_by, growth, recent
from buckets.admin.policy import policy
from buckets.admin.preview import CriteriaForm, found, plain
from buckets.admin.state import state_of
from buckets.admin.survey import arranged, survey
from buckets.definitions import ID, Bucket, registry
from buckets.models import BucketConfig
from buckets.queries import config_of
from contacts.models import Contact
from hogsend.admin_site import LookAdmin, RefusedError
from hogsend.api.errors import ApiError
from hogsend.api.writes import written
from hogsend.clock import database_now
from hogsend.pages import query, sorted_by

KINDS = {"": "All", "on": "On", "busy": "Being judged", "off": "Off", "gone": "Not in the code"}
MOST_VERIFIED = 200_000
SAMPLE = 20
TOO_MANY = "There are more than {:,} people; run `manage.py verify_buckets {}` instead, which may take its time."


@admin.register(BucketConfig)
class BucketAdmin(LookAdmin):
    """Every declared bucket, also one of which nothing is stored yet, and those that are gone from the code."""

    ordering = ("bucket_id",)
    page_template = "admin/buckets/bucket.html"

    def get_custom_urls(self) -> tuple[tuple[str, str, Any], ...]:
        """Add the preview and the addresses of the buttons."""
        buttons = {"switch": self.switch, "judge": self.judge, "verify": self.verify}
        return (
            ("preview/", "buckets_bucketconfig_preview", self.preview),
            *((f"<str:bucket_id>/{name}/", f"buckets_bucketconfig_{name}", page) for name, page in buttons.items()),
        )

    def get_object(self, _request: HttpRequest, object_id: str, _from_field: str | None = None) -> BucketConfig | None:
        """Return what is known of a bucket; one that is declared needs no row."""
        if not ID.fullmatch(object_id):
            return None
        config = config_of(object_id)
        return config if object_id in registry or not config._state.adding else None  # noqa: SLF001 - Django documents it

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show all buckets at a glance."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        lines = survey(now=database_now())
        kind, words, sort = (request.GET.get(name, "") for name in ("state", "q", "sort"))
        context = {
            "title": "Buckets",
            "lines": arranged(lines, kind=kind, words=words, sort=sort),
            "people": sum(line.movement.size or 0 for line in lines),
            "joined": sum(line.movement.joined for line in lines),
            "left": sum(line.movement.left for line in lines),
            "total": len(lines),
            "on": sum(line.state.kind == "on" for line in lines),
            "kinds": [
                (key, label, sum(key in {"", line.state.kind} for line in lines), query(state=key, q=words, sort=sort))
                for key, label in KINDS.items()
            ],
            "kind": kind,
            "words": words,
            "sort": sort,
            "sorts": {name: sorted_by(name, sort, state=kind, q=words) for name in ("name", "size", "joined", "left")},
        }
        return self._answer(request, "list", **context, **(extra_context or {}))

    def facts(self, obj: Any) -> list[tuple[str, Any]]:
        """What the code says of the bucket, and since when it is followed."""
        bucket = _declared(obj)
        return [*(policy(bucket) if bucket else [("Id", obj.bucket_id)]), ("Last followed", obj.followed_at)]

    def page(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        """How it moves, what it feeds, who came and went, and what may be pressed."""
        bucket, now, user = _declared(obj), database_now(), request.user
        days = next((days for days in PERIODS if request.GET.get("days") == str(days)), PERIODS[0])
        known = recent(obj.bucket_id)
        state = state_of(bucket, obj, known["running"])
        return {
            "title": bucket.name if bucket else obj.bucket_id,
            "opts": None,  # its name is that of the table
            "bucket": bucket,
            "state": state,
            "growth": growth(obj.bucket_id, now=now, days=days),
            "periods": PERIODS,
            "feeds": {"events": sorted(bucket.events), "properties": sorted(bucket.properties)} if bucket else {},
            "fed": fed_by(bucket, now=now) if bucket else [],
            "may_act": user.has_perm("buckets.change_bucketconfig") and bucket is not None and bucket.is_wanted,
            "may": {
                "events": user.has_perm("events.view_event"),
                "runs": user.has_perm("journeys.view_journeyrun"),
                "people": user.has_perm("contacts.view_contact"),
                "members": user.has_perm("buckets.view_bucketmembership"),
            },
            **known,
        }

    def switch(self, request: HttpRequest, *, bucket_id: str, **_url: Any) -> HttpResponse:
        """Switch a bucket on or off for everybody."""
        enabled = request.POST.get("enabled") == "1"

        def act(bucket: Bucket) -> str:
            if not bucket.enabled:
                raise RefusedError(f"The bucket “{bucket.name}” is off in the code (enabled=False); change it there.")
            written(lambda: set_enabled(bucket, enabled=enabled, now=database_now()))
            if enabled:
                return f"The bucket “{bucket.name}” is on. Everybody is judged first, then its clock goes on."
            return f"The bucket “{bucket.name}” is off: its members stay in, and it judges nobody."

        return self._press(request, bucket_id, act)

    def judge(self, request: HttpRequest, *, bucket_id: str, **_url: Any) -> HttpResponse:
        """Begin to judge everybody again, in the background."""

        def act(bucket: Bucket) -> str:
            begun = written(lambda: begin_backfill(bucket, now=database_now()))
            return f"About {begun.total:,} people are being judged by “{bucket.name}”; who joins by it is told nobody."

        return self._press(request, bucket_id, act)

    def verify(self, request: HttpRequest, *, bucket_id: str, **_url: Any) -> HttpResponse:
        """Compare who is in with who belongs there, and put right who is astray."""

        def act(bucket: Bucket) -> str:
            if Contact.objects.filter(deleted_at=None)[: MOST_VERIFIED + 1].count() > MOST_VERIFIED:
                raise RefusedError(TOO_MANY.format(MOST_VERIFIED, bucket.id))
            found = verify(bucket)
            astray = found.missing + found.surplus
            if not astray:
                return f"All {found.people:,} people are where they belong."
            return f"Of {found.people:,} people {astray:,} were astray; {found.repaired:,} were moved."

        return self._press(request, bucket_id, act)

    def preview(self, request: HttpRequest, **_url: Any) -> HttpResponse:
        """Say who would be in with any criteria; nothing is changed by it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        chosen = request.GET.get("bucket", "")
        bucket = registry.get(chosen) if chosen in registry else None
        given = request.GET.get("criteria") or (plain(bucket) if bucket else "")
        form = CriteriaForm({"criteria": given} if given or "criteria" in request.GET else None)
        form.fields["criteria"].widget.attrs["rows"] = min(max(given.count("\n") + 2, 12), 30)
        context = {
            "title": "Preview",
            "form": form,
            "found": found(form.node, now=database_now(), sample=SAMPLE) if form.is_valid() else None,
            "buckets": sorted(registry, key=lambda one: one.name.lower()),
            "chosen": bucket,
            "unknown": registry.unknown(chosen) if chosen and bucket is None else "",
            "may_see_people": request.user.has_perm("contacts.view_contact"),
        }
        return self._answer(request, "preview", **context)

    def _press(self, request: HttpRequest, bucket_id: str, act: Callable[[Bucket], str]) -> HttpResponse:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not request.user.has_perms(["buckets.view_bucketconfig", "buckets.change_bucketconfig"]):
            raise PermissionDenied
        if bucket_id not in registry or not registry.get(bucket_id).is_wanted:
            raise Http404("There is no such bucket.")
        try:
            done = act(registry.get(bucket_id))
        except (RefusedError, BucketOffError, NotVerifiableError, ApiError) as error:
            messages.warning(request, str(error))
        else:
            self.log_change(request, config_of(bucket_id), done)
            messages.success(request, done)
        return HttpResponseRedirect(reverse("admin:buckets_bucketconfig_change", args=[quote(bucket_id)]))

    def _answer(self, request: HttpRequest, page: str, **context: Any) -> HttpResponse:
        return TemplateResponse(
            request, f"admin/buckets/{page}.html", {**self.admin_site.each_context(request), **context}
        )


def _declared(config: BucketConfig) -> Bucket | None:
    return registry.get(config.bucket_id) if config.bucket_id in registry else None
