"""Promote: a person lets a version serve, if it is better beyond doubt on today's held-out stays."""

from dataclasses import dataclass
from typing import Any

import duckdb

from headwater.adapters import features, knowledge, lake, mlflow, postgres, versions
from headwater.adapters.home import Home
from headwater.adapters.knowledge import Run
from headwater.adapters.learners import predict
from headwater.adapters.versions import Line
from headwater.errors import Message, Refusal
from headwater.steps.champion import Change, require_open, serve, serving
from headwater.steps.comparison import Comparison, compare
from headwater.steps.minded import require_minded
from headwater.steps.predict import predict as predict_stays

__all__ = ["Promoted", "promote"]


@dataclass(frozen=True)
class Promoted:
    """What serves now, and what it was compared with."""

    before: str | None
    after: str
    entry: int
    comparison: Comparison

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON-safe values."""
        told = {"before": self.before, "after": self.after, "entry": self.entry}
        return {**told, "comparison": dict(self.comparison.to_dict())}


def promote(home: Home, *, run: Run, name: str, number: int) -> Promoted:
    """Let a version serve if it beats what serves now, or else the bureau's records alone, beyond its interval.

    Both are judged on the bureau's held-out stays as they are now, so what was not better when it was registered may be
    today.

    Raises
    ------
    Refusal
        ``E-PROMOTE-SERVES``, ``E-PROMOTE-WORSE`` with what was compared, ``E-VERSION-WITHDRAWN``,
        ``E-VERSION-UNKNOWN``, ``E-WITHDRAWAL-LOST``
    """
    version = mlflow.numbered(home, name, number)
    with lake.connect(home) as connection:
        knowledge.prepare(home, connection)
        line = versions.line(connection, name, number)
        with postgres.alone(home, task=line.task, region=line.region, who=f"promote {run.name}"):
            require_minded(home, connection)
            require_open(connection, line)
            return _promoted(home, connection, version, line, run)


def _promoted(
    home: Home, connection: duckdb.DuckDBPyConnection, version: mlflow.Version, line: Line, run: Run
) -> Promoted:
    before = serving(home, connection, version.name)
    if before == version:
        raise _serves(version.label)
    model = mlflow.load(home, version)
    learner, target = model.learner, model.learner.model.spec.target
    region = features.read(connection, learner, snapshot=lake.snapshot(connection), region=line.region)
    test, own = region.target.test, region.target.train
    if before is None:
        alone = learner.resolve(model.parameters, learner.exact(model.parameters).of(own))
        theirs = predict(learner, alone, test)
    else:
        theirs = mlflow.predictor(home, before)(test)
    comparison = compare(
        predict(learner, model.parameters, test),
        theirs,
        test,
        target=target,
        metric=learner.model.spec.metrics[0],
        opponent=before.label if before else None,
    )
    if not comparison.is_better:
        raise _worse(version.label, comparison)
    change = Change(line.task, line.region, version, before, "promoted", comparison, region.data.snapshot)
    entry = serve(home, connection, change, run=run)
    predict_stays(home, connection, version, region=region, run=run)
    return Promoted(before.label if before else None, version.label, entry, comparison)


def _serves(label: str) -> Refusal:
    return Refusal(
        "E-PROMOTE-SERVES",
        Message(f"版本 {label} 已是现役。", f"{label} serves already."),
        Message("无需操作。", "Nothing is to be done."),
    )


def _worse(label: str, comparison: Comparison) -> Refusal:
    told = comparison.told
    return Refusal(
        "E-PROMOTE-WORSE",
        Message(f"{label} 未能现役：{told.zh}", f"{label} does not come to serve. {told.en}"),
        Message(
            "只有明显更好者才能现役；要退回先前的版本用 headwater model rollback。",
            "Only what is clearly better may; to go back to what served before, use headwater model rollback.",
        ),
    )
