"""The examples of docs/authoring/buckets.md are real: they are declared, and what they call is there."""

import re
from pathlib import Path

import pytest

from buckets.definitions import registry
from buckets.models import BucketMembership
from conditions.event import EventBuilder
from conditions.property import PropertyBuilder
from contacts.models import Contact
from emails.definitions import registry as emails
from tests.integration.buckets.scene import NOW

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "authoring" / "buckets.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.django_db
@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.split("\n")[0])
def test_an_example_runs(block):
    ada = Contact.objects.create(external_id="ada", first_seen_at=NOW, last_seen_at=NOW)
    BucketMembership.objects.create(contact=ada, bucket_id="went-dormant", source="event", entered_at=NOW)
    exec(compile(block, "docs/authoring/buckets.md", "exec"), {"__name__": "page"})
    assert registry._items or "import went_dormant" in block


def test_the_mails_of_the_examples_are_declared():
    sent = re.findall(r'send_email\(user, "([^"]+)"\)', "".join(BLOCKS))
    assert len(sent) > 1
    assert [one for one in sent if one not in emails] == []


def test_the_page_names_every_way_to_ask():
    ways = {name for builder in (PropertyBuilder, EventBuilder) for name in vars(builder) if not name.startswith("_")}
    fields = {"name", "window"}
    beyond = {"count", "not_exists"}  # said in other words
    assert {way for way in ways - fields - beyond if f".{way}" not in PAGE} == set()
