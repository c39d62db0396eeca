from itertools import count
from uuid import UUID

import pytest

from contacts.rules import ANONYMOUS, EMAIL, EXTERNAL, Directory, Keys, Person, keys_of, lock_number


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


def test_without_a_user_id_the_most_identified_owner_gets_the_event():
    ben, ada = owner(1, email="ben@example.com"), owner(2, external="ada", anonymous="v1")
    book = directory(ben, ada)
    assert book.place(Keys(email="ben@example.com", anonymous="v1"), fresh()) is ada
    assert [one.other_id for one in book.conflicts] == [ben.id]


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
