"""Frontier: how well each way of valuing a region's own sources does, against the bytes and the privacy it costs."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from headwater.adapters import features, lake
from headwater.adapters.features import DataSeen
from headwater.adapters.frontier import write
from headwater.adapters.home import Home
from headwater.adapters.knowledge import Run
from headwater.adapters.learners import Learner, learner
from headwater.adapters.report import own_folder_name
from headwater.content import models
from headwater.errors import Message
from headwater.security.events import NonPrivate
from headwater.steps.frontier_page import page_of
from headwater.steps.frontier_points import Measured, measure
from headwater.steps.frontier_private import Private, cells, private
from headwater.steps.frontier_reference import SOURCES
from headwater.steps.ledger import Books
from headwater.steps.minded import require_minded
from headwater.steps.value import ridge_of

__all__ = ["FrontierReport", "frontier"]

_FEWEST_STAYS = 100
"""Fewer make no source, as where sources are valued."""

Advance = Callable[[int, int], None]
"""Told how much of how much is done."""


@dataclass(frozen=True)
class FrontierReport:
    """What was measured and drawn.

    Parameters
    ----------
    models : those of the task, by name
    private : the cells by features, records and ε; none with fewer than ten sources
    notes : what the drawing stands on
    files : PNG and pages
    """

    run: str
    task: str
    region: str
    origins: tuple[str, ...]
    data: DataSeen
    models: tuple[Measured, ...]
    private: tuple[Private, ...]
    notes: tuple[Message, ...]
    files: tuple[Path, ...]
    seconds: float

    def to_dict(self) -> dict[str, object]:
        """Return everything as JSON-safe values."""
        return {
            "run": self.run,
            "task": self.task,
            "region": self.region,
            "origins": list(self.origins),
            "snapshot": self.data.snapshot,
            "models": [model.to_dict() for model in self.models],
            "private": [asdict(cell) for cell in self.private],
            "notes": [asdict(note) for note in self.notes],
            "files": [str(file) for file in self.files],
            "seconds": self.seconds,
        }


def frontier(
    home: Home,
    *,
    run: Run,
    task: str = "stay_cost",
    records: int = 1_000,
    folder: Path | None = None,
    progress: Advance = lambda done, total: None,
) -> FrontierReport:
    """Measure every way to value the sources of a region for each model of a task, and draw what was found.

    Each model is retrained on every coalition of at most ten sources. Nothing is asked of anybody and no privacy is
    spent: this is for whoever may see the records, as the bureau may see the claims that it paid. A source that lets
    the region see none of its own statistics is not measured either, and the whole is refused.

    Parameters
    ----------
    records : of all sources together that a training may use, about
    folder : of the drawings; None for the run's own among the reports

    Raises
    ------
    Refusal
        ``E-VALUE-MODEL`` without a model for the task, ``E-FRONTIER-SOURCES``, ``E-FRONTIER-JUDGES``, ``E-REQUIRE-…``
        where a source's requirement does not permit it, ``E-WITHDRAWAL-LOST``, and what the mart refuses
    """
    started = time.perf_counter()
    ridge = ridge_of(home, task).model.spec
    with lake.connect(home) as connection:
        require_minded(home, connection)
        snapshot = lake.snapshot(connection)
        read = [
            (one, features.read(connection, one, snapshot=snapshot, region=run.region, min_stays=_FEWEST_STAYS))
            for one in _learners(home, task)
        ]
    region = read[0][1]
    for _, its in read:
        books = Books(home, "valuation", "clear")
        books.permit(books.seen((source.source_id for source in its.sources), NonPrivate()))
    done = _Done(progress, len(read) * 2 ** min(SOURCES, len(region.sources)) + cells(len(region.sources)))
    measured = [measure(its, one, records=records, seed=run.seed, advance=done) for one, its in read]
    its, sources = next((its, one.sources) for (_, its), one in zip(read, measured, strict=True) if one.is_ridge)
    hidden = [done.after(cell) for cell in private(its, ridge, sources=sources, seed=run.seed)]
    page = page_of(region, task, measured, hidden)
    return FrontierReport(
        run=run.name,
        task=task,
        region=region.name,
        origins=region.origins,
        data=region.data,
        models=tuple(measured),
        private=tuple(hidden),
        notes=tuple(page.notes),
        files=write(folder or home.reports / "frontier" / own_folder_name(run.name), page),
        seconds=time.perf_counter() - started,
    )


@dataclass
class _Done:
    """Adds up what is done, and tells it."""

    tell: Advance
    total: int
    count: int = 0

    def __call__(self, more: int) -> None:
        self.count += more
        self.tell(min(self.count, self.total), self.total)

    def after(self, cell: Private) -> Private:
        """Return the cell, counted."""
        self(1)
        return cell


def _learners(home: Home, task: str) -> list[Learner]:
    """Return a learner for each model of the task, by name."""
    folder = home.project / "models"
    every = (models.load(folder, name) for name in models.names(folder))
    return [learner(model) for model in every if model.spec.task == task]
