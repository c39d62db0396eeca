from email import message_from_bytes
from email.policy import default
from uuid import UUID

from emails.message import build_message
from emails.models import EmailSend
from emails.providers import current_provider

SEND = EmailSend(
    id=UUID("0190a000-0000-7000-8000-000000000001"),
    email_id="transactional/welcome",
    from_email="Acmé <hi@acme.example>",
    to_email="ada@example.com",
    reply_to=["help@acme.example"],
    subject="Schön",
    html="<p>Hällo</p>",
    text="Hällo\n",
    headers={"X-Hogsend-Send": "0190a000-0000-7000-8000-000000000001", "List-Unsubscribe": "<https://a.example/u>"},
)


def parsed():
    return message_from_bytes(build_message(SEND).message().as_bytes(), policy=default)


def test_a_message_carries_both_parts_and_its_headers():
    mail = parsed()

    assert mail["From"] == "Acmé <hi@acme.example>"
    assert (mail["To"], mail["Reply-To"], mail["Subject"]) == ("ada@example.com", "help@acme.example", "Schön")
    assert mail["List-Unsubscribe"] == "<https://a.example/u>"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    assert [part.get_content() for part in mail.iter_parts()] == ["Hällo\n", "<p>Hällo</p>"]


def test_a_message_has_the_same_message_id_whenever_it_is_built():
    assert parsed()["Message-ID"] == parsed()["Message-ID"] == "<0190a000-0000-7000-8000-000000000001@acme.example>"


def test_the_provider_is_told_which_send_it_is():
    message = build_message(SEND)

    assert message.tags == ["transactional-welcome"]
    assert message.metadata == {"send_id": "0190a000-0000-7000-8000-000000000001"}


def test_a_provider_that_takes_no_data_of_ours_gets_none():
    assert not hasattr(build_message(SEND, metadata=False), "metadata")


def test_a_back_end_we_do_not_know_is_used_as_it_is(settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"

    provider = current_provider()

    assert (provider.backend, provider.idempotency_window) == (settings.EMAIL_BACKEND, None)
