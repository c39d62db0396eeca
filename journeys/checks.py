"""`manage.py check`: what a journey's code says that could only fail once somebody is on the way."""

import ast
import inspect
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final

from django.core.checks import CheckMessage, Error

from emails.definitions import registry as emails
from journeys.definitions import Journey, registry

LABEL_AT: Final = {"checkpoint": 0, "sleep": 1, "sleep_until": 1}
MADE_OF_PARTS: Final = frozenset({"days", "hours", "minutes", "seconds", "timedelta", "datetime"})


def check_journeys(**_: Any) -> list[CheckMessage]:
    """Report unknown e-mails, reused labels, and waits that a replay could not find again."""
    return [message for journey in registry for message in _check(journey)]


def _check(journey: Journey) -> Iterator[CheckMessage]:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(journey.run)))
    except (OSError, SyntaxError):  # typed into a shell: there is no file to read
        return
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    ctx = journey.run.__code__.co_varnames[1:2]
    marks = [call for call in calls if _is_mark(call, ctx)]
    where = f"Journey {journey.id!r} ({journey.source.file}:{journey.source.line})"
    yield from _unknown_emails(calls, where)
    yield from _reused_labels(marks, where)
    yield from _nameless_waits(marks, where)


def _unknown_emails(calls: Sequence[ast.Call], where: str) -> Iterator[CheckMessage]:
    for call in calls:
        email_id = _literal(_argument(call, 1, "email_id")) if _name(call) == "send_email" else None
        if email_id is not None and email_id not in emails:
            yield Error(
                f"{where} sends an e-mail that is not declared.", hint=emails.unknown(email_id), id="journeys.E001"
            )


def _reused_labels(marks: Sequence[ast.Call], where: str) -> Iterator[CheckMessage]:
    labels = Counter(label for call in marks if (label := _literal(_argument(call, LABEL_AT[_name(call)], "label"))))
    for label, count in labels.items():
        if count > 1:
            hint = "Give each wait and checkpoint a label of its own; mails take their keys from it."
            yield Error(f"{where} uses the label {label!r} {count} times.", hint=hint, id="journeys.E002")


def _nameless_waits(marks: Sequence[ast.Call], where: str) -> Iterator[CheckMessage]:
    for call in marks:
        length = _argument(call, 0, "duration" if _name(call) == "sleep" else "moment")
        if length is not None and _argument(call, LABEL_AT[_name(call)], "label") is None and not _is_fixed(length):
            hint = f"Write ctx.{_name(call)}(…, label='…'): a replay must find this wait again."
            yield Error(f"{where} has a wait of computed length without a label.", hint=hint, id="journeys.E003")


def _is_mark(call: ast.Call, ctx: Sequence[str]) -> bool:
    """Say whether a call is one of ctx.sleep, ctx.sleep_until and ctx.checkpoint."""
    owner = call.func.value if isinstance(call.func, ast.Attribute) else None
    return isinstance(owner, ast.Name) and owner.id in ctx and _name(call) in LABEL_AT


def _name(call: ast.Call) -> str:
    """Return the name of what is called: ``sleep`` for ``ctx.sleep(…)``."""
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _argument(call: ast.Call, position: int, name: str) -> ast.expr | None:
    if len(call.args) > position:
        return call.args[position]
    return next((keyword.value for keyword in call.keywords if keyword.arg == name), None)


def _literal(value: ast.expr | None) -> str | None:
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else None


def _is_fixed(value: ast.expr) -> bool:
    """Constants, names in capitals, and durations made of these are the same in every replay."""
    match value:
        case ast.Constant():
            return True
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name.isupper()
        case ast.BinOp(left=left, right=right):
            return _is_fixed(left) and _is_fixed(right)
        case ast.Call():
            parts = [*value.args, *(keyword.value for keyword in value.keywords)]
            return _name(value) in MADE_OF_PARTS and all(_is_fixed(part) for part in parts)
        case _:
            return False
