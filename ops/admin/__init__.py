"""Admin pages that look across all apps, and those of Django's own apps in our dress."""

from django.contrib import admin

from ops.admin import people as people
from ops.admin import schedules as schedules
from ops.admin import staff as staff

admin.site.index_template = "admin/ops/overview.html"
admin.site.index_title = "Overview"
