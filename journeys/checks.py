"""`manage.py check`: what a journey's code says that could only fail once somebody is on the way."""

import ast
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from django.core.checks import CheckMessage, Error

from emails.definitions import registry as emails
from journeys.definitions import Journey, registry
from journeys.lint import Code, call_name, calls, code_of, is_of_ctx
from journeys.purity import impurities
from journeys.traps import trapped

LABEL_AT: Final = {"checkpoint": 0, "sleep": 1, "sleep_until": 1, "wait_for_event": 6}
LENGTH: Final = {"sleep": "duration", "sleep_until": "moment"}
MADE_OF_PARTS: Final = frozenset({"days", "hours", "minutes", "seconds", "timedelta", "datetime"})


def check_journeys(**_: Any) -> list[CheckMessage]:
    """Report what a journey sends that does not exist, what a replay could not find again, and what it could not do."""
    return [message for journey in registry for run in journey.functions.values() for message in _check(journey, run)]


def _check(journey: Journey, run: Callable[..., object]) -> Iterator[CheckMessage]:
    code = code_of(run)
    if code is None:  # typed into a shell: there is no file to read
        return
    marks = [call for call in calls(code) if _is_mark(code, call)]
    where = f"Journey {journey.id!r} ({journey.source.file}:{journey.source.line})"
    yield from _unknown_emails(code, where)
    yield from _reused_labels(marks, where)
    yield from _nameless_waits(code, marks, where)
    yield from trapped(code, journey.id)
    yield from impurities(code, journey.id)


def _unknown_emails(code: Code, where: str) -> Iterator[CheckMessage]:
    for call in calls(code):
        email_id = _literal(_argument(call, 1, "email_id")) if call_name(call) == "send_email" else None
        if email_id is not None and email_id not in emails:
            yield Error(
                f"{where} sends an e-mail that is not declared.", hint=emails.unknown(email_id), id="journeys.E001"
            )


def _reused_labels(marks: Sequence[ast.Call], where: str) -> Iterator[CheckMessage]:
    labels = Counter(
        label for call in marks if (label := _literal(_argument(call, LABEL_AT[call_name(call)], "label")))
    )
    for label, count in labels.items():
        if count > 1:
            hint = "Give each wait and checkpoint a label of its own; mails take their keys from it."
            yield Error(f"{where} uses the label {label!r} {count} times.", hint=hint, id="journeys.E002")


def _nameless_waits(code: Code, marks: Sequence[ast.Call], where: str) -> Iterator[CheckMessage]:
    for call in marks:
        name = call_name(call)
        length = _argument(call, 0, LENGTH[name]) if name in LENGTH else None
        if length is not None and _argument(call, LABEL_AT[name], "label") is None and not _is_fixed(code, length):
            hint = f"Write ctx.{name}(…, label='…'): a replay must find this wait again."
            yield Error(f"{where} has a wait of computed length without a label.", hint=hint, id="journeys.E003")


def _is_mark(code: Code, call: ast.Call) -> bool:
    """Say whether a call is a wait or a checkpoint of ctx itself."""
    return isinstance(call.func, ast.Attribute) and is_of_ctx(code, call) and call_name(call) in LABEL_AT


def _argument(call: ast.Call, position: int, name: str) -> ast.expr | None:
    if len(call.args) > position:
        return call.args[position]
    return next((keyword.value for keyword in call.keywords if keyword.arg == name), None)


def _literal(value: ast.expr | None) -> str | None:
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else None


def _is_fixed(code: Code, value: ast.expr) -> bool:
    """Constants, names in capitals, what ctx says, and durations made of these are the same in every replay."""
    match value:
        case ast.Constant():
            return True
        case ast.Name(id=name) | ast.Attribute(attr=name) if name.isupper():
            return True
        case ast.BinOp(left=left, right=right):
            return _is_fixed(code, left) and _is_fixed(code, right)
        case ast.Call():
            parts = [*value.args, *(keyword.value for keyword in value.keywords)]
            known = call_name(value) in MADE_OF_PARTS or is_of_ctx(code, value)
            return known and all(_is_fixed(code, part) for part in parts)
        case _:
            return False
