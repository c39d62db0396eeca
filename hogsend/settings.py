"""The one place that reads the environment. A value that is missing or malformed stops the start with a sentence."""

import os
import secrets
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from celery.schedules import ParseException, crontab
from django.core.exceptions import ImproperlyConfigured

from hogsend.embedded import endpoints
from hogsend.lib.localtime import Window, window_named, zone_named
from hogsend.logging import logging_config
from hogsend.unfold import UNFOLD

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()


def text(name: str, default: str = "") -> str:
    """Read a text variable; an empty string counts as unset."""
    return os.environ.get(name, "").strip() or default


def choice(name: str, options: tuple[str, ...], default: str) -> str:
    """Read a variable that must be one of ``options``."""
    value = text(name, default)
    if value not in options:
        message = f"{name} is {value!r}; it must be one of: {', '.join(options)}."
        raise ImproperlyConfigured(message)
    return value


def number(name: str, default: int, least: int = 0) -> int:
    """Read a whole number that is at least ``least``."""
    value = text(name, str(default))
    if not value.isdecimal() or int(value) < least:
        message = f"{name} is {value!r}; it must be a whole number of at least {least}."
        raise ImproperlyConfigured(message)
    return int(value)


def flag(name: str, *, default: bool) -> bool:
    """Read a yes-or-no variable: true, false, 1, 0, yes, no, on, off."""
    value = text(name, "true" if default else "false").lower()
    if value not in {"true", "false", "1", "0", "yes", "no", "on", "off"}:
        message = f"{name} is {value!r}; it must be true or false."
        raise ImproperlyConfigured(message)
    return value in {"true", "1", "yes", "on"}


def ids(name: str) -> frozenset[str] | None:
    """Read a filter over code-defined ids: None (all) for ``*`` or unset, else a comma list."""
    value = text(name, "*")
    return None if value == "*" else frozenset(item.strip() for item in value.split(",") if item.strip())


def cron(name: str) -> str:
    """Read a line of five cron fields, like ``*/5 * * * *``; empty if unset."""
    value = text(name)
    try:
        crontab.from_string(value or "* * * * *")
    except (ValueError, TypeError, ParseException) as error:
        message = f"{name} is {value!r}; it must be five cron fields, like '*/5 * * * *' ({error})."
        raise ImproperlyConfigured(message) from error
    return value


# --- where we run ---------------------------------------------------------------------------------------------------
HOGSEND_ENV = choice("HOGSEND_ENV", ("development", "production", "test"), "development")
PRODUCTION = HOGSEND_ENV == "production"
HOGSEND_STATE_DIR = Path(text("HOGSEND_STATE_DIR", str(BASE_DIR / ".state")))
HOGSEND_PORT = number("HOGSEND_PORT", 8000, least=1)
API_PUBLIC_URL = text("API_PUBLIC_URL", f"http://127.0.0.1:{HOGSEND_PORT}").rstrip("/")
DEBUG = False
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
ROOT_URLCONF = "hogsend.urls"
WSGI_APPLICATION = "hogsend.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
APPEND_SLASH = False

if urlsplit(API_PUBLIC_URL).scheme not in {"http", "https"} or not urlsplit(API_PUBLIC_URL).hostname:
    message = (
        f"API_PUBLIC_URL is {API_PUBLIC_URL!r}; it must be the address people reach, like https://mail.example.com."
    )
    raise ImproperlyConfigured(message)


def _secret_key() -> str:
    given = text("SECRET_KEY")
    if PRODUCTION and len(given) < 32:  # noqa: PLR2004 - 32 characters is the length we ask for in the sentence
        message = "SECRET_KEY must be set to at least 32 random characters in production; it signs sessions and links."
        raise ImproperlyConfigured(message)
    if given:
        return given
    kept = HOGSEND_STATE_DIR / "secret_key"
    if not kept.exists():
        HOGSEND_STATE_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = kept.with_name(f"secret_key.{secrets.token_hex(4)}")
        fresh.touch(mode=0o600)
        fresh.write_text(secrets.token_urlsafe(48))
        try:
            os.link(fresh, kept)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return kept.read_text()


SECRET_KEY = _secret_key()
SECRET_KEY_FALLBACKS = [key for key in text("SECRET_KEY_FALLBACKS").split(",") if key]
ALLOWED_HOSTS = [host for host in text("ALLOWED_HOSTS").split(",") if host] or (
    [urlsplit(API_PUBLIC_URL).hostname or ""] if PRODUCTION else ["*"]
)
CSRF_TRUSTED_ORIGINS = [API_PUBLIC_URL]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = API_PUBLIC_URL.startswith("https://")
SESSION_COOKIE_AGE = 7 * 24 * 3600
HOGSEND_BEHIND_PROXY = flag("HOGSEND_BEHIND_PROXY", default=False)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HOGSEND_BEHIND_PROXY else None
X_FRAME_OPTIONS = "SAMEORIGIN"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = None  # the shell's business, like every header that is the same for all answers


# --- engines --------------------------------------------------------------------------------------------------------
def _endpoint(name: str) -> str:
    given = text(name)
    if given:
        return given
    if PRODUCTION:
        message = f"{name} must be set in production; the embedded engines are for development only."
        raise ImproperlyConfigured(message)
    running = endpoints.current(HOGSEND_STATE_DIR) or {}
    return running.get(name, "")


DATABASE_URL = _endpoint("DATABASE_URL")
REDIS_URL = _endpoint("REDIS_URL")
DATABASES: dict[str, dict[str, Any]] = {
    "default": {
        **(
            environ.Env.db_url_config(DATABASE_URL)
            if DATABASE_URL
            else {"NAME": "no_database_set_DATABASE_URL_or_use_run_up"}
        ),
        "ENGINE": "hogsend.postgres",
        "CONN_MAX_AGE": 0,
        "TEST": {"TEMPLATE": "template0"},
    }
}
DATABASES["default"].setdefault("OPTIONS", {})
DATABASES["default"]["OPTIONS"]["pool"] = {
    "min_size": 1,
    "max_size": number("HOGSEND_DB_POOL", 20, least=2),
    "timeout": 5,
}
# Statements are prepared from their fifth use on; 0 turns it off, as an older PgBouncer needs.
DATABASES["default"]["OPTIONS"]["server_side_binding"] = True
DATABASES["default"]["OPTIONS"]["prepare_threshold"] = number("HOGSEND_DB_PREPARE_THRESHOLD", 5) or None
HOGSEND_INGEST_BATCH = number("HOGSEND_INGEST_BATCH", 128, least=1)
HOGSEND_INGEST_LANES = number("HOGSEND_INGEST_LANES", 1, least=1)
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "hogsend",
    }
}

# --- Celery ---------------------------------------------------------------------------------------------------------
CELERY_BROKER_URL = endpoints.celery_broker_url(REDIS_URL) if REDIS_URL else "memory://"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_DEFAULT_QUEUE = "bulk"
CELERY_TASK_CREATE_MISSING_QUEUES = False
CELERY_TIMEZONE = "UTC"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 3600, "socket_timeout": 5, "socket_connect_timeout": 2}
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 1
DJANGO_CELERY_BEAT_TZ_AWARE = True

# --- apps -----------------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_celery_beat",
    "anymail",
    "hogsend",
    "hogsend.api",
    "contacts",
    "events",
    "lists",
    "preferences",
    "emails",
    "tracking",
    "conditions",
    "buckets",
    "journeys",
    "campaigns",
    "ops",
    *(name for name in text("HOGSEND_CONTENT_APPS", "content").split(",") if name),
]
MIDDLEWARE = [
    "hogsend.api.middleware.ShellMiddleware",
    "hogsend.api.pages.StaticFiles",
    "django.middleware.security.SecurityMiddleware",
    "hogsend.api.pages.Sessions",
    "django.middleware.csrf.CsrfViewMiddleware",
    "hogsend.api.pages.Authentication",
    "hogsend.api.pages.Messages",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
STATIC_URL = "/static/"
# Collected by `manage.py collectstatic` in production; found where they lie elsewhere.
STATIC_ROOT = BASE_DIR / "staticfiles" if PRODUCTION else None
WHITENOISE_USE_FINDERS = not PRODUCTION
WHITENOISE_AUTOREFRESH = False

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["hogsend.api.authentication.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["hogsend.api.permissions.HasScope"],
    "DEFAULT_RENDERER_CLASSES": ["hogsend.api.renderers.JsonRenderer"],
    "DEFAULT_PARSER_CLASSES": ["hogsend.api.parsers.JsonParser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "hogsend.api.negotiation.FirstRenderer",
    "EXCEPTION_HANDLER": "hogsend.api.errors.handle_exception",
    "UNAUTHENTICATED_USER": None,
    "DEFAULT_THROTTLE_CLASSES": ["hogsend.api.throttles.PerKey"],
    "DEFAULT_SCHEMA_CLASS": "hogsend.api.schema.Described",
}
SPECTACULAR_SETTINGS = {
    "OAS_VERSION": "3.1.0",
    "TITLE": "Hogsend API",
    "VERSION": "0.0.1",
    "SERVERS": [{"url": API_PUBLIC_URL}],
    "PREPROCESSING_HOOKS": ["hogsend.api.schema.data_plane"],
    "POSTPROCESSING_HOOKS": ["hogsend.api.schema.add_components"],
    "PATH_CONVERTER_OVERRIDES": {"segment": {"type": "string", "minLength": 1}},
}
# Requests a minute: of each key on each part of the API, of each webhook source, and of each address without a good
# key or proof. 0 is off.
HOGSEND_RATE_LIMITS = {
    "events": number("HOGSEND_RATE_LIMIT_EVENTS", 100_000),
    "contacts": number("HOGSEND_RATE_LIMIT_CONTACTS", 100_000),
    "emails": number("HOGSEND_RATE_LIMIT_EMAILS", 6_000),
    "lists": number("HOGSEND_RATE_LIMIT_LISTS", 6_000),
    "campaigns": number("HOGSEND_RATE_LIMIT_CAMPAIGNS", 6_000),
    "admin": number("HOGSEND_RATE_LIMIT_ADMIN", 6_000),
    "webhooks": number("HOGSEND_RATE_LIMIT_WEBHOOKS", 100_000),
    "unauthenticated": number("HOGSEND_RATE_LIMIT_UNAUTHENTICATED", 300),
}
ADMIN_API_KEY = text("ADMIN_API_KEY")
HOGSEND_MAX_BODY_BYTES = number("HOGSEND_MAX_BODY_BYTES", 1_048_576, least=1024)
DATA_UPLOAD_MAX_MEMORY_SIZE = HOGSEND_MAX_BODY_BYTES * 4

# --- the engine -----------------------------------------------------------------------------------------------------
ENABLED_JOURNEYS = ids("ENABLED_JOURNEYS")
ENABLED_BUCKETS = ids("ENABLED_BUCKETS")
ENABLED_LISTS = ids("ENABLED_LISTS")
BUCKET_RECONCILE_CRON = cron("BUCKET_RECONCILE_CRON")
# Secrets of webhook sources by the name of their variable, which always ends so; an unset one closes its source.
WEBHOOK_SECRETS = {
    name: value.strip() for name, value in os.environ.items() if name.endswith("_WEBHOOK_SECRET") and value.strip()
}
# The project in PostHog that hears who is in which bucket; the key is the project's own, which can only write.
POSTHOG_API_KEY = text("POSTHOG_API_KEY")
POSTHOG_HOST = text("POSTHOG_HOST", "https://us.i.posthog.com")
if urlsplit(POSTHOG_HOST).scheme not in {"http", "https"} or not urlsplit(POSTHOG_HOST).hostname:
    message = f"POSTHOG_HOST is {POSTHOG_HOST!r}; it must be an address like https://eu.i.posthog.com."
    raise ImproperlyConfigured(message)
# A personal key of somebody there; only such a key can read where people live.
POSTHOG_PERSONAL_API_KEY = text("POSTHOG_PERSONAL_API_KEY")
HOGSEND_IDEMPOTENCY_DAYS = number("HOGSEND_IDEMPOTENCY_DAYS", 30, least=1)
# Who hears of recorded events, in this order, inside the transaction that records them (docs/walk.md, stop 5).
HOGSEND_EVENT_CONSUMERS = [
    "preferences.consumers.change_lists",
    "journeys.consumers.exit_runs",
    "journeys.consumers.wake_waiters",
    "buckets.consumers.update_buckets",
    "journeys.consumers.enrol",
]
HOGSEND_MAX_HOPS = 8
# What happens when one request names two people who both have a user id: refuse (and record the conflict), or merge.
HOGSEND_MERGE_IDENTIFIED = choice("HOGSEND_MERGE_IDENTIFIED", ("refuse", "merge"), "refuse") == "merge"
# Who hears what happens to people, in this order, inside the transaction that does it (contacts/following.py).
HOGSEND_CONTACT_FOLLOWERS = [
    "events.followers",
    "preferences.followers",
    "emails.followers",
    "tracking.followers",
    "buckets.followers",
    "journeys.followers",
]

# --- mail -----------------------------------------------------------------------------------------------------------
DEFAULT_FROM_EMAIL = text("DEFAULT_FROM_EMAIL", "Hogsend <hello@example.com>")
# Beside the domain of DEFAULT_FROM_EMAIL: from which an ingest key may let mail be sent.
HOGSEND_FROM_DOMAINS = frozenset(
    name.strip().lower() for name in text("HOGSEND_FROM_DOMAINS").split(",") if name.strip()
)
if misread := sorted(name for name in HOGSEND_FROM_DOMAINS if "@" in name or "." not in name):
    message = f"HOGSEND_FROM_DOMAINS holds {misread[0]!r}; give domains like shop.example, separated by commas."
    raise ImproperlyConfigured(message)
EMAIL_URL = text("EMAIL_URL")
HOGSEND_OUTBOX_DIR = Path(text("HOGSEND_OUTBOX_DIR", str(HOGSEND_STATE_DIR / "outbox")))
EMAIL_BACKEND = text("EMAIL_BACKEND", "" if EMAIL_URL else "emails.mailbox.MailboxBackend")
EMAIL_TIMEOUT = number("EMAIL_TIMEOUT", 30, least=1)
if EMAIL_URL:
    _mail = environ.Env.email_url_config(EMAIL_URL)
    EMAIL_BACKEND = EMAIL_BACKEND or _mail["EMAIL_BACKEND"]
    EMAIL_HOST, EMAIL_PORT = _mail.get("EMAIL_HOST") or "localhost", _mail.get("EMAIL_PORT") or 25
    EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _mail.get("EMAIL_HOST_USER") or "", _mail.get("EMAIL_HOST_PASSWORD") or ""
    EMAIL_USE_TLS, EMAIL_USE_SSL = _mail.get("EMAIL_USE_TLS", False), _mail.get("EMAIL_USE_SSL", False)
ANYMAIL = {
    name.removeprefix("ANYMAIL_"): value for name, value in os.environ.items() if name.startswith("ANYMAIL_") and value
}
HOGSEND_LEGACY_TOKEN_SECRET = text("HOGSEND_LEGACY_TOKEN_SECRET")
HOGSEND_BRAND_NAME = text("HOGSEND_BRAND_NAME", "Hogsend")
HOGSEND_BRAND_ADDRESS = text("HOGSEND_BRAND_ADDRESS")
# How long a worker that died keeps what it had claimed.
HOGSEND_MAIL_LEASE = timedelta(seconds=number("HOGSEND_MAIL_LEASE_SECONDS", 60, least=1))
HOGSEND_RUN_LEASE = timedelta(seconds=number("HOGSEND_RUN_LEASE_SECONDS", 60, least=1))

# Where clocks stand for somebody of whom nothing is known, and the hours into which ctx.when moves what it finds.
try:
    HOGSEND_TIMEZONE = zone_named(text("HOGSEND_TIMEZONE", "UTC")).key
except TypeError as error:
    message = f"HOGSEND_TIMEZONE: {error}"
    raise ImproperlyConfigured(message) from error
_hours = text("HOGSEND_SEND_WINDOW")
try:
    HOGSEND_SEND_WINDOW: Window | None = window_named(_hours) if _hours else None
except TypeError as error:
    message = f"HOGSEND_SEND_WINDOW: {error}"
    raise ImproperlyConfigured(message) from error

if PRODUCTION and EMAIL_BACKEND == "emails.mailbox.MailboxBackend":
    message = "EMAIL_URL or EMAIL_BACKEND must be set in production; the development mailbox delivers to nobody."
    raise ImproperlyConfigured(message)

# --- the admin ------------------------------------------------------------------------------------------------------
LOGIN_URL = "/admin/login/"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
UNFOLD["SITE_TITLE"] = UNFOLD["SITE_HEADER"] = HOGSEND_BRAND_NAME

# --- logs -----------------------------------------------------------------------------------------------------------
LOG_LEVEL = choice("LOG_LEVEL", ("debug", "info", "warning", "error"), "info")
LOGGING = logging_config(json=PRODUCTION, level=LOG_LEVEL)
