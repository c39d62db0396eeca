"""How a slice of a run ends early, and what authors can do wrong.

The signals derive from BaseException, so that ``except Exception`` in a journey cannot swallow them.
"""


class Suspend(BaseException):
    """The run waits; a wakeup will go on with it."""


class JourneyExited(BaseException):
    """The run has ended: an event, the journey itself or staff ended it."""


class LeaseLost(BaseException):
    """Another worker has taken the run over; nothing more may be recorded here."""


class StepLimitReached(BaseException):
    """The run has recorded as many steps as a run may."""


class DatabaseAway(BaseException):
    """A step met an error of the database; the run tries again later."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class JourneyError(RuntimeError):
    """A journey does something that cannot be made durable; the message says what to do instead."""


class DuplicateStepKeyError(JourneyError):
    """Two sends of one run would carry the same key; pass ``key=`` to tell them apart."""


class UnstableReplayError(JourneyError):
    """The same code took another way when it was replayed."""


class OpenTransactionError(JourneyError):
    """The journey calls ctx within a transaction of its own."""


class NotInJourneyError(JourneyError):
    """``send_email`` was called where no journey runs."""
