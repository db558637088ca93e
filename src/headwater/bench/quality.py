"""Bench ``quality``: whether what is wrong with deliveries is told, and what is right is not."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from headwater.adapters import postgres
from headwater.adapters.home import Home
from headwater.bench.figures import Size, report
from headwater.bench.fuzz import fuzz_figure
from headwater.bench.hostile import hostile_figure
from headwater.bench.misreadings import misreading_figure
from headwater.bench.mutations import q4_figure
from headwater.bench.refresh import refresh_figure
from headwater.bench.reporting import report_figure

__all__ = ["run"]


def run(size: Size, *, data: Path | None = None) -> dict[str, Any]:
    """Run the bench on simulated regions and made-up deliveries (synthetic data), each figure in a home of its own."""
    project = Home.from_environment().project
    figures = {
        "Q2": fuzz_figure(size),
        "Q3": misreading_figure(size),
        "Q4": q4_figure(size, project=project),
        "Q5": refresh_figure(size),
        "Q6": report_figure(size),
    }
    with _home(project) as home:
        figures["Q7"] = hostile_figure(size, home=home)
    return report("quality", size, figures, project=project)


@contextmanager
def _home(project: Path) -> Iterator[Home]:
    root = Path(tempfile.mkdtemp(prefix="headwater-bench-"))
    home = Home(root=root, project=project).create()
    try:
        yield home
    finally:
        postgres.stop(home)
        shutil.rmtree(root, ignore_errors=True)
