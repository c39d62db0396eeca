"""How much processor time a process and its children have used, from /proc (Linux)."""

import os
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def family(root: int) -> list[int]:
    """Return ``root`` and every process below it."""
    found = [root]
    for pid in found:
        for task in Path(f"/proc/{pid}/task").glob("*/children"):
            found.extend(int(child) for child in task.read_text().split())
    return found


def cpu_seconds(root: int) -> float:
    """Return user plus system time of ``root`` and its living descendants, with what their dead children used."""
    total = 0
    for pid in family(root):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
        except OSError:
            continue
        total += sum(int(fields[index]) for index in (11, 12, 13, 14))
    return total / TICKS


def resident_megabytes(root: int) -> float:
    """Return the largest resident set among ``root`` and its descendants, in MB."""
    pages = [int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in family(root)]
    return max(pages) * os.sysconf("SC_PAGE_SIZE") / 1_000_000
