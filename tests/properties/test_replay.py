"""Any journey, edited in any way while somebody waits in it: the forecast agrees with a model of what steps are named."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import assume, given
from hypothesis import strategies as st

from hogsend.authoring import days, journey, send_email
from hogsend.lib.ids import new_id
from journeys.definitions import registry
from journeys.queries import RecordedRun
from journeys.verdicts import Judged, Verdict, judge

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
Step = tuple[str, str]

steps = st.one_of(
    st.tuples(st.just("send"), st.sampled_from(["hello", "bye", "news"])),
    st.tuples(st.just("sleep"), st.sampled_from(["A", "B", "C"])),
    st.tuples(st.just("checkpoint"), st.sampled_from(["p", "q"])),
)
journeys = st.lists(steps, min_size=1, max_size=8)


@st.composite
def edited(draw) -> tuple[list[Step], list[Step]]:
    """A journey and what became of it: steps inserted, removed, changed or moved."""
    old = draw(journeys)
    new = list(old)
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(new)))
        kind = draw(st.sampled_from(["insert", "remove", "move"]))
        if kind == "insert":
            new.insert(place, draw(steps))
        elif new and kind == "remove":
            del new[place - 1]
        elif new:
            new.insert(draw(st.integers(0, len(new) - 1)), new.pop(place - 1))
    return old, new


def keys_of(path: Sequence[Step]) -> list[str]:
    """Name the steps as docs/adr/0002-named-steps.md says."""
    keys, site, counts = [], "start", Counter()
    for kind, what in path:
        if kind == "send":
            keys.append(f"send:{site}:{what}")
            continue
        counts[what] += 1
        site = what if counts[what] == 1 else f"{what}#{counts[what]}"
        keys.append(f"{kind}:{site}")
    return keys


def waiting(path: Sequence[Step], wait: int) -> RecordedRun:
    """Return the run of somebody who waits at the step number ``wait``."""
    recorded = [("user", "done", {"id": "ada", "email": ""}, None)]
    for number, key in enumerate(keys_of(path)[: wait + 1]):
        kind = key.partition(":")[0]
        at = NOON.isoformat()
        result = {
            "send": {"send_id": "1", "status": "queued", "reason": ""},
            "sleep": {"slept_at": at, "resumed_at": at},
            "checkpoint": None,
        }[kind]
        deadline = (NOON + timedelta(days=2)).isoformat() if kind == "sleep" else None
        recorded.append((key, "pending" if number == wait else "done", result, deadline))
    return RecordedRun(
        id=new_id(),
        journey_id="trip",
        version=1,
        code_hash="of other code",
        status="waiting",
        context={},
        contact_id=new_id(),
        at=NOON,
        user_key="ada",
        email="",
        steps=[
            {
                "key": key,
                "kind": "",
                "status": status,
                "result": result,
                "deadline": deadline,
                "createdAt": NOON.isoformat(),
            }
            for key, status, result, deadline in recorded
        ],
    )


def forecast(run: RecordedRun, path: Sequence[Step]) -> Judged:
    with registry.scratch():
        registry._items.clear()

        @journey(id="trip", trigger="go")
        def trip(user, ctx):
            for kind, what in path:
                if kind == "send":
                    send_email(user, what)
                elif kind == "sleep":
                    ctx.sleep(days(2), label=what)
                else:
                    ctx.checkpoint(what)

        return judge(run)


def sends(keys: Sequence[str]) -> list[str]:
    return [key for key in keys if key.startswith("send:")]


@given(edited(), st.data())
def test_the_forecast_is_right_about_what_is_new_what_is_skipped_and_what_harms(paths, data):
    old, new = paths
    waits = [number for number, (kind, _) in enumerate(old) if kind == "sleep"]
    assume(waits)
    wait = data.draw(st.sampled_from(waits))
    recorded, after = keys_of(old)[: wait + 1], keys_of(new)
    assume(len(set(keys_of(old))) == len(old))
    assume(len(set(after)) == len(new))
    stands_at = recorded[-1]
    way = after[: after.index(stands_at) + 1] if stands_at in after else after

    found = forecast(waiting(old, wait), new)

    made = [key for key in way if key not in recorded]
    missed = [key for key in recorded if key not in way]
    assert (list(found.new), list(found.skipped)) == (made, missed)
    assert found.harmful == bool(sends(made) and sends(missed))
    met = [key for key in sends(way) if key in recorded]
    in_order = met == [key for key in sends(recorded) if key in met]
    assert (found.verdict is Verdict.UNSTABLE) == (found.harmful or not in_order)
    assert (found.verdict is Verdict.SAME) == (not made and not missed and in_order)


@given(journeys, st.data())
def test_code_that_stays_as_it_is_changes_nobody(path, data):
    waits = [number for number, (kind, _) in enumerate(path) if kind == "sleep"]
    assume(waits)
    assume(len(set(keys_of(path))) == len(path))

    found = forecast(waiting(path, data.draw(st.sampled_from(waits))), path)

    assert (found.verdict, found.why) == (Verdict.SAME, "")
