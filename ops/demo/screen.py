"""How the demo shows that it gets on: a bar on a terminal, plain lines elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

LINE_EVERY = 5.0  # seconds


class Meter(Protocol):
    """Shows how far something is."""

    def reach(self, done: int, total: int | None = None) -> None: ...


class Bar:
    """A bar that moves."""

    def __init__(self, progress: Progress, title: str, total: int) -> None:
        self._progress = progress
        self._task = progress.add_task(title, total=total)

    def reach(self, done: int, total: int | None = None) -> None:
        """Show how far it is."""
        self._progress.update(self._task, completed=done, total=total)


class Lines:
    """A line every few seconds, and one at the end."""

    def __init__(self, out: TextIO, title: str, total: int) -> None:
        self._out, self._title, self._total = out, title, total
        self._told_at, self._told = time.monotonic(), -1

    def reach(self, done: int, total: int | None = None) -> None:
        """Say how far it is, unless that was said just now."""
        self._total = self._total if total is None else total
        is_done = done >= self._total
        if done != self._told and (is_done or time.monotonic() - self._told_at >= LINE_EVERY):
            self._told_at, self._told = time.monotonic(), done
            self._out.write(f"{self._title}: {done} of {self._total}\n")
            self._out.flush()


@contextmanager
def meter(out: TextIO, title: str, total: int) -> Iterator[Meter]:
    """Show the progress of one stage on ``out``."""
    if not out.isatty():
        yield Lines(out, title, total)
        return
    columns = (TextColumn("{task.description:<22}"), BarColumn(None), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(file=out)) as progress:
        yield Bar(progress, title, total)
