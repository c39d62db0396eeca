"""The examples of docs/authoring/webhooks.md are real: they are declared, and deliveries are sent to them."""

import hashlib
import hmac
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import call_command

import hogsend.authoring
from contacts.models import Contact
from events.models import DeadLetter, Event
from events.sources import schemes
from events.sources.definitions import WebhookSource, registry

pytestmark = pytest.mark.django_db

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "authoring" / "webhooks.md").read_text()
SHOP, FORM, BROCHURE = re.findall(r"^```python\n(.*?)```$", PAGE, re.MULTILINE | re.DOTALL)
DELIVERY, ANSWER = re.findall(r"^```json\n(.*?)```$", PAGE, re.MULTILINE | re.DOTALL)
(COMMANDS,) = re.findall(r"^```console\n(.*?)```$", PAGE, re.MULTILINE | re.DOTALL)
SECRET = "s3cret"


@pytest.fixture(autouse=True)
def _scratch(settings) -> Iterator[None]:
    settings.WEBHOOK_SECRETS = {"SHOP_WEBHOOK_SECRET": SECRET}
    with registry.scratch():
        yield


def declare(example: str) -> dict[str, object]:
    names: dict[str, object] = {"__name__": "webhooks"}
    exec(compile(example, "webhooks.md", "exec"), names)
    return names


def send(client, source: str, body: str, topic: str = "order.paid"):
    signature = hmac.new(SECRET.encode(), body.encode(), hashlib.sha256).hexdigest()
    headers = {"X-Shop-Topic": topic, "X-Shop-Signature": signature}
    return client.post(f"/v1/webhooks/{source}", body, content_type="application/json", headers=headers)


def test_the_shop_is_answered_as_the_page_says(client):
    declare(SHOP)

    first, again = send(client, "shop", DELIVERY).json(), send(client, "shop", DELIVERY).json()

    assert first.items() >= json.loads(ANSWER).items()
    assert again["stored"] is False
    assert Event.objects.get().properties == {"orderId": "o-1001", "total": 4900}
    assert Contact.objects.get().properties == {"lastOrder": "o-1001"}


def test_the_shop_skips_and_refuses_what_it_should(client):
    declare(SHOP)

    assert send(client, "shop", DELIVERY, topic="order.made").json() == {"ok": True, "skipped": True}
    refused = send(client, "shop", '{"id": "o-1", "customer": "ada", "total": "much"}')
    assert (refused.status_code, refused.json()["details"][0]["path"]) == (400, ["total"])


def test_the_form_refuses_and_stores_as_its_code_says(client):
    WebhookSource("form", public=True, translate=declare(FORM)["from_form"])

    refused = client.post("/v1/webhooks/form", {"people": []}, content_type="application/json")
    stored = client.post(
        "/v1/webhooks/form", {"people": [{"email": "ada@example.com"}]}, content_type="application/json"
    )

    assert refused.json()["details"][0]["message"] == "people must name at least one person."
    assert stored.json()["event"] == "form.sent"


def test_the_brochure_is_open_and_keeps_what_it_cannot_read(client):
    declare(BROCHURE)

    assert client.post("/v1/webhooks/brochure", {"email": "ada@example.com"}, "application/json").json()["stored"]
    assert "deadLetter" in client.post("/v1/webhooks/brochure", {"mail": "?"}, "application/json").json()


@pytest.mark.parametrize("line", COMMANDS.splitlines())
def test_the_commands_run(line):
    letter_id = re.search(r"[0-9a-f-]{36}", COMMANDS)[0]
    DeadLetter.objects.create(
        id=letter_id,
        source_id="brochure",
        payload='{"email":"ada@example.com"}',
        error="E",
        received_at="2026-01-01T00:00Z",
    )
    declare(BROCHURE)
    python, manage, *arguments = shlex.split(line)

    call_command(*arguments)

    assert (python, manage) == ("python", "manage.py")


def test_the_page_names_every_scheme_and_only_what_authors_can_import():
    named = set(re.findall(r"^\| `(\w+)(?:\(.*?\))?` \| ", PAGE, re.MULTILINE)) & set(dir(schemes))

    assert named == {"shared_secret", "hmac_sha256_hex", "hmac_sha1_hex", "standard_webhooks", "stripe_signature"}
    assert named <= set(hogsend.authoring.__all__)


def test_the_page_names_the_shipped_sources_with_their_secrets():
    rows = re.findall(r"^\| \w+ \| `/v1/webhooks/(\w+)` \| `(\w+)` \|", PAGE, re.MULTILINE)

    assert dict(rows) == {source.id: source.secret for source in registry}
