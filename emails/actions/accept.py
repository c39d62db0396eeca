"""Accept a mail that was asked for over the API: once per idempotency key, for one person."""

from datetime import datetime
from uuid import UUID

from django.db import OperationalError, transaction

from contacts import following
from contacts.actions import ContactRequest, lock_keys, resolve_contacts
from contacts.definitions import Change
from contacts.models import Contact
from contacts.queries import contact_by_key
from contacts.rules import EMAIL, EXTERNAL, Key, Keys
from emails.actions.queue import Decision, SendRequest, decision_of, queue_email
from emails.models import Origin
from emails.submission import ForgottenSendError, NoRecipientError, OtherRequestError, Submission, TwoPeopleError
from events.idempotency import Claim, claim_keys


@transaction.atomic(savepoint=False)
def accept_email(submission: Submission, *, now: datetime) -> Decision:
    """Find the person, decide, render and record in one transaction; nothing is handed to the provider here.

    A request whose idempotency key is taken changes nothing at all and gets the present truth about the first one's
    send. Somebody unknown under ``to`` becomes a contact, so that their consent has a home. Raises RefusedError and
    RenderError, then nothing is recorded and the key is free; OperationalError when the person was erased meanwhile:
    whoever calls begins the transaction again.
    """
    # Keys of people come before idempotency keys, as everywhere: two requests never wait for each other in a circle.
    lock_keys(submission.keys.pairs())
    first = _first_send(submission, now)
    if first is not None:
        return first
    request = _request(submission, _recipient(submission.keys, now))
    try:
        return queue_email(request, now=now)
    except Contact.DoesNotExist as error:
        raise OperationalError("The recipient was erased while this transaction waited; begin it again.") from error


def _request(submission: Submission, contact_id: UUID) -> SendRequest:
    return SendRequest(
        send_id=submission.send_id,
        contact_id=contact_id,
        to_email=submission.keys.email,
        email_id=submission.email_id,
        origin=Origin.API,
        origin_id=submission.asked_by,
        props=submission.props,
        category=submission.category,
        subject=submission.subject,
        from_email=submission.from_email,
        reply_to=submission.reply_to,
        skip_preferences=submission.skip_preferences,
    )


def _first_send(submission: Submission, now: datetime) -> Decision | None:
    """Claim the idempotency key, or return what became of the send it stands for."""
    if submission.idempotency_key is None:
        # An earlier try of this very request may have been recorded without our hearing of it.
        return decision_of(submission.send_id)
    claim = Claim(f"{submission.tenant}:emails", submission.idempotency_key, submission.fingerprint, submission.send_id)
    taken = claim_keys([claim], now=now).get(submission.send_id)
    if taken is None:
        return None
    if taken.fingerprint != submission.fingerprint:
        raise OtherRequestError
    decision = decision_of(taken.answer)
    if decision is None:
        raise ForgottenSendError
    return decision


def _recipient(keys: Keys, now: datetime) -> UUID:
    """Return whom the mail is for. What is new about them is kept, as when an event names somebody."""
    known = {key: found for key in keys.pairs() if (found := contact_by_key(kind=key[0], value=key[1])) is not None}
    if keys.email is None:
        return _addressable(known)
    if _are_two(keys, known):
        raise TwoPeopleError
    if len(known) == len(keys.pairs()):
        # To be written to is not to be seen: what is known stays as it is.
        return known[EMAIL, keys.email].id
    [resolved] = resolve_contacts([ContactRequest(keys=keys)], now=now)
    following.contacts_changed([Change(resolved.contact_id, resolved.created)], now=now)
    return resolved.contact_id


def _addressable(known: dict[Key, Contact]) -> UUID:
    contact = next(iter(known.values()), None)
    if contact is None or not contact.email:
        raise NoRecipientError
    return contact.id


def _are_two(keys: Keys, known: dict[Key, Contact]) -> bool:
    """A user id nobody has can only be given to somebody who has none."""
    if keys.external is None or (EMAIL, keys.email) not in known:
        return False
    at_the_address, known_as = known[EMAIL, str(keys.email)], known.get((EXTERNAL, keys.external))
    return at_the_address.external_id is not None if known_as is None else known_as.id != at_the_address.id
