"""How a journey can stand in the way of the signals by which its slices end, or of the record of its steps."""

import ast
from collections.abc import Iterator, Sequence
from typing import Final

from django.core.checks import CheckMessage, Error

from journeys.lint import Code, is_step, path_of

JUMPS: Final = (ast.Return, ast.Break, ast.Continue)


def trapped(code: Code, journey_id: str) -> Iterator[CheckMessage]:
    """Report what catches a wait as if it were an error, steps in ``finally``, and steps in a transaction."""
    for node in ast.walk(code.tree):
        if isinstance(node, ast.Try):
            yield from _caught(code, node, journey_id)
            yield from _finally(code, node, journey_id)
        elif isinstance(node, ast.With) and _has_step(code, node.body):
            if any(_is_atomic(code, item.context_expr) for item in node.items):
                yield _error(code, node, journey_id, "E006", "calls ctx or send_email inside transaction.atomic()")
            if any(_suppresses(code, item.context_expr) for item in node.items):
                yield _error(code, node, journey_id, "E004", "catches its own waits, with suppress(BaseException)")


HINTS: Final = {
    "E004": "Write `except Exception:`, or let the handler end with `raise`.",
    "E005": "A wait passes through `finally` each time the run is put aside; put the step after the `try`.",
    "E006": "A rollback would undo what was recorded: close the transaction first, or do the work in ctx.step('…', …).",
}


def _caught(code: Code, node: ast.Try, journey_id: str) -> Iterator[CheckMessage]:
    if _has_step(code, node.body):
        for handler in node.handlers:
            if _is_wide(handler.type) and not any(isinstance(one, ast.Raise) for one in handler.body[-1:]):
                yield _error(code, handler, journey_id, "E004", "catches its own waits, with a bare `except`")


def _finally(code: Code, node: ast.Try, journey_id: str) -> Iterator[CheckMessage]:
    if _has_step(code, node.finalbody):
        yield _error(code, node.finalbody[0], journey_id, "E005", "calls ctx or send_email in `finally`")
    for statement in node.finalbody:
        jump = next((one for one in ast.walk(statement) if isinstance(one, JUMPS)), None)
        if jump is not None and _has_step(code, node.body):
            yield _error(code, jump, journey_id, "E004", "catches its own waits, by leaving from `finally`")


def _has_step(code: Code, statements: Sequence[ast.stmt]) -> bool:
    return any(is_step(code, node) for statement in statements for node in ast.walk(statement))


def _is_wide(caught: ast.expr | None) -> bool:
    if isinstance(caught, ast.Tuple):
        return any(_is_wide(one) for one in caught.elts)
    return caught is None or (isinstance(caught, ast.Name) and caught.id == "BaseException")


def _is_atomic(code: Code, opened: ast.expr) -> bool:
    called = opened.func if isinstance(opened, ast.Call) else opened
    return path_of(code, called) == "django.db.transaction.atomic"


def _suppresses(code: Code, opened: ast.expr) -> bool:
    is_suppress = isinstance(opened, ast.Call) and path_of(code, opened.func) == "contextlib.suppress"
    return is_suppress and isinstance(opened, ast.Call) and any(_is_wide(one) for one in opened.args)


def _error(code: Code, node: ast.stmt | ast.ExceptHandler, journey_id: str, number: str, what: str) -> CheckMessage:
    sentence = f"Journey {journey_id!r} {what} ({code.file}:{code.line_of(node)})."
    return Error(sentence, hint=HINTS[number], id=f"journeys.{number}")
