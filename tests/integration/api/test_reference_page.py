"""The calls in docs/api.md, typed from top to bottom, are answered as the page says."""

import json
import re
import shlex
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.test import Client

from hogsend import settings as configured
from hogsend.api.documents import document
from hogsend.api.keys import create_key

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "api.md").read_text()
CALL = re.compile(r"```sh\n(curl .+?)\n```\n\n`(\d{3})`(?:\n\n```json\n(.+?)\n```)?", re.DOTALL)
PATH = re.compile(r"`(?:(?:GET|PUT|POST|PATCH|DELETE) )?(/v1/[^` ]+)`|\$HOGSEND_URL(/v1/[a-z/-]+)")
VARIES = re.compile(r'"[0-9a-f]{8}-[0-9a-f-]{27}"|"\d{4}-\d\d-\d\dT[\d:.]+Z"')


def typed(command: str, key: str):
    """Send what a shell would send."""
    words = shlex.split(command.replace("\\\n", " ").replace("$HOGSEND_API_KEY", key).replace("$HOGSEND_URL", ""))
    options = {"-X": ["GET"], "-H": [], "-d": [""]}
    rest = iter(words[1:])
    address = ""
    for word in rest:
        if word in options:
            options[word].append(next(rest))
        else:
            address = word
    headers = dict(line.split(": ", 1) for line in options["-H"])
    # What curl says of a body when it is not told.
    kind = "application/x-www-form-urlencoded"
    return Client().generic(options["-X"][-1], address, options["-d"][-1], content_type=kind, headers=headers)


def plain(text: str) -> object:
    """Forget what is another each time."""
    return json.loads(VARIES.sub('"…"', text))


@pytest.mark.django_db
def test_the_calls_of_the_page_are_answered_as_it_says(settings):
    settings.HOGSEND_EVENT_CONSUMERS = []
    key = create_key(name="reader", scopes=["ingest", "journey-admin"])[1]
    calls = CALL.findall(PAGE)
    assert len(calls) >= 8
    for command, status, body in calls:
        response = typed(command, key)
        assert (command, response.status_code) == (command, int(status))
        if body:
            assert (command, plain(response.content.decode())) == (command, plain(body))


def test_every_call_on_the_page_has_its_answer():
    assert PAGE.count("```sh\ncurl ") == len(CALL.findall(PAGE))


def test_every_route_of_the_document_stands_on_the_page():
    written = {urlsplit(found[0] or found[1]).path for found in PATH.findall(PAGE)}
    missing = [
        path
        for path in document()["paths"]
        if not any(re.fullmatch(re.sub(r"\\\{\w+\\\}", r"[^/]+", re.escape(path)), one) for one in written)
    ]
    assert missing == []


def test_the_limits_on_the_page_are_the_settings():
    stated = {
        name.lower(): int(number.replace(",", ""))
        for number, name in re.findall(r"\| ([\d,]+) \w+[^|]*\| `HOGSEND_RATE_LIMIT_(\w+)` \|", PAGE)
    }
    assert stated == configured.HOGSEND_RATE_LIMITS
