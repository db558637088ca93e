"""Bench ``tiers``: what joining sources under protection costs, what it survives, and what noise gives away."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from headwater.adapters.home import Home
from headwater.bench import tiers_ckks, tiers_masks, tiers_noise, tiers_poison
from headwater.bench.figures import Figure, Size, report

__all__ = ["joined", "run"]


def run(size: Size, *, data: Path | None = None) -> dict[str, Any]:
    """Run the bench part by part; poisoning alone reads data, and does without where there is none."""
    parts = (part.figures(size, data) for part in (tiers_masks, tiers_ckks, tiers_noise, tiers_poison))
    figures = joined({key: figure for part in parts for key, figure in part.items()})
    return report("tiers", size, figures, project=Home.from_environment().project)


def joined(figures: Mapping[str, Figure]) -> dict[str, Figure]:
    """Return the figures with A4 as one: it holds where masks and encryption both do."""
    found = dict(figures)
    masks, encrypted = found["A4"], found.pop("A4_ckks")
    told = {"value": encrypted.value, "holds": encrypted.holds, "baseline": encrypted.baseline, **encrypted.also}
    found["A4"] = replace(
        masks,
        goal=f"{masks.goal}; {encrypted.goal}",
        holds=masks.holds and encrypted.holds,
        note=f"{masks.note}; encrypted: {encrypted.note}",
        also={**masks.also, "ckks": told},
    )
    return found
