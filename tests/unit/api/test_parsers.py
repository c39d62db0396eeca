import pytest
from django.test import RequestFactory

from hogsend.api.errors import ApiError
from hogsend.api.parsers import check_json, decode, is_too_deep, read_body

factory = RequestFactory()


def refusal(call, *arguments, **options) -> ApiError:
    with pytest.raises(ApiError) as caught:
        call(*arguments, **options)
    return caught.value


@pytest.mark.parametrize("text", [b'{"a":"\\u0000"}', b'{"a":"\\\\\\u0000"}', b'{"\\u0000":1}'])
def test_an_escaped_nul_is_refused(text):
    error = refusal(check_json, text)
    assert (error.status, "NUL" in error.message) == (400, True)


def test_a_backslash_before_u0000_is_not_a_nul():
    check_json(b'{"a":"\\\\u0000"}')


def test_bytes_that_are_not_utf8_are_refused():
    error = refusal(check_json, b'{"a":"\xff"}')
    assert (error.status, "UTF-8" in error.message) == (400, True)


@pytest.mark.parametrize(("depth", "refused"), [(100, False), (101, True), (200, True), (5000, True)])
def test_nesting_is_bounded_at_a_hundred(depth, refused):
    assert is_too_deep(b"[" * depth + b"]" * depth) is refused


def test_many_brackets_side_by_side_are_not_deep():
    assert not is_too_deep(b"[" + b",".join([b"{}"] * 500) + b"]")


def test_brackets_inside_texts_are_not_depth():
    assert not is_too_deep(b'["' + b"[" * 500 + b'","\\"' + b"{" * 500 + b'"]')


def test_the_length_is_judged_before_the_body_is_read():
    request = factory.post("/", b"x" * 11, content_type="text/plain")
    error = refusal(read_body, request, limit=10)
    assert (error.status, request._read_started) == (413, False)


def test_a_body_of_the_limit_is_read():
    assert read_body(factory.post("/", b"x" * 10, content_type="text/plain"), limit=10) == b"x" * 10


def test_a_chunked_body_is_asked_for_its_length():
    request = factory.post("/", b"", content_type="application/json", headers={"Transfer-Encoding": "chunked"})
    assert refusal(read_body, request, limit=10).status == 411


@pytest.mark.parametrize("text", [b"", b"{", b"nope", b"[1,]", b"[" * 5000])
def test_what_is_not_json_is_malformed(text):
    assert refusal(decode, text).message == "Malformed JSON in request body"
