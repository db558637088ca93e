"""Bench ``valuation``: what sources are worth, held against exact retraining and against the clock."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from headwater.adapters.home import Home
from headwater.bench import (
    valuation_exact,
    valuation_fidelity,
    valuation_liars,
    valuation_privacy,
    valuation_scale,
    valuation_selection,
)
from headwater.bench.figures import Figure, Size, report

__all__ = ["run"]

_PARTS: tuple[Callable[[Size, Path | None], dict[str, Figure]], ...] = (
    valuation_fidelity.figures,
    valuation_exact.figures,
    valuation_scale.figures,
    valuation_selection.figures,
    valuation_privacy.figures,
    valuation_liars.figures,
)


def run(size: Size, *, data: Path | None = None) -> dict[str, Any]:
    """Run the bench part by part; real families of the suite need the folder of the data sets."""
    figures = {key: figure for part in _PARTS for key, figure in part(size, data).items()}
    return report("valuation", size, figures, project=Home.from_environment().project)
