import pytest

from hogsend.api.keys import hash_key, scope_allows

LADDER = ["read", "journey-admin", "full-admin"]


@pytest.mark.parametrize("held", LADDER)
@pytest.mark.parametrize("required", LADDER)
def test_a_rung_of_the_ladder_includes_the_rungs_below(held, required):
    assert scope_allows([held], required) is (LADDER.index(held) >= LADDER.index(required))


@pytest.mark.parametrize(
    ("held", "allowed"), [("ingest", True), ("full-admin", True), ("read", False), ("journey-admin", False)]
)
def test_ingest_stands_beside_the_ladder(held, allowed):
    assert scope_allows([held], "ingest") is allowed


def test_an_ingest_key_has_no_rank_on_the_ladder():
    assert not scope_allows(["ingest"], "read")


def test_no_scopes_allow_nothing():
    assert not scope_allows([], "read")


def test_several_scopes_allow_what_each_of_them_allows():
    assert scope_allows(["read", "ingest"], "ingest")


def test_the_hash_is_the_lower_case_hex_sha256_of_the_whole_key():
    assert hash_key("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
