"""Play a journey in a test: with the real engine, a clock that moves when told, and a mailbox to look into."""

from journeys.testing.mailbox import Mail
from journeys.testing.person import Person
from journeys.testing.story import JourneyFailedError, ReplayDiffersError, Story, Waiting, play

__all__ = ["JourneyFailedError", "Mail", "Person", "ReplayDiffersError", "Story", "Waiting", "play"]
