"""How a viewset describes itself in ``/openapi.json``.

Put ``@documented`` on the method that answers; what every route has in common is added to it: the bearer key and the
scope, 401, 403 and 429, the rate limit's headers, and with a body 400, 411 and 413::

    LIST = component("List", {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}})

    class ListViewSet(ViewSet):
        required_scope = Scope.INGEST

        @documented(
            "Subscribe somebody",
            body=Body(SUBSCRIBER, {"a known person": {"userId": "ada"}}),
            answers=[Answer(200, LIST, "They are subscribed.", {"subscribed": {"id": "news"}})],
            errors=(404, 409),
            parameters=(IDEMPOTENCY_KEY,),
        )
        def subscribe(self, request: Request, list_id: str) -> Response: ...

Schemas are JSON Schema (2020-12) as plain dicts; a serializer class works as well. Every example of a body is sent to
the running product by a test, on a database that knows the cast of ``tests/people.py``, and must get the first answer.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiRequest, OpenApiResponse, extend_schema

from hogsend.api.models import Scope

Schema = Mapping[str, Any]
Method = TypeVar("Method", bound=Callable[..., Any])

JSON = "application/json"
DOCUMENTED = ("/v1/events", "/v1/contacts", "/v1/emails", "/v1/lists", "/v1/campaigns", "/v1/webhooks", "/v1/health")
ERRORS: dict[int, tuple[str, str]] = {
    400: ("The request is not valid; `details` names the fields.", "name is not valid: it is required."),
    401: ("There is no key, or it is unknown, revoked or expired.", "Unauthorized"),
    403: ("The key's scopes are not enough.", "Forbidden: insufficient scope"),
    404: ("There is nothing of that name.", "Not Found"),
    409: ("It clashes with what is stored.", "This Idempotency-Key was used with another request; use a new one."),
    411: ("The body was sent in chunks.", "Send the body with a Content-Length header; chunked bodies are not read."),
    413: ("The body is too large.", "The request body is larger than 1048576 bytes; send less at once."),
    415: ("The body is of the wrong type.", "Send the body as application/json."),
    422: ("The request is understood but cannot be done.", "This person has no address; give one."),
    429: (
        "The rate limit is reached; `Retry-After` says when to send again.",
        "Rate limit exceeded; send again in 12 seconds.",
    ),
    503: ("It could not be done now; send the same again.", "The database was busy; send it again with its key."),
}
KEYED = (401, 403, 429)
WITH_BODY = (400, 411, 413)

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "maxLength": 255},
    OpenApiParameter.HEADER,
    description="The same key does the same thing once. Beats `idempotencyKey` in the body; empty means none.",
)
PAGE = (
    OpenApiParameter(
        "limit", {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}, description="How many."
    ),
    OpenApiParameter("cursor", {"type": "string"}, description="`nextCursor` of the page before."),
)

_components: dict[str, Schema] = {
    "Error": {
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {"type": "string", "minLength": 1, "description": "A sentence that says what to do."},
            "details": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["path", "code", "message"],
                    "properties": {
                        "path": {"type": "array", "items": {"type": ["string", "integer"]}},
                        "code": {"type": "string"},
                        "message": {"type": "string"},
                    },
                },
            },
        },
    }
}
ERROR = {"$ref": "#/components/schemas/Error"}


@dataclass(frozen=True)
class Body:
    """What a request carries, with examples by name."""

    schema: Any
    examples: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """One answer that is no refusal, with examples by name."""

    status: int
    schema: Any
    sentence: str
    examples: Mapping[str, Any] = field(default_factory=dict)


def component(name: str, schema: Schema) -> dict[str, str]:
    """Give a schema a name of its own in the document, and return the reference to it."""
    if _components.setdefault(name, schema) != schema:
        raise ValueError(f"There are two schemas named {name}; give one of them another name.")
    return {"$ref": f"#/components/schemas/{name}"}


def page_of(name: str, item: Schema) -> dict[str, Any]:
    """Return the schema of a page of ``item`` under ``name``, as hogsend.api.pagination answers it."""
    return {
        "type": "object",
        "required": [name, "nextCursor"],
        "properties": {name: {"type": "array", "items": item}, "nextCursor": {"type": ["string", "null"]}},
    }


def documented(
    summary: str,
    *,
    answers: Sequence[Answer],
    body: Body | None = None,
    errors: Sequence[int] = (),
    parameters: Sequence[OpenApiParameter] = (),
) -> Callable[[Method], Method]:
    """Describe the method of a viewset: what it takes, what it answers, and which refusals it has of its own."""
    return extend_schema(
        summary=summary,
        request=None if body is None else {JSON: _request(body)},
        responses={
            **{(answer.status, JSON): _response(answer) for answer in answers},
            **{(status, JSON): _refusal(status) for status in (*errors, *(WITH_BODY if body else ()))},
        },
        parameters=[*parameters],
    )


class Described(AutoSchema):
    """Adds to each operation what all of them have in common."""

    def get_tags(self) -> list[str]:
        """Group the operations by the first step of the path."""
        return [self.path.split("/")[2]]

    def get_description(self) -> str:  # type: ignore[override]  # two stub packages disagree
        """Say what the method's docstring says, and which scope it takes."""
        scope = getattr(self.view, "required_scope", Scope.FULL_ADMIN)
        needs = f"\n\nNeeds a key with the scope `{scope}`." if self.view.authentication_classes else ""
        return super().get_description() + needs

    def get_request_serializer(self) -> Any:
        """Take no body, unless the method says otherwise."""
        return None

    def get_response_serializers(self) -> Any:
        """Answer some object, unless the method says otherwise."""
        return {(200, JSON): OpenApiResponse({"type": "object"}, description="The answer.")}

    def get_operation(self, *args: Any, **options: Any) -> dict[str, Any] | None:
        """Return the operation, with the refusals and headers which the shell adds."""
        operation: dict[str, Any] | None = super().get_operation(*args, **options)
        if operation is None:
            return None
        if self.view.authentication_classes:
            for status in KEYED:
                operation["responses"][str(status)] = self._get_response_for_code(  # type: ignore[no-untyped-call]
                    _refusal(status), str(status), [JSON]
                )
            _add_limit_headers(operation["responses"])
        operation["responses"] = dict(sorted(operation["responses"].items()))
        return operation

    def _is_list_view(self, _serializer: Any = None) -> bool:
        # A method named list is described like any other: by the whole of its answer.
        return False

    def _get_request_body(self, direction: str = "request") -> dict[str, Any] | None:
        # The framework knows no DELETE with a body.
        method, self.method = self.method, "POST" if self.method == "DELETE" else self.method
        try:
            body: dict[str, Any] | None = super()._get_request_body(direction)  # type: ignore[no-untyped-call]
        finally:
            self.method = method
        return body and {**body, "required": True}


class BearerKey(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """The security scheme of every keyed route."""

    target_class = "hogsend.api.authentication.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:  # noqa: ARG002
        """Return the scheme."""
        return {"type": "http", "scheme": "bearer", "description": "An API key: `Authorization: Bearer hsk_…`."}


def data_plane(endpoints: list[tuple[str, str, str, Any]]) -> list[tuple[str, str, str, Any]]:
    """Keep the routes that programs call; pages and the operators' API are not part of the document."""
    # A look-ahead in front of an id reads like an id of its own.
    return [
        (path.replace("{var}{", "{"), regex, method, view)
        for path, regex, method, view in endpoints
        if path.startswith(DOCUMENTED)
    ]


def add_components(result: dict[str, Any], **_options: Any) -> dict[str, Any]:
    """Put the named schemas into the document."""
    schemas = result.setdefault("components", {}).setdefault("schemas", {})
    schemas.update({name: dict(schema) for name, schema in sorted(_components.items())})
    return result


def _request(body: Body) -> OpenApiRequest:
    examples = [OpenApiExample(name, value, request_only=True) for name, value in body.examples.items()]
    return OpenApiRequest(body.schema, examples=examples)


def _response(answer: Answer) -> OpenApiResponse:
    examples = [
        OpenApiExample(name, value, response_only=True, status_codes=[answer.status])
        for name, value in answer.examples.items()
    ]
    return OpenApiResponse(answer.schema, description=answer.sentence, examples=examples)


def _refusal(status: int) -> OpenApiResponse:
    sentence, example = ERRORS[status]
    return _response(Answer(status, ERROR, sentence, {"refused": {"error": example}}))


def _add_limit_headers(responses: dict[str, Any]) -> None:
    whole = {"schema": {"type": "integer", "minimum": 0}}
    for status, response in responses.items():
        if status in {"401", "403"}:
            continue
        headers = response.setdefault("headers", {})
        headers["X-RateLimit-Limit"] = {**whole, "description": "How much fits into a minute."}
        headers["X-RateLimit-Remaining"] = {**whole, "description": "How much of it is left."}
    responses["429"]["headers"]["Retry-After"] = {
        "schema": {"type": "integer", "minimum": 1},
        "description": "Seconds until there is room again.",
    }
