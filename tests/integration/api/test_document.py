"""The document is complete, its examples are true, and it is served to those who may see it."""

import json
import re

import jsonschema
import pytest
from django.contrib.auth.models import User
from django.urls import URLPattern, get_resolver
from drf_spectacular.validation import validate_schema

from hogsend.api import schema
from hogsend.api.documents import document
from hogsend.api.keys import create_key
from hogsend.api.reference import chapters
from hogsend.api.schema import DOCUMENTED
from tests.people import ada, ben, cleo, dora

METHODS = ("get", "put", "post", "patch", "delete")
OPERATIONS = [
    (path, method, operation)
    for path, item in document()["paths"].items()
    for method, operation in item.items()
    if method in METHODS
]
EXAMPLES = [
    pytest.param(path, method, name, example["value"], id=f"{method} {path}: {name}")
    for path, method, operation in OPERATIONS
    for name, example in (
        operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("examples", {}).items()
    )
]
RESPONSES = [
    pytest.param(shape["schema"], example["value"], id=f"{method} {path} {status}: {name}")
    for path, method, operation in OPERATIONS
    for status, response in operation["responses"].items()
    for shape in response.get("content", {}).values()
    for name, example in shape.get("examples", {}).items()
]


def check(value: object, shape: dict) -> None:
    """Fail unless ``value`` is what ``shape`` says."""
    whole = {**shape, "components": document()["components"]}
    jsonschema.Draft202012Validator(whole, format_checker=jsonschema.FormatChecker()).validate(value)


def routes(patterns, before: str = ""):
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            yield "/" + before + str(pattern.pattern).removeprefix("^"), pattern.callback
        else:
            yield from routes(pattern.url_patterns, before + str(pattern.pattern))


def test_the_document_says_what_it_is(client, settings):
    answered = client.get("/openapi.json")
    found = answered.json()
    assert answered.headers["Content-Type"] == "application/json"
    assert (found["openapi"], found["info"]["title"], found["info"]["version"]) == ("3.1.0", "Hogsend API", "0.0.1")
    assert found["servers"] == [{"url": settings.API_PUBLIC_URL}]
    assert found["components"]["securitySchemes"]["apiKey"]["scheme"] == "bearer"


def test_the_document_is_openapi():
    validate_schema(document())


def test_every_route_of_the_data_plane_is_in_it():
    served = [
        (path, method)
        for path, view in routes(get_resolver().url_patterns)
        if path.startswith(DOCUMENTED) and hasattr(view, "actions")
        for method in view.actions
        if method in METHODS
    ]
    assert len(served) == len(OPERATIONS) > 2


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
def test_every_operation_says_which_key_it_needs_and_how_it_refuses(path, method, operation):
    keyed = bool(operation.get("security"))
    assert keyed == ("Needs a key with the scope" in operation["description"])
    assert not keyed or {"401", "403", "429"} <= set(operation["responses"])
    assert "requestBody" not in operation or {"400", "411", "413"} <= set(operation["responses"])
    assert all(
        response["content"]["application/json"]["schema"] == schema.ERROR
        for status, response in operation["responses"].items()
        if status >= "400"
    )


@pytest.mark.parametrize(("shape", "value"), RESPONSES)
def test_every_example_of_an_answer_has_the_shape_of_the_answer(shape, value):
    check(value, shape)


@pytest.mark.django_db
@pytest.mark.parametrize(("path", "method", "name", "body"), EXAMPLES)
def test_every_example_of_a_request_is_answered_as_the_document_says(client, settings, path, method, name, body):
    settings.HOGSEND_EVENT_CONSUMERS = []
    for person in (ada, ben, cleo, dora):
        person()
    operation = document()["paths"][path][method]
    plain = create_key(name="reader", scopes=["full-admin"])[1]
    response = client.generic(
        method.upper(),
        filled(path, operation),
        json.dumps(body),
        content_type="application/json",
        headers={"Authorization": f"Bearer {plain}"},
    )
    status = str(response.status_code)
    # What stands behind a path parameter or a signature, the example alone cannot bring along.
    expected = list(operation["responses"]) if "{" in path else [min(operation["responses"])]
    assert status in expected
    check(body, operation["requestBody"]["content"]["application/json"]["schema"])
    check(response.json(), operation["responses"][status]["content"]["application/json"]["schema"])


def filled(path: str, operation: dict) -> str:
    for one in operation.get("parameters", ()):
        if one["in"] == "path":
            examples = [example["value"] for example in one.get("examples", {}).values()]
            path = path.replace(f"{{{one['name']}}}", examples[0] if examples else str(one.get("example", "unknown")))
    return path


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/openapi.json", "/docs"])
@pytest.mark.parametrize(("staff", "status"), [(None, 404), (False, 404), (True, 200)])
def test_in_production_only_staff_may_read(client, settings, path, staff, status):
    settings.PRODUCTION = True
    if staff is not None:
        client.force_login(User.objects.create_user("somebody", password="x", is_staff=staff))
    response = client.get(path)
    assert response.status_code == status
    if status == 404:
        assert response.json() == {"error": "Not Found"}


def test_the_page_shows_every_operation_and_asks_nobody_else(client):
    response = client.get("/docs")
    page = response.content.decode()
    assert all(f'<article id="{operation["operationId"]}">' in page for _, _, operation in OPERATIONS)
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', page)
    assert "<script" not in page
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert re.search(r"'nonce-([\w-]+)'", policy)[1] in page


def test_the_page_gives_each_call_as_one_types_it():
    calls = [call for chapter in chapters(document()).values() for operation in chapter for _, call in operation.calls]
    assert any(call.startswith("curl -X POST http") and "/v1/events" in call and "-d '{" in call for call in calls)


@pytest.mark.parametrize("path", ["/openapi.json", "/docs"])
def test_they_are_only_read(client, path):
    assert (client.head(path).status_code, client.post(path).status_code) == (200, 405)


def test_two_schemas_may_not_share_a_name():
    schema.component("Error", schema._components["Error"])
    with pytest.raises(ValueError, match="two schemas named Error"):
        schema.component("Error", {"type": "string"})
