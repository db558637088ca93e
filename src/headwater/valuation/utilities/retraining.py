"""The reference: a learner trained anew on the records of every coalition. Only where all records are at hand."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from headwater.errors import HeadwaterError, Message, Refusal
from headwater.federation import InProcess, Transport, ask
from headwater.statistics.features import Features, numbers
from headwater.types import Masks, SourceId, Vector
from headwater.valuation.target import Target
from headwater.valuation.utilities.statistics import usable
from headwater.valuation.utility import UTILITIES, Asked, gain, require_predictions, require_sources
from headwater.valuation.valuation import Exchange

__all__ = ["Fit", "Predict", "RetrainedUtility", "Retraining", "ridge"]

Predict: TypeAlias = Callable[[pa.Table], Vector]
"""From a table to its (rows,) predictions, in the unit of the label."""

Fit: TypeAlias = Callable[[pa.Table], Predict]
"""Trains a learner on a table."""

_EXACT_UP_TO = 10


@dataclass(frozen=True)
class Retraining:
    """Trains on records; ridge on the target's features unless another learner is handed in.

    Parameters
    ----------
    fit : the learner; None for ridge, which serves targets whose learner is ``linear``
    """

    fit: Fit | None = None

    def play(self, federation: Transport, target: Target, features: Features, *, rng: np.random.Generator) -> Asked:
        """Take the records of sources in this process; the bytes counted are those that would have to travel.

        Raises
        ------
        Refusal
            ``E-VALUE-AT-HAND`` if records are elsewhere, ``E-VALUE-LEARNER`` without a learner of the target's kind
        """
        if not isinstance(federation, InProcess):
            raise _elsewhere()
        if self.fit is None and target.learner != "linear":
            raise _no_learner(target.learner)
        question = target.asking(features)
        statistics, unusable = usable(ask(federation, question), question)
        records, refused = _alike(target.train, {s: federation.records(s) for s in statistics}, unusable)
        game = RetrainedUtility(target, records, self.fit or ridge(target, features))
        asked = dict.fromkeys(federation.source_ids, question.nbytes)
        answered = {source: table.nbytes for source, table in records.items()}
        return Asked(game, tuple(records), Exchange(asked, answered, answered, rounds=1, leverage=1.0), refused)

    def method(self, players: int) -> str:
        """Return ``exact`` up to 1,024 trainings."""
        return "exact" if players <= _EXACT_UP_TO else "permutation"


UTILITIES.register("retraining")(Retraining())


@dataclass(frozen=True, eq=False)
class RetrainedUtility:
    """The game of retrained models; a coalition is trained once."""

    target: Target
    records: Mapping[SourceId, pa.Table]
    fit: Fit
    _known: dict[bytes, Vector] = field(init=False, repr=False, default_factory=dict)

    @property
    def labels(self) -> Vector:
        """The (rows,) labels of the target's validation records."""
        return numbers(self.target.valid, self.target.label)

    def __call__(self, coalitions: Masks) -> Vector:
        """Return the gain in R² on the validation records over the target alone."""
        return gain(self, coalitions)

    def predictions(self, coalitions: Masks) -> Vector:
        """Return (m, rows) predictions for the validation records of the model of each coalition."""
        found = [self._trained(coalition) for coalition in coalitions]
        return np.stack(found) if found else np.empty((0, self.target.valid.num_rows))

    def _trained(self, coalition: Masks) -> Vector:
        key = coalition.tobytes()
        if key not in self._known:
            chosen = [table for table, inside in zip(self.records.values(), coalition, strict=True) if inside]
            predict = self.fit(pa.concat_tables([self.target.train, *chosen], promote_options="permissive"))
            predicted = np.asarray(predict(self.target.valid), dtype=np.float64)
            self._known[key] = require_predictions(predicted, (self.target.valid.num_rows,), of="Retraining")
        return self._known[key]


def ridge(target: Target, features: Features) -> Fit:
    """Return ridge regression on records, by least squares on a stacked system rather than by statistics."""
    question = target.asking(features)

    def fit(table: pa.Table) -> Predict:
        x, y = features.transform(table), question.labels(table)
        shrink = np.sqrt(target.ridge) * np.eye(features.dim)[1:]
        beta = np.linalg.lstsq(np.vstack([x, shrink]), np.concatenate([y, np.zeros(len(shrink))]), rcond=None)[0]
        return lambda other: np.asarray(features.transform(other) @ beta * question.scale + question.center)

    return fit


def _alike(
    train: pa.Table, tables: Mapping[SourceId, pa.Table], refused: Mapping[SourceId, HeadwaterError]
) -> tuple[dict[SourceId, pa.Table], dict[SourceId, HeadwaterError]]:
    """Return the tables that can be joined to the target's, in its columns, and who has no such table."""
    records: dict[SourceId, pa.Table] = {}
    unlike = dict(refused)
    for source, table in tables.items():
        shared = table.select([name for name in train.column_names if name in table.column_names])
        try:
            pa.concat_tables([train, shared], promote_options="permissive")
        except pa.ArrowException as error:
            unlike[source] = _other_types(source, error)
        else:
            records[source] = shared
    require_sources(records, unlike)
    return records, unlike


def _other_types(source: SourceId, error: Exception) -> Refusal:
    return Refusal(
        "E-SOURCE-TYPES",
        Message(
            f"来源“{source}”的列类型与目标不同（{error}）。", f"Source {source}: columns of other types ({error})."
        ),
        Message("请统一列类型。", "Give its columns the types of the target's."),
    )


def _elsewhere() -> Refusal:
    return Refusal(
        "E-VALUE-AT-HAND",
        Message("重训练需要全部记录在本进程内。", "Retraining needs all records in this process."),
        Message("请改用 statistics 方法。", "Use the method statistics."),
    )


def _no_learner(learner: str) -> Refusal:
    return Refusal(
        "E-VALUE-LEARNER",
        Message(f"没有学习器“{learner}”的训练函数。", f"No function is handed in that trains the learner {learner!r}."),
        Message("请传入 Approach(Retraining(fit))。", "Hand in Approach(Retraining(fit))."),
    )
