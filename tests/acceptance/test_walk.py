"""The walk of docs/walk.md: an event comes in, a mail goes out, its link is clicked, the click is known."""

import re

import pytest
from product import Product, Sink, eventually

pytestmark = pytest.mark.timeout(180)


def test_an_event_becomes_a_mail_whose_click_is_recorded(product: Product, sink: Sink):
    answer = product.event("story.walk", "ada", eventProperties={"plan": "trial"})
    assert answer["stored"] is True

    first = eventually(lambda: sink.to("ada@example.com"))[0]
    html = first.get_body(("html",)).get_content()
    link = re.search(r'href="([^"]+/v1/t/c/[^"]+)"', html)[1]
    pixel = re.search(r'src="([^"]+/v1/t/o/[^"]+)"', html)[1]
    long_enough = "select 1 from emails_emailsend where to_email = %s and sent_at < now() - interval '2.5 seconds'"
    eventually(lambda: product.rows(long_enough, "ada@example.com"))
    status, headers, _ = product.get(link, **{"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0"})
    seen, _, gif = product.get(pixel, **{"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0"})

    assert (status, headers["location"]) == (302, "https://example.com/start?a=1&b=2")
    assert (seen, gif[:3]) == (200, b"GIF")
    clicks = product.rows("select kind, visitor from tracking_hit where kind = 'click'")
    assert clicks == [("click", "human")]
    assert product.rows("select name from events_event where name = 'email.link_clicked'") == [("email.link_clicked",)]
    assert product.rows("select 1 from emails_emailsend where clicked_at is not null and opened_at is not null")


def test_the_run_sleeps_wakes_and_completes_with_one_mail_of_each(product: Product, sink: Sink):
    product.event("story.walk", "bea")

    eventually(lambda: product.run_status("story-walk", "bea") == "completed")

    eventually(lambda: len(sink.to("bea@example.com")) >= 2)
    assert sink.subjects("bea@example.com") == ["Hello there", "Goodbye"]
    keys = product.rows(
        "select s.kind from journeys_journeystep s join journeys_journeyrun r on r.id = s.run_id"
        " join contacts_contact c on c.id = r.contact_id where c.external_id = 'bea' order by s.seq"
    )
    assert [kind for (kind,) in keys if kind in {"send", "sleep"}] == ["send", "sleep", "send"]


def test_an_exit_event_ends_the_run_before_its_second_mail(product: Product, sink: Sink):
    product.event("story.walk", "cleo")
    eventually(lambda: product.run_status("story-walk", "cleo") == "waiting")

    answer = product.event("story.stop", "cleo")

    assert [(one["journeyId"], one["exited"]) for one in answer["exits"]] == [("story-walk", True)]
    assert product.run_status("story-walk", "cleo") == "exited"
    eventually(lambda: sink.to("cleo@example.com"))
    assert sink.subjects("cleo@example.com") == ["Hello there"]


def test_one_click_unsubscribe_stops_the_next_mail(product: Product, sink: Sink):
    product.event("story.walk", "dora")
    mail = eventually(lambda: sink.to("dora@example.com"))[0]
    url = mail["List-Unsubscribe"].strip().removeprefix("<").removesuffix(">")

    looked, _, _ = product.get(url)
    status, headers, body = product.post(
        url, b"List-Unsubscribe=One-Click", **{"Content-Type": "application/x-www-form-urlencoded"}
    )

    assert (looked, status, body) == (200, 200, b"")
    assert "location" not in headers
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    eventually(lambda: product.run_status("story-walk", "dora") == "completed")
    skipped = product.rows(
        "select status, reason from emails_emailsend where to_email = 'dora@example.com' order by created_at"
    )
    assert skipped[0][0] == "sent"
    assert skipped[1][0] == "skipped"
    assert sink.subjects("dora@example.com") == ["Hello there"]


def test_the_same_idempotency_key_starts_nothing_twice(product: Product, sink: Sink):
    first = product.event("story.walk", "eve", idempotencyKey="eve-1")
    again = product.event("story.walk", "eve", idempotencyKey="eve-1")

    eventually(lambda: product.run_status("story-walk", "eve") == "completed")

    assert (first["stored"], again["stored"]) == (True, False)
    eventually(lambda: len(sink.to("eve@example.com")) >= 2)
    assert sink.subjects("eve@example.com") == ["Hello there", "Goodbye"]
