"""The target: the few labelled records of one's own that every source is valued for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

import numpy as np
import pandas as pd
import pyarrow as pa

from headwater.errors import Message, Refusal
from headwater.federation import GramQuestion
from headwater.federation.source import as_table
from headwater.statistics.features import Features, numbers
from headwater.statistics.recipes import derive
from headwater.types import Vector
from headwater.valuation.valuation import require_rng

__all__ = ["Learner", "Target"]

Learner: TypeAlias = Literal["linear", "network", "trees"]

_FEWEST = 4


@dataclass(frozen=True, eq=False)
class Target:
    """A task and the target's own records of it, of which no source sees any.

    Parameters
    ----------
    train : joins every coalition
    valid : judges coalitions and is trained on by none
    label : numeric column to predict; with labels 0 and 1 the utility R² is the Brier skill
    features : public features of a record
    learner : what the sources' records are wanted for; says which features may suit
    ridge : penalty of squared coefficients, in units of records
    left_out : columns that ``Target.of`` took no feature from, and why
    """

    train: pa.Table
    valid: pa.Table
    label: str
    features: Features
    learner: Learner = "linear"
    ridge: float = 1.0
    left_out: Mapping[str, Message] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.learner not in get_args(Learner):
            raise _no_learner(self.learner)

    @staticmethod
    def of(
        table: pa.Table | pd.DataFrame,
        *,
        label: str,
        rng: np.random.Generator,
        learner: Learner = "linear",
        columns: Sequence[str] | None = None,
    ) -> "Target":
        """Split one table in halves that are alike in the label, and derive the features from its own records.

        Parameters
        ----------
        label : numeric, without empty cells, not constant
        columns : to take features from; None for all that can be used, see ``derive``

        Raises
        ------
        Refusal
            ``E-FEATURE-COLUMN``, ``E-FEATURE-EMPTY``, ``E-FEATURE-NUMBER`` or ``E-FEATURE-FINITE`` about the label,
            ``E-TARGET-SMALL`` below 4 records, ``E-TARGET-CONSTANT``, ``E-TARGET-LEARNER``, ``E-TABLE-KIND``,
            ``E-VALUE-RNG``, and what ``derive`` refuses
        """
        require_rng(rng)
        own = as_table(table)
        y = numbers(own, label)
        if len(y) < _FEWEST:
            raise _small(len(y))
        if np.ptp(y) == 0:
            raise _constant(label)
        train, valid = _halves(y, rng)
        features, left_out = derive(own.drop_columns([label]), columns=columns)
        return Target(own.take(train), own.take(valid), label, features, learner, left_out=left_out)

    @property
    def question(self) -> GramQuestion:
        """What sources are asked with the target's own features."""
        return self.asking(self.features)

    def asking(self, features: Features) -> GramQuestion:
        """Return the question with some features, the label standardised by the target's own training records."""
        y = numbers(self.train, self.label)
        spread = float(np.std(y)) if len(y) else 0.0
        center = float(np.mean(y)) if len(y) else 0.0
        return GramQuestion(features, target=self.label, center=center, scale=spread if spread > 0 else 1.0)


def _halves(y: Vector, rng: np.random.Generator) -> tuple[list[int], list[int]]:
    """Return rows to train on and to validate with: of every two neighbours in the label, one each."""
    order = np.lexsort((rng.random(len(y)), y))
    first = rng.integers(0, 2, (len(y) + 1) // 2)
    is_valid = np.stack([first, 1 - first], axis=1).ravel()[: len(y)].astype(np.bool_)
    # A single case among many must judge rather than train: without it nothing can be judged.
    if np.ptp(y[order[is_valid]]) == 0:
        is_valid = ~is_valid
    return sorted(order[~is_valid].tolist()), sorted(order[is_valid].tolist())


def _small(records: int) -> Refusal:
    return Refusal(
        "E-TARGET-SMALL",
        Message(
            f"目标方只有 {records} 条记录，至少需要 {_FEWEST} 条。", f"The target has {records} records of {_FEWEST}."
        ),
        Message("请补充目标方的记录。", "Add records of the target."),
    )


def _no_learner(learner: str) -> Refusal:
    known = get_args(Learner)
    return Refusal(
        "E-TARGET-LEARNER",
        Message(f"没有名为“{learner}”的学习器。", f"There is no learner named {learner!r}."),
        Message(f"可用：{'、'.join(known)}。", f"Known: {', '.join(known)}."),
    )


def _constant(label: str) -> Refusal:
    return Refusal(
        "E-TARGET-CONSTANT",
        Message(f"目标列“{label}”没有差异。", f"The label {label!r} does not vary."),
        Message("请选取目标值有差异的记录。", "Take records whose labels differ."),
    )
