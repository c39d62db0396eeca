"""Tell whether the code of a journey behaves as it did."""

import ast
import hashlib
import inspect
import textwrap
from collections.abc import Iterator
from datetime import datetime, timedelta
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final

CONSTANT: Final = (str, int, float, bool, timedelta, datetime)


def code_hash(run: FunctionType, behaviour: object) -> str:
    """Return 64 hexadecimal digits of a function and of what was declared about it.

    They change with its statements, with the constants that it takes from modules and with ``behaviour``; not with its
    comments, its form, its docstring or its name.
    """
    told = f"{_shape_of(run)}|{sorted(_constants_of(run))!r}|{behaviour!r}"
    return hashlib.sha256(told.encode()).hexdigest()


def _shape_of(run: FunctionType) -> str:
    """Return the function's syntax tree without its name, decorators and docstring."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(run))).body[0]
    except (OSError, SyntaxError, IndexError):  # typed into a shell: there is no file to read
        return run.__code__.co_code.hex()
    if not isinstance(tree, ast.FunctionDef):
        return run.__code__.co_code.hex()
    body = tree.body[1:] if ast.get_docstring(tree) is not None else tree.body
    return ast.dump(tree.args) + "".join(ast.dump(statement) for statement in body)


def _constants_of(run: FunctionType) -> set[tuple[str, str]]:
    """Return the constants of the function's module, and of modules imported there, that the function names."""
    space: dict[str, Any] = run.__globals__
    names = set(_names_in(run.__code__))
    modules = [vars(space[name]) for name in names if isinstance(space.get(name), ModuleType)]
    return {(name, repr(at[name])) for at in (space, *modules) for name in names if isinstance(at.get(name), CONSTANT)}


def _names_in(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _names_in(inner)
