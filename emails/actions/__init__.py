"""The only writers of the send ledger: decide and record, deliver, settle what was lost, note what was read."""

from emails.actions.deliver import deliver_due
from emails.actions.engage import count_click, note_click, note_open
from emails.actions.queue import Decision, SendRequest, queue_email
from emails.actions.reclaim import reclaim_lost

__all__ = [
    "Decision",
    "SendRequest",
    "count_click",
    "deliver_due",
    "note_click",
    "note_open",
    "queue_email",
    "reclaim_lost",
]
