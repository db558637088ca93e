"""The frontier of valuation: how near the truth, against what it costs in bytes and in privacy; as PNG and as a page.

The page draws its own SVG and needs nothing from outside. The PNG is drawn by matplotlib; its words are English,
because a machine without a Chinese font would draw boxes: whoever needs Chinese opens the page.
"""

import html
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from headwater.errors import Message

__all__ = ["Frontier", "Point", "write"]

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP, _RIGHT = 640.0, 340.0, 56.0, 44.0, 16.0, 170.0
_COLOURS = ("#1f5fa8", "#b3541e", "#2e7d4f", "#7b3fa0", "#8a6d00", "#4a4a4a", "#a8326b", "#007c89")
_Scale = Callable[[float], float]
_CORRELATION = Message("与参照值的秩相关", "rank correlation with the reference")


@dataclass(frozen=True)
class Point:
    """One measured point: ``cost`` above 0 (bytes, or ε) and ``accuracy`` up to 1."""

    cost: float
    accuracy: float


@dataclass(frozen=True)
class Frontier:
    """One drawing.

    Parameters
    ----------
    name : stem of the PNG
    title, cost : what is drawn, and what the horizontal axis measures (drawn in logarithms)
    lines : points by the name of what they belong to; a name of one point is a mark
    note : on which data and against which truth, told under the drawing
    """

    name: str
    title: Message
    cost: Message
    lines: Mapping[str, Sequence[Point]]
    note: Message

    def ends(self) -> tuple[float, float, float]:
        """Return the ends of the horizontal axis in log10, and the lower end of the vertical one."""
        points = [point for line in self.lines.values() for point in line]
        if not points or min(point.cost for point in points) <= 0:
            raise ValueError("a frontier needs points whose cost is above 0")
        costs = [math.log10(point.cost) for point in points]
        lowest = min(0.5, math.floor(10 * min(point.accuracy for point in points)) / 10)
        return math.floor(min(costs)), max(math.ceil(max(costs)), math.floor(min(costs)) + 1), lowest


def write(folder: Path, frontiers: Sequence[Frontier]) -> tuple[Path, ...]:
    """Write one PNG a frontier and ``frontier.html`` of all, in Chinese and English; return what was written."""
    page_text = _page(frontiers)
    folder.mkdir(parents=True, exist_ok=True)
    written = [_png(folder / f"{frontier.name}.png", frontier) for frontier in frontiers]
    page = folder / "frontier.html"
    page.write_text(page_text, encoding="utf-8")
    return (*written, page)


def _png(path: Path, frontier: Frontier) -> Path:
    # Imported here: matplotlib takes half a second, and only this function needs it.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for place, (name, points) in enumerate(frontier.lines.items()):
        ordered = sorted(points, key=lambda point: point.cost)
        colour = _COLOURS[place % len(_COLOURS)]
        axes.plot([p.cost for p in ordered], [p.accuracy for p in ordered], "o-", color=colour, label=name)
    axes.set(xscale="log", xlabel=frontier.cost.en, ylabel=_CORRELATION.en, title=frontier.title.en)
    axes.set_ylim(frontier.ends()[2], 1.0)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7)
    figure.savefig(path, dpi=120)
    return path


def _page(frontiers: Sequence[Frontier]) -> str:
    parts = []
    for frontier in frontiers:
        for language in ("zh", "en"):
            title, note = (html.escape(getattr(text, language)) for text in (frontier.title, frontier.note))
            parts.append(
                f'<section lang="{language}"><h2>{title}</h2>{_svg(frontier, language)}<p>{note}</p></section>'
            )
    style = "body{font:15px/1.6 system-ui,sans-serif;max-width:720px;margin:2em auto;color:#222}h2{font-size:1.1em}"
    return (
        '<!doctype html><html lang="zh"><meta charset="utf-8"><title>估值前沿 · Frontier of valuation</title>'
        f"<style>{style}</style><h1>估值前沿 · Frontier of valuation</h1>{''.join(parts)}</html>\n"
    )


def _svg(frontier: Frontier, language: str) -> str:
    first, last, lowest = frontier.ends()

    def across(cost: float) -> float:
        return _LEFT + (math.log10(cost) - first) / (last - first) * (_WIDTH - _LEFT - _RIGHT)

    def down(accuracy: float) -> float:
        return _TOP + (1 - max(accuracy, lowest)) / (1 - lowest) * (_HEIGHT - _TOP - _BOTTOM)

    drawn = [_axes(frontier, language, across, down)]
    for place, (name, points) in enumerate(frontier.lines.items()):
        colour = _COLOURS[place % len(_COLOURS)]
        places = [(across(p.cost), down(p.accuracy)) for p in sorted(points, key=lambda point: point.cost)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        drawn.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        drawn += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places]
        drawn.append(_text(_WIDTH - _RIGHT + 12, _TOP + 14 + 18 * place, name, f'fill="{colour}"'))
    label = html.escape(getattr(frontier.title, language))
    body = "".join(drawn)
    return f'<svg viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" role="img" aria-label="{label}" font-size="12">{body}</svg>'


def _axes(frontier: Frontier, language: str, across: _Scale, down: _Scale) -> str:
    first, last, lowest = frontier.ends()
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    drawn = []
    for power in range(int(first), int(last) + 1):
        x = across(10.0**power)
        drawn.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{bottom}" stroke="#ddd"/>')
        drawn.append(_text(x, bottom + 16, f"{10.0**power:g}", 'text-anchor="middle"'))
    for tenth in range(round(10 * lowest), 11):
        y = down(tenth / 10)
        drawn.append(f'<line x1="{_LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
        drawn.append(_text(_LEFT - 8, y + 4, f"{tenth / 10:.1f}", 'text-anchor="end"'))
    middle = (_LEFT + right) / 2
    drawn.append(_text(middle, _HEIGHT - 8, getattr(frontier.cost, language), 'text-anchor="middle"'))
    turned = f'text-anchor="middle" transform="rotate(-90 14 {_HEIGHT / 2:g})"'
    drawn.append(_text(14, _HEIGHT / 2, getattr(_CORRELATION, language), turned))
    return "".join(drawn)


def _text(x: float, y: float, words: str, more: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" {more}>{html.escape(words)}</text>'
