from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from events.models import Event
from preferences.actions import change_consent, lift_suppression, pause, suppress
from preferences.models import ConsentChange, Preference, Suppression
from preferences.queries import consent_of

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
SEND = UUID("01890000-0000-7000-8000-000000000002")
Door = ConsentChange.Door
Why = Suppression.Reason

pytestmark = pytest.mark.django_db


def leave(contact, category, door=Door.PAGE, now=NOW, send_id=None) -> bool:
    return change_consent(
        contact_id=contact.id, category=category, subscribed=False, door=door, now=now, send_id=send_id
    )


def join(contact, category, door=Door.PAGE, now=NOW) -> bool:
    return change_consent(contact_id=contact.id, category=category, subscribed=True, door=door, now=now)


def history() -> list[tuple[str | None, bool]]:
    return list(ConsentChange.objects.order_by("id").values_list("category", "subscribed"))


def chosen(contact) -> tuple[bool, dict[str, bool]]:
    preference = Preference.objects.get(contact=contact)
    return preference.unsubscribed_all, preference.categories


def test_leaving_a_list_is_recorded_kept_and_told(ada):
    assert leave(ada, "news", Door.ONE_CLICK, send_id=SEND) is True

    assert chosen(ada) == (False, {"news": False})
    kept = ConsentChange.objects.get()
    assert (kept.contact_id, kept.category, kept.subscribed, kept.door, kept.send_id, kept.created_at) == (
        ada.id, "news", False, "one-click", SEND, NOW,
    )  # fmt: skip
    event = Event.objects.get()
    assert (event.contact_id, event.name) == (ada.id, "contact.unsubscribed")
    assert event.properties == {"category": "news", "door": "one-click", "emailSendId": str(SEND)}


def test_leaving_all_mail_sets_the_global_flag_alone(ada):
    join(ada, "news")

    leave(ada, None)

    assert chosen(ada) == (True, {"news": True})
    assert history() == [("news", True), (None, False)]


def test_a_repeated_choice_changes_keeps_and_tells_nothing(ada):
    leave(ada, "news")
    before = Preference.objects.values().get()

    assert leave(ada, "news", now=LATER) is False

    assert Preference.objects.values().get() == before
    assert (ConsentChange.objects.count(), Event.objects.count()) == (1, 1)


def test_switching_on_what_was_never_off_leaves_no_row(ada):
    assert join(ada, None) is False

    assert not Preference.objects.exists()
    assert not Event.objects.exists()


def test_coming_back_to_a_list_in_person_lifts_the_opt_out_from_all_mail(ada):
    leave(ada, None)

    join(ada, "beta", Door.PAGE, now=LATER)

    assert chosen(ada) == (False, {"beta": True})
    assert history() == [(None, False), (None, True), ("beta", True)]
    assert list(Event.objects.order_by("seq").values_list("name", flat=True)) == [
        "contact.unsubscribed",
        "contact.subscribed",
    ]


@pytest.mark.parametrize("door", [Door.API, Door.IMPORT, Door.ADMIN, Door.PROVIDER])
def test_nobody_else_lifts_the_opt_out_from_all_mail_in_passing(ada, door):
    leave(ada, None)

    join(ada, "beta", door)

    assert chosen(ada) == (True, {"beta": True})


def test_coming_back_to_all_mail_leaves_the_lists_as_they_were(ada):
    leave(ada, "news")
    leave(ada, None)

    join(ada, None, Door.ADMIN)

    assert chosen(ada) == (False, {"news": False})


def test_coming_back_to_a_list_one_had_joined_tells_only_of_all_mail(ada):
    join(ada, "beta")
    leave(ada, None)

    join(ada, "beta")

    assert history() == [("beta", True), (None, False), (None, True)]


@pytest.mark.parametrize("category", ['a"b', "a,b", "{a}", "a'b", "ä", "$.a", "%s"])
def test_a_category_of_any_characters_is_stored_as_it_is(ada, category):
    leave(ada, category)

    assert chosen(ada) == (False, {category: False})


def test_the_choice_of_a_merged_person_belongs_to_the_survivor(ada, person):
    absorbed = person(email=None, external_id="old-ada", merged_into=ada, deleted_at=NOW)

    leave(absorbed, "news")

    assert chosen(ada) == (False, {"news": False})
    assert ConsentChange.objects.get().contact_id == ada.id


def test_a_deleted_person_has_nothing_left_to_choose(person):
    gone = person(deleted_at=NOW)

    assert leave(gone, "news") is False

    assert not Preference.objects.exists()


def test_an_unknown_address_is_suppressed_at_once():
    suppress(email=" Bad@Example.com", reason=Why.COMPLAINT, now=NOW)

    row = Suppression.objects.get()
    assert (row.email, row.reason, row.suppressed_at, row.bounce_count) == ("bad@example.com", "complaint", NOW, 0)


def test_a_suppression_blocks_whoever_owns_the_address(ada):
    suppress(email="ADA@example.com", reason=Why.BOUNCE, now=NOW)

    assert consent_of([ada.id])[ada.id].suppressed is True


def test_a_second_suppression_keeps_the_first_moment_and_counts_bounces():
    suppress(email="bad@example.com", reason=Why.BOUNCE, now=NOW)

    suppress(email="bad@example.com", reason=Why.BOUNCE, now=LATER)

    row = Suppression.objects.get()
    assert (row.suppressed_at, row.last_bounce_at, row.bounce_count) == (NOW, LATER, 2)


@pytest.mark.parametrize(
    "reasons", [(Why.BOUNCE, Why.COMPLAINT), (Why.COMPLAINT, Why.BOUNCE), (Why.COMPLAINT, Why.MANUAL)]
)
def test_a_complaint_outweighs_any_other_reason(reasons):
    for reason in reasons:
        suppress(email="bad@example.com", reason=reason, now=NOW)

    assert Suppression.objects.get().reason == Why.COMPLAINT


def test_an_address_whose_soft_bounces_were_counted_is_suppressed_from_now_on():
    Suppression.objects.create(email="soft@example.com", bounce_count=1)

    suppress(email="soft@example.com", reason=Why.MANUAL, now=NOW)

    row = Suppression.objects.get()
    assert (row.reason, row.suppressed_at, row.bounce_count, row.last_bounce_at) == ("manual", NOW, 1, None)


@pytest.mark.parametrize("email", ["", "   "])
def test_no_address_cannot_be_suppressed(email):
    with pytest.raises(ValueError, match="give the address"):
        suppress(email=email, reason=Why.MANUAL, now=NOW)


def test_a_lifted_suppression_allows_mail_and_forgets_bounces(ada):
    suppress(email="ada@example.com", reason=Why.BOUNCE, now=NOW)

    assert lift_suppression(email="Ada@example.com ") is True

    assert consent_of([ada.id])[ada.id].suppressed is False
    assert (Suppression.objects.get().bounce_count, Suppression.objects.get().reason) == (0, None)


def test_lifting_what_is_not_suppressed_says_so():
    assert lift_suppression(email="ada@example.com") is False


def test_a_pause_lasts_until_its_end_and_keeps_the_choices(ada):
    leave(ada, "news")

    assert pause(contact_id=ada.id, until=LATER, now=NOW) is True

    assert consent_of([ada.id])[ada.id].paused_until == LATER
    assert chosen(ada) == (False, {"news": False})


def test_a_pause_can_be_ended(ada):
    pause(contact_id=ada.id, until=LATER, now=NOW)

    assert pause(contact_id=ada.id, until=None, now=NOW) is True

    assert consent_of([ada.id])[ada.id].paused_until is None


def test_ending_no_pause_changes_nothing(ada):
    assert pause(contact_id=ada.id, until=None, now=NOW) is False

    assert not Preference.objects.exists()


def test_the_same_pause_again_changes_nothing(ada):
    pause(contact_id=ada.id, until=LATER, now=NOW)

    assert pause(contact_id=ada.id, until=LATER, now=NOW) is False
