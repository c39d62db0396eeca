"""How the admin looks: its name, colours and sidebar."""

from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse, reverse_lazy


def _item(title: str, icon: str, page: str) -> dict[str, Any]:
    permission = page.replace("_", ".view_")

    def may_see(request: HttpRequest) -> bool:
        return bool(request.user.has_perm(permission))

    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{page}_changelist"),
        "permission": may_see,
    }


def _group(title: str, *items: dict[str, Any]) -> dict[str, Any]:
    return {"title": title, "separator": True, "items": list(items)}


def _is_at_buckets(request: HttpRequest) -> bool:
    """Say whether the list or a bucket is shown; the preview stands below the list's address."""
    here = request.path.startswith(reverse("admin:buckets_bucketconfig_changelist"))
    return here and request.path != reverse("admin:buckets_bucketconfig_preview")


def stylesheet(_request: HttpRequest) -> str:
    """Return where our own styles are served."""
    return static("hogsend/admin.css")


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Hogsend",
    "SITE_HEADER": "Hogsend",
    "SITE_SYMBOL": "forward_to_inbox",
    "SITE_URL": "/",
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_BACK_BUTTON": True,
    "STYLES": [stylesheet],
    "DASHBOARD_CALLBACK": "ops.admin.overview.dashboard",
    "COLORS": {
        "primary": {
            "50": "oklch(97.6% .012 45)",
            "100": "oklch(94.5% .03 45)",
            "200": "oklch(88.5% .06 43)",
            "300": "oklch(80.5% .1 41)",
            "400": "oklch(71.5% .14 40)",
            "500": "oklch(64% .16 39)",
            "600": "oklch(56% .155 38)",
            "700": "oklch(48.5% .135 37)",
            "800": "oklch(41.5% .11 37)",
            "900": "oklch(36% .09 38)",
            "950": "oklch(25% .06 38)",
        }
    },
    "SIDEBAR": {
        "show_search": True,
        "navigation": [
            {
                "title": "",
                "items": [{"title": "Overview", "icon": "monitoring", "link": reverse_lazy("admin:index")}],
            },
            _group(
                "People",
                _item("Contacts", "group", "contacts_contact"),
                _item("Events", "bolt", "events_event"),
                _item("Key conflicts", "call_split", "contacts_keyconflict"),
                _item("Merges", "merge", "contacts_contactmerge"),
            ),
            _group(
                "Buckets",
                _item("Buckets", "groups", "buckets_bucketconfig") | {"active": _is_at_buckets},
                _item("Members", "how_to_reg", "buckets_bucketmembership"),
                _item("Preview", "person_search", "buckets_bucketconfig")
                | {"link": reverse_lazy("admin:buckets_bucketconfig_preview")},
            ),
            _group(
                "Journeys",
                _item("Journeys", "alt_route", "journeys_journeyoverride"),
                _item("Runs", "route", "journeys_journeyrun"),
                _item("Enrolment skips", "block", "journeys_enrolmentskip"),
            ),
            _group(
                "Mail",
                _item("Sends", "outgoing_mail", "emails_emailsend"),
                _item("Opens and clicks", "ads_click", "tracking_hit"),
            ),
            _group(
                "Consent",
                _item("Preferences", "tune", "preferences_preference"),
                _item("Suppressions", "do_not_disturb_on", "preferences_suppression"),
                _item("Consent changes", "history", "preferences_consentchange"),
                _item("Tombstones", "visibility_off", "preferences_tombstone"),
            ),
            _group(
                "Operations",
                _item("API keys", "key", "api_apikey"),
                _item("Dead letters", "mail_off", "events_deadletter"),
                _item("Webhook skips", "filter_alt", "events_webhookskip"),
                _item("Schedules", "schedule", "django_celery_beat_periodictask"),
                _item("Staff", "badge", "auth_user"),
                _item("Roles", "shield_person", "auth_group"),
            ),
        ],
    },
}
