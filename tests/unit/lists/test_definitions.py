from collections.abc import Iterator

import pytest

from hogsend.lib.registry import DuplicateIdError
from lists.definitions import EmailList, default_opt_in_of, registry


@pytest.fixture(autouse=True)
def _scratch() -> Iterator[None]:
    with registry.scratch():
        yield


def test_declaring_a_list_registers_it_with_its_place():
    digest = EmailList("weekly_Digest-2", name="Digest", default_opt_in=True)

    assert registry.get("weekly_Digest-2") is digest
    assert registry.source("weekly_Digest-2").file == __file__


@pytest.mark.parametrize("list_id", ["", "a b", "a.b", "ä", "a/b", "a\n", '"><script>'])
def test_an_id_with_other_characters_is_refused(list_id):
    with pytest.raises(ValueError, match="letters, digits"):
        EmailList(list_id, name="Digest", default_opt_in=True)


@pytest.mark.parametrize("list_id", ["transactional", "journey", "Journey", "TRANSACTIONAL"])
def test_the_engines_own_ids_are_refused(list_id):
    with pytest.raises(ValueError, match="reserved"):
        EmailList(list_id, name="Digest", default_opt_in=True)


def test_a_list_without_a_name_is_refused():
    with pytest.raises(ValueError, match="needs a name"):
        EmailList("digest", name=" ", default_opt_in=True)


def test_two_lists_cannot_share_an_id():
    EmailList("digest", name="Digest", default_opt_in=True)

    with pytest.raises(DuplicateIdError):
        EmailList("digest", name="Another", default_opt_in=False)


@pytest.mark.parametrize("category", ["journey", "transactional", "never-heard-of"])
def test_what_is_no_list_is_on_until_somebody_leaves(category):
    assert default_opt_in_of(category) is True


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("default_opt_in", [True, False])
def test_a_list_keeps_its_polarity_also_when_disabled(default_opt_in, enabled):
    EmailList("beta", name="Beta", default_opt_in=default_opt_in, enabled=enabled)

    assert default_opt_in_of("beta") is default_opt_in
