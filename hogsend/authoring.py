"""What authors of journeys, e-mails and lists import. Everything else of the engine is private."""

from buckets.definitions import Bucket
from buckets.members import Member, MembersPage
from conditions.event import event
from conditions.property import prop
from conditions.tree import all_of, any_of
from emails.definitions import Email
from events.sources.definitions import Incoming, InvalidPayloadError, WebhookEvent, WebhookSource
from events.sources.schemes import (
    hmac_sha1_hex,
    hmac_sha256_hex,
    shared_secret,
    standard_webhooks,
    stripe_signature,
)
from hogsend.lib.duration import days, hours, minutes, seconds
from journeys.answers import EmailHistory, HasEvent, JourneyHistory, Sent, Slept, User, Waited
from journeys.context import Context
from journeys.definitions import exit_rule, journey
from journeys.effects import Triggered
from journeys.reactions import ReactionContext
from journeys.sending import send_email
from journeys.when import When
from lists.definitions import EmailList

__all__ = [
    "Bucket",
    "Context",
    "Email",
    "EmailHistory",
    "EmailList",
    "HasEvent",
    "Incoming",
    "InvalidPayloadError",
    "JourneyHistory",
    "Member",
    "MembersPage",
    "ReactionContext",
    "Sent",
    "Slept",
    "Triggered",
    "User",
    "Waited",
    "WebhookEvent",
    "WebhookSource",
    "When",
    "all_of",
    "any_of",
    "days",
    "event",
    "exit_rule",
    "hmac_sha1_hex",
    "hmac_sha256_hex",
    "hours",
    "journey",
    "minutes",
    "prop",
    "seconds",
    "send_email",
    "shared_secret",
    "standard_webhooks",
    "stripe_signature",
]
