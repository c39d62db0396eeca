"""What a journey reads or does that is not recorded, so that a replay may go another way than the run did."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from os import environ
from typing import Final

from django.core.checks import CheckMessage
from django.core.checks import Warning as CheckWarning
from django.db import connection
from django.db.models import Model

from journeys.lint import Code, call_name, meaning_of, path_of, unrecorded

ONCE: Final = "Take it from ctx.once('…', lambda: …), which records what it was."


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of thing that is not recorded: where it comes from, what it is, and what to write instead."""

    id: str
    what: str
    hint: str
    paths: frozenset[str] = frozenset()
    modules: tuple[str, ...] = ()

    def has(self, path: str) -> bool:
        """Say whether ``path`` is of this kind."""
        return path in self.paths or any(path == one or path.startswith(f"{one}.") for one in self.modules)


ENVIRONMENT: Final = Kind(
    "journeys.W003", "reads the environment", ONCE, modules=tuple(f"os.{name}" for name in ("environ", "getenv"))
)
DATABASE: Final = Kind(
    "journeys.W004",
    "uses the database",
    "Ask ctx.history, or read in ctx.once('…', lambda: …); write in ctx.step('…', …).",
    frozenset({"django.shortcuts.get_object_or_404", "django.shortcuts.get_list_or_404"}),
    ("psycopg", "sqlite3", "sqlalchemy", "redis"),
)
KINDS: Final = (
    Kind(
        "journeys.W001",
        "reads the clock",
        "Write ctx.now(): each replay gets the same time.",
        frozenset(
            {
                *(f"datetime.datetime.{name}" for name in ("now", "utcnow", "today")),
                *(f"datetime.{name}" for name in ("now", "utcnow", "today", "date.today")),  # bound methods go by these
                *(f"django.utils.timezone.{name}" for name in ("now", "localtime", "localdate")),
                *(f"time.{name}" for name in ("time", "time_ns", "localtime", "gmtime", "monotonic", "perf_counter")),
            }
        ),
    ),
    Kind(
        "journeys.W002",
        "takes a random value",
        ONCE,
        frozenset({"uuid.uuid1", "uuid.uuid4", "os.urandom", "django.utils.crypto.get_random_string"}),
        ("random", "secrets", "numpy.random"),
    ),
    ENVIRONMENT,
    DATABASE,
    Kind(
        "journeys.W005",
        "talks to another machine",
        "Do it in ctx.step('…', …), which is done once, or in ctx.once('…', …) if nothing changes by it.",
        frozenset({"django.core.mail.send_mail", "django.core.mail.send_mass_mail"}),
        ("requests", "httpx", "aiohttp", "urllib.request", "urllib3", "http.client", "smtplib", "socket", "boto3"),
    ),
    Kind(
        "journeys.W006",
        "starts something beside itself",
        "Do the work here, or in ctx.step('…', …): ctx and send_email work only in the journey's own thread.",
        frozenset({"asyncio.run", "os.fork"}),
        ("threading", "_thread", "concurrent.futures", "multiprocessing", "subprocess"),
    ),
    Kind(
        "journeys.W007",
        "keeps its worker waiting",
        "Write ctx.sleep(…): the run then takes no worker.",
        frozenset({"time.sleep", "asyncio.sleep"}),
    ),
)
MANAGERS: Final = frozenset({"objects", "_default_manager", "_base_manager"})
WRITES: Final = frozenset({"save", "asave", "refresh_from_db", "arefresh_from_db"})


def impurities(code: Code, journey_id: str) -> Iterator[CheckMessage]:
    """Warn of what is not recorded, once a line and kind, unless the line says why: ``# unrecorded: …``."""
    told: set[tuple[int, str]] = set()
    for node in unrecorded(code):
        kind = _kind_of(code, node)
        line = code.line_of(node)
        if kind is None or (line, kind.id) in told or code.is_excused(node):
            continue
        told.add((line, kind.id))
        sentence = f"Journey {journey_id!r} {kind.what} where each replay does it again ({code.file}:{line})."
        hint = f"{kind.hint} If it does not matter, say so on the line: # unrecorded: why."
        yield CheckWarning(sentence, hint=hint, id=kind.id)


def _kind_of(code: Code, node: ast.expr) -> Kind | None:
    path = path_of(code, node.func if isinstance(node, ast.Call) else node)
    if ENVIRONMENT.has(path) or meaning_of(code, node) is environ:
        return ENVIRONMENT
    found = next((kind for kind in KINDS if kind.has(path)), None) if isinstance(node, ast.Call) else None
    return found or (DATABASE if _uses_database(code, node) else None)


def _uses_database(code: Code, node: ast.expr) -> bool:
    """A manager of a model, a row that is saved or read again, a cursor."""
    if isinstance(node, ast.Call):
        is_write = isinstance(node.func, ast.Attribute) and call_name(node) in WRITES
        opens = isinstance(node.func, ast.Attribute) and meaning_of(code, node.func.value) is connection
        return is_write or opens
    if not isinstance(node, ast.Attribute) or node.attr not in MANAGERS:
        return False
    meaning = meaning_of(code, node.value)
    return isinstance(meaning, type) and issubclass(meaning, Model)
