"""Bench ``evolution``: whether changes are noticed, acted on exactly, kept up with, and worth it in real time."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from headwater.adapters.home import Home
from headwater.bench import (
    evolution_detectors,
    evolution_growth,
    evolution_outages,
    evolution_tick,
    evolution_time,
    evolution_years,
)
from headwater.bench.figures import Figure, Size, report

__all__ = ["run"]

_PARTS: tuple[Callable[[Size, Path | None], dict[str, Figure]], ...] = (
    evolution_detectors.figures,
    evolution_outages.figures,
    evolution_growth.figures,
    evolution_years.figures,
    evolution_tick.figures,
    evolution_time.figures,
)


def run(size: Size, *, data: Path | None = None) -> dict[str, Any]:
    """Run the bench part by part; real time needs the folder of the data sets."""
    figures = {key: figure for part in _PARTS for key, figure in part(size, data).items()}
    return report("evolution", size, figures, project=Home.from_environment().project)
