"""The schedules of beat, as django-celery-beat edits them, in our dress."""

from django.contrib import admin
from django_celery_beat.admin import ClockedScheduleAdmin as PlainClockedAdmin
from django_celery_beat.admin import CrontabScheduleAdmin as PlainCrontabAdmin
from django_celery_beat.admin import PeriodicTaskAdmin as PlainTaskAdmin
from django_celery_beat.admin import PeriodicTaskForm, TaskSelectWidget
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

for model in (PeriodicTask, IntervalSchedule, CrontabSchedule, ClockedSchedule, SolarSchedule):
    admin.site.unregister(model)


class TaskSelect(UnfoldAdminSelectWidget, TaskSelectWidget):  # type: ignore[misc]
    """The registered tasks to choose from."""


class TaskForm(PeriodicTaskForm):  # type: ignore[misc]
    """The package's form with widgets that fit."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.fields["task"].widget = UnfoldAdminTextInputWidget()
        self.fields["regtask"].widget = TaskSelect()


@admin.register(PeriodicTask)
class TaskAdmin(PlainTaskAdmin, ModelAdmin):  # type: ignore[misc]
    """What beat rings and how often; changes are followed within a second or two."""

    form = TaskForm
    date_hierarchy = None
    list_display = ("name", "task", "enabled", "interval", "crontab", "last_run_at")
    list_filter = ("enabled",)
    ordering = ("name",)


@admin.register(IntervalSchedule)
class IntervalAdmin(ModelAdmin):  # type: ignore[misc]
    """Every so many seconds, minutes, hours or days."""


@admin.register(CrontabSchedule)
class CrontabAdmin(PlainCrontabAdmin, ModelAdmin):  # type: ignore[misc]
    """At given minutes, hours and days."""


@admin.register(ClockedSchedule)
class ClockedAdmin(PlainClockedAdmin, ModelAdmin):  # type: ignore[misc]
    """Once, at a given time."""
