"""The frontier of valuation: how near the truth, against what it costs in bytes and in privacy; as pictures and pages.

A page draws its own SVG, with a table beside every drawing, and needs nothing from outside. The PNG is drawn by
matplotlib; its words are English, because a machine without a Chinese font would draw boxes: whoever needs Chinese
opens the page.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from headwater.adapters.page import page
from headwater.adapters.report import LANGUAGES, Language
from headwater.errors import Message

__all__ = ["Curve", "Frontier", "Page", "Point", "write"]

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 400.0, 280.0, 50.0, 378.0, 12.0, 236.0
_COLOURS = ("#1f5fa8", "#b3541e", "#2e7d4f", "#7b3fa0", "#8a6d00", "#4a4a4a", "#a8326b", "#007c89")
_SHAPES = (
    "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z",
    "M-4-4h8v8h-8z",
    "M0-5l5 9h-10z",
    "M0-5.5l5.5 5.5-5.5 5.5-5.5-5.5z",
    "M0 5l-5-9h10z",
    "M-5-2h3v-3h4v3h3v4h-3v3h-4v-3h-3z",
)
_MARKS = ("o", "s", "^", "D", "v", "P")
"""The shapes above, as matplotlib calls them: whoever does not see the colours tells lines apart by them."""
_CORRELATION = Message("与参照值的秩相关", "rank correlation with the reference")
_CEILING = Message("参照值自身的可靠上限", "ceiling: the reference's own reliability")
_FINE = 1.0
"""The vertical axis has a line at every tenth up to this length, at every fifth beyond."""


@dataclass(frozen=True)
class Point:
    """One measured point: ``cost`` above 0 (bytes, or ε) and ``accuracy`` up to 1; ``name`` stands in the table."""

    cost: float
    accuracy: float
    name: Message


@dataclass(frozen=True)
class Curve:
    """Points that belong together; a single one is a mark. Those of one ``look`` are alike in all drawings."""

    name: Message
    points: Sequence[Point]
    look: int

    def ordered(self) -> list[Point]:
        """Return the points by rising cost."""
        return sorted(self.points, key=lambda point: point.cost)


@dataclass(frozen=True)
class Frontier:
    """One drawing.

    Parameters
    ----------
    name : stem of the PNG
    title, cost : what is drawn, and what the horizontal axis measures (drawn in logarithms)
    ceiling : accuracy above which a difference means nothing; None where it is not known
    ticks : costs that the horizontal axis names; none: every second power of ten
    """

    name: str
    title: Message
    cost: Message
    lines: Sequence[Curve]
    ceiling: float | None = None
    ticks: Sequence[float] = ()

    def ends(self) -> tuple[float, float, float]:
        """Return the ends of the horizontal axis in log10, and the lower end of the vertical one."""
        points = [point for line in self.lines for point in line.points]
        if not points or min(point.cost for point in points) <= 0:
            raise ValueError("a frontier needs points whose cost is above 0")
        costs = [math.log10(point.cost) for point in points]
        lowest = min(0.5, math.floor(10 * min(point.accuracy for point in points)) / 10)
        if self.ticks:
            return math.log10(min(self.ticks)) - 0.1, math.log10(max(self.ticks)) + 0.1, lowest
        return math.floor(min(costs)), max(math.ceil(max(costs)), math.floor(min(costs)) + 1), lowest

    def across(self) -> list[float]:
        """Return the costs that the horizontal axis names."""
        first, last, _ = self.ends()
        return list(self.ticks) or [10.0**power for power in range(int(first), int(last) + 1)]

    def up(self) -> list[float]:
        """Return the accuracies that the vertical axis names."""
        tenths = range(round(10 * self.ends()[2]), 11)
        step = 1 if (tenths[-1] - tenths[0]) / 10 <= _FINE else 2
        return [tenth / 10 for tenth in tenths if tenth % step == 0]


@dataclass(frozen=True)
class Page:
    """What is told: drawings, on which data and against which truth, and what follows from it.

    Parameters
    ----------
    subtitle : the region, and what its data are
    notes : sentences under the drawings
    """

    title: Message
    subtitle: Message
    frontiers: Sequence[Frontier]
    notes: Sequence[Message]


@dataclass(frozen=True)
class _Drawn:
    """A line in the units of the drawing."""

    name: Message
    colour: str
    shape: str
    path: str
    places: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class _Drawing:
    """A frontier in the units of the drawing: places and words of both axes, lines, and where the ceiling is."""

    frontier: Frontier
    across: tuple[tuple[float, str], ...]
    up: tuple[tuple[float, str], ...]
    lines: tuple[_Drawn, ...]
    ceiling: float | None


def write(folder: Path, told: Page) -> tuple[Path, ...]:
    """Write one PNG a frontier, ``zh.html`` and ``en.html``; return what was written."""
    pages = {language: _rendered(told, language) for language in LANGUAGES}
    folder.mkdir(parents=True, exist_ok=True)
    written = [_png(folder / f"{frontier.name}.png", frontier) for frontier in told.frontiers]
    for language, text in pages.items():
        file = folder / f"{language}.html"
        file.write_text(text, encoding="utf-8")
        written.append(file)
    return tuple(written)


def _png(path: Path, frontier: Frontier) -> Path:
    # Imported here: matplotlib takes half a second, and only this function needs it.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 5.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for line in frontier.lines:
        colour, mark = _COLOURS[line.look % len(_COLOURS)], _MARKS[line.look % len(_MARKS)]
        costs, accuracies = zip(*((point.cost, point.accuracy) for point in line.ordered()), strict=True)
        axes.plot(costs, accuracies, label=line.name.en, color=colour, marker=mark)
    first, last, lowest = frontier.ends()
    axes.set(xscale="log", xlabel=frontier.cost.en, ylabel=_CORRELATION.en, title=frontier.title.en)
    axes.set(xlim=(10**first, 10**last), ylim=(lowest, 1.02))
    axes.set_xticks(frontier.across(), labels=[_short(cost) for cost in frontier.across()])
    axes.minorticks_off()
    if frontier.ceiling is not None:
        axes.axhline(frontier.ceiling, color="#68737d", linestyle="--", linewidth=1, label=_CEILING.en)
    axes.grid(alpha=0.3)
    figure.legend(loc="outside lower center", ncols=2, fontsize=8, frameon=False)
    figure.savefig(path, dpi=120)
    return path


def _rendered(told: Page, language: Language) -> str:
    return page(
        "frontier.html",
        language,
        page=told,
        drawings=[_drawing(frontier) for frontier in told.frontiers],
        box={"width": _WIDTH, "height": _HEIGHT, "left": _LEFT, "right": _RIGHT, "top": _TOP, "bottom": _BOTTOM},
        correlation=_CORRELATION,
        ceiling=_CEILING,
    )


def _drawing(frontier: Frontier) -> _Drawing:
    first, last, lowest = frontier.ends()

    def x(cost: float) -> float:
        return round(_LEFT + (math.log10(cost) - first) / (last - first) * (_RIGHT - _LEFT), 1)

    def y(accuracy: float) -> float:
        return round(_TOP + (1 - max(accuracy, lowest)) / (1 - lowest) * (_BOTTOM - _TOP), 1)

    lines = []
    for line in frontier.lines:
        places = tuple((x(point.cost), y(point.accuracy)) for point in line.ordered())
        path = " ".join(f"{across},{down}" for across, down in places)
        colour, shape = _COLOURS[line.look % len(_COLOURS)], _SHAPES[line.look % len(_SHAPES)]
        lines.append(_Drawn(line.name, colour, shape, path, places))
    return _Drawing(
        frontier,
        tuple((x(cost), _short(cost)) for cost in frontier.across()),
        tuple((y(accuracy), f"{accuracy:.1f}") for accuracy in frontier.up()),
        tuple(lines),
        None if frontier.ceiling is None else y(frontier.ceiling),
    )


def _short(cost: float) -> str:
    """Return a cost as an axis names it.

    >>> _short(0.5), _short(1000.0), _short(10_000_000.0)
    ('0.5', '1 k', '10 M')
    """
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if cost >= size:
            return f"{cost / size:g}{unit}"
    return f"{cost:g}"
