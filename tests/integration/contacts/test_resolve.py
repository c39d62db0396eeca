from datetime import UTC, datetime, timedelta

import pytest

from contacts.actions import ContactRequest, lock_contacts, merge_contacts, resolve_contacts
from contacts.models import Contact, ContactKey, KeyConflict
from contacts.queries import contact_by_id, contact_by_key, contact_by_keys
from contacts.rules import Keys, MergeNeededError, keys_of
from events.submission import Submission
from events.submit import run
from hogsend.lib.ids import new_id
from tests.people import ada, ben, cleo, dora, person

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def resolve(*requests: dict, now: datetime = NOW) -> list[Contact]:
    asked = [
        ContactRequest(
            keys=keys_of(**{name: value for name, value in request.items() if name != "patch"}),
            patch=request.get("patch"),
        )
        for request in requests
    ]
    return [Contact.objects.get(pk=one.contact_id) for one in resolve_contacts(asked, now=now)]


def keys(contact: Contact) -> set[tuple[str, str]]:
    return set(ContactKey.objects.filter(contact=contact).values_list("kind", "value"))


def test_somebody_new_gets_a_row_and_every_key():
    (eve,) = resolve(
        {"user_id": "eve", "email": "Eve@Example.com ", "anonymous_id": "v9", "patch": {"plan": "pro", "gone": None}}
    )
    assert (eve.external_id, eve.email, eve.anonymous_id, eve.properties) == (
        "eve",
        "eve@example.com",
        "v9",
        {"plan": "pro"},
    )
    assert (eve.first_seen_at, eve.last_seen_at) == (NOW, NOW)
    assert keys(eve) == {("external", "eve"), ("email", "eve@example.com"), ("anonymous", "v9")}


def test_the_answer_says_who_was_new():
    asked = [ContactRequest(keys=keys_of(user_id="eve")), ContactRequest(keys=keys_of(user_id="eve"))]
    assert [one.created for one in resolve_contacts(asked, now=NOW)] == [True, False]


def test_known_keys_find_the_person_under_each_of_them():
    someone = ada()
    found = resolve({"user_id": "ada"}, {"email": "ADA@example.com"}, {"user_id": "ada", "email": "ada@example.com"})
    assert {one.pk for one in found} == {someone.pk}


def test_an_empty_column_is_filled_and_a_filled_one_is_kept():
    someone = ben()
    (found,) = resolve({"user_id": "ben", "email": "ben@example.com"})
    (again,) = resolve({"user_id": "ben", "email": "new@example.com", "anonymous_id": "v2"})
    assert found.pk == again.pk == someone.pk
    assert (again.external_id, again.email, again.anonymous_id) == ("ben", "ben@example.com", "v2")
    assert ("email", "new@example.com") in keys(again)


def test_a_key_that_was_kept_resolves_for_ever():
    someone = ada()
    resolve({"user_id": "ada", "email": "second@example.com"})
    assert resolve({"email": "second@example.com"}) == [someone]


def test_requests_of_one_batch_meet_each_other():
    found = resolve(
        {"user_id": "eve"},
        {"email": "eve@example.com"},
        {"user_id": "eve", "email": "late@example.com"},
        {"email": "late@example.com"},
    )
    assert found[0].pk == found[2].pk == found[3].pk != found[1].pk


def test_patches_are_shallow_later_ones_win_and_null_removes():
    someone = ada(plan="free", team={"a": 1, "b": 2}, old=1)
    (*_, found) = resolve(
        {"user_id": "ada", "patch": {"plan": "pro", "old": None}},
        {"user_id": "ada", "patch": {"team": {"c": None}, "plan": "max"}},
    )
    assert (found.pk, found.properties) == (someone.pk, {"plan": "max", "team": {"c": None}})


def test_a_patch_that_changes_nothing_writes_nothing():
    someone = ada(plan="pro")
    (found,) = resolve({"user_id": "ada", "patch": {"plan": "pro"}}, now=someone.last_seen_at + timedelta(seconds=30))
    assert found.updated_at == someone.updated_at


@pytest.mark.parametrize(
    ("later", "noted"), [(timedelta(seconds=60), False), (timedelta(seconds=61), True), (-timedelta(days=1), False)]
)
def test_last_seen_is_noted_at_most_once_a_minute_and_never_goes_back(later, noted):
    someone = ada()
    (found,) = resolve({"user_id": "ada"}, now=someone.last_seen_at + later)
    assert (found.last_seen_at > someone.last_seen_at) is noted


def test_two_known_people_stay_two_and_the_conflict_is_counted():
    first, second = ada(), dora()
    for _ in range(2):
        assert resolve(
            {"user_id": "ada", "email": "dora@example.com"}, {"user_id": "ada", "email": "dora@example.com"}
        ) == [first, first]
    (conflict,) = KeyConflict.objects.all()
    assert (conflict.contact, conflict.other, conflict.kind, conflict.value, conflict.seen_count) == (
        first,
        second,
        "email",
        "dora@example.com",
        4,
    )
    assert contact_by_key(kind="email", value="dora@example.com") == second


def test_a_new_user_id_with_somebody_elses_address_is_somebody_new_without_that_address():
    someone = ada()
    (eve,) = resolve({"user_id": "eve", "email": "ada@example.com"})
    assert (eve.pk != someone.pk, eve.external_id, eve.email) == (True, "eve", None)
    assert KeyConflict.objects.get().other == someone


def test_an_address_and_a_visitor_that_come_together_must_become_one_first():
    ben(), cleo()
    with pytest.raises(MergeNeededError) as caught:
        resolve({"user_id": "eve"}, {"email": "ben@example.com", "anonymous_id": "cleo-visit"})
    assert caught.value.position == 1


def test_who_did_something_before_we_knew_them_was_first_seen_then():
    long_ago = NOW - timedelta(days=400)
    asked = [ContactRequest(keys=keys_of(user_id=name), seen_at=long_ago) for name in ("ada", "eve")]
    known = ada()
    old, new = resolve_contacts(asked, now=NOW)
    assert [Contact.objects.get(pk=one.contact_id).first_seen_at for one in (old, new)] == [long_ago, long_ago]
    assert known.first_seen_at > long_ago


def test_the_keys_of_a_deleted_person_make_a_new_one():
    someone = ada()
    Contact.objects.filter(pk=someone.pk).update(deleted_at=NOW)
    (found,) = resolve({"user_id": "ada", "email": "ada@example.com"})
    assert (found.pk != someone.pk, found.external_id, found.email) == (True, "ada", "ada@example.com")
    assert (keys(someone), len(keys(found))) == (set(), 2)


def test_a_merged_person_is_found_as_the_survivor_over_several_steps():
    first, second, third = person(user_id="one"), person(user_id="two"), person(user_id="three")
    for loser, winner in ((first, second), (second, third)):
        Contact.objects.filter(pk=loser.pk).update(deleted_at=NOW, merged_into=winner)
    assert resolve({"user_id": "one"}, {"user_id": "two"}, {"user_id": "three"}) == [third] * 3
    assert contact_by_key(kind="external", value="one") == contact_by_id(first.pk) == third
    assert lock_contacts([first.pk, third.pk]) == {first.pk: third.pk, third.pk: third.pk}


def test_the_keys_of_somebody_whose_survivor_was_deleted_make_a_new_person():
    first, second = person(user_id="one"), person(user_id="two")
    Contact.objects.filter(pk=first.pk).update(deleted_at=NOW, merged_into=second)
    Contact.objects.filter(pk=second.pk).update(deleted_at=NOW)
    (found,) = resolve({"user_id": "one"})
    assert found.pk not in {first.pk, second.pk}
    assert (lock_contacts([first.pk]), contact_by_id(first.pk)) == ({}, None)


def test_a_circle_of_merges_ends():
    first, second = person(user_id="one"), person(user_id="two")
    Contact.objects.filter(pk=first.pk).update(deleted_at=NOW, merged_into=second)
    Contact.objects.filter(pk=second.pk).update(deleted_at=NOW, merged_into=first)
    (found,) = resolve({"user_id": "one"})
    assert found.pk not in {first.pk, second.pk}
    assert contact_by_id(first.pk) is None


@pytest.mark.parametrize(
    "value",
    ['quote " and \\ backslash', "{brace,comma}", "NULL", "ünï — 名前", "tab\tline\n.", "'; drop table x; --", "\\x41"],
)
def test_any_text_is_a_key_and_a_property(value):
    (first,) = resolve({"user_id": f"a{value}z", "patch": {value: value}})
    (second,) = resolve({"user_id": f"a{value}z"})
    assert (first.pk, first.external_id, first.properties) == (second.pk, f"a{value}z", {value: value})


def test_nobody_asked_is_nobody_answered():
    assert resolve_contacts([], now=NOW) == []


def test_people_are_found_by_the_most_identifying_key_that_is_known():
    someone, visitor = ada(), cleo()
    assert contact_by_keys(keys_of(user_id="nobody", email="ada@example.com", anonymous_id="cleo-visit")) == someone
    assert contact_by_keys(keys_of(anonymous_id="cleo-visit")) == visitor
    assert contact_by_keys(keys_of(user_id="nobody")) is None


def test_our_own_id_of_somebody_without_a_user_id_finds_them_and_after_a_merge_the_survivor():
    known, visitor = ben(), cleo()
    (answer,) = run([Submission(id=new_id(), name="n", keys=Keys(external=str(known.pk)))])
    assert answer.contact_id == known.pk == contact_by_key(kind="external", value=str(known.pk)).pk

    merge_contacts(survivor_id=visitor.pk, absorbed_id=known.pk, actor="staff", now=NOW)
    (answer,) = run([Submission(id=new_id(), name="n", keys=Keys(external=str(known.pk)))])
    assert (answer.contact_id, Contact.objects.filter(deleted_at=None).count()) == (visitor.pk, 1)


def test_an_id_that_is_nobodys_is_a_user_id_like_any_other():
    theirs = "0190aaaa-0000-7000-8000-000000000001"
    first, second = (run([Submission(id=new_id(), name="n", keys=Keys(external=theirs))])[0] for _ in range(2))
    assert first.contact_id == second.contact_id
    assert Contact.objects.get().external_id == theirs
