"""The only writers of the send ledger: decide and record, deliver, settle what was lost, follow people."""

from emails.actions.accept import accept_email
from emails.actions.deliver import deliver_due
from emails.actions.engage import count_click, note_click, note_open
from emails.actions.people import cancel_sends, forget_sends, move_sends, return_sends
from emails.actions.queue import Decision, SendRequest, decision_of, queue_email
from emails.actions.reclaim import reclaim_lost

__all__ = [
    "Decision",
    "SendRequest",
    "accept_email",
    "cancel_sends",
    "count_click",
    "decision_of",
    "deliver_due",
    "forget_sends",
    "move_sends",
    "note_click",
    "note_open",
    "queue_email",
    "reclaim_lost",
    "return_sends",
]
