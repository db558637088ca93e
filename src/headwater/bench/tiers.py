"""Bench ``tiers``: what joining sources under protection costs, what it survives, and what it gives away."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from headwater.adapters.home import Home
from headwater.bench import (
    tiers_attacks,
    tiers_ckks,
    tiers_job,
    tiers_masks,
    tiers_mixed,
    tiers_noise,
    tiers_poison,
    tiers_scale,
)
from headwater.bench.figures import Figure, Size, report

__all__ = ["joined", "run"]

_PARTS: tuple[Callable[[Size, Path | None], dict[str, Figure]], ...] = (
    tiers_job.figures,
    tiers_masks.figures,
    tiers_ckks.figures,
    tiers_mixed.figures,
    tiers_poison.figures,
    tiers_scale.figures,
    tiers_attacks.figures,
    tiers_noise.figures,
)


def run(size: Size, *, data: Path | None = None) -> dict[str, Any]:
    """Run the bench part by part; without data, only made-up hospitals are joined."""
    figures = joined({key: figure for part in _PARTS for key, figure in part(size, data).items()})
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
