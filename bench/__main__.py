"""``python -m bench NAME``: measure, print a table, and with ``--record`` keep it in bench/RESULTS.md."""

import argparse
import dataclasses
import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime

from bench import buckets, contacts, ingest, journeys, stage
from bench.measure import Row

BENCHMARKS = {"ingest": ingest.run, "contacts": contacts.run, "buckets": buckets.run, "journeys": journeys.run}
SIZES = {"buckets": buckets.SIZES, "journeys": journeys.SIZES}

HEAD = """\
| work | known people | connections | per second | p50 ms | p99 ms | app CPU ms | database CPU ms |
|---|---|---|---|---|---|---|---|"""


def line(row: Row) -> str:
    """Return ``row`` as a line of the table."""
    return (
        f"| {row.work} | {row.people:,} | {row.connections} | {row.per_second:,.0f} | {row.p50_ms:.1f} "
        f"| {row.p99_ms:.1f} | {row.app_ms:.3f} | {row.database_ms:.3f} |"
    )


def growth(rows: list[Row], sizes: tuple[int, ...]) -> list[str]:
    """Say by how much the processor time per item grew from the small to the large size."""
    small = {(row.work, row.connections): row for row in rows if row.people == sizes[0]}
    said = []
    for row in rows:
        before = small.get((row.work, row.connections))
        if row.people == sizes[-1] and before and before.app_ms + before.database_ms:
            factor = (row.app_ms + row.database_ms) / (before.app_ms + before.database_ms)
            said.append(f"{row.work} at {row.connections}: {factor:.2f}")
    return said


def main() -> int:
    """Run the benchmark that was asked for."""
    parser = argparse.ArgumentParser(prog="./run bench", description="Measure a path of the product beside its floor.")
    parser.add_argument("name", nargs="?", choices=list(BENCHMARKS), default="ingest")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of each window (default 3)")
    parser.add_argument(
        "--sizes", type=int, nargs=2, help="known people, small and large (default 1000 10000, buckets 10000 100000)"
    )
    parser.add_argument("--record", action="store_true", help="append the table to bench/RESULTS.md")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of a table")
    asked = parser.parse_args()
    asked.sizes = asked.sizes or SIZES.get(asked.name, (1_000, 10_000))
    os.environ["DJANGO_SETTINGS_MODULE"] = "hogsend.settings"
    os.environ.setdefault("LOG_LEVEL", "error")
    for prefix in ("EVENTS", "CONTACTS", "LISTS"):
        # Counted as in production, and never reached.
        os.environ[f"HOGSEND_RATE_LIMIT_{prefix}"] = "100000000"
    rows: list[Row] = []
    if not asked.json:
        print(HEAD)
    for row in BENCHMARKS[asked.name](seconds=asked.seconds, sizes=tuple(asked.sizes)):
        rows.append(row)
        if not asked.json:
            print(line(row), flush=True)
    said = growth(rows, tuple(asked.sizes))
    if asked.json:
        print(json.dumps({"rows": [dataclasses.asdict(row) for row in rows], "growth": said}))
    else:
        print("Growth of the CPU time per item, large over small: " + "; ".join(said))
    if asked.record:
        record(asked.name, rows, said)
    return 0


def record(name: str, rows: list[Row], said: list[str]) -> None:
    """Append what was measured to the results, with date, machine and commit."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    title = f"## {name}, {datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, Python {platform.python_version()}"
    title += f", {commit.stdout.strip() or 'no commit'}"
    table = "\n".join(
        [title, "", HEAD, *map(line, rows), "", "Growth of the CPU time per item: " + "; ".join(said), ""]
    )
    with (stage.ROOT / "bench" / "RESULTS.md").open("a") as results:
        results.write("\n" + table)


if __name__ == "__main__":
    sys.exit(main())
