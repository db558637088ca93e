"""What a model of any framework must be able to do, and how sources are asked until it has learnt.

Five verbs: ``describe`` what is to be learnt, say the ``statistic`` of one's own records, ``merge`` and ``subtract``
statistics (they do that themselves), ``solve`` the sum, ``predict``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol, TypeAlias

import numpy as np
import pyarrow as pa

from headwater.errors import HeadwaterError, Message, Refusal
from headwater.federation.round import Family, ask
from headwater.federation.transport import Transport
from headwater.statistics.features import Features, numbers
from headwater.statistics.fixed_point import on_grid
from headwater.statistics.statistic import Statistic
from headwater.types import SourceId, Vector

__all__ = ["Asked", "Combine", "Described", "Learner", "Learnt", "fitting", "learn", "sized"]

_SETTLED = 1e-10
"""Parameters that a round moves less than this have been found: rounding of the sums moves them hardly less."""


@dataclass(frozen=True, eq=False)
class Described:
    """What a learner says of itself before anybody is asked.

    Parameters
    ----------
    framework : that the model belongs to, e.g. ``xgboost``
    name : of the kind of model, e.g. ``trees``
    rounds : how often sources are asked, at the most
    exact : whether the sum of the sources' answers is the answer of their records in one place
    start : parameters (p,) of the first round
    """

    framework: str
    name: str
    rounds: int
    exact: bool
    start: Vector


class Learner(Protocol):
    """A model behind the verbs; without state, so that a round is a value and parameters are one vector.

    Features ``x`` are (n, dim), the first of them the constant 1; labels ``y`` (n,) are on the grid.
    """

    def describe(self) -> Described:
        """Return what there is to learn."""
        ...

    def family(self, parameters: Vector) -> Family:
        """Return what knows the answers of the round that starts from ``parameters``."""
        ...

    def statistic(self, parameters: Vector, x: Vector, y: Vector) -> Statistic:
        """Return what a holder of records says of them in the round that starts from ``parameters``."""
        ...

    def solve(self, parameters: Vector, statistic: Statistic) -> Vector:
        """Return the parameters after that round, from the sum of the answers."""
        ...

    def predict(self, parameters: Vector, x: Vector) -> Vector:
        """Return the (n,) predictions, made by the framework's own model where it has one."""
        ...


@dataclass(frozen=True, eq=False)
class Asked:
    """One round's question about a learner; it carries its own computation.

    Parameters
    ----------
    features, target, months : as in ``GramQuestion``
    parameters : (p,) from which the round starts
    """

    learner: Learner
    features: Features
    target: str
    parameters: Vector
    months: tuple[date, ...] | None = None

    @property
    def family(self) -> Family:
        """The family that checks the answer."""
        return self.learner.family(self.parameters)

    @property
    def nbytes(self) -> int:
        """Bytes of the question on its way to a source."""
        told = len(self.features.to_json().encode()) + len(self.target.encode()) + 4 * len(self.months or ())
        return int(self.parameters.nbytes) + told

    def of(self, table: pa.Table) -> Statistic:
        """Return the statistic of the records of ``table``."""
        return self.learner.statistic(self.parameters, self.features.transform(table), on_grid(self._labels(table)))

    def _labels(self, table: pa.Table) -> Vector:
        return numbers(table, self.target)


Combine: TypeAlias = Callable[[Mapping[SourceId, Statistic]], Statistic]
"""From what the sources say to its sum: where a protection stands."""


@dataclass(frozen=True, eq=False)
class Learnt:
    """What came of asking.

    Parameters
    ----------
    parameters : (p,) after the last round
    total : sum of the answers of the last round
    rounds : that were needed
    bytes_by_source : bytes exchanged with each, questions and answers of all rounds together
    refused : why a source was left out, in the first round in which it was
    """

    parameters: Vector
    total: Statistic
    rounds: int
    bytes_by_source: Mapping[SourceId, int]
    refused: Mapping[SourceId, HeadwaterError]


def learn(
    learner: Learner,
    transport: Transport,
    *,
    features: Features,
    target: str,
    sources: Sequence[SourceId] | None = None,
    combine: Combine | None = None,
) -> Learnt:
    """Ask ``sources``, by default all that the transport reaches, round by round until nothing changes any more.

    Parameters
    ----------
    features, target : public recipe of the features, and the column that is to be predicted
    combine : sums what came back, under a protection where there is to be one; by default in the clear

    Raises
    ------
    Refusal
        ``E-LEARN-EMPTY`` if no source gave an answer in a round; what ``ask`` and the learner refuse
    """
    described, spent, refused = learner.describe(), dict[SourceId, int](), dict[SourceId, HeadwaterError]()
    parameters, turn, settled = described.start, 0, False
    while not settled:
        answers = ask(transport, Asked(learner, features, target, parameters), sources=sources)
        for source, count in answers.bytes_by_source.items():
            spent[source] = spent.get(source, 0) + count
        refused = dict(answers.refused) | refused
        if not answers.statistics:
            raise _nobody(refused)
        total = Statistic.total(answers.statistics.values()) if combine is None else combine(answers.statistics)
        before, parameters = parameters, learner.solve(parameters, total)
        turn += 1
        settled = turn == described.rounds or _same(before, parameters)
    return Learnt(parameters, total, turn, spent, refused)


def fitting(x: Vector, y: Vector, *, dim: int) -> None:
    """Refuse features that are not (n, dim), labels that are not (n,), and numbers that are not finite."""
    if x.ndim != 2 or x.shape[1] != dim or y.shape != x.shape[:1]:
        raise Refusal(
            "E-LEARNER-RECORDS",
            Message(
                f"需要 (n, {dim}) 的特征和 (n,) 的标签，收到 {x.shape} 和 {y.shape}。",
                f"Features (n, {dim}) and labels (n,) are needed, not {x.shape} and {y.shape}.",
            ),
            Message("请核对特征表与模型。", "Check the feature map against the model."),
        )
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise Refusal(
            "E-LEARNER-RECORDS",
            Message("特征或标签中有非有限数。", "Features or labels are not finite."),
            Message("请先处理缺失值和无穷大。", "Treat missing and infinite values first."),
        )


def sized(parameters: Vector, *, size: int) -> None:
    """Refuse parameters that are not (size,)."""
    if parameters.shape != (size,):
        raise Refusal(
            "E-MODEL-PARAMETERS",
            Message(
                f"模型需要 {size} 个参数，收到 {parameters.shape}。", f"{size} parameters fit, not {parameters.shape}."
            ),
            Message("请核对模型版本。", "Check the version of the model."),
        )


def _same(before: Vector, after: Vector) -> bool:
    return before.shape == after.shape and bool(np.allclose(before, after, rtol=_SETTLED, atol=_SETTLED))


def _nobody(refused: Mapping[SourceId, HeadwaterError]) -> Refusal:
    reasons = [error.reason for error in refused.values()]
    return Refusal(
        "E-LEARN-EMPTY",
        Message(
            "没有来源给出可用的回答。" + "".join(reason.zh for reason in reasons),
            " ".join(["No source gave an answer that counts.", *(reason.en for reason in reasons)]),
        ),
        Message("请按各来源的原因处理后重试。", "Mend what the sources say, then try again."),
    )
