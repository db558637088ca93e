r"""Networks valued by the updates that training exchanges anyway: models of coalitions are put together, not trained.

.. math:: v(S) = \sum_t R^2\bigl(\theta^t_{T \cup S}\bigr) - R^2\bigl(\theta^t_T\bigr), \qquad
    \theta^t_S = \sum_{i \in S} n_i \theta^t_i / \sum_{i \in S} n_i

with :math:`\theta^t_i` what source i sent in round t. Source: Liu et al. 2022 (GTG-Shapley), after Song et al. 2019.
Rounds that hardly change the model are left out (between rounds); orders of arrival end when hardly anything is left to
gain (within a round, see ``methods/truncated.py``).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import pyarrow as pa

from headwater.errors import HeadwaterError, Message, Refusal
from headwater.federation import Answers, Transport, UpdateQuestion, ask
from headwater.statistics.features import Features, numbers
from headwater.statistics.statistic import Statistic
from headwater.types import Masks, SourceId, Vector
from headwater.valuation.target import Target
from headwater.valuation.utility import Asked, r2, require_sources
from headwater.valuation.valuation import Exchange

__all__ = ["Round", "Trained", "UpdateUtility", "Updates"]

_EXACT_UP_TO = 8
_TRAINED = ("rounds", "start", "question", "train", "predict")


class Trained(Protocol):
    """A learner that is trained in rounds where the records are; it lives above this room and is handed in."""

    @property
    def rounds(self) -> int:
        """How many times the sources are asked."""
        ...

    def start(self, own: pa.Table, *, seed: int) -> Vector:
        """Return the (p,) parameters that are sent out first."""
        ...

    def question(self, parameters: Vector, *, seed: int) -> UpdateQuestion:
        """Return what the sources are asked in the round that starts from ``parameters``."""
        ...

    def train(self, table: pa.Table, question: UpdateQuestion) -> tuple[Vector, int]:
        """Return the (p,) parameters after training on ``table`` and the number of records used."""
        ...

    def predict(self, parameters: Vector, x: Vector) -> Vector:
        """Return the (rows,) predictions for features ``x``, in the unit of the label."""
        ...


@dataclass(frozen=True, eq=False)
class Round:
    """What was sent in one round.

    Parameters
    ----------
    own : (p + 1,) the target's parameters times its records, then its records
    sent : (sources, p + 1) the same of each source
    """

    own: Vector
    sent: Vector


@dataclass(frozen=True)
class Updates:
    """Trains with everyone, round by round, and values what each sent.

    Parameters
    ----------
    learner : trains, here on the target's records and at the sources by their own trainers, and predicts
    between : gain in R² of everyone over the target alone below which a round is left out
    within : gain in R² below which an order of arrival ends
    """

    learner: Trained
    between: float = 1e-3
    within: float = 1e-3

    def __post_init__(self) -> None:
        if not all(hasattr(self.learner, name) for name in _TRAINED):
            raise _no_learner(self.learner)

    def play(self, federation: Transport, target: Target, features: Features, *, rng: np.random.Generator) -> Asked:
        """Ask round by round; who fails in one round is left out of all. ``features`` are the learner's own."""
        learner, seed = self.learner, int(rng.integers(2**31))
        parameters = learner.start(target.train, seed=seed)
        heard: list[tuple[Statistic, Answers]] = []
        refused: dict[SourceId, HeadwaterError] = {}
        present: Sequence[SourceId] = federation.source_ids
        for number in range(learner.rounds):
            question = learner.question(parameters, seed=seed + number)
            trained, records = learner.train(target.train, question)
            own = question.family.statistic(trained, records=records)
            answers = ask(federation, question, sources=present)
            refused |= answers.refused
            present = tuple(answers.statistics)
            require_sources(answers.statistics, refused)
            parameters = question.family.solve(Statistic.total([own, *answers.statistics.values()]))
            heard.append((own, answers))
        rounds = [_round(question, own, answers, present) for own, answers in heard]
        judge = _judge(learner, question, target)
        game = UpdateUtility(_telling(rounds, judge, self.between), judge)
        return Asked(game, tuple(present), _exchanged(heard, question), refused, tolerance=self.within)

    def method(self, players: int) -> str:
        """Return ``exact`` for few players; every coalition costs a prediction of the validation records a round."""
        return "exact" if players <= _EXACT_UP_TO else "truncated"


@dataclass(frozen=True, eq=False)
class UpdateUtility:
    """The game of reconstructed models.

    Parameters
    ----------
    rounds : what was sent
    judge : R² on the target's validation records of some parameters
    """

    rounds: Sequence[Round]
    judge: Callable[[Vector], float]
    _base: Vector = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_base", np.array([self.judge(_mean(part.own)) for part in self.rounds]))

    def __call__(self, coalitions: Masks) -> Vector:
        """Return the gain over the target alone, summed over the rounds."""
        gains = np.zeros(len(coalitions))
        for part, base in zip(self.rounds, self._base, strict=True):
            sums = part.own + coalitions.astype(np.float64) @ part.sent
            gains += [
                self.judge(_mean(total)) - base if inside.any() else 0.0
                for total, inside in zip(sums, coalitions, strict=True)
            ]
        return gains


def _mean(total: Vector) -> Vector:
    return np.asarray(total[:-1] / max(total[-1], 1.0), dtype=np.float64)


def _judge(learner: Trained, question: UpdateQuestion, target: Target) -> Callable[[Vector], float]:
    x, y = question.feature_map.transform(target.valid), numbers(target.valid, target.label)
    return lambda parameters: float(r2(y, learner.predict(parameters, x)))


def _round(question: UpdateQuestion, own: Statistic, answers: Answers, present: Sequence[SourceId]) -> Round:
    decode = question.family.encoding.decode
    return Round(decode(own.values), np.stack([decode(answers.statistics[source].values) for source in present]))


def _telling(rounds: Sequence[Round], judge: Callable[[Vector], float], least: float) -> list[Round]:
    """Return the rounds in which the model of everyone gains at least ``least`` over that of the target alone."""
    return [
        part for part in rounds if abs(judge(_mean(part.own + part.sent.sum(axis=0))) - judge(_mean(part.own))) >= least
    ]


def _exchanged(heard: Sequence[tuple[Statistic, Answers]], question: UpdateQuestion) -> Exchange:
    asked: dict[SourceId, int] = {}
    answered: dict[SourceId, int] = {}
    for _, answers in heard:
        for source, total in answers.bytes_by_source.items():
            asked[source] = asked.get(source, 0) + question.nbytes
            answered[source] = answered.get(source, 0) + total - question.nbytes
    return Exchange(asked, answered, answered, rounds=len(heard), leverage=1.0)


def _no_learner(given: object) -> Refusal:
    kind = type(given).__name__
    return Refusal(
        "E-VALUE-LEARNER",
        Message(f"{kind} 不能在来源处逐轮训练。", f"A {kind} is not trained round by round where the records are."),
        Message(
            "请用 Approach(Retraining(fit))，或给出具有 rounds、start、question、train、predict 的学习器。",
            "Use Approach(Retraining(fit)), or a learner with rounds, start, question, train and predict.",
        ),
    )
