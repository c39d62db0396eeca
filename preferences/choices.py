"""The rows of the preference page."""

from dataclasses import dataclass

from django.utils.translation import gettext as _

from lists.definitions import registry
from lists.queries import shown_lists
from preferences.rules import TRANSACTIONAL, Consent
from preferences.tokens import Claims

JOURNEY = "journey"


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing a person can switch on or off."""

    category: str
    name: str
    description: str
    on: bool


def choices_for(consent: Consent, claims: Claims) -> list[Choice]:
    """Return what this person can choose: our own mail, each list that is shown, and whatever concerns them already.

    The category of the mail they came from always stands there, also if its list is hidden: nobody gets mail that
    they cannot switch off. Who left all mail sees every row switched off.
    """
    categories = [JOURNEY, *(item.id for item in shown_lists())]
    chosen = [category for category in consent.categories if category not in registry]
    came_from = [claims.category] if claims.category else []
    return [
        Choice(
            category=category,
            name=name_of(category),
            description=_description(category),
            on=not consent.unsubscribed_all and consent.allows(category),
        )
        for category in dict.fromkeys([*categories, *chosen, *came_from])
    ]


def name_of(category: str) -> str:
    """Return what people read for a category."""
    if category in registry:
        return registry.get(category).name
    names = {JOURNEY: _("Personal messages"), TRANSACTIONAL: _("Receipts and account messages")}
    return names.get(category) or category.replace("-", " ").replace("_", " ").capitalize()


def _description(category: str) -> str:
    if category in registry:
        return registry.get(category).description
    descriptions = {
        JOURNEY: _("Welcome mail, tips and reminders that follow what you do."),
        TRANSACTIONAL: _("Mail that answers something you did, like a receipt or a new password."),
    }
    return descriptions.get(category, "")
