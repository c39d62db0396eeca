import json
import uuid

import pytest
import structlog
from django.http import HttpResponse
from django.test import RequestFactory
from rest_framework import exceptions
from rest_framework.views import APIView

from hogsend.api.errors import ApiError
from hogsend.api.keys import create_key
from hogsend.api.middleware import SECURITY_HEADERS, ShellMiddleware
from hogsend.api.negotiation import FirstRenderer
from hogsend.api.parsers import JsonParser

factory = RequestFactory()


def shell(view):
    return ShellMiddleware(view)


@pytest.mark.parametrize("given", ["abc", "A-b_c=1", "x" * 255])
def test_a_good_request_id_is_echoed(client, given):
    assert client.get("/nowhere", headers={"X-Request-Id": given}).headers["X-Request-Id"] == given


@pytest.mark.parametrize("given", ["", "x" * 256, "a b", "a\u00e9", "a;b", "a\tb"])
def test_another_request_id_is_replaced(client, given):
    answered = client.get("/nowhere", headers={"X-Request-Id": given}).headers["X-Request-Id"]
    assert (answered != given, uuid.UUID(answered).version) == (True, 4)


@pytest.mark.parametrize("path", ["/health", "/nowhere", "/v1/ingest", "/v1/events/", "/v1/"])
def test_an_unknown_path_is_a_json_404(client, path):
    response = client.get(path)
    assert (response.status_code, response.json()) == (404, {"error": "Not Found"})
    assert response.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("path", ["/nowhere", "/v1/events"])
def test_every_answer_carries_the_security_headers(client, path):
    headers = client.get(path).headers
    assert {name: headers.get(name) for name in SECURITY_HEADERS} == SECURITY_HEADERS


def test_the_api_may_be_read_from_any_origin_but_other_pages_may_not(client):
    assert client.get("/v1/events").headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Origin" not in client.get("/nowhere").headers


def test_a_preflight_is_answered_before_anybody_asks_for_a_key(client):
    response = client.options("/v1/events", headers={"Access-Control-Request-Headers": "authorization,content-type"})
    assert (response.status_code, response.content) == (204, b"")
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert response.headers["Access-Control-Allow-Methods"] == "GET,HEAD,PUT,POST,DELETE,PATCH"
    assert response.headers["Access-Control-Allow-Headers"] == "authorization,content-type"
    assert response.headers["Vary"] == "Access-Control-Request-Headers"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_an_answer_says_how_long_it_is(client):
    response = client.get("/nowhere")
    assert response.headers["Content-Length"] == str(len(response.content))


def test_a_view_keeps_a_header_of_its_own():
    response = shell(lambda _: HttpResponse(headers={"Cross-Origin-Resource-Policy": "cross-origin"}))(
        factory.get("/v1/t/o/1")
    )
    assert response.headers["Cross-Origin-Resource-Policy"] == "cross-origin"


def test_a_bare_refusal_under_v1_gets_the_one_shape_and_keeps_allow():
    response = shell(lambda _: HttpResponse(status=405, headers={"Allow": "GET"}))(factory.post("/v1/x"))
    assert (json.loads(response.content), response.headers["Allow"]) == ({"error": "Method not allowed"}, "GET")


def test_a_refusal_with_a_page_keeps_its_page():
    response = shell(lambda _: HttpResponse(b"<p>", status=400))(factory.get("/v1/email/unsubscribe"))
    assert response.content == b"<p>"


def test_a_fault_under_v1_is_a_500_that_says_nothing():
    response = shell(HttpResponse).process_exception(factory.get("/v1/x"), RuntimeError("the password is swordfish"))
    assert (response.status_code, json.loads(response.content)) == (500, {"error": "Internal Server Error"})


def test_a_plain_view_may_refuse_in_the_one_shape():
    error = ApiError(503, "Send it again.", headers={"Retry-After": "1"})
    response = shell(HttpResponse).process_exception(factory.get("/x"), error)
    assert (response.status_code, json.loads(response.content)) == (503, {"error": "Send it again."})
    assert response.headers["Retry-After"] == "1"


@pytest.mark.django_db
def test_each_request_is_one_line_with_who_what_and_how_long(client, settings):
    settings.HOGSEND_EVENT_CONSUMERS = []
    plain = create_key(name="shop", scopes=["ingest"])[1]
    with structlog.testing.capture_logs([structlog.contextvars.merge_contextvars]) as lines:
        client.post(
            "/v1/events?secret=1",
            {"name": "n", "userId": "ada"},
            "application/json",
            headers={"Authorization": f"Bearer {plain}", "X-Request-Id": "r1"},
        )
    (line,) = [line for line in lines if line["event"] == "http.request"]
    assert {name: line[name] for name in ("method", "path", "status", "caller", "request_id")} == {
        "method": "POST",
        "path": "/v1/events",
        "status": 202,
        "caller": "shop",
        "request_id": "r1",
    }
    assert line["ms"] >= 0
    assert plain not in str(lines)


class Refusing(APIView):
    authentication_classes = ()
    permission_classes = ()
    parser_classes = [JsonParser]
    content_negotiation_class = FirstRenderer
    error: Exception | None = None

    def post(self, request):
        raise self.error


@pytest.mark.parametrize(
    ("error", "status", "body"),
    [
        (
            ApiError(400, "Say x.", [{"path": ["x"], "code": "c", "message": "m"}]),
            400,
            {"error": "Say x.", "details": [{"path": ["x"], "code": "c", "message": "m"}]},
        ),
        (ApiError(409, "Once.", [{"path": [], "code": "c", "message": "m"}]), 409, {"error": "Once."}),
        (ApiError(422, "No."), 422, {"error": "No."}),
        (exceptions.PermissionDenied("Forbidden: x"), 403, {"error": "Forbidden: x"}),
        (exceptions.NotFound("Unknown list: x"), 404, {"error": "Unknown list: x"}),
        (
            exceptions.UnsupportedMediaType("text/plain"),
            415,
            {"error": 'Unsupported media type "text/plain" in request.'},
        ),
        (exceptions.ParseError(), 400, {"error": "Malformed JSON in request body"}),
        (
            exceptions.ValidationError(
                {"lists": {"a": ["Must be true or false."]}, "non_field_errors": ["Choose one."]}
            ),
            400,
            {
                "error": "lists.a: Must be true or false.",
                "details": [
                    {"path": ["lists", "a"], "code": "invalid", "message": "Must be true or false."},
                    {"path": [], "code": "invalid", "message": "Choose one."},
                ],
            },
        ),
    ],
)
def test_every_refusal_has_the_one_shape(error, status, body):
    response = Refusing.as_view(error=error)(factory.post("/v1/x", "{}", content_type="application/json"))
    response.render()
    assert (response.status_code, json.loads(response.content)) == (status, body)


def test_too_many_requests_say_when_to_come_back():
    response = Refusing.as_view(error=exceptions.Throttled(wait=7))(factory.post("/v1/x"))
    assert (response.status_code, response.headers["Retry-After"]) == (429, "7")


def test_a_wrong_method_says_which_is_right():
    response = Refusing.as_view(error=Exception())(factory.get("/v1/x"))
    response.render()
    assert (response.status_code, json.loads(response.content)) == (
        405,
        {"error": "GET is not allowed here; use POST."},
    )


class Echo(Refusing):
    def post(self, request):
        return HttpResponse(json.dumps(request.data))


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "application/x-www-form-urlencoded", ""])
def test_a_body_is_json_whatever_the_header_says(content_type):
    response = Echo.as_view()(
        factory.post("/v1/x", b'{"a":[1]}', content_type=content_type, headers={"Accept": "text/html"})
    )
    assert json.loads(response.content) == {"a": [1]}


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"nope", 400), (b'{"a":"\\u0000"}', 400), (b"[" * 200 + b"]" * 200, 400), (b" " * 2_000_000, 413)],
)
def test_bodies_that_cannot_be_taken_are_refused(body, status):
    response = Echo.as_view()(factory.post("/v1/x", body, content_type="application/json"))
    response.render()
    assert response.status_code == status
    assert json.loads(response.content)["error"]


@pytest.mark.parametrize("address", ["/v1/events?x=%00", "/v1/contacts/find?email=a%00b", "/v1/lists/a%00b/subscribe"])
def test_a_nul_in_the_address_is_refused_before_anything_reads_it(client, address):
    response = client.get(address)
    assert (response.status_code, "%00" in response.json()["error"]) == (400, True)
    assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.django_db
def test_a_wrong_method_is_a_405_that_says_which_is_right_in_words_and_in_a_header(client):
    plain = create_key(name="shop", scopes=["ingest"])[1]
    for method in ("get", "head", "put", "delete"):
        response = getattr(client, method)("/v1/events", headers={"Authorization": f"Bearer {plain}"})
        assert (response.status_code, response.headers["Allow"]) == (405, "POST, OPTIONS")


@pytest.mark.django_db
def test_what_can_be_read_can_be_asked_for_its_headers(client):
    response = client.head("/v1/health")
    assert (response.status_code, response.content) == (200, b"")


@pytest.mark.parametrize("path", ["/v1/events", "/v1/events/batch", "/v1/contacts", "/v1/health"])
def test_a_path_with_a_slash_at_its_end_is_another_path(client, path):
    response = client.post(f"{path}/", {}, content_type="application/json")
    assert (response.status_code, response.json()) == (404, {"error": "Not Found"})


def test_answers_of_the_api_are_not_compressed(client):
    response = client.get("/v1/events", headers={"Accept-Encoding": "gzip, deflate"})
    assert "Content-Encoding" not in response.headers
