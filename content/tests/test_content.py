"""What the product ships is found, passes the checks, and is all of it."""

from pathlib import Path

import pytest
from django.core.checks import run_checks

from emails.definitions import registry as emails
from journeys.definitions import registry

JOURNEYS = [
    "activation-welcome",
    "activation-nudge-series",
    "conversion-trial-upgrade",
    "conversion-abandoned-checkout",
    "retention-milestone",
    "referral-invite",
    "feedback-nps",
    "reactivation-dormancy",
    "churn-prevention",
    "test-onboarding",
    "first-order",
    "bucket-went-dormant-on-dwell-after-2592000000",
]


@pytest.mark.parametrize("journey_id", JOURNEYS)
def test_each_journey_is_found_and_says_what_it_is_for(journey_id):
    assert registry.get(journey_id).description.endswith(".")


def test_nothing_is_complained_about():
    ours = ("journeys.", "emails.", "buckets.", "lists.")

    assert [message for message in run_checks() if message.id.startswith(ours)] == []


def test_every_mail_is_sent_by_a_journey():
    said = "".join(Path(journey.source.file).read_text() for journey in registry)

    assert [email.id for email in emails if f'"{email.id}"' not in said] == []
