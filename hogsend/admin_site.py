"""What the admin pages of all apps share: lists which never count big tables, and pages to look at."""

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from django.contrib.admin import SimpleListFilter
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import connection
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.functional import cached_property
from unfold.admin import ModelAdmin

from hogsend.pages import shown

if TYPE_CHECKING:
    from django.contrib.admin.options import ModelAdmin as DjangoModelAdmin

DEEPEST = 200  # pages; whoever looks for something older uses a filter
Fact = tuple[str, Any]
Method = TypeVar("Method", bound=Callable[..., Any])


class RefusedError(Exception):
    """A button that cannot be pressed now; the message says what to do instead."""


class EstimatingPaginator(Paginator):  # type: ignore[type-arg]
    """Counts small results exactly and asks the query planner about big ones."""

    template_name = "admin/hogsend/pagination.html"
    exact_until = 10_000
    estimated = False

    @cached_property
    def count(self) -> int:
        """How many rows there are, or about how many (``estimated``)."""
        rows = cast("QuerySet[Model]", self.object_list).order_by()
        exact = rows[: self.exact_until + 1].count()
        if exact <= self.exact_until:
            return exact
        self.estimated = True
        plan = json.loads(rows.explain(format="json"))
        return max(exact, int(plan[0]["Plan"]["Plan Rows"]))

    @cached_property
    def num_pages(self) -> int:
        """Stop where stepping over rows would cost more than anybody reads."""
        return min(DEEPEST, max(1, -(-self.count // self.per_page)))


class ValuesInUse(SimpleListFilter):
    """A filter over the values which an indexed column holds."""

    def lookups(self, _request: HttpRequest, model_admin: "DjangoModelAdmin[Any]") -> list[tuple[str, str]]:
        """Offer what is in use."""
        return [(value, value) for value in values_in_use(model_admin.model, self.parameter_name or "")]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep the rows with the chosen value."""
        return queryset.filter(**{self.parameter_name or "": self.value()}) if self.value() else queryset


def column(description: str, *, labels: Mapping[str, str] | None = None) -> Callable[[Method], Method]:
    """Head a column of a list; ``labels`` colours its words (success, danger, warning, info)."""

    def mark(method: Method) -> Method:
        method.short_description = description  # type: ignore[attr-defined]
        if labels is not None:
            method.label = labels  # type: ignore[attr-defined]
        return method

    return mark


def values_in_use(model: type[Model], column: str, *, limit: int = 100) -> list[str]:
    """Return the distinct values of an indexed column by hopping along the index, not by reading the table."""
    name, table = connection.ops.quote_name(column), connection.ops.quote_name(model._meta.db_table)  # noqa: SLF001 - Django documents it
    hop = (
        f"with recursive hop (value) as ((select min({name}) from {table}) union all "  # noqa: S608 - our own names
        f"select (select min({name}) from {table} where {name} > hop.value) from hop where hop.value is not null) "
        "select value from hop where value is not null limit %s"
    )
    with connection.cursor() as cursor:
        cursor.execute(hop, [limit])
        return [value for (value,) in cursor.fetchall()]


class LookAdmin(ModelAdmin):  # type: ignore[misc]
    """A list and a page to look at: rows are written by the engine alone."""

    paginator = EstimatingPaginator
    show_full_result_count = False
    list_per_page = 50
    list_max_show_all = 0
    ordering: ClassVar[tuple[str, ...]] = ("-id",)
    actions = None
    page_template = "admin/hogsend/page.html"

    def has_add_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        """Nobody adds rows by hand."""
        return False

    def has_change_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        """Nobody changes rows by hand."""
        return False

    def has_delete_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        """Nobody deletes rows by hand."""
        return False

    def facts(self, obj: Any) -> list[Fact]:
        """What the page says about the row itself: label and value, in order."""
        fields = [field for field in self.opts.concrete_fields if not field.many_to_one]
        return [(str(field.verbose_name).capitalize(), getattr(obj, field.name)) for field in fields]

    def page(self, _request: HttpRequest, _obj: Any) -> dict[str, Any]:
        """What the page's own template needs beside the facts."""
        return {}

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",  # noqa: ARG002 - Django's signature
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show the page of one row."""
        obj = self.get_object(request, unquote(object_id))
        if obj is None:
            answer: HttpResponse = self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
            return answer
        if not self.has_view_permission(request, obj):
            raise PermissionDenied
        facts = [(label, shown(value)) for label, value in self.facts(obj) if value not in (None, "", "—", {}, [])]
        context = {
            **self.admin_site.each_context(request),
            "title": str(obj),
            "opts": self.opts,
            "original": obj,
            "has_view_permission": True,
            "facts": facts,
            **self.page(request, obj),
            **(extra_context or {}),
        }
        return TemplateResponse(request, self.page_template, context)
