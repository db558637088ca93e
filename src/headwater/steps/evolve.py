"""Evolve: replay the months, follow what every source is worth, and change the model exactly."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import numpy as np

from headwater.adapters import evolution_report, features, knowledge, lake, mlflow
from headwater.adapters.evolution_report import Line, Month, Story
from headwater.adapters.features import Region
from headwater.adapters.home import Home
from headwater.adapters.knowledge import Run
from headwater.adapters.learners import Ridge, equally, predict
from headwater.errors import HeadwaterError, Message, Refusal
from headwater.evolution import DETECTORS, Growth, Policy, Tick, replay
from headwater.federation import InProcess, ask
from headwater.statistics import Statistic
from headwater.steps.history import History
from headwater.steps.register import Candidate, Registered, register, registered_name, score
from headwater.steps.value import ridge_of
from headwater.types import SourceId, Vector
from headwater.valuation import METHODS, GramUtility, choose

__all__ = ["EvolveReport", "evolve"]

_POLICY = Policy(drop_below=0.0, add_above=0.0, drop_after=2, add_after=2)


@dataclass(frozen=True)
class EvolveReport:
    """What one replay did.

    Parameters
    ----------
    story : every source in every month, and the errors of the next month
    versions : those registered, with the month each belongs to
    champion : label of the version that serves afterwards
    report : folder with ``zh.html`` and ``en.html``
    """

    run: str
    task: str
    story: Story
    versions: tuple[tuple[date, Registered], ...]
    champion: str | None
    report: Path

    def to_dict(self) -> dict[str, object]:
        """Return the small facts as JSON-safe values."""
        return {
            "run": self.run,
            "task": self.task,
            "region": self.story.region,
            "months": len(self.story.months),
            "sources": len({line.source for line in self.story.lines}),
            "actions": [f"{line.month:%Y-%m} {line.action} {line.source}" for line in self.story.actions],
            "rmse_evolving": self.story.mean_error("evolving"),
            "rmse_static": self.story.mean_error("static"),
            "rmse_target_only": self.story.mean_error("target_only"),
            "versions": [registered.version.label for _, registered in self.versions],
            "champion": self.champion,
            "report": str(self.report),
        }


def evolve(home: Home, *, run: Run, task: str = "stay_cost", min_stays: int = 100) -> EvolveReport:
    """Replay the months of the data as if they came one by one.

    In every month each source that delivered is valued by what it delivered then; one detector follows each source's
    values, with None where nothing came; the policy drops and adds sources, by subtracting and adding statistics.

    Parameters
    ----------
    min_stays : fewer stays over all months make no source
    """
    learner = ridge_of(home, task)
    with lake.connect(home) as connection:
        knowledge.prepare(connection)
        snapshot = lake.snapshot(connection)
        region = features.read(connection, learner, snapshot=snapshot, region=run.region, min_stays=min_stays)
        history = History.ask(region, learner)
        evolution = _Evolution(history, run.seed)
        evolution.go()
        versions = evolution.register(home, connection, run)
        story = evolution.story(run)
        report = evolution_report.write(home, story)
        knowledge.replace(connection, "evolution", key=run.key(task, region.name), rows=_rows(run, story))
    champion = mlflow.champion(home, registered_name(task, region.name))
    return EvolveReport(run.name, task, story, tuple(versions), champion.label if champion else None, report)
