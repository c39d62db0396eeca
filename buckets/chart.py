"""A bucket's history as lines and bars: where each lies in a square of 100 by 100, whatever its size on a page."""

from collections.abc import Sequence
from dataclasses import dataclass

from buckets.history import Point

STEPS = 3  # about so many lines stand behind a chart
DATES = 5
FLAT = 0.5  # the smallest size, as a part of the largest, above which the axis does not begin at nothing
SPIKE = 4  # so many times what is usual, and a bar is cut


@dataclass(frozen=True, slots=True)
class Tick:
    """A line behind a chart or a date below it: how far from the top or the left, in per cent."""

    at: str
    label: str


@dataclass(frozen=True, slots=True)
class Bar:
    """What one day looks like in the chart of moves; ``is_cut`` says that a bar is longer than there is room."""

    x: str
    width: str
    joined_y: str
    joined_height: str
    left_y: str
    left_height: str
    is_cut: bool


@dataclass(frozen=True, slots=True)
class Slot:
    """The room of one day from top to bottom, with what it tells."""

    x: str
    width: str
    label: str


@dataclass(frozen=True, slots=True)
class Chart:
    """The size as a line and an area, the moves as bars, both over the same days."""

    line: str
    area: str
    sizes: tuple[Tick, ...]
    bars: tuple[Bar, ...]
    moves: tuple[Tick, ...]
    zero: str
    slots: tuple[Slot, ...]
    dates: tuple[Tick, ...]
    has_cut: bool


def chart(points: Sequence[Point]) -> Chart:
    """Draw the days of a bucket, of which there is at least one."""
    sizes = [point.size for point in points]
    low = min(sizes) if max(sizes) > min(sizes) > FLAT * max(sizes) else 0
    bottom, top, step = scale(low, max(sizes))
    line = _line([_part(size, bottom, top) for size in sizes])
    bars, moves, zero = _moves(points)
    slot = 100 / len(points)
    return Chart(
        line=line,
        area=f"{line}V100H{_n(slot / 2)}Z",
        sizes=tuple(Tick(_n(100 - 100 * _part(at, bottom, top)), short(at)) for at in range(bottom, top + step, step)),
        bars=bars,
        moves=moves,
        zero=zero,
        slots=tuple(Slot(_n(place * slot), _n(slot), _told(point)) for place, point in enumerate(points)),
        dates=_dates(points),
        has_cut=any(bar.is_cut for bar in bars),
    )


def spark(sizes: Sequence[int]) -> str:
    """Return the path of a small line from the smallest at the bottom to the largest at the top."""
    low, high = min(sizes), max(sizes)
    parts = [0.5 if low == high else _part(size, low, high) for size in sizes]
    return _line([0.08 + 0.84 * part for part in parts])


def scale(low: int, high: int) -> tuple[int, int, int]:
    """Return round numbers for the bottom and the top of an axis, and for the step between its lines."""
    step = _round_up(max((high - low) / STEPS, 1))
    bottom, top = low // step * step, -(-high // step) * step
    return bottom, max(top, bottom + step), step


def short(number: int) -> str:
    """Write a number so that it fits beside an axis."""
    for least, size, letter in ((999_950, 1_000_000, "M"), (10_000, 1_000, "k")):
        if number >= least:
            return f"{round(number / size, 1):g}{letter}"
    return f"{number:,}"


def _moves(points: Sequence[Point]) -> tuple[tuple[Bar, ...], tuple[Tick, ...], str]:
    """Draw who joined upwards and who left downwards from one line, in one measure."""
    most = _room(sorted(number for point in points for number in (point.entered, point.left) if number))
    up = min(most, max(point.entered for point in points))
    down = min(most, max(point.left for point in points))
    step = _round_up(max((up + down) / STEPS, 1))
    top, bottom = -(-up // step) * step, -(-down // step) * step
    high = max(top + bottom, 1)
    zero, slot = 100 * top / high if top + bottom else 50.0, 100 / len(points)
    bars = []
    for place, point in enumerate(points):
        joined, left = (100 * min(number, room) / high for number, room in ((point.entered, top), (point.left, bottom)))
        cut = point.entered > top or point.left > bottom
        x, width = _n((place + 0.14) * slot), _n(0.72 * slot)
        bars.append(Bar(x, width, _n(zero - joined), _n(joined), _n(zero), _n(left), cut))
    marks = range(-bottom, top + step, step) if top + bottom else ()
    return tuple(bars), tuple(Tick(_n(zero - 100 * at / high), short(abs(at))) for at in marks), _n(zero)


def _room(numbers: Sequence[int]) -> int:
    """Return the longest bar there is room for: a backfill's first day is no measure for the others."""
    if not numbers:
        return 0
    usual = numbers[int(0.9 * (len(numbers) - 1))]
    return numbers[-1] if numbers[-1] <= SPIKE * usual else 2 * usual


def _dates(points: Sequence[Point]) -> tuple[Tick, ...]:
    last = len(points) - 1
    places = sorted({round(number * last / (DATES - 1)) for number in range(DATES)})
    slot = 100 / len(points)
    return tuple(Tick(_n((place + 0.5) * slot), f"{points[place].start:%-d %b}") for place in places)


def _told(point: Point) -> str:
    day = f"{point.start:%a %-d %B %Y}"
    return f"{day}: {point.size:,} in; {point.entered:,} joined, {point.left:,} left"


def _line(parts: Sequence[float]) -> str:
    """Draw through the middle of each slot; 0 is the bottom, 1 the top."""
    slot = 100 / len(parts)
    if len(parts) == 1:
        return f"M0 {_n(100 - 100 * parts[0])}H100"
    return "M" + "L".join(f"{_n((place + 0.5) * slot)} {_n(100 - 100 * part)}" for place, part in enumerate(parts))


def _part(number: int, low: int, high: int) -> float:
    return (number - low) / (high - low)


def _round_up(number: float) -> int:
    """Return the next 1, 2 or 5 with noughts."""
    digits: int = 10 ** (len(str(int(number))) - 1)
    return next(first * digits for first in (1, 2, 5, 10) if first * digits >= number)


def _n(number: float) -> str:
    """Write a place as SVG and CSS do in every language."""
    return f"{number:.2f}".rstrip("0").rstrip(".")
