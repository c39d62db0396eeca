import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from hogsend.api.errors import ApiError
from hogsend.api.keys import create_key
from hogsend.api.models import ApiKey
from hogsend.api.pagination import paged

pytestmark = pytest.mark.django_db

WHEN = datetime(2026, 1, 1, 12, tzinfo=UTC)


def ask(**query: object) -> dict:
    request = Request(APIRequestFactory().get("/v1/keys", query))
    return paged("keys", ApiKey.objects.all(), request, shown=lambda key: {"name": key.name})


def names(page: dict) -> list[str]:
    return [key["name"] for key in page["keys"]]


def make(*labels: str, at: datetime = WHEN) -> None:
    for label in labels:
        key, _ = create_key(name=label, scopes=["read"])
        ApiKey.objects.filter(pk=key.pk).update(created_at=at)


def cursor_of(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_pages_show_every_row_once_newest_first():
    for number in range(7):
        make(str(number), at=WHEN + timedelta(microseconds=number))
    pages, cursor = [], None
    while cursor is not None or not pages:
        page = ask(limit=3, **({"cursor": cursor} if cursor else {}))
        pages.append(names(page))
        cursor = page["nextCursor"]
    assert pages == [["6", "5", "4"], ["3", "2", "1"], ["0"]]


def test_rows_of_the_same_moment_are_told_apart():
    make("a", "b", "c", "d")
    first = ask(limit=2)
    second = ask(limit=2, cursor=first["nextCursor"])
    assert sorted(names(first) + names(second)) == ["a", "b", "c", "d"]
    assert second["nextCursor"] is None


def test_a_row_that_comes_or_goes_moves_no_other():
    for number in range(4):
        make(str(number), at=WHEN + timedelta(seconds=number))
    first = ask(limit=2)
    make("new", at=WHEN + timedelta(hours=1))
    ApiKey.objects.filter(name="3").delete()
    assert names(ask(limit=2, cursor=first["nextCursor"])) == ["1", "0"]


def test_fifty_rows_are_a_page_unless_one_asks_for_others():
    make(*(str(number) for number in range(51)))
    assert (len(ask()["keys"]), len(ask(limit=200)["keys"]), ask(limit=51)["nextCursor"]) == (50, 51, None)


@pytest.mark.parametrize("limit", ["0", "201", "-1", "1.5", "x", "", "٣", "9" * 5000])
def test_another_limit_is_refused(limit):
    with pytest.raises(ApiError) as refused:
        ask(limit=limit)
    assert (refused.value.status, refused.value.details[0]["path"]) == (400, ["limit"])


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "é",
        "a" * 5000,
        cursor_of({}),
        cursor_of([]),
        cursor_of(["2026-01-01T00:00:00Z"]),
        cursor_of(["2026-01-01T00:00:00Z", "not a uuid"]),
        cursor_of(["2026-01-01T00:00:00Z", 10**40]),
        cursor_of(["yesterday", "019a0f6e-3c4b-7a51-9d35-6d0c6f0b7c11"]),
        cursor_of(["0001-01-01T00:00:00+23:00", "019a0f6e-3c4b-7a51-9d35-6d0c6f0b7c11"]),
        cursor_of([None, None]),
    ],
)
def test_a_cursor_that_we_did_not_give_is_refused(cursor):
    with pytest.raises(ApiError) as refused:
        ask(cursor=cursor)
    assert (refused.value.status, refused.value.details[0]["path"]) == (400, ["cursor"])
