import pytest
from django.db import connection
from django.test import Client

from emails.models import EmailSend, TrackedLink
from events.models import Event
from tracking.models import Hit

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
UNKNOWN = "01890000-0000-7000-8000-00000000dead"

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader() -> Client:
    return Client(headers={"user-agent": FIREFOX})


def click_url(link: TrackedLink) -> str:
    return f"/v1/t/c/{link.id}"


def pixel_url(link: TrackedLink) -> str:
    return f"/v1/t/o/{link.send_id}"


@pytest.fixture
def broken_table():
    """Make recording impossible, as a database in trouble does."""
    with connection.cursor() as cursor:
        cursor.execute("alter table tracking_hit rename to tracking_hit_away")
    yield
    with connection.cursor() as cursor:
        cursor.execute("alter table tracking_hit_away rename to tracking_hit")


# --- clicks ------------------------------------------------------------------------------------------------------------


def test_a_click_leads_to_the_stored_address_and_is_recorded(reader, link):
    response = reader.get(click_url(link))

    assert (response.status_code, response["Location"]) == (302, "https://example.com/a?b=1&c=2#d")
    assert Hit.objects.get().visitor == "human"
    assert TrackedLink.objects.get().click_count == 1
    assert Event.objects.get().name == "email.link_clicked"


@pytest.mark.parametrize("query", ["?url=https://evil.example", "?u=//evil.example", "?next=https://evil.example"])
def test_the_query_does_not_lead_anywhere(reader, link, query):
    assert reader.get(click_url(link) + query)["Location"] == link.url


def test_an_unknown_link_leads_to_our_front_door(reader, db):
    response = reader.get(f"/v1/t/c/{UNKNOWN}")

    assert (response.status_code, response["Location"]) == (302, "https://mail.example.com")
    assert not Hit.objects.exists()


@pytest.mark.parametrize("url", ["javascript:alert(1)", "//evil.example", "data:text/html,x", "ftp://example.com", ""])
def test_an_address_that_is_not_of_the_web_is_never_led_to(reader, mail, url):
    assert reader.get(click_url(mail(url=url)))["Location"] == "https://mail.example.com"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://example.com/" + "x" * 5000, "https://example.com/" + "x" * 5000),
        ("https://example.com/ü?q=ö b", "https://example.com/%C3%BC?q=%C3%B6%20b"),
        ("https://example.com/%20a?x=%26", "https://example.com/%20a?x=%26"),
        ("HTTPS://Example.com/a", "HTTPS://Example.com/a"),
        ("https://example.com/a\r\nX-Evil: 1", "https://example.com/a%0D%0AX-Evil:%201"),
        ("http://[broken", "http://[broken"),
    ],
)
def test_any_address_a_mail_may_hold_is_led_to(reader, mail, url, expected):
    response = reader.get(click_url(mail(url=url)))

    assert (response.status_code, response["Location"]) == (302, expected)
    assert "X-Evil" not in response


def test_a_head_request_is_led_on_too_and_is_no_person(reader, link):
    response = reader.head(click_url(link))

    assert (response.status_code, response["Location"]) == (302, link.url)
    assert Hit.objects.get().evidence["because"] == "head"


@pytest.mark.parametrize(
    "headers", [{"sec-purpose": "prefetch;prerender"}, {"x-moz": "prefetch"}, {"purpose": "preview"}]
)
def test_a_prefetch_is_no_person(reader, link, headers):
    reader.get(click_url(link), headers=headers)

    assert Hit.objects.get().visitor == "machine"


@pytest.mark.django_db(transaction=True)
def test_a_click_is_led_on_when_it_cannot_be_recorded(reader, mail, broken_table):
    link = mail()

    response = reader.get(click_url(link))

    assert (response.status_code, response["Location"]) == (302, link.url)


# --- opens -------------------------------------------------------------------------------------------------------------


def test_the_pixel_is_a_transparent_gif_that_nobody_keeps(reader, link):
    response = reader.get(pixel_url(link))

    assert (response.status_code, response["Content-Type"]) == (200, "image/gif")
    assert response.content.startswith(b"GIF89a")
    assert len(response.content) == 42
    assert response["Cache-Control"] == "no-store, no-cache, must-revalidate"
    assert (response["Pragma"], response["Expires"]) == ("no-cache", "0")
    assert response["Cross-Origin-Resource-Policy"] == "cross-origin"


def test_loading_the_pixel_opens_the_mail_once(reader, link):
    reader.get(pixel_url(link))
    first = EmailSend.objects.get().opened_at

    reader.get(pixel_url(link))

    assert first is not None
    assert EmailSend.objects.get().opened_at == first
    assert Hit.objects.filter(kind="open").count() == 2


def test_an_unknown_mail_gets_the_same_pixel(reader, db):
    response = reader.get(f"/v1/t/o/{UNKNOWN}")

    assert (response.status_code, len(response.content)) == (200, 42)
    assert response["Cache-Control"] == "no-store, no-cache, must-revalidate"


@pytest.mark.django_db(transaction=True)
def test_the_pixel_is_shown_when_the_open_cannot_be_recorded(reader, mail, broken_table):
    response = reader.get(pixel_url(mail()))

    assert (response.status_code, len(response.content)) == (200, 42)


# --- both --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/v1/t/c/", "/v1/t/o/"])
@pytest.mark.parametrize("row_id", ["42", "nonsense", "{01890000-0000-7000-8000-00000000dead}", "a" * 999])
def test_an_address_that_holds_no_id_is_a_400_with_a_sentence(reader, db, path, row_id):
    response = reader.get(path + row_id)

    assert response.status_code == 400
    assert "open the link from the mail again" in response.json()["error"]


@pytest.mark.parametrize("path", ["/v1/t/c/", "/v1/t/o/"])
@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_other_methods_are_refused_and_record_nothing(reader, link, path, method):
    response = getattr(reader, method)(path + str(link.id))

    assert (response.status_code, response["Allow"]) == (405, "GET, HEAD")
    assert "use GET" in response.json()["error"]
    assert not Hit.objects.exists()


def test_neither_gives_a_cookie(reader, link):
    assert not reader.get(click_url(link)).cookies
    assert not reader.get(pixel_url(link)).cookies


@pytest.mark.parametrize(
    ("behind_proxy", "forwarded", "remote", "expected"),
    [
        (False, "198.51.100.9", "203.0.113.7", "203.0.113.7"),
        (True, "10.0.0.1, 198.51.100.9", "203.0.113.7", "198.51.100.9"),
        (True, "10.0.0.1, 2001:db8::1 ", "203.0.113.7", "2001:db8::1"),
        (True, "nonsense', 1); drop table", "203.0.113.7", "203.0.113.7"),
        (True, "", "203.0.113.7", "203.0.113.7"),
        (False, "", "", None),
        (False, "", "fe80::1%eth0", "fe80::1"),
    ],
)
def test_the_sender_is_the_peer_unless_a_trusted_proxy_says_otherwise(
    reader, link, settings, behind_proxy, forwarded, remote, expected
):
    settings.HOGSEND_BEHIND_PROXY = behind_proxy

    reader.get(click_url(link), headers={"x-forwarded-for": forwarded}, REMOTE_ADDR=remote)

    assert Hit.objects.get().ip == expected
