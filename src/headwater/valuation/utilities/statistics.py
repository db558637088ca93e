r"""The gain in R², from one statistic of each source.

.. math:: v(S) = R^2(\hat\beta_{T \cup S}) - R^2(\hat\beta_T)

with :math:`\hat\beta` the ridge solution on the merged statistics and :math:`R^2` on the validation statistic.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from headwater.errors import HeadwaterError, Message, Refusal
from headwater.federation import Answers, Question, Transport, ask
from headwater.statistics.blas import one_thread
from headwater.statistics.features import Features
from headwater.statistics.gram import Gram
from headwater.statistics.statistic import Statistic
from headwater.types import Masks, SourceId, Vector
from headwater.valuation.target import Target
from headwater.valuation.utilities.marginals import RidgeMarginals
from headwater.valuation.utility import UTILITIES, Asked, require_sources
from headwater.valuation.valuation import Exchange, choose

__all__ = ["GramUtility", "Statistics", "exchanged", "usable"]

_CHUNK_BYTES = 1 << 23
_FEWEST_RECORDS = 2


@dataclass(frozen=True)
class Statistics:
    """Every source answers one question with one Gram statistic; coalitions are solved from their sums."""

    def play(self, federation: Transport, target: Target, features: Features, *, rng: np.random.Generator) -> Asked:
        """Ask every source once and return the game of the answers."""
        question = target.asking(features)
        answers = ask(federation, question)
        statistics, refused = usable(answers, question)
        game = GramUtility(
            question.of(target.train), statistics, question.of(target.valid), question.family, target.ridge
        )
        return Asked(game, game.players, exchanged(answers, question), refused)

    def method(self, players: int) -> str:
        """Return ``exact`` while it takes seconds."""
        return choose(players)


UTILITIES.register("statistics")(Statistics())


def usable(answers: Answers, question: Question) -> tuple[dict[SourceId, Statistic], Mapping[SourceId, HeadwaterError]]:
    """Return the statistics that may be used, and why the others may not: the statistic of one record is that record.

    No usable one at all is refused with every reason.
    """
    refused = dict(answers.refused)
    for source, statistic in answers.statistics.items():
        records = question.family.records(statistic)
        if records < _FEWEST_RECORDS:
            refused[source] = _too_few(source, records)
    statistics = {source: found for source, found in answers.statistics.items() if source not in refused}
    require_sources(statistics, refused)
    return statistics, refused


def exchanged(answers: Answers, question: Question) -> Exchange:
    """Return what one question to every source exchanged: every answer is its source's own."""
    asked = dict.fromkeys(answers.bytes_by_source, question.nbytes)
    answered = {source: total - question.nbytes for source, total in answers.bytes_by_source.items()}
    return Exchange(asked, answered, answered, rounds=1, leverage=1.0)


@dataclass(frozen=True, eq=False)
class GramUtility:
    """The game that sources play: gain in R² on the target's validation records over the target alone.

    Parameters
    ----------
    target : statistic of the target's own training records, in every coalition
    sources : statistic of each source; their order is the order of the players
    validation : statistic of the target's records that no one trains on
    gram : the family that solves them
    ridge : see ``Gram.solve``
    """

    target: Statistic
    sources: Mapping[SourceId, Statistic]
    validation: Statistic
    gram: Gram
    ridge: float
    _parts: Vector = field(init=False, repr=False)
    _base: float = field(init=False, repr=False)
    _marginals: list[RidgeMarginals] = field(init=False, repr=False, default_factory=list)

    def __post_init__(self) -> None:
        parts = self.gram.systems(self.gram.stacked((self.target, *self.sources.values())))
        parts[0, :, :-1] += np.diag(self.gram.penalty(self.ridge))
        object.__setattr__(self, "_parts", parts.reshape(len(parts), -1))
        object.__setattr__(self, "_base", self.r2(np.zeros((1, len(self.sources)), dtype=np.bool_))[0])

    @property
    def players(self) -> tuple[SourceId, ...]:
        """The sources in the order of the masks' columns."""
        return tuple(self.sources)

    @property
    def records(self) -> Vector:
        """Records of the target and of each source, (1 + sources,)."""
        everyone = (self.target, *self.sources.values())
        return np.array([self.gram.records(statistic) for statistic in everyone], dtype=np.float64)

    @property
    def systems(self) -> Vector:
        """XᵀX and Xᵀy side by side, (1 + sources, dim, dim + 1): the target's with its ridge first."""
        return self._parts.reshape(len(self._parts), self.gram.dim, self.gram.dim + 1)

    @property
    def ceiling(self) -> float:
        """No coalition gains more: no coefficients fit the validation records better than their own."""
        moments = self.gram.moments(self.validation)
        own = np.asarray(np.linalg.lstsq(moments.xx, moments.xy, rcond=None)[0], dtype=np.float64)
        return self.gram.r2(self.validation, own) - self._base

    def __call__(self, coalitions: Masks) -> Vector:
        """Return v for each coalition, ``coalitions`` being (m, sources); v of the empty coalition is 0."""
        return np.asarray(self.r2(coalitions) - self._base, dtype=np.float64)

    def marginals(self, coalitions: Masks) -> Vector:
        """Return (m, sources): what each source adds to each coalition, or would take with it when it left."""
        if not self._marginals:
            self._marginals.append(self.laid_out())
        with one_thread():
            return self._marginals[0](coalitions)

    def laid_out(self) -> RidgeMarginals:
        """Return the systems of the game, laid out for elimination over sources."""
        moments = self.gram.moments(self.validation)
        scale = moments.yy - moments.y**2 / moments.n
        base = self._parts[0].reshape(self.gram.dim, self.gram.dim + 1)
        return RidgeMarginals.of(base, self._parts[1:], moments.xx / scale, moments.xy / scale)

    def r2(self, coalitions: Masks) -> Vector:
        """Return R² on the validation statistic of target + coalition, for each coalition."""
        validation = self.gram.moments(self.validation)
        variance = validation.yy / validation.n - (validation.y / validation.n) ** 2 if validation.n >= 1 else 0.0
        if variance <= self.gram.encoding.resolution:
            raise _no_validation()
        coefficients = self.coefficients(coalitions)
        fitted = np.einsum("md,md->m", coefficients @ validation.xx, coefficients)
        squared = validation.yy - 2 * coefficients @ validation.xy + fitted
        return np.asarray(1.0 - squared / validation.n / variance, dtype=np.float64)

    def coefficients(self, coalitions: Masks) -> Vector:
        """Return the (m, dim) solutions of target + coalition."""
        return self._solutions(len(coalitions), lambda rows: coalitions[rows].astype(np.float64) @ self._parts[1:])

    def turned(self, coalition: Masks) -> Vector:
        """Return the (sources, dim) solutions of target + coalition with one source more, or less if it is a member.

        Their sums are the coalition's own and one statistic each: not a sum of as many as there are sources.
        """
        (inside,) = coalition.reshape(1, -1)
        whole, signs = inside.astype(np.float64) @ self._parts[1:], np.where(inside, -1.0, 1.0)[:, None]
        return self._solutions(len(inside), lambda rows: whole + signs[rows] * self._parts[1:][rows])

    def _solutions(self, count: int, sums: Callable[[slice], Vector]) -> Vector:
        """Return the (count, dim) solutions of target + sums, in chunks that stay in cache."""
        dim = self.gram.dim
        size = max(1, _CHUNK_BYTES // (8 * dim * (dim + 1)))
        out = np.empty((count, dim))
        # Coalitions are small systems: on a busy machine threads would only wait for each other.
        with one_thread():
            for start in range(0, count, size):
                rows = slice(start, start + size)
                out[rows] = _solved((self._parts[0] + sums(rows)).reshape(-1, dim, dim + 1))
        return out


def _solved(system: Vector) -> Vector:
    try:
        return np.asarray(np.linalg.solve(system[:, :, :-1], system[:, :, -1:])[:, :, 0], dtype=np.float64)
    except np.linalg.LinAlgError as error:
        raise Refusal(
            "E-GRAM-SINGULAR",
            Message("某个组合的方程组无唯一解。", "The equations of a coalition have no unique solution."),
            Message("请增大 ridge。", "Use a larger ridge."),
        ) from error


def _no_validation() -> Refusal:
    return Refusal(
        "E-VALUE-VALIDATION",
        Message("验证样本为空，或目标没有差异。", "The validation sample is empty, or its target does not vary."),
        Message("请扩大目标方的验证样本。", "Enlarge the target's validation sample."),
    )


def _too_few(source: SourceId, records: int) -> Refusal:
    return Refusal(
        "E-VALUE-RECORDS",
        Message(
            f"来源“{source}”只有 {records} 条记录，至少需要 {_FEWEST_RECORDS} 条。",
            f"Source {source}: {records} of at least {_FEWEST_RECORDS} records.",
        ),
        Message("请补充记录；单条记录的统计量就是该记录。", "Add records: the statistic of one is that record."),
    )
