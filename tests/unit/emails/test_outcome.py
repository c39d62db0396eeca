import json
import smtplib
from datetime import UTC, datetime, timedelta

import pytest
import requests
import urllib3.exceptions
from anymail.exceptions import (
    AnymailAPIError,
    AnymailInvalidAddress,
    AnymailRecipientsRefused,
    AnymailRequestsAPIError,
    AnymailUnsupportedFeature,
)

from emails.outcome import Verdict, classify, describe, unreachable

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def verdict(error, *, reached=True):
    return classify(error, reached=reached, now=NOW).verdict


def answered(status, **headers):
    response = requests.Response()
    response.status_code, response.reason, response._content = status, "Reason", json.dumps({"message": "why"}).encode()
    response.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return AnymailRequestsAPIError("failed", response=response)


def failed(cause):
    """The error as anymail raises it: of both families, caused by the original."""
    error = type("AnymailRequestsAPIError", (AnymailRequestsAPIError, type(cause)), {})(
        "Error posting to https://api.example/:"
    )
    error.__cause__ = cause
    return error


def amazon(code, status):
    return AnymailAPIError(code, response={"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}})


@pytest.mark.parametrize(
    "error",
    [
        smtplib.SMTPRecipientsRefused({"a@example.com": (550, b"no such user")}),
        smtplib.SMTPSenderRefused(553, b"not yours", "b@example.com"),
        smtplib.SMTPDataError(554, b"spam"),
        smtplib.SMTPNotSupportedError("no SMTPUTF8"),
        AnymailRecipientsRefused(),
        AnymailInvalidAddress("a@"),
        AnymailUnsupportedFeature("tags"),
        answered(400),
        answered(422),
        amazon("MessageRejected", 400),
    ],
    ids=repr,
)
def test_a_definite_no_is_a_refusal(error):
    assert verdict(error) is Verdict.REFUSED


@pytest.mark.parametrize(
    "error",
    [
        smtplib.SMTPRecipientsRefused({"a@example.com": (450, b"greylisted")}),
        smtplib.SMTPRecipientsRefused({"a@example.com": (452, b"too many")}),
        smtplib.SMTPSenderRefused(451, b"later", "b@example.com"),
        smtplib.SMTPDataError(454, b"Throttling failure"),
        smtplib.SMTPDataError(421, b"closing"),
        answered(429),
        amazon("TooManyRequestsException", 429),
        amazon("ThrottlingException", 400),
        failed(requests.ConnectTimeout()),
        failed(
            requests.ConnectionError(
                urllib3.exceptions.MaxRetryError(None, "/", urllib3.exceptions.NewConnectionError(None, "refused"))
            )
        ),
    ],
    ids=repr,
)
def test_what_was_surely_not_accepted_is_tried_later(error):
    assert verdict(error) is Verdict.RETRY


@pytest.mark.parametrize(
    "error",
    [
        smtplib.SMTPServerDisconnected("closed"),
        smtplib.SMTPDataError(-1, b"gibberish"),
        TimeoutError("timed out"),
        ConnectionResetError(),
        answered(500),
        answered(503),
        answered(408),
        answered(409),
        answered(302),
        amazon("InternalFailure", 500),
        AnymailAPIError("no status"),
        failed(requests.ReadTimeout()),
        failed(requests.ConnectionError(urllib3.exceptions.ProtocolError("aborted"))),
        ValueError("a bug"),
    ],
    ids=repr,
)
def test_what_may_have_been_accepted_is_unknown(error):
    assert verdict(error) is Verdict.UNKNOWN


@pytest.mark.parametrize(
    "error", [smtplib.SMTPServerDisconnected("closed"), TimeoutError(), ConnectionResetError()], ids=repr
)
def test_a_connection_lost_before_the_text_was_asked_for_has_accepted_nothing(error):
    assert verdict(error, reached=False) is Verdict.RETRY


def test_a_bug_is_unknown_however_far_it_came():
    assert verdict(ValueError("a bug"), reached=False) is Verdict.UNKNOWN


@pytest.mark.parametrize(
    "error",
    [smtplib.SMTPSenderRefused(530, b"authenticate first", "b@example.com"), answered(401)],
    ids=repr,
)
def test_a_rejected_log_in_is_not_held_against_the_message(error):
    outcome = classify(error, reached=True, now=NOW)

    assert (outcome.verdict, outcome.stop) == (Verdict.RETRY, True)


@pytest.mark.parametrize(
    "error", [answered(429), smtplib.SMTPDataError(421, b"closing"), failed(requests.ConnectTimeout())], ids=repr
)
def test_trouble_of_the_whole_line_stops_the_batch(error):
    assert classify(error, reached=True, now=NOW).stop


@pytest.mark.parametrize("error", [answered(422), answered(500), smtplib.SMTPDataError(451, b"later")], ids=repr)
def test_trouble_of_one_message_does_not(error):
    assert not classify(error, reached=True, now=NOW).stop


def test_a_provider_that_asks_for_time_gets_it():
    assert classify(answered(429, Retry_After="90"), reached=True, now=NOW).wait == timedelta(seconds=90)


def test_a_connection_that_cannot_be_opened_is_tried_later_and_stops_the_batch():
    outcome = unreachable(smtplib.SMTPAuthenticationError(535, b"wrong password"))

    assert (outcome.verdict, outcome.stop) == (Verdict.RETRY, True)


def test_an_error_is_one_short_line():
    words = describe(ValueError("a\n  b\t" + "x" * 1000))

    assert words.startswith("ValueError: a b xxx")
    assert len(words) == 500


def test_an_error_never_shows_a_secret(settings):
    settings.EMAIL_HOST_PASSWORD, settings.ANYMAIL = "hunter2", {"RESEND_API_KEY": "re_123", "REQUESTS_TIMEOUT": 5}

    assert describe(ValueError("user:hunter2@host re_123")) == "ValueError: user:***@host ***"


def test_an_error_without_words_still_has_a_name():
    assert describe(TimeoutError()) == "TimeoutError: no further words"
