from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
import time_machine

from preferences.links import preferences_url, unsubscribe_url
from preferences.tokens import Action, Claims, InvalidTokenError, read

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CONTACT = UUID("01890000-0000-7000-8000-000000000001")
SEND = UUID("01890000-0000-7000-8000-000000000002")


@pytest.fixture(autouse=True)
def _address(settings):
    settings.API_PUBLIC_URL = "https://mail.example.com"


def token_in(url: str) -> str:
    return parse_qs(urlsplit(url).query)["token"][0]


def test_the_unsubscribe_link_carries_person_category_and_mail():
    url = unsubscribe_url(contact_key="u1", email="ada@example.com", category="news", send_id=SEND, contact_id=CONTACT)

    assert url.startswith("https://mail.example.com/v1/email/unsubscribe?token=")
    assert read(token_in(url), now=NOW) == Claims("u1", "ada@example.com", Action.UNSUBSCRIBE, "news", CONTACT, SEND)


def test_the_preference_link_may_manage_for_thirty_days():
    with time_machine.travel(NOW, tick=False):
        url = preferences_url(contact_key="u1", email="ada@example.com", contact_id=CONTACT)

    assert url.startswith("https://mail.example.com/v1/email/preferences?token=")
    assert read(token_in(url), now=NOW) == Claims("u1", "ada@example.com", Action.MANAGE, contact_id=CONTACT)
    with pytest.raises(InvalidTokenError):
        read(token_in(url), now=NOW + timedelta(days=31))
