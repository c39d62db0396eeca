"""Each scheme with what is right, wrong, old, missing and doubled."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook

from events.sources.schemes import (
    Proof,
    UnusableSecretError,
    hmac_sha1_hex,
    hmac_sha256_hex,
    shared_secret,
    standard_webhooks,
    stripe_signature,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BODY = '{"name":"é"}'.encode()
SECRET = "s3cret"
STANDARD = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()


def proof(body: bytes = BODY, **headers: str) -> Proof:
    return Proof({name.replace("_", "-"): value for name, value in headers.items()}, body, NOW)


def seconds(moment: datetime) -> str:
    return str(int(moment.timestamp()))


def hexed(digest: str, body: bytes = BODY) -> str:
    return hmac.new(SECRET.encode(), body, digest).hexdigest()


def stripe(at: datetime = NOW, secret: str = SECRET) -> tuple[str, str]:
    signed = hmac.new(secret.encode(), f"{seconds(at)}.".encode() + BODY, hashlib.sha256).hexdigest()
    return f"t={seconds(at)}", f"v1={signed}"


def standard(at: datetime = NOW, prefix: str = "webhook", message: str = "msg_1") -> dict[str, str]:
    signature = Webhook(STANDARD).sign(message, at, BODY.decode())
    return {f"{prefix}_id": message, f"{prefix}_timestamp": seconds(at), f"{prefix}_signature": signature}


@pytest.mark.parametrize(
    ("headers", "proven"),
    [
        ({"x_mine": SECRET}, True),
        ({"authorization": f"Bearer {SECRET}"}, True),
        ({"authorization": SECRET}, True),
        ({"x_mine": "other", "authorization": f"Bearer {SECRET}"}, False),
        ({"x_mine": SECRET + " "}, False),
        ({"x_mine": ""}, False),
        ({"x_mine": "sécret"}, False),
        ({}, False),
    ],
)
def test_a_shared_secret_is_repeated_in_its_header_or_as_a_bearer(headers, proven):
    assert shared_secret("X-Mine").check(proof(**headers), SECRET) is proven


def test_a_secret_with_other_letters_is_compared_by_its_bytes():
    as_received = "schlüssel".encode().decode("latin-1")
    assert shared_secret("x-mine").check(proof(x_mine=as_received), "schlüssel")


@pytest.mark.parametrize(("scheme", "digest"), [(hmac_sha1_hex, "sha1"), (hmac_sha256_hex, "sha256")])
@pytest.mark.parametrize(
    ("change", "proven"),
    [
        (lambda good: good, True),
        (str.upper, True),
        (lambda good: good[:-1], False),
        (lambda good: good[:-1] + ("0" if good[-1] != "0" else "1"), False),
        (lambda good: "", False),
        (lambda good: "é" * 40, False),
    ],
)
def test_a_signature_in_hexadecimal_is_that_of_the_body(scheme, digest, change, proven):
    check = scheme("x-signature").check
    assert check(proof(x_signature=change(hexed(digest))), SECRET) is proven


@pytest.mark.parametrize("scheme", [hmac_sha1_hex, hmac_sha256_hex])
def test_a_signature_of_another_body_or_none_proves_nothing(scheme):
    check = scheme("x-signature").check
    assert not check(proof(x_signature=hexed("sha1", b"other")), SECRET)
    assert not check(proof(x_signature=hexed("sha256", b"other")), SECRET)
    assert not check(proof(), SECRET)


def test_the_sha256_may_be_named_before_the_digits():
    assert hmac_sha256_hex("x-hub-signature-256").check(proof(x_hub_signature_256=f"sha256={hexed('sha256')}"), SECRET)


@pytest.mark.parametrize("age", [timedelta(0), timedelta(minutes=5), timedelta(minutes=-5)])
def test_stripe_signs_time_and_body(age):
    assert stripe_signature.check(proof(stripe_signature=",".join(stripe(NOW - age))), SECRET)


@pytest.mark.parametrize(
    "age", [timedelta(minutes=5, seconds=1), timedelta(minutes=-5, seconds=-1), timedelta(days=900)]
)
def test_an_old_recording_of_stripe_is_worth_nothing(age):
    assert not stripe_signature.check(proof(stripe_signature=",".join(stripe(NOW - age))), SECRET)


def test_one_good_signature_of_several_is_enough():
    time, good = stripe()
    rolled = f"{time}, v1=00, {good}, v1=é, v0=00"
    assert stripe_signature.check(proof(stripe_signature=rolled), SECRET)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "t=,v1=",
        "v1=00",
        stripe()[0],
        stripe()[1],
        f"{stripe()[0]},v0={stripe()[1][3:]}",
        ",".join(stripe(secret="other")),
        f"t=1,{stripe()[1]}",
        "t=" + "9" * 400 + ",v1=00",
        "t=-5,v1=00",
        "t=²,v1=00",
        "t=nan,v1=00",
        "=,=,=",
    ],
)
def test_what_stripe_did_not_sign_proves_nothing(header):
    assert not stripe_signature.check(proof(stripe_signature=header), SECRET)


def test_without_a_header_of_stripe_nothing_is_proven():
    assert not stripe_signature.check(proof(), SECRET)


@pytest.mark.parametrize("prefix", ["webhook", "svix"])
def test_standard_webhooks_are_proven_under_both_names(prefix):
    assert standard_webhooks.check(proof(**standard(prefix=prefix)), STANDARD)


def test_the_package_of_the_standard_agrees():
    headers = {name.replace("_", "-"): value for name, value in standard(datetime.now(UTC)).items()}
    Webhook(STANDARD).verify(BODY, headers)
    assert standard_webhooks.check(Proof(headers, BODY, datetime.now(UTC)), STANDARD)


@pytest.mark.parametrize("age", [timedelta(minutes=6), timedelta(minutes=-6)])
def test_a_standard_webhook_from_another_time_is_worth_nothing(age):
    assert not standard_webhooks.check(proof(**standard(NOW - age)), STANDARD)


def test_one_good_standard_signature_of_several_is_enough():
    headers = standard()
    headers["webhook_signature"] = f"v1,AAAA nonsense v2,é {headers['webhook_signature']} v1a,x"
    assert standard_webhooks.check(proof(**headers), STANDARD)


@pytest.mark.parametrize("missing", ["webhook_id", "webhook_timestamp", "webhook_signature"])
def test_a_standard_webhook_lacks_nothing(missing):
    headers = standard()
    del headers[missing]
    assert not standard_webhooks.check(proof(**headers), STANDARD)


@pytest.mark.parametrize(
    "change",
    [
        {"webhook_id": "msg_2"},
        {"webhook_timestamp": seconds(NOW - timedelta(seconds=1))},
        {"webhook_timestamp": "nan"},
        {"webhook_timestamp": "1e9"},
        {"webhook_signature": "v1,"},
        {"webhook_signature": ","},
    ],
)
def test_a_standard_webhook_with_a_change_proves_nothing(change):
    assert not standard_webhooks.check(proof(**{**standard(), **change}), STANDARD)


def test_a_body_that_is_no_text_cannot_be_signed_by_the_standard():
    assert not standard_webhooks.check(proof(b"\xff\xfe", **standard()), STANDARD)


@pytest.mark.parametrize("secret", ["whsec_", "whsec_é", "whsec_a"])
def test_a_secret_that_is_none_of_the_standard_is_told(secret):
    with pytest.raises(UnusableSecretError, match="Base64"):
        standard_webhooks.check(proof(**standard()), secret)


def test_a_scheme_names_the_delivery_where_its_sender_does():
    assert standard_webhooks.delivery_id({"webhook-id": "msg_1"}) == "msg_1"
    assert standard_webhooks.delivery_id({"svix-id": "msg_2"}) == "msg_2"
    assert standard_webhooks.delivery_id({}) is None
    assert shared_secret().delivery_id({"webhook-id": "msg_1"}) is None
