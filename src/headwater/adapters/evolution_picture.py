"""The drawings of the evolution report as geometry: one strip of all sources over time, and a panel a source."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from math import ceil, log10

__all__ = ["Bar", "Cell", "Panel", "Row", "Seen", "Strip", "bars", "panel", "strip"]

_WIDTH, _HEIGHT, _EDGE = 300.0, 90.0, 6.0
_LABEL, _COLUMN, _TOP = 104.0, 40.0, 18.0
_WIDEST = 1070.0
_NAMED = 58.0
"""Room that the name of a month takes."""
_HEIGHTS = ((40, 20.0), (120, 11.0))
_LEAST_HEIGHT = 6.0
_WHITE, _TEAL, _RED = (244, 247, 249), (11, 92, 107), (163, 32, 26)
_BAR_HEIGHT = 60.0


@dataclass(frozen=True)
class Panel:
    """The geometry of one drawing, 300 by 90.

    Parameters
    ----------
    zero : height of the zero line
    curves : by name, in pieces that break where nothing came
    shades : left edges and widths of the stretches in which a source did not answer
    onsets : where changes that were noticed began
    marks : what was noticed or done, at its value; where there is none, at the foot
    low, high : values at foot and head
    """

    zero: float | None
    curves: Mapping[str, tuple[str, ...]]
    shades: tuple[tuple[float, float], ...]
    onsets: tuple[float, ...]
    marks: tuple[tuple[float, float, str], ...]
    low: float
    high: float


@dataclass(frozen=True)
class Cell:
    """One source in one month.

    Parameters
    ----------
    x : left edge
    fill : colour of its value; None where there is none
    state : presence, or ``resting``
    marks : ``change`` and actions
    is_member : whether it is in the model afterwards
    """

    x: float
    fill: str | None
    state: str
    marks: tuple[str, ...]
    is_member: bool


@dataclass(frozen=True)
class Row:
    """One source: its top edge, and a cell a month in which it is known."""

    source: str
    y: float
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Strip:
    """Every source in every month: the geometry of the picture of all.

    Parameters
    ----------
    width, height : of the whole
    column, row : width and height of a cell
    label : width of the names on the left
    is_named : whether rows are high enough for names and marks
    ticks : x and text of the months that are named
    most : value of the darkest colour
    """

    width: float
    height: float
    column: float
    row: float
    label: float
    is_named: bool
    ticks: tuple[tuple[float, str], ...]
    rows: tuple[Row, ...]
    most: float


@dataclass(frozen=True)
class Bar:
    """One month's use of one budget: left edge, width, top and height, and whether it reached the limit."""

    x: float
    width: float
    y: float
    height: float
    is_full: bool


def panel(
    series: Mapping[str, Sequence[float | None]],
    *,
    zero: bool,
    absent: Sequence[bool] = (),
    onsets: Iterable[float] = (),
    marks: Iterable[tuple[int, float | None, str]] = (),
) -> Panel:
    """Scale series of equal length into the drawing.

    Parameters
    ----------
    absent : where the source was asked and did not answer
    onsets : places, counted from 0, at which changes began

    >>> panel({"a": [0.0, None, 1.0]}, zero=False).curves["a"]
    ('6.0,84.0', '294.0,6.0')
    """
    known = [value for values in series.values() for value in values if value is not None]
    least = [0.0] if zero or not known else []
    low, high = min([*known, *least]), max([*known, *least])
    length = max(len(values) for values in series.values())
    step = (_WIDTH - 2 * _EDGE) / (length - 1) if length > 1 else 0.0

    def x(place: float) -> float:
        return round(_EDGE + step * place if length > 1 else _WIDTH / 2, 1)

    def y(value: float | None) -> float:
        if value is None:
            return _HEIGHT - _EDGE
        return round(_HEIGHT - _EDGE - (_HEIGHT - 2 * _EDGE) * ((value - low) / (high - low) if high > low else 0.5), 1)

    def curve(values: Sequence[float | None]) -> tuple[str, ...]:
        pieces: list[list[str]] = [[]]
        for place, value in enumerate(values):
            if value is None:
                pieces.append([])
            else:
                pieces[-1].append(f"{x(place)},{y(value)}")
        return tuple(" ".join(piece) for piece in pieces if piece)

    return Panel(
        zero=y(0.0) if zero else None,
        curves={name: curve(values) for name, values in series.items()},
        shades=tuple((x(first - 0.5), round(step * count, 1)) for first, count in _stretches(absent)),
        onsets=tuple(x(min(max(place, 0.0), length - 1)) for place in onsets),
        marks=tuple((x(place), y(value), kind) for place, value, kind in marks),
        low=low,
        high=high,
    )


def _stretches(flags: Sequence[bool]) -> list[tuple[int, int]]:
    """Return start and length of every run of true flags."""
    runs = [(key, [place for place, _ in run]) for key, run in groupby(enumerate(flags), key=lambda one: one[1])]
    return [(places[0], len(places)) for key, places in runs if key]


@dataclass(frozen=True)
class Seen:
    """What the strip shows of one source in one month."""

    value: float | None
    state: str
    marks: tuple[str, ...]
    is_member: bool


def strip(months: Sequence[date], sources: Mapping[str, Mapping[date, Seen]]) -> Strip:
    """Lay out every source in every month, in the order of ``sources``."""
    column = min(_COLUMN, (_WIDEST - _LABEL) / max(len(months), 1))
    row = next((height for most, height in _HEIGHTS if len(sources) <= most), _LEAST_HEIGHT)
    sizes = sorted(abs(seen.value) for line in sources.values() for seen in line.values() if seen.value is not None)
    # A single far value would leave everything else white.
    most = sizes[int(0.95 * (len(sizes) - 1))] if sizes else 0.0
    left = {month: round(_LABEL + column * place, 1) for place, month in enumerate(months)}
    rows = tuple(
        Row(
            source,
            round(_TOP + row * place, 1),
            tuple(
                Cell(left[month], _colour(seen.value, most), seen.state, seen.marks, seen.is_member)
                for month, seen in line.items()
            ),
        )
        for place, (source, line) in enumerate(sources.items())
    )
    every = ceil(_NAMED / column)
    ticks = tuple((left[month], f"{month:%Y-%m}") for month in months[::every])
    return Strip(
        width=round(_LABEL + column * len(months) + 8, 1),
        height=round(_TOP + row * len(sources) + 4, 1),
        column=round(column, 1),
        row=row,
        label=_LABEL,
        is_named=row >= _HEIGHTS[1][1],
        ticks=ticks,
        rows=rows,
        most=most,
    )


def _colour(value: float | None, most: float) -> str | None:
    """Return the colour of a value: the darker the farther from 0, red below it."""
    if value is None:
        return None
    share = min(1.0, abs(value) / most) ** 0.7 if most > 0 else 0.0
    end = _RED if value < 0 else _TEAL
    return "#" + "".join(f"{round(one + share * (other - one)):02x}" for one, other in zip(_WHITE, end, strict=True))


def bars(used: Sequence[float], limit: float | None) -> tuple[tuple[Bar, ...], float | None, float]:
    """Return a bar a month, 300 by 60, the height of the limit's line, None without one, and the value at the head."""
    head = _rounded(max([*used, limit or 0.0, 0.0])) or 1.0
    step = (_WIDTH - 2 * _EDGE) / max(len(used), 1)
    reach = _BAR_HEIGHT - _EDGE

    def y(value: float) -> float:
        return round(_BAR_HEIGHT - reach * value / head, 1)

    found = tuple(
        Bar(
            round(_EDGE + step * (place + 0.15), 1),
            round(0.7 * step, 1),
            y(value),
            round(_BAR_HEIGHT - y(value), 1),
            limit is not None and value >= 0.999 * limit > 0,
        )
        for place, value in enumerate(used)
    )
    return found, None if limit is None else y(limit), head


def _rounded(value: float) -> float:
    """Return the next number of two digits that is not below the value."""
    if value <= 0:
        return 0.0
    unit = 10.0 ** (int(log10(value)) - 1)
    return -(-value // unit) * unit
