"""The published client of the reference meets our server: every call it has, and what it makes of refusals."""

import pytest
from client import ApiFault, Client
from product import Product, Sink, eventually

pytestmark = [pytest.mark.timeout(240)]


@pytest.fixture
def hogsend(product: Product) -> Client:
    return Client(f"{product.setup.url}/", product.keys["ingest_key"])


def test_contacts_are_written_found_and_deleted(hogsend: Client):
    made = hogsend.upsert(userId="kim", email="Kim@example.com", properties={"plan": "pro"})
    again = hogsend.upsert(userId="kim", properties={"city": "Rome"})
    assert (made["created"], made["linked"], again["created"], again["linked"]) == (True, False, False, True)
    assert made["id"] == again["id"]

    [found] = hogsend.find(email="kim@example.com")
    assert (found["externalId"], found["properties"]) == ("kim", {"plan": "pro", "city": "Rome"})
    assert set(found) >= {
        "id",
        "externalId",
        "email",
        "properties",
        "firstSeenAt",
        "lastSeenAt",
        "createdAt",
        "updatedAt",
    }

    assert hogsend.delete(userId="kim") == {"deleted": True}
    assert hogsend.find(userId="kim") == []
    with pytest.raises(ApiFault, match="404: Contact not found"):
        hogsend.delete(userId="kim")


def test_an_event_with_its_key_in_both_places_is_stored_once(hogsend: Client):
    event = {"name": "order.completed", "userId": "lou", "eventProperties": {"total": 12.5}}
    first, second = hogsend.send_event("order-1", **event), hogsend.send_event("order-1", **event)
    assert (first["stored"], second["stored"], first["exits"]) == (True, False, [])
    other = hogsend.send_event("order-1", **{**event, "eventProperties": {"total": 13}})
    assert other["stored"] is False
    assert "different" in other["reason"]


def test_a_mail_is_queued_once_and_its_replay_tells_the_truth(hogsend: Client, sink: Sink):
    mail = {"to": "mia@example.com", "template": "story-hello", "props": {}}
    first = hogsend.send_email("mail-1", **mail)
    assert first["status"] == "queued"
    eventually(lambda: len(sink.to("mia@example.com")) == 1)
    replay = eventually(lambda: (found := hogsend.send_email("mail-1", **mail))["status"] == "sent" and found)
    assert replay["emailSendId"] == first["emailSendId"]
    assert len(sink.to("mia@example.com")) == 1
    with pytest.raises(ApiFault) as caught:
        hogsend.send_email("mail-1", **{**mail, "to": "other@example.com"})
    assert caught.value.status == 409


def test_lists_are_joined_and_left_by_an_encoded_id(hogsend: Client):
    news = hogsend.lists()[0]
    assert set(news) >= {"id", "name", "defaultOptIn"}
    assert hogsend.subscribe(news["id"], email="ned@example.com") is True
    assert hogsend.unsubscribe(news["id"], email="ned@example.com") is True
    with pytest.raises(ApiFault, match="404: Unknown list: a/b"):
        hogsend.subscribe("a/b", email="ned@example.com")


def test_refusals_reach_the_client_as_status_and_sentence(product: Product, hogsend: Client):
    with pytest.raises(ApiFault, match="400: email or userId is required"):
        hogsend.send_event(name="nobody")
    with pytest.raises(ApiFault, match="401: Unauthorized"):
        Client(product.setup.url, "hsk_wrong").lists()
    with pytest.raises(ApiFault, match=r"400: Unknown template"):
        hogsend.send_email(to="mia@example.com", template="nonsense")
