"""Bench ``quality``: whether what is wrong with deliveries is told, and what is right is not."""

from pathlib import Path
from typing import Any

from headwater.adapters.home import Home
from headwater.bench.figures import Figure, Size, report
from headwater.bench.mutations import q4_figure

__all__ = ["quality_figures", "run"]


def run(size: Size, *, data: Path | None = None) -> dict[str, Any]:
    """Run the bench on simulated regions (synthetic data)."""
    project = Home.from_environment().project
    return report("quality", size, quality_figures(size, project=project), project=project)


def quality_figures(size: Size, *, project: Path) -> dict[str, Figure]:
    """Return every figure of this bench by its id."""
    return {"Q4": q4_figure(size, project=project)}
