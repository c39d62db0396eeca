"""Read the code of a journey for what a replay could not do again: a pure look at its syntax tree, nothing is run."""

import ast
import inspect
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import BuiltinFunctionType, BuiltinMethodType, FunctionType, MethodType, ModuleType
from typing import Any, Final

RECORDING: Final = frozenset({"once", "step"})
EXCUSE: Final = "# unrecorded:"


@dataclass(frozen=True, slots=True)
class Code:
    """The function of a journey as it is written.

    Attributes:
        ctx: What it calls its second argument.
        names: What the names that are not its own mean.
        file: Where it stands.
    """

    tree: ast.FunctionDef | ast.Lambda
    ctx: str
    names: Mapping[str, Any]
    file: str
    first_line: int
    lines: tuple[str, ...]

    def line_of(self, node: ast.expr | ast.stmt | ast.ExceptHandler) -> int:
        """Return the line of the file on which something stands."""
        return self.first_line + node.lineno - 1

    def is_excused(self, node: ast.expr | ast.stmt | ast.ExceptHandler) -> bool:
        """Say whether a comment on its lines says why it need not be recorded."""
        last = node.lineno if isinstance(node, ast.Try | ast.ExceptHandler | ast.With) else node.end_lineno
        return any(EXCUSE in line for line in self.lines[node.lineno - 1 : last])


def code_of(run: object) -> Code | None:
    """Return the code of a function; None if there is no file to read, or a line that cannot be read alone."""
    if not isinstance(run, FunctionType):
        return None
    try:
        lines, first_line = inspect.getsourcelines(run)
        source = textwrap.dedent("".join(lines))
        found = ast.parse(source)
    except (OSError, SyntaxError):
        return None
    arguments = run.__code__.co_varnames[: run.__code__.co_argcount]
    tree = next((node for node in ast.walk(found) if _is_function(node, len(arguments))), None)
    if not isinstance(tree, ast.FunctionDef | ast.Lambda) or len(arguments) < 2:  # noqa: PLR2004 - user and ctx
        return None
    names = {**run.__globals__, **_enclosed(run), **_imported(tree)}
    return Code(tree, arguments[1], names, run.__code__.co_filename, first_line, tuple(source.splitlines()))


def _is_function(node: ast.AST, arguments: int) -> bool:
    return isinstance(node, ast.FunctionDef | ast.Lambda) and len(node.args.args) == arguments


def _enclosed(run: FunctionType) -> dict[str, Any]:
    """Return what the function takes from a function around it."""
    return dict(inspect.getclosurevars(run).nonlocals)


@dataclass(frozen=True, slots=True)
class Imported:
    """Something that the function imports itself, by its path."""

    path: str


def _imported(tree: ast.AST) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                found[alias.asname or alias.name.split(".")[0]] = Imported(
                    alias.name if alias.asname else alias.name.split(".")[0]
                )
        elif isinstance(node, ast.ImportFrom):
            found |= {alias.asname or alias.name: Imported(f"{node.module}.{alias.name}") for alias in node.names}
    return found


def calls(code: Code) -> Iterator[ast.Call]:
    """All calls of the function."""
    return (node for node in ast.walk(code.tree) if isinstance(node, ast.Call))


def unrecorded(code: Code) -> Iterator[ast.expr]:
    """All calls, attributes and names that each replay comes by; it does not go into ctx.once(…) and ctx.step(…)."""
    recorded = {name for call in calls(code) if _records(code, call) for name in _function_names(call)}
    waiting: list[ast.AST] = [code.tree]
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, ast.FunctionDef) and node.name in recorded and node is not code.tree:
            continue
        if isinstance(node, ast.Call | ast.Attribute | ast.Name):
            yield node
        if isinstance(node, ast.Call) and _records(code, node):
            waiting[:0] = node.args[:1]
            continue
        waiting[:0] = _played_again(node, code.tree)


def _played_again(node: ast.AST, tree: ast.AST) -> list[ast.AST]:
    """Return the parts of a node that run when it does; decorators and defaults of the journey have run before."""
    if node is tree and isinstance(node, ast.FunctionDef):
        return list(node.body)
    return list(ast.iter_child_nodes(node))


def _records(code: Code, call: ast.Call) -> bool:
    return is_of_ctx(code, call) and call_name(call) in RECORDING


def _function_names(call: ast.Call) -> set[str]:
    given = [*call.args[1:], *(keyword.value for keyword in call.keywords)]
    return {value.id for value in given if isinstance(value, ast.Name)}


def is_of_ctx(code: Code, node: ast.AST) -> bool:
    """Say whether something is asked of ctx, or of a part of it: ctx.sleep(…), ctx.history.email(…)."""
    while isinstance(node, ast.Call | ast.Attribute):
        node = node.func if isinstance(node, ast.Call) else node.value
    return isinstance(node, ast.Name) and node.id == code.ctx


def is_step(code: Code, node: ast.AST) -> bool:
    """Say whether a call is one that a run records: of ctx, or send_email."""
    return isinstance(node, ast.Call) and (is_of_ctx(code, node) or call_name(node) == "send_email")


def call_name(call: ast.Call) -> str:
    """Return the name of what is called: ``sleep`` for ``ctx.sleep(…)``."""
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def path_of(code: Code, node: ast.expr) -> str:
    """Return where something comes from, like ``datetime.datetime.now``, whatever it is called here; else nothing."""
    if isinstance(node, ast.Attribute):
        owner = path_of(code, node.value)
        return f"{owner}.{node.attr}" if owner else ""
    return _path(code.names.get(node.id)) if isinstance(node, ast.Name) else ""


def meaning_of(code: Code, node: ast.expr) -> Any:
    """Return what a plain name means where the function was declared; else None."""
    return code.names.get(node.id) if isinstance(node, ast.Name) else None


def _path(value: Any) -> str:
    match value:
        case Imported(path=path) | ModuleType(__name__=path):
            return path
        case MethodType(__self__=owner) | BuiltinMethodType(__self__=owner) if not isinstance(owner, ModuleType):
            # Such as random.choice, a method of a hidden Random, and time of a class.
            kind = owner if isinstance(owner, type) else type(owner)
            return f"{kind.__module__.removeprefix('_')}.{value.__name__}"
        case FunctionType() | BuiltinFunctionType() | type():
            return f"{value.__module__}.{value.__qualname__}"
        case _:
            return ""
