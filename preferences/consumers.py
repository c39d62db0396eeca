"""How consent reacts to recorded events: what they say about lists is done."""

from events.definitions import Batch, RecordedEvent
from events.routing import Consumer
from preferences.actions import change_many
from preferences.memberships import NO_EMAIL, choices_of, refusals_of
from preferences.models import ConsentChange
from preferences.queries import reachable
from preferences.rules import Choice


def _change(batch: Batch) -> None:
    """Change the lists that events of the batch name; what cannot be done is answered, and fails nothing."""
    speaking = [event for event in batch.events if event.lists]
    if not speaking:
        return
    with_address = reachable({event.contact_id for event in speaking})
    choices: list[Choice] = []
    for event in speaking:
        possible, refused = _split(event, reachable=event.contact_id in with_address)
        choices += possible
        if refused:
            batch.lists_errors[event.id] = refused
    batch.caused += change_many(choices, now=batch.now)


def _split(event: RecordedEvent, *, reachable: bool) -> tuple[list[Choice], str]:
    if not reachable:
        return [], f"{NO_EMAIL}. Send an event with an email first; no list was changed."
    refused = refusals_of(event.lists)
    possible = {name: subscribed for name, subscribed in event.lists.items() if name not in refused}
    return choices_of(event.contact_id, possible, door=ConsentChange.Door.API.value), " ".join(refused.values())


change_lists = Consumer(_change, concerns=lambda submission: bool(submission.lists))
