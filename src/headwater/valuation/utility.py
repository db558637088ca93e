r"""The utility of a coalition of sources to a target, from statistics alone.

.. math:: v(S) = R^2(\hat\beta_{T \cup S}) - R^2(\hat\beta_T)

with :math:`\hat\beta` the ridge solution on the merged statistics and :math:`R^2` on the validation statistic.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from headwater.errors import Message, Refusal
from headwater.statistics.gram import Gram
from headwater.statistics.statistic import Statistic
from headwater.types import Masks, SourceId, Vector

__all__ = ["GramUtility"]

_CHUNK_BYTES = 1 << 23


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

    def __post_init__(self) -> None:
        packed = [self._pack(statistic) for statistic in (self.target, *self.sources.values())]
        object.__setattr__(self, "_parts", np.stack(packed))
        object.__setattr__(self, "_base", self.r2(np.zeros((1, len(self.sources)), dtype=np.bool_))[0])

    @property
    def players(self) -> tuple[SourceId, ...]:
        """The sources in the order of the masks' columns."""
        return tuple(self.sources)

    def __call__(self, coalitions: Masks) -> Vector:
        """Return v for each coalition, ``coalitions`` being (m, sources); v of the empty coalition is 0."""
        return np.asarray(self.r2(coalitions) - self._base, dtype=np.float64)

    def r2(self, coalitions: Masks) -> Vector:
        """Return R² on the validation statistic of target + coalition, for each coalition."""
        validation = self.gram.moments(self.validation)
        variance = validation.yy / validation.n - (validation.y / validation.n) ** 2 if validation.n >= 1 else 0.0
        if variance <= self.gram.encoding.resolution:
            raise _no_validation()
        # Coalitions are small systems: on a busy machine threads would only wait for each other.
        with threadpool_limits(limits=1, user_api="blas"):
            coefficients = self._solve(coalitions)
        fitted = np.einsum("md,md->m", coefficients @ validation.xx, coefficients)
        squared = validation.yy - 2 * coefficients @ validation.xy + fitted
        return np.asarray(1.0 - squared / validation.n / variance, dtype=np.float64)

    def _solve(self, coalitions: Masks) -> Vector:
        """Return (m, dim) coefficients, solved in chunks that stay in cache."""
        dim = self.gram.dim
        rows = max(1, _CHUNK_BYTES // (8 * dim * (dim + 1)))
        out = np.empty((len(coalitions), dim))
        for start in range(0, len(coalitions), rows):
            chosen = coalitions[start : start + rows].astype(np.float64)
            system = (self._parts[0] + chosen @ self._parts[1:]).reshape(-1, dim, dim + 1)
            out[start : start + rows] = _solved(system)
        return out

    def _pack(self, statistic: Statistic) -> Vector:
        """Return XᵀX and Xᵀy side by side, the ridge in the target's."""
        moments = self.gram.moments(statistic)
        ridge = np.diag(self.gram.penalty(self.ridge)) if statistic is self.target else 0.0
        return np.hstack([moments.xx + ridge, moments.xy[:, None]]).ravel()


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
