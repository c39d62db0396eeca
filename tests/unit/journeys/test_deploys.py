"""Where a replay stands: is anything recorded beyond?"""

from datetime import UTC, datetime

import pytest

from journeys.actions.lease import RecordedStep
from journeys.deploys import drift_of, is_live

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def journal(keys: str) -> dict[str, RecordedStep]:
    """Return recorded steps, in their order; those in capitals are waits."""
    return {key: RecordedStep("null", NOON if key.isupper() else None, NOON) for key in keys.split()}


@pytest.mark.parametrize(
    ("recorded", "unvisited", "live"),
    [
        ("", "", True),
        ("user", "", True),
        ("user send:a A", "", True),
        ("user send:a A", "A", False),
        ("user send:a A", "send:a A", False),
        ("user send:a A send:b", "send:b", False),
        # Dropped by the code, and behind a wait that was met.
        ("user send:a A", "send:a", True),
        # Added to the code later: it is met early and was recorded late.
        ("user send:a A now:start", "A", False),
        ("user send:a A now:start", "send:a A", False),
        # A wait that the code has dropped: nobody knows on which side of it the replay is.
        ("user A B", "A", False),
        # Other answers of ctx.patched are no deeds.
        ("user A patched:x", "patched:x", True),
        ("user A patched:x send:b", "patched:x send:b", False),
    ],
)
def test_a_replay_is_live_where_no_recorded_step_lies_beyond(recorded, unvisited, live):
    assert is_live(journal(recorded), unvisited.split()) is live


def test_drift_leaves_out_what_ctx_patched_has_answered():
    assert drift_of(["send:a", "patched:x", "A"]) == ["send:a", "A"]


def test_drift_is_kept_short():
    kept = drift_of([f"once:{number}:{'x' * 500}" for number in range(1000)])

    assert (len(kept), max(map(len, kept))) == (100, 100)
