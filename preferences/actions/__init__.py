"""The only writers of consent: what people choose, what becomes of it when they merge or go, suppressed addresses."""

from preferences.actions.bury import bury_consent, bury_suppressions
from preferences.actions.change import change_consent, change_many, pause
from preferences.actions.merge import merge_consent, part_consent
from preferences.actions.restate import LooseningRefusedError, Wishes, restate_consent
from preferences.actions.suppress import lift_suppression, suppress

__all__ = [
    "LooseningRefusedError",
    "Wishes",
    "bury_consent",
    "bury_suppressions",
    "change_consent",
    "change_many",
    "lift_suppression",
    "merge_consent",
    "part_consent",
    "pause",
    "restate_consent",
    "suppress",
]
