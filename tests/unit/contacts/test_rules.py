from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID

import pytest

from contacts.rules import (
    ANONYMOUS,
    EMAIL,
    EXTERNAL,
    Directory,
    Keys,
    MergeNeededError,
    Person,
    Policy,
    keys_of,
    lock_number,
    split_again,
)

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def owner(number: int, **columns: str) -> Person:
    return Person(id=UUID(int=number), columns=dict(columns))


def directory(*people: Person) -> Directory:
    return Directory(owners={(kind, value): one for one in people for kind, value in one.columns.items()})


def fresh():
    ids = count(100)
    return lambda: UUID(int=next(ids))


def test_keys_are_trimmed_and_addresses_lower_cased():
    assert keys_of(user_id=" Ada ", email=" Ada@Example.COM ", anonymous_id="\tv1\n") == Keys(
        "Ada", "ada@example.com", "v1"
    )


@pytest.mark.parametrize("blank", ["", "  ", None])
def test_a_blank_key_is_absent(blank):
    assert not keys_of(user_id=blank, email=blank, anonymous_id=blank)


def test_the_number_of_a_lock_is_the_same_in_every_process():
    assert lock_number("external", "ada") == 5516363956074667664


def test_a_lock_fits_into_a_signed_bigint_and_depends_on_the_kind():
    numbers = {lock_number(kind, str(value)) for kind in (EXTERNAL, EMAIL, ANONYMOUS) for value in range(300)}
    assert len(numbers) == 900
    assert -(2**63) <= min(numbers) < 0 < max(numbers) < 2**63


def test_unknown_keys_make_one_new_person_who_then_owns_them():
    book, new_id = directory(), fresh()
    first = book.place(Keys("ada", "ada@example.com"), new_id)
    second = book.place(Keys(email="ada@example.com", anonymous="v1"), new_id)
    assert (first.is_new, second is first) == (True, True)
    assert first.columns == {EXTERNAL: "ada", EMAIL: "ada@example.com", ANONYMOUS: "v1"}


def test_a_new_key_fills_the_empty_column_of_a_known_person():
    ben = owner(1, email="ben@example.com")
    book = directory(ben)
    assert book.place(Keys("ben", "ben@example.com"), fresh()) is ben
    assert (ben.columns[EXTERNAL], ben.filled, book.gained) == ("ben", True, {(EXTERNAL, "ben"): ben})


def test_a_further_address_is_kept_as_a_key_and_changes_no_column():
    ada = owner(1, external="ada", email="ada@example.com")
    book = directory(ada)
    assert book.place(Keys("ada", "new@example.com"), fresh()) is ada
    assert (ada.columns[EMAIL], ada.filled, book.owners[EMAIL, "new@example.com"]) == ("ada@example.com", False, ada)


def test_of_two_known_people_the_user_id_gets_the_event():
    ada, dora = owner(1, external="ada", email="ada@example.com"), owner(2, external="dora", email="dora@example.com")
    book = directory(ada, dora)
    assert book.place(Keys("ada", "dora@example.com"), fresh()) is ada
    assert [(one.contact_id, one.other_id, one.kind) for one in book.conflicts] == [(ada.id, dora.id, EMAIL)]


def test_an_unknown_user_id_with_the_address_of_somebody_known_is_somebody_new():
    ada = owner(1, external="ada", email="ada@example.com")
    book = directory(ada)
    somebody = book.place(Keys("eve", "ada@example.com"), fresh())
    assert (somebody.is_new, somebody.columns) == (True, {EXTERNAL: "eve"})
    assert [one.other_id for one in book.conflicts] == [ada.id]


def test_an_address_and_a_known_visitor_become_the_known_person():
    ben, ada = owner(1, email="ben@example.com"), owner(2, external="ada", anonymous="v1")
    plan = directory(ben, ada).merges(Keys(email="ben@example.com", anonymous="v1"))
    assert (plan.survivor, plan.absorbed) == (ada, (ben,))


def test_nothing_is_placed_before_the_owners_are_merged():
    book = directory(owner(1, email="ben@example.com"), owner(2, anonymous="v1"))
    with pytest.raises(MergeNeededError):
        book.place(Keys(email="ben@example.com", anonymous="v1"), fresh())
    assert (book.gained, book.conflicts) == ({}, [])


def test_of_two_unknown_people_the_one_seen_first_lives_on_then_the_lower_id():
    young, old, low = owner(1, email="a@example.com"), owner(2, anonymous="v1"), owner(0, anonymous="v2")
    young.first_seen_at, old.first_seen_at, low.first_seen_at = NOW, NOW - timedelta(days=1), NOW
    book = directory(young, old, low)
    assert book.merges(Keys(email="a@example.com", anonymous="v1")).survivor is old
    assert book.merges(Keys(email="a@example.com", anonymous="v2")).survivor is low


def test_two_known_people_never_merge_unless_the_policy_says_so():
    ada, dora = owner(1, external="ada"), owner(2, external="dora", email="dora@example.com")
    keys = Keys("ada", "dora@example.com")
    assert directory(ada, dora).merges(keys) is None
    together = Directory({(EXTERNAL, "ada"): ada, (EMAIL, "dora@example.com"): dora}, Policy(merge_identified=True))
    assert (together.merges(keys).survivor, together.merges(keys).absorbed) == (ada, (dora,))


def test_a_visitor_who_is_given_a_user_id_does_not_take_in_somebody_with_another():
    ada, cleo = owner(1, external="ada", email="ada@example.com"), owner(2, anonymous="v1")
    book = directory(ada, cleo)
    assert book.merges(Keys("eve", "ada@example.com", "v1")) is None
    assert book.place(Keys("eve", "ada@example.com", "v1"), fresh()) is cleo


def test_whom_staff_have_kept_apart_stays_apart():
    ada, cleo = owner(1, external="ada"), owner(2, anonymous="v1")
    apart = Policy(apart=frozenset({frozenset({ada.id, cleo.id})}))
    book = Directory({(EXTERNAL, "ada"): ada, (ANONYMOUS, "v1"): cleo}, apart)
    assert book.merges(Keys(external="ada", anonymous="v1")) is None
    assert book.place(Keys(external="ada", anonymous="v1"), fresh()) is ada
    assert [one.other_id for one in book.conflicts] == [cleo.id]


def test_three_owners_become_one():
    ada, ben, cleo = owner(1, external="ada"), owner(2, email="ben@example.com"), owner(3, anonymous="v1")
    plan = directory(ada, ben, cleo).merges(Keys("ada", "ben@example.com", "v1"))
    assert (plan.survivor, plan.absorbed) == (ada, (ben, cleo))


@pytest.mark.parametrize(
    ("now", "restored"),
    [
        ({"plan": "pro", "city": "Rome"}, {"plan": "pro"}),
        ({"plan": "max", "city": "Rome"}, {"plan": "max"}),
        ({"plan": "pro", "city": "Oslo", "new": 1}, {"plan": "pro", "city": "Oslo", "new": 1}),
        ({"city": "Rome"}, {}),
    ],
)
def test_what_was_changed_since_the_merge_stays(now, restored):
    before, after = {"plan": "pro"}, {"plan": "pro", "city": "Rome"}
    assert split_again(now, before=before, after=after) == restored


def test_an_unknown_user_id_goes_to_the_owner_who_has_none():
    ada, cleo = owner(1, external="ada", email="ada@example.com"), owner(2, anonymous="v1")
    book = directory(ada, cleo)
    assert book.place(Keys("cleo", "ada@example.com", "v1"), fresh()) is cleo
    assert (cleo.columns[EXTERNAL], [one.kind for one in book.conflicts]) == ("cleo", [EMAIL])


def test_a_conflicting_key_stays_with_its_owner():
    ada, dora = owner(1, external="ada"), owner(2, external="dora", email="dora@example.com")
    book = directory(ada, dora)
    book.place(Keys("ada", "dora@example.com"), fresh())
    assert (book.owners[EMAIL, "dora@example.com"], book.gained) == (dora, {})
