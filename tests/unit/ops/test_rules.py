import pytest

from ops.rules import Health, Probe, Track, health, unready

UP, DOWN = Probe(up=True, latency_ms=1), Probe(up=False, latency_ms=1500)
SYNCED, BEHIND = Track(required=2), Track(required=2, pending=("events.0002",))


@pytest.mark.parametrize(
    ("database", "redis", "track", "verdict"),
    [
        (UP, UP, SYNCED, Health.HEALTHY),
        (UP, DOWN, SYNCED, Health.DEGRADED),
        (UP, UP, BEHIND, Health.MIGRATION_PENDING),
        (UP, DOWN, BEHIND, Health.MIGRATION_PENDING),
        (DOWN, UP, SYNCED, Health.DEGRADED),
        (DOWN, UP, BEHIND, Health.DEGRADED),
    ],
)
def test_the_verdict_over_all_parts(database: Probe, redis: Probe, track: Track, verdict: Health) -> None:
    assert health(database=database, redis=redis, tracks=[SYNCED, track]) is verdict


def test_what_is_well_is_ready() -> None:
    assert unready(database=UP, redis=UP, tracks=[SYNCED]) == []


def test_each_reason_says_what_to_do() -> None:
    reasons = unready(database=UP, redis=DOWN, tracks=[BEHIND, BEHIND])

    assert reasons == [
        "2 migrations have not been applied; run `manage.py migrate`.",
        "Redis does not answer; check REDIS_URL and that Redis or Valkey runs.",
    ]


def test_a_database_that_is_down_is_not_called_behind() -> None:
    [reason] = unready(database=DOWN, redis=UP, tracks=[BEHIND])

    assert "DATABASE_URL" in reason
