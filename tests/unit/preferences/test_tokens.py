import hashlib
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from preferences.tokens import Action, Claims, InvalidTokenError, read, sign

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CONTACT = UUID("01890000-0000-7000-8000-000000000001")
SEND = UUID("01890000-0000-7000-8000-000000000002")


def encode(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def payload_of(token: str) -> dict:
    body = token.partition(".")[0]
    return json.loads(urlsafe_b64decode(body + "=" * (-len(body) % 4)))


def reference_token(payload: object, secret: str = "legacy secret of the reference") -> str:
    """As the reference makes it: the secret itself is the key."""
    body = encode(json.dumps(payload, separators=(",", ":")).encode())
    return f"{body}.{encode(hmac.digest(secret.encode(), body.encode(), hashlib.sha256))}"


def with_body(token: str, payload: dict) -> str:
    return f"{encode(json.dumps(payload).encode())}.{token.split('.')[1]}"


@pytest.fixture
def _legacy(settings):
    settings.HOGSEND_LEGACY_TOKEN_SECRET = "legacy secret of the reference"


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("category", [None, "journey", "product-updates"])
def test_a_token_says_what_was_signed(action, category):
    claims = Claims("ü-42", "ada@example.com", action, category, CONTACT, SEND)

    assert read(sign(claims, now=NOW), now=NOW) == claims


def test_the_payload_carries_the_names_of_the_format_in_their_order():
    token = sign(Claims("u1", "ada@example.com", Action.UNSUBSCRIBE, "news", CONTACT, SEND), now=NOW)

    assert list(payload_of(token)) == ["externalId", "email", "action", "exp", "category", "contactId", "sendId"]


def test_absent_facts_are_left_out():
    token = sign(Claims("u1", "ada@example.com", Action.MANAGE), now=NOW)

    assert list(payload_of(token)) == ["externalId", "email", "action", "exp"]


@pytest.mark.parametrize("action", [Action.MANAGE, Action.RESUBSCRIBE])
def test_all_but_unsubscribing_is_good_for_thirty_days(action):
    token = sign(Claims("u1", "ada@example.com", action), now=NOW)

    assert payload_of(token)["exp"] == int((NOW + timedelta(days=30)).timestamp())


@pytest.mark.parametrize("action", [Action.MANAGE, Action.RESUBSCRIBE])
def test_a_token_is_good_up_to_the_second_of_its_end_and_not_after(action):
    token = sign(Claims("u1", "ada@example.com", action), now=NOW)

    assert read(token, now=NOW + timedelta(days=30))
    with pytest.raises(InvalidTokenError, match="Token has expired"):
        read(token, now=NOW + timedelta(days=30, seconds=1))


def test_an_unsubscribe_token_never_ends():
    token = sign(Claims("u1", "ada@example.com", Action.UNSUBSCRIBE), now=NOW)

    assert read(token, now=NOW + timedelta(days=36_500)).action is Action.UNSUBSCRIBE


@pytest.mark.usefixtures("_legacy")
def test_an_old_unsubscribe_token_is_honoured_after_the_end_written_into_it():
    old = {"externalId": "u1", "email": "ada@example.com", "action": "unsubscribe", "exp": 1}

    assert read(reference_token(old), now=NOW) == Claims("u1", "ada@example.com", Action.UNSUBSCRIBE)


@pytest.mark.usefixtures("_legacy")
def test_tokens_of_the_reference_are_read_when_its_secret_is_set():
    exp = NOW.timestamp() + 60
    old = {"externalId": "u1", "email": "a@b.co", "action": "resubscribe", "exp": exp, "category": "news"}

    assert read(reference_token(old), now=NOW) == Claims("u1", "a@b.co", Action.RESUBSCRIBE, "news")


def test_tokens_of_the_reference_are_refused_when_its_secret_is_not_set(settings):
    settings.HOGSEND_LEGACY_TOKEN_SECRET = ""
    old = {"externalId": "u1", "email": "ada@example.com", "action": "unsubscribe", "exp": 1}

    with pytest.raises(InvalidTokenError, match="Invalid token signature"):
        read(reference_token(old), now=NOW)


def test_the_applications_secret_itself_is_not_a_key(settings):
    forged = {"externalId": "u1", "email": "ada@example.com", "action": "unsubscribe", "exp": 1}

    with pytest.raises(InvalidTokenError, match="Invalid token signature"):
        read(reference_token(forged, settings.SECRET_KEY), now=NOW)


def test_a_token_survives_a_rotated_secret(settings):
    settings.SECRET_KEY = "the first secret"
    token = sign(Claims("u1", "ada@example.com", Action.UNSUBSCRIBE), now=NOW)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "the second secret", ["older", "the first secret"]

    assert read(token, now=NOW).external_id == "u1"


def test_a_token_of_a_withdrawn_secret_is_refused(settings):
    settings.SECRET_KEY = "the first secret"
    token = sign(Claims("u1", "ada@example.com", Action.UNSUBSCRIBE), now=NOW)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "the second secret", []

    with pytest.raises(InvalidTokenError, match="Invalid token signature"):
        read(token, now=NOW)


def test_a_changed_payload_is_refused():
    token = sign(Claims("u1", "ada@example.com", Action.MANAGE), now=NOW)

    with pytest.raises(InvalidTokenError, match="Invalid token signature"):
        read(with_body(token, {**payload_of(token), "externalId": "u2"}), now=NOW)


def test_a_changed_signature_is_refused():
    body, signature = sign(Claims("u1", "ada@example.com", Action.MANAGE), now=NOW).split(".")
    flipped = ("B" if signature[0] == "A" else "A") + signature[1:]

    with pytest.raises(InvalidTokenError, match="Invalid token signature"):
        read(f"{body}.{flipped}", now=NOW)


@pytest.mark.parametrize("token", ["", "no-dot", ".", "a.", ".b", "a.b.c", "ä.b", "a" * 5000 + ".b", "\x00.\udcff"])
def test_what_is_not_two_parts_is_malformed(token):
    with pytest.raises(InvalidTokenError, match="Malformed token"):
        read(token, now=NOW)


@pytest.mark.usefixtures("_legacy")
@pytest.mark.parametrize("payload", [[], "text", 1, None])
def test_a_signed_payload_that_is_no_object_is_malformed(payload):
    with pytest.raises(InvalidTokenError, match="Malformed token payload"):
        read(reference_token(payload), now=NOW)


@pytest.mark.usefixtures("_legacy")
def test_a_signed_payload_that_is_no_json_is_malformed():
    body = encode(b"\xff\xfe{")
    signature = encode(hmac.digest(b"legacy secret of the reference", body.encode(), hashlib.sha256))

    with pytest.raises(InvalidTokenError, match="Malformed token payload"):
        read(f"{body}.{signature}", now=NOW)


@pytest.mark.usefixtures("_legacy")
@pytest.mark.parametrize(
    "change",
    [
        {"externalId": None},
        {"externalId": 7},
        {"email": None},
        {"action": "destroy"},
        {"action": None},
        {"action": ["manage"]},
        {"exp": None},
        {"exp": "soon"},
        {"exp": True},
        {"category": 7},
        {"contactId": "not-a-uuid"},
        {"sendId": 1},
    ],
)
def test_a_signed_payload_with_a_hole_is_incomplete(change):
    whole = {"externalId": "u1", "email": "ada@example.com", "action": "manage", "exp": 99_999_999_999}

    with pytest.raises(InvalidTokenError, match="Incomplete token payload"):
        read(reference_token({**whole, **change}), now=NOW)
