from uuid import UUID

import msgspec
import pytest

from emails.actions import Decision
from emails.definitions import Email, registry
from emails.models import Reason, SendStatus
from emails.wire import answer_body, decode_email, words_for
from hogsend.api.authentication import Caller
from hogsend.api.errors import ApiError

INGEST = Caller(id="1", name="shop", scopes=frozenset({"ingest"}), tenant="acme")
FULL_ADMIN = Caller(id="2", name="office", scopes=frozenset({"full-admin"}))
LEFT_UNSENT = {SendStatus.SKIPPED, SendStatus.FAILED, SendStatus.UNKNOWN}
ANSWER = Decision(UUID(int=1), SendStatus.SKIPPED, Reason.PAUSED, duplicate=False, contact_id=UUID(int=2))


@pytest.fixture(autouse=True)
def _email():
    with registry.scratch():
        Email("hello", category="journey")
        yield


def decoded(caller=INGEST, header=None, **fields):
    body = {"template": "hello", "to": "ada@example.com", **fields}
    return decode_email(msgspec.json.encode(body), caller=caller, idempotency_key=header)


def test_a_request_says_whom_what_and_who_asked():
    asked = decoded(userId=" ada ", props={"a": 1}, idempotencyKey="k")

    assert (asked.keys.email, asked.keys.external, asked.email_id) == ("ada@example.com", "ada", "hello")
    assert (asked.props, asked.asked_by, asked.tenant, asked.idempotency_key) == ({"a": 1}, "shop", "acme", "k")
    assert asked.send_id.version == 7


@pytest.mark.parametrize("given", [None, "", []])
def test_an_absent_reply_address_is_none(given):
    assert decoded(replyTo=given).reply_to == ()


def test_one_reply_address_and_several_are_alike():
    assert decoded(replyTo="a@example.com").reply_to == decoded(replyTo=["a@example.com"]).reply_to


def test_a_bad_reply_address_is_named_by_its_position():
    with pytest.raises(ApiError) as failure:
        decoded(replyTo=["a@example.com", "b"])

    assert failure.value.details[0]["path"] == ["replyTo", 1]


def test_the_fingerprint_does_not_know_the_key():
    assert decoded(header="a").fingerprint == decoded(header="b", idempotencyKey="c").fingerprint


def test_what_was_asked_by_another_key_of_the_tenant_is_the_same_mail():
    assert decoded(caller=FULL_ADMIN, header="k").fingerprint == decoded(header="k").fingerprint


@pytest.mark.parametrize("status", SendStatus)
def test_every_status_has_a_word_on_the_wire(status):
    word = words_for(status, None).status

    assert word in {"queued", "sent", "suppressed", "unsubscribed", "skipped", "failed", "unknown"}
    assert (word == "sent") is (status not in {*LEFT_UNSENT, SendStatus.QUEUED, SendStatus.SENDING})


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_is_told_in_the_words_of_the_ledger(reason):
    assert words_for(SendStatus.SKIPPED, reason).reason == reason.value


def test_an_answer_names_the_send_and_the_contact():
    assert answer_body(ANSWER) == {
        "emailSendId": str(UUID(int=1)),
        "status": "skipped",
        "contactId": str(UUID(int=2)),
        "reason": "paused",
    }
