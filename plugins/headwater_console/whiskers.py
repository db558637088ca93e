"""The geometry of a dot-and-whisker chart: values with their intervals on one axis, for wide and for narrow pages."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from unicodedata import east_asian_width

from headwater_console.records import ValueLine

__all__ = ["NARROW", "WIDE", "Chart", "Mark", "Size", "chart", "fitted", "ticks"]


@dataclass(frozen=True)
class Size:
    """How a chart is laid out, in units that are pixels at full size.

    Parameters
    ----------
    width : of all
    labels : of the column of names; 0 puts each name above its whisker
    row : height of a row
    """

    width: int
    labels: int
    row: int


WIDE, NARROW = Size(1000, 310, 26), Size(350, 0, 44)
_EDGE, _AXIS = 12, 28
_LETTER = 6.7
"""Of a Latin letter in the size that labels have; a Chinese one is twice as wide."""


@dataclass(frozen=True)
class Mark:
    """One source: names as far as there is room, a whisker from ``low`` to ``high``, its dot and that of before."""

    line: ValueLine
    name: str
    name_en: str
    label_y: float
    y: float
    low: float
    dot: float
    high: float
    before: float | None


@dataclass(frozen=True)
class Chart:
    """Everything in units of the drawing; ``axis`` is the height of the axis' numbers."""

    size: Size
    height: int
    axis: int
    left: float
    zero: float
    ticks: tuple[tuple[float, str], ...]
    marks: tuple[Mark, ...]


def chart(lines: Sequence[ValueLine], size: Size) -> Chart:
    """Lay out the lines in their order; the axis holds zero and every end of a whisker."""
    ends = [0.0, *(end for line in lines for end in (line.low, line.high, line.value, line.value_before or 0.0))]
    steps = ticks(min(ends), max(ends))
    first, last = steps[0], steps[-1]
    digits = max(0, -math.floor(math.log10(steps[1] - steps[0]) + 1e-9))
    # Half of the outermost numbers of the axis lies beyond its ends.
    edge = max(_EDGE, *(math.ceil(len(f"{end:.{digits}f}") * _LETTER / 2) for end in (first, last)))
    left, right = size.labels + edge, size.width - edge

    def x(value: float) -> float:
        return round(left + (right - left) * (value - first) / (last - first), 1)

    marks = []
    for place, line in enumerate(lines):
        top = place * size.row
        y = top + (size.row / 2 if size.labels else size.row - 12)
        label = y + 4 if size.labels else top + 16
        before = None if line.value_before is None else x(line.value_before)
        names = (fitted(name, (size.labels or size.width) / _LETTER) for name in (line.name, line.name_en))
        marks.append(Mark(line, *names, label, y, x(line.low), x(line.value), x(line.high), before))
    axis = len(lines) * size.row
    shown = steps if size.labels or len(steps) <= 5 else steps[:: math.ceil(len(steps) / 5)]
    return Chart(
        size, axis + _AXIS, axis + 18, left, x(0.0), tuple((x(s), f"{s:.{digits}f}") for s in shown), tuple(marks)
    )


def fitted(name: str, letters: float) -> str:
    """Return the name, cut off with an ellipsis where it is wider than so many Latin letters.

    >>> fitted("江城市第一人民医院", 10), fitted("Hospital", 10)
    ('江城市第…', 'Hospital')
    """
    widths = [2 if east_asian_width(letter) in "WF" else 1 for letter in name]
    if sum(widths) <= letters:
        return name
    room = next(place for place in range(len(name), -1, -1) if sum(widths[:place]) <= letters - 1)
    return f"{name[:room]}…"


def ticks(low: float, high: float) -> tuple[float, ...]:
    """Return round numbers at equal steps of 1, 2 or 5 times a power of ten, the outer ones around both ends.

    >>> ticks(-0.013, 0.21)
    (-0.05, 0.0, 0.05, 0.1, 0.15, 0.2, 0.25)
    """
    span = high - low if high > low else 1.0
    power = 10.0 ** math.floor(math.log10(span / 4))
    step = next(power * factor for factor in (1, 2, 5, 10) if span / (power * factor) <= 5)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return tuple(round(step * place, 12) for place in range(first, max(last, first + 1) + 1))
