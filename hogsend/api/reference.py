"""The API's document as the rows of a page."""

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

METHODS = ("get", "put", "post", "patch", "delete")
COMPONENT = "#/components/schemas/"


@dataclass(frozen=True)
class Row:
    """One field, parameter or answer."""

    name: str
    kind: str
    sentence: str
    required: bool = False
    examples: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Operation:
    """One method on one path."""

    id: str
    method: str
    path: str
    summary: str
    description: str
    parameters: list[Row] = field(default_factory=list)
    fields: list[Row] = field(default_factory=list)
    calls: list[tuple[str, str]] = field(default_factory=list)
    answers: list[Row] = field(default_factory=list)


def chapters(document: Mapping[str, Any]) -> dict[str, list[Operation]]:
    """Return the operations by their tag, in the order of their paths."""
    found: dict[str, list[Operation]] = {}
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                found.setdefault(item[method]["tags"][0], []).append(_operation(document, path, method))
    return found


def curl(document: Mapping[str, Any], path: str, method: str, body: Any = None) -> str:
    """Return the call as one types it into a shell."""
    lines = [f"curl -X {method.upper()} {document['servers'][0]['url']}{path}"]
    if document["paths"][path][method].get("security"):
        lines.append('-H "Authorization: Bearer $HOGSEND_API_KEY"')
    if body is not None:
        lines += ["-H 'Content-Type: application/json'", f"-d {shlex.quote(json.dumps(body, ensure_ascii=False))}"]
    return " \\\n  ".join(lines)


def _operation(document: Mapping[str, Any], path: str, method: str) -> Operation:
    operation = document["paths"][path][method]
    content = _content(operation.get("requestBody", {}))
    bodies = [(name, example["value"]) for name, example in content.get("examples", {}).items()]
    calls = [(name, curl(document, path, method, body)) for name, body in bodies]
    return Operation(
        id=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=operation.get("summary", ""),
        description=operation.get("description", ""),
        parameters=[_parameter(one) for one in operation.get("parameters", ())],
        fields=list(_fields(document, content.get("schema", {}))),
        calls=calls or [("call", curl(document, path, method))],
        answers=[_answer(status, response) for status, response in operation["responses"].items()],
    )


def _parameter(one: Mapping[str, Any]) -> Row:
    kind = f"{one['in']}, {_kind(one.get('schema', {}))}"
    return Row(one["name"], kind, one.get("description", ""), required=one.get("required", False))


def _fields(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[Row]:
    schema = _resolved(document, schema)
    for name, below in schema.get("properties", {}).items():
        found = _resolved(document, below)
        yield Row(name, _kind(found), found.get("description", ""), required=name in schema.get("required", ()))


def _answer(status: str, response: Mapping[str, Any]) -> Row:
    examples = _content(response).get("examples", {})
    shown = tuple((name, json.dumps(one["value"], indent=2, ensure_ascii=False)) for name, one in examples.items())
    return Row(status, HTTPStatus(int(status)).phrase, response.get("description", ""), examples=shown)


def _content(part: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = part.get("content", {}).get("application/json", {})
    return found


def _resolved(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    if (ref := schema.get("$ref", "")).startswith(COMPONENT):
        named: Mapping[str, Any] = document["components"]["schemas"][ref.removeprefix(COMPONENT)]
        return named
    return schema


def _kind(schema: Mapping[str, Any]) -> str:
    kinds = schema.get("type", "any")
    words = [kind for kind in ([kinds] if isinstance(kinds, str) else kinds) if kind != "null"]
    return " or ".join(words) + (f" ({schema['format']})" if "format" in schema else "")
