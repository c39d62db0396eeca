from datetime import UTC, datetime

import pytest

from contacts.rules import Keys
from events.submission import Answer
from events.wire import answer_body, decode_event, split_batch
from hogsend.api.errors import ApiError

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def decoded(body: bytes, **options):
    return decode_event(body, tenant="main", now=NOW, **options)


def refusal(body: bytes, **options) -> ApiError:
    with pytest.raises(ApiError) as caught:
        decoded(body, **options)
    return caught.value


def test_every_field_is_read():
    event = decoded(
        b'{"name":"n","email":" Ada@Example.com","userId":"ada","anonymousId":"v","eventProperties":{"a":1},'
        b'"contactProperties":{"plan":"pro"},"lists":{"news":true},"idempotencyKey":"k","timestamp":"2026-01-01T00:00:00+01:00"}'
    )
    assert (event.name, event.keys) == ("n", Keys("ada", "ada@example.com", "v"))
    assert (event.properties, event.properties_json) == ({"a": 1}, '{"a":1}')
    assert {name: bytes(raw) for name, raw in event.patch.items()} == {"plan": b'"pro"'}
    assert (event.lists, event.idempotency_key) == ({"news": True}, "k")
    assert event.occurred_at == datetime(2025, 12, 31, 23, tzinfo=UTC)


def test_unknown_fields_are_ignored_and_null_means_absent():
    event = decoded(b'{"name":"n","userId":"ada","email":null,"eventProperties":null,"timestamp":null,"what":[1]}')
    assert (event.keys, event.properties, event.occurred_at) == (Keys("ada"), {}, None)


def test_numbers_are_stored_with_every_digit_that_was_sent():
    event = decoded(b'{"name":"n","userId":"ada","eventProperties":{"id":12345678901234567890123,"x":1.10}}')
    assert event.properties_json == '{"id":12345678901234567890123,"x":1.10}'


@pytest.mark.parametrize(("header", "key"), [("h", "h"), ("", None), (None, "b")])
def test_the_header_beats_the_body_even_when_it_is_empty(header, key):
    assert decoded(b'{"name":"n","userId":"ada","idempotencyKey":"b"}', idempotency_key=header).idempotency_key == key


def test_spaces_and_the_order_of_fields_do_not_change_the_fingerprint():
    first = decoded(b'{"name":"n","userId":"ada","idempotencyKey":"k","eventProperties":{"a":1,"b":2}}')
    second = decoded(b'{"eventProperties": {"b":2, "a":1}, "userId":" ada ", "name":"n", "idempotencyKey":"k"}')
    assert first.fingerprint == second.fingerprint


@pytest.mark.parametrize(
    "other",
    [
        b'"name":"m"',
        b'"userId":"eve"',
        b'"eventProperties":{"a":2}',
        b'"contactProperties":{"a":1}',
        b'"lists":{"x":true}',
        b'"timestamp":"2026-01-01T00:00:00Z"',
    ],
)
def test_every_field_counts_for_the_fingerprint(other):
    same = b'"name":"n","userId":"ada","idempotencyKey":"k","eventProperties":{"a":1}'
    assert decoded(b"{" + same + b"}").fingerprint != decoded(b"{" + same + b"," + other + b"}").fingerprint


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b"{}", ["name"]),
        (b'{"name":1,"userId":"a"}', ["name"]),
        (b'{"name":"n","userId":7}', ["userId"]),
        (b'{"name":"n","userId":"a","eventProperties":[1]}', ["eventProperties"]),
        (b'{"name":"n","userId":"a","eventProperties":{"n":1e400}}', ["eventProperties"]),
        (b'{"name":"n","userId":"a","contactProperties":[]}', ["contactProperties"]),
        (b'{"name":"n","userId":"a","lists":{"news":"yes"}}', ["lists"]),
        (b'{"name":"n","userId":"a","timestamp":5}', ["timestamp"]),
        (b'{"name":"n","email":"nope"}', ["email"]),
        (b'{"name":"n","userId":"' + b"u" * 256 + b'"}', ["userId"]),
        (b'{"name":"n","anonymousId":"' + b"u" * 256 + b'"}', ["anonymousId"]),
        (b'{"name":"n","userId":"a","idempotencyKey":"' + b"k" * 256 + b'"}', ["idempotencyKey"]),
        (b'{"name":"bucket:entered:x","userId":"a"}', ["name"]),
        (b'{"name":"n"}', []),
        (b'{"name":"n","userId":"  "}', []),
        (b"[]", []),
        (b"{", []),
    ],
)
def test_what_is_wrong_is_a_400_with_the_place_and_a_sentence(body, path):
    error = refusal(body)
    assert (error.status, error.details[0]["path"][: len(path) or None]) == (400, path)
    assert error.message
    assert set(error.details[0]) == {"path", "code", "message"}


def test_a_missing_identity_says_what_to_send():
    assert "email or userId is required" in refusal(b'{"name":"n"}').message


def test_a_lone_surrogate_is_refused():
    assert refusal(b'{"name":"n","userId":"a","eventProperties":{"x":"\\ud800 "}}').status == 400


@pytest.mark.parametrize("body", [b"{}", b'"x"', b"{", b""])
def test_a_batch_is_an_array(body):
    with pytest.raises(ApiError) as caught:
        split_batch(body)
    assert caught.value.status == 400


def test_a_batch_holds_at_most_a_thousand():
    assert len(split_batch(b"[" + b",".join([b"{}"] * 1000) + b"]")) == 1000
    with pytest.raises(ApiError):
        split_batch(b"[" + b",".join([b"{}"] * 1001) + b"]")


def test_the_answer_says_why_lists_were_not_changed():
    event = decoded(b'{"name":"n","userId":"a","lists":{"news":true}}')
    answer = Answer(stored=True, contact_id=event.id, lists_error="There is no list 'news'.")
    assert answer_body(answer)["listsError"] == "There is no list 'news'."
    assert "listsError" not in answer_body(Answer(stored=True, contact_id=event.id))
