from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from events.checks import check_webhook_sources
from events.sources.definitions import Incoming, InvalidPayloadError, WebhookEvent, WebhookSource, registry
from events.sources.delivery import Delivery, _keys, _usable
from events.sources.schemes import shared_secret, standard_webhooks
from events.sources.viewsets import kept_headers
from hogsend.lib.ids import new_id
from hogsend.lib.registry import DuplicateIdError

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _scratch() -> Iterator[None]:
    with registry.scratch():
        yield


def nothing(incoming: Incoming) -> None:
    return None


def source(source_id: str = "shop", **more) -> WebhookSource:
    return WebhookSource(source_id, **{"secret": "SHOP_WEBHOOK_SECRET", "translate": nothing, **more})


def test_declaring_a_source_registers_it_with_its_place():
    shop = source()

    assert registry.get("shop") is shop
    assert registry.source("shop").file == __file__


@pytest.mark.parametrize("source_id", ["", "Shop", "a b", "a/b", "-a", "ä", "a\n", "a" * 65])
def test_an_id_with_other_characters_is_refused(source_id):
    with pytest.raises(ValueError, match="lower-case letters"):
        source(source_id)


def test_the_address_of_the_mail_provider_is_refused():
    with pytest.raises(ValueError, match="reserved"):
        source("resend")


def test_a_source_without_a_secret_says_that_it_is_public():
    with pytest.raises(ValueError, match="public=True"):
        source(secret="")
    assert source(secret="", public=True).public


def test_two_sources_cannot_share_an_id():
    source()

    with pytest.raises(DuplicateIdError):
        source()


def test_a_secret_that_the_settings_would_not_read_is_told():
    source("web-shop", secret="SHOP_SECRET")

    [error] = [one for one in check_webhook_sources(None) if "web-shop" in one.msg]

    assert error.id == "events.E001"
    assert "SHOP_SECRET" in error.msg
    assert error.hint == "Call the variable something like WEB_SHOP_WEBHOOK_SECRET."
    assert str(error).startswith(f"{__file__}:")


def test_a_secret_that_its_scheme_cannot_use_is_told(settings):
    settings.WEBHOOK_SECRETS = {"SHOP_WEBHOOK_SECRET": "whsec_"}
    source(verify=standard_webhooks)

    [error] = check_webhook_sources(None)

    assert (error.id, "Base64" in error.msg) == ("events.E002", True)


@pytest.mark.parametrize("secrets", [{}, {"SHOP_WEBHOOK_SECRET": "s3cret"}])
def test_a_source_that_can_be_reached_is_not_mentioned(settings, secrets):
    settings.WEBHOOK_SECRETS = secrets
    source()

    assert check_webhook_sources(None) == []


@dataclass
class Buyer:
    email: str


@dataclass
class Order:
    buyer: Buyer
    total: int = 0


def test_a_payload_is_read_as_a_shape_and_what_is_unknown_is_left_out():
    order = Incoming({"buyer": {"email": "ada@example.com", "age": 7}, "more": []}).read(Order)

    assert order == Order(Buyer("ada@example.com"))


@pytest.mark.parametrize(
    ("payload", "path"),
    [({"buyer": {"email": 7}}, ["buyer", "email"]), ({"buyer": {}}, ["buyer", "email"]), ({}, ["buyer"]), ([], [])],
)
def test_a_payload_of_another_shape_is_refused_with_the_place(payload, path):
    with pytest.raises(InvalidPayloadError, match="is not valid") as refused:
        Incoming(payload).read(Order)

    assert refused.value.path == path


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("2026-01-31T12:00:00Z", True),
        (NOW, True),
        (NOW.replace(tzinfo=None), False),
        ("yesterday", False),
        ("2026-01-31T12:00:00", False),
        (NOW + timedelta(days=2), False),
        (1_700_000_000, False),
        (None, False),
    ],
)
def test_a_time_that_cannot_be_is_left_out(given, kept):
    assert (_usable(WebhookEvent("n", user_id="ada", timestamp=given), NOW).timestamp is not None) is kept


@pytest.mark.parametrize(
    ("given", "kept"),
    [("ada@example.com", "ada@example.com"), (" Ada@Example.com ", " Ada@Example.com "), ("ada", None), ("", "")],
)
def test_an_address_that_is_none_is_left_out(given, kept):
    assert _usable(WebhookEvent("n", user_id="ada", email=given), NOW).email == kept


def keys(*given: str | None, scheme=None, **headers: str) -> list[str]:
    delivery = Delivery(new_id(), source(verify=scheme or shared_secret()), "{}", headers)
    return _keys(delivery, [WebhookEvent("n", idempotency_key=key) for key in given])


def test_an_event_has_the_key_that_the_sender_gave_it():
    assert keys("a", "b") == ["webhook:shop:a", "webhook:shop:b"]


def test_two_events_never_share_a_key_within_a_delivery():
    assert keys("a", "a", "a") == ["webhook:shop:a", "webhook:shop:a:1", "webhook:shop:a:2"]


def test_the_delivery_names_events_that_have_no_key():
    found = keys(None, None, scheme=standard_webhooks, **{"webhook-id": "msg_1"})

    assert found == ["webhook:shop:msg_1", "webhook:shop:msg_1:1"]


def test_without_any_name_each_delivery_is_its_own():
    first = keys(None)
    with registry.scratch():
        registry._items.pop("shop")
        assert keys(None) != first


@pytest.mark.parametrize("given", ["x" * 400, "a\0b", "a\ud800"])
def test_a_key_that_cannot_be_stored_is_shortened_and_stays_the_senders(given):
    [first] = keys(given)
    with registry.scratch():
        registry._items.pop("shop")
        assert keys(given) == [first]
    assert len(first.encode()) <= 255
    assert "\0" not in first


def test_no_header_that_opens_a_door_is_kept():
    sent = {
        "content-type": "application/json",
        "x-shop-topic": "orders",
        "webhook-id": "msg_1",
        "webhook-signature": "v1,x",
        "svix-signature": "v1,x",
        "authorization": "Bearer s3cret",
        "cookie": "session",
        "x-api-key": "s3cret",
        "x-shop-token": "s3cret",
        "x-forwarded-for": "10.0.0.1",
        "host": "mail.example.com",
        "x-long": "x" * 2000,
    }

    kept = kept_headers(sent, source(verify=standard_webhooks))

    assert kept == {"content-type": "application/json", "x-shop-topic": "orders", "webhook-id": "msg_1"}


def test_the_header_of_the_shared_secret_is_not_kept_whatever_it_is_called():
    assert kept_headers({"x-hello": "s3cret"}, source(verify=shared_secret("X-Hello"))) == {}
