"""Bench ``coding``: local names become codes, held against the truth and against the clock."""

from pathlib import Path
from typing import Any

from headwater.adapters.home import Home
from headwater.bench.coding_charges import charges_figure
from headwater.bench.coding_icd import icd_figure
from headwater.bench.coding_region import region_figure
from headwater.bench.coding_speed import speed_figure
from headwater.bench.figures import Size, report

__all__ = ["run"]


def run(size: Size, *, data: Path | None = None) -> dict[str, Any]:
    """Run the bench: C1 on the simulated region (synthetic data), C2 on real charge names, C3 on real lists of codes.

    C4 runs on a made-up list, and on real names if there are any.
    """
    project = Home.from_environment().project
    figures = {
        "C1": region_figure(size),
        "C2": charges_figure(size, data),
        "C3": icd_figure(size, data),
        "C4": speed_figure(size, data=data),
    }
    return report("coding", size, figures, project=project)
