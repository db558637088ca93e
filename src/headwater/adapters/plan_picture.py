"""A plan as a picture: sources, tiers and region from left to right, every edge in the colour of its mechanism.

It is drawn by matplotlib. Words are in both languages where the machine has a Chinese font, and English where it would
draw boxes.
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from headwater.aggregation import Mechanism, Plan, Tier
from headwater.aggregation.planning.reasoning import leaving

__all__ = ["draw"]

_FONTS = ("Noto Sans CJK SC", "Source Han Sans SC", "WenQuanYi Zen Hei", "Microsoft YaHei", "PingFang SC", "SimHei")
_COLOURS = {"clear": "#8a6d00", "masked": "#1f5fa8", "ckks": "#7b3fa0"}
_STYLES = {"nobody": "-", "sender": "--", "group": ":"}
_ASIDE = 0.35
_NAMED = 60
"""Sources up to which each is named."""


def draw(path: Path, plan: Plan) -> None:
    """Draw a plan into a PNG."""
    # Imported here: matplotlib takes half a second, and only this function needs it.
    from matplotlib import font_manager, rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    font = next((name for name in _FONTS if name in {one.name for one in font_manager.fontManager.ttflist}), None)
    with rc_context({"font.family": [font, "DejaVu Sans"] if font else ["DejaVu Sans"]}):
        places = _places(plan)
        rows = max(y for _, y in places.values()) + 1
        figure = Figure(figsize=(9, min(30.0, max(3.6, 1.6 + 0.2 * rows))), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        _edges(axes, plan, places, chinese=font is not None)
        _nodes(axes, plan, places, named=len(plan.suppliers) <= _NAMED)
        axes.set_axis_off()
        axes.margins(0.08, 0.04)
        axes.invert_yaxis()
        axes.set_title(f"{plan.job.region} · {plan.job.purpose} · {plan.digest[:12]}", fontsize=10)
        figure.legend(loc="outside lower center", ncols=2, fontsize=8, frameon=False)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=130)


def _places(plan: Plan) -> dict[str, tuple[float, float]]:
    """Return where every node stands: sources in one column, a tier amid what is below it."""
    places: dict[str, tuple[float, float]] = {}
    row = 0.0

    def stand(tier: Tier) -> int:
        nonlocal row
        levels = [stand(child) for child in tier.tiers]
        for source in tier.sources:
            places[source] = (0.0, row)
            row += 1
        row += 0.6 * bool(tier.sources)
        heights = [places[name][1] for name in (*tier.sources, *(child.name for child in tier.tiers))]
        level = max(levels, default=0) + 1
        places[tier.name] = (float(level), sum(heights) / len(heights) if heights else row)
        return level

    stand(plan.tree.root)
    for source in plan.refused:
        places[source] = (0.0, row)
        row += 1
    return places


def _edges(axes: Any, plan: Plan, places: Mapping[str, tuple[float, float]], *, chinese: bool) -> None:
    told, drawn = set(), Counter[tuple[str, str]]()
    for group in plan.groups:
        for name, mechanism in group.mechanisms:
            (x, y), (above, height) = places[name], places[group.tier]
            # What a tier says in several strands is drawn side by side.
            y, height = (at + _ASIDE * drawn[name, group.tier] for at in (y, height))
            drawn[name, group.tier] += 1
            said = _said(mechanism, chinese=chinese)
            axes.plot(
                [x, above],
                [y, height],
                color=_COLOURS.get(mechanism.protection, "#4a4a4a"),
                linestyle=_STYLES[mechanism.noise],
                linewidth=1.1 if name in plan.reasons else 2.2,
                alpha=0.75,
                zorder=1,
                label=None if said in told else said,
            )
            told.add(said)


def _nodes(axes: Any, plan: Plan, places: Mapping[str, tuple[float, float]], *, named: bool) -> None:
    spoken = {plan.job.region}.union(*({group.tier, *group.members} for group in plan.groups))
    for name, (x, y) in places.items():
        # A tier that everybody passes by would stand in the way of the lines.
        if x and name not in spoken:
            continue
        if x:
            box = {"boxstyle": "round,pad=0.35", "facecolor": "white", "edgecolor": "#333333"}
            axes.text(x, y, name, ha="center", va="center", fontsize=9, bbox=box, zorder=3)
            continue
        joins = name in plan.reasons
        axes.plot(
            [x], [y], marker="o" if joins else "x", color="#333333" if joins else "#b3261e", markersize=4, zorder=2
        )
        if named:
            axes.text(x - 0.04, y, name, ha="right", va="center", fontsize=7, color="#333333" if joins else "#b3261e")


def _said(mechanism: Mechanism, *, chinese: bool) -> str:
    how = leaving(mechanism)
    return f"{how.zh} {how.en}" if chinese else how.en
