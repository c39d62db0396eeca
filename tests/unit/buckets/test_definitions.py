from datetime import timedelta

import pytest

from buckets.definitions import Bucket, InvalidBucketError, index, registry
from conditions.event import event
from conditions.property import prop
from conditions.tree import all_of
from hogsend.lib.registry import DuplicateIdError

DAY = timedelta(days=1)
TRIAL = prop("plan").eq("trial")
QUIET = event("app.active").within(7 * DAY).never()


@pytest.fixture(autouse=True)
def _nothing_declared():
    with registry.scratch():
        registry._items.clear()
        yield


def declare(**more):
    return Bucket(**{"id": "b", "name": "B", "criteria": TRIAL, **more})


def test_a_bucket_names_its_events_and_what_can_move_people():
    bucket = declare(id="went-dormant", criteria=all_of(event("app.active").exists(), QUIET, TRIAL))
    assert (bucket.entered, bucket.left) == ("bucket:entered:went-dormant", "bucket:left:went-dormant")
    assert (bucket.events, bucket.properties) == ({"app.active"}, {"plan"})


def test_criteria_in_plain_form_are_the_same_and_have_the_same_hash():
    plain = declare(id="plain", criteria=(TRIAL & QUIET).as_data())
    built = declare(id="built", criteria=TRIAL & QUIET)
    assert plain.criteria == built.criteria
    assert plain.criteria_hash == built.criteria_hash != declare(id="other", criteria=TRIAL).criteria_hash


@pytest.mark.parametrize(
    ("more", "hint"),
    [
        ({"id": "a:b"}, "letters, digits"),
        ({"id": ""}, "letters, digits"),
        ({"name": " "}, "a name that people can read"),
        ({"criteria": {"type": "weather"}}, "no condition of type"),
        ({"criteria": {"type": "composite", "operator": "and", "conditions": []}}, "everybody or nobody"),
        ({"criteria": prop("plan").neq("trial")}, "what people lack"),
        ({"criteria": prop("plan").not_exists() & event("e").never()}, "what people lack"),
        ({"criteria": event("bucket:entered:vip").exists()}, "which buckets cause"),
        ({"entry_limit": "twice"}, "unlimited, once, once_per_period"),
        ({"entry_period": DAY}, "once_per_period"),
        ({"max_dwell": timedelta(0)}, "positive"),
        ({"min_dwell": 2 * DAY, "max_dwell": DAY}, "less than its min_dwell"),
    ],
)
def test_what_could_never_work_is_refused_where_it_is_declared(more, hint):
    with pytest.raises(InvalidBucketError, match=hint):
        declare(**more)
    assert len(registry) == 0


def test_all_faults_are_told_at_once():
    with pytest.raises(InvalidBucketError) as refused:
        declare(id="a b", name="", entry_limit="twice")
    assert all(part in str(refused.value) for part in ("letters, digits", "a name", "entry_limit"))


def test_equal_shortest_and_longest_stays_and_an_absence_in_a_window_are_good():
    declare(id="same", min_dwell=DAY, max_dwell=DAY)
    declare(id="quiet", criteria=QUIET)
    assert [bucket.id for bucket in registry] == ["same", "quiet"]


def test_an_id_is_given_once():
    declare()
    with pytest.raises(DuplicateIdError, match="'b'"):
        declare()


def test_a_bucket_is_found_once_by_what_concerns_it_and_not_at_all_when_it_is_off(settings):
    both = declare(id="both", criteria=all_of(QUIET, event("app.active").exists(), TRIAL))
    declare(id="off", enabled=False)
    declare(id="elsewhere")
    settings.ENABLED_BUCKETS = frozenset({"both", "off"})
    assert index().concerned(event="app.active", properties=frozenset({"plan", "other"})) == [both]
    assert index().concerned(event="other") == []
    assert set(index().by_id) == {"both", "off"}
