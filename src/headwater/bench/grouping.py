"""Bench ``grouping``: stays become groups, groups become payments, and what is reported of both."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from headwater.adapters.home import Home
from headwater.bench import grouping_indicators, grouping_payment, grouping_plans
from headwater.bench.figures import Figure, Size, report

__all__ = ["run"]

_PARTS: tuple[Callable[[Size, Path | None], dict[str, Figure]], ...] = (
    grouping_plans.figures,
    grouping_payment.figures,
    grouping_indicators.figures,
)


def run(size: Size, *, data: Path | None = None) -> dict[str, Any]:
    """Run the bench part by part; real plans and converted stays need the folder of the data sets."""
    figures = {key: figure for part in _PARTS for key, figure in part(size, data).items()}
    return report("grouping", size, figures, project=Home.from_environment().project)
