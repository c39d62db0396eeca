from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.utils import quote
from django.db.models import QuerySet
from django.http import HttpRequest

from buckets.definitions import registry
from buckets.models import BucketMembership, MembershipStatus, Source
from hogsend.admin_site import LookAdmin, ValuesInUse, column
from hogsend.pages import badge, link, moment

if TYPE_CHECKING:
    from django.contrib.admin.options import ModelAdmin as DjangoModelAdmin

TONES = {MembershipStatus.ACTIVE: ("success", "good"), MembershipStatus.LEFT: ("", "plain")}
NEWEST = 20_000


class BucketFilter(ValuesInUse):
    """The buckets that somebody is or was in, by name where they have one."""

    title = "bucket"
    parameter_name = "bucket_id"

    def lookups(self, request: HttpRequest, model_admin: "DjangoModelAdmin[Any]") -> list[tuple[str, str]]:
        """Offer what is in use."""
        found = super().lookups(request, model_admin)
        return [(value, registry.get(value).name if value in registry else value) for value, _ in found]


class StatusFilter(admin.SimpleListFilter):
    """Who is in, or who was."""

    title = "state"
    parameter_name = "status"

    def lookups(self, _request: HttpRequest, _model_admin: "DjangoModelAdmin[Any]") -> list[tuple[str, str]]:
        """Offer both."""
        return [(status.value, str(status.label)) for status in MembershipStatus]

    def queryset(self, _request: HttpRequest, rows: QuerySet[BucketMembership]) -> QuerySet[BucketMembership]:
        """Keep the rows of one status; stays that ended have an index of their own, which knows when."""
        if self.value() == MembershipStatus.LEFT:
            return rows.filter(left_at__isnull=False)
        return rows.filter(status=self.value()) if self.value() else rows


class SourceFilter(admin.SimpleListFilter):
    """What noticed that somebody joined: no index knows, so only the newest stays are looked at."""

    title = f"what noticed it, of the newest {NEWEST:,}"
    parameter_name = "source"

    def lookups(self, _request: HttpRequest, _model_admin: "DjangoModelAdmin[Any]") -> list[tuple[str, str]]:
        """Offer every source there is."""
        return [(source.value, str(source.label)) for source in Source]

    def queryset(self, request: HttpRequest, rows: QuerySet[BucketMembership]) -> QuerySet[BucketMembership]:
        """Keep those of one source among the newest of what the other filters keep."""
        newest = rows.order_by(*order_of(request)).values("pk")[:NEWEST]
        return rows.filter(pk__in=newest, source=self.value()) if self.value() else rows


@admin.register(BucketMembership)
class MembershipAdmin(LookAdmin):
    """Who is in which bucket, and who was: one row for each stay, the newest first."""

    list_display = ("person", "bucket", "state", "time", "came", "came_by", "went", "why")
    list_display_links = ("bucket",)
    list_filter: ClassVar[tuple[Any, ...]] = (BucketFilter, StatusFilter, SourceFilter)
    list_select_related = ("contact",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[BucketMembership]:
        """Leave out what people's properties would weigh."""
        rows: QuerySet[BucketMembership] = super().get_queryset(request)
        return rows.select_related("contact").defer("contact__properties")

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """Begin with the newest."""
        return order_of(request)

    @column("Contact")
    def person(self, stay: BucketMembership) -> str:
        """Link to whose stay it is."""
        return link("contacts_contact", stay.contact_id, stay.contact)

    @column("Bucket")
    def bucket(self, stay: BucketMembership) -> str:
        """How people call the bucket."""
        return name_of(stay.bucket_id)

    @column("Time")
    def time(self, stay: BucketMembership) -> int:
        """How often the person has joined by then."""
        return stay.entry_number

    @column("Joined")
    def came(self, stay: BucketMembership) -> str:
        """When the stay began."""
        return moment(stay.entered_at)

    @column("Left")
    def went(self, stay: BucketMembership) -> str:
        """When it ended."""
        return moment(stay.left_at)

    @column("State", labels={MembershipStatus.ACTIVE.label: "success"})
    def state(self, stay: BucketMembership) -> str:
        """In or out."""
        return stay.get_status_display()

    @column("Joined by")
    def came_by(self, stay: BucketMembership) -> str:
        """What noticed it."""
        return stay.get_source_display()

    @column("Left because of")
    def why(self, stay: BucketMembership) -> str:
        """Why the stay ended."""
        return stay.get_leave_reason_display() or "—"

    def facts(self, obj: Any) -> list[tuple[str, Any]]:
        """The stay, and what will become of it."""
        return [
            ("Contact", self.person(obj)),
            ("Bucket", link("buckets_bucketconfig", quote(obj.bucket_id), name_of(obj.bucket_id))),
            ("State", badge(obj.get_status_display(), TONES[MembershipStatus(obj.status)][1])),
            ("Entry", f"no. {obj.entry_number} of this person"),
            ("Joined at", obj.entered_at),
            ("Joined by", obj.get_source_display()),
            ("Left at", obj.left_at),
            ("Left because of", obj.get_leave_reason_display()),
            ("The criteria are false; leaves at", obj.leave_due_at if obj.status == MembershipStatus.ACTIVE else None),
            ("The longest stay ends at", obj.max_dwell_at if obj.status == MembershipStatus.ACTIVE else None),
            ("Counted since", obj.dwell_anchor_at),
            ("Id", obj.id),
        ]


def order_of(request: HttpRequest) -> tuple[str, ...]:
    """Read along the index of one bucket where one was chosen; ids are in the order of time as well."""
    return ("-entered_at", "-id") if request.GET.get("bucket_id") else ("-id",)


def name_of(bucket_id: str) -> str:
    """Return how people call a bucket; one that is gone has only its id."""
    return registry.get(bucket_id).name if bucket_id in registry else bucket_id


@dataclass(frozen=True, slots=True)
class Stay:
    """One stay of a person, with the name of its bucket."""

    row: BucketMembership
    name: str


def stays_of(contact_id: UUID, *, limit: int = 50) -> list[Stay]:
    """Return somebody's stays: first those that go on, then those that ended, the newest first."""
    rows = BucketMembership.objects.filter(contact=contact_id).order_by("status", "-entered_at", "-id")
    return [Stay(row, name_of(row.bucket_id)) for row in rows[:limit]]
