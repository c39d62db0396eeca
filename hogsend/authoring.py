"""What authors of journeys, e-mails and lists import. Everything else of the engine is private."""

from conditions.nodes import prop
from emails.definitions import Email
from hogsend.lib.duration import days, hours, minutes, seconds
from journeys.answers import EmailHistory, HasEvent, JourneyHistory, Sent, Slept, User
from journeys.context import Context
from journeys.definitions import exit_rule, journey
from journeys.sending import send_email
from lists.definitions import EmailList

__all__ = [
    "Context",
    "Email",
    "EmailHistory",
    "EmailList",
    "HasEvent",
    "JourneyHistory",
    "Sent",
    "Slept",
    "User",
    "days",
    "exit_rule",
    "hours",
    "journey",
    "minutes",
    "prop",
    "seconds",
    "send_email",
]
