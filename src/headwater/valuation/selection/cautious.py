r"""The game as a target with few records should see it, so that a choice among many does not fit its noise.

A target of 200 records that chooses 100 of 10,000 sources finds a set that fits its validation records and nothing
else. Three things keep it honest, all from statistics that are at hand:

- a source joins only if its relation between features and label may be the target's (Chow 1960: the gradient of its
  errors at the common coefficients against what sampling allows), the common coefficients being those of all that pass;
- the judge is not the validation sample but those coefficients :math:`\tilde\beta`, drawn towards the target's own only
  as far as the two differ beyond chance (positive-part shrinkage after James and Stein 1961, at the 95 % point);
- no coalition is credited with a fit closer than its own records allow:

.. math:: r(S) = \max\bigl(\lVert\hat\beta_S-\tilde\beta\rVert^2_\Sigma,\; s^2\,\mathrm{tr}(\Sigma A_S^{-1})\bigr)
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import stats

from headwater.types import Masks, SourceId, Vector
from headwater.valuation.selection.problem import Places
from headwater.valuation.utilities.statistics import GramUtility

__all__ = ["CautiousUtility", "cautious"]

_SURE = 0.95
_UNLIKELY = 0.975
_DOUBT = 1.0
_ROUNDS = 12
_JITTER = 1e-9


@dataclass(frozen=True, eq=False)
class CautiousUtility:
    """Gain in expected R² over the target alone.

    Parameters
    ----------
    systems : (1 + sources, dim, dim + 1) XᵀX and Xᵀy side by side, the target's with its ridge first
    centre : (dim,) what the target's coefficients are taken to be
    spread : (dim, dim) second moments of the features per record
    noise, variance : of a record around the coefficients, and of its label
    allowed : (sources,) whose relation may be the target's
    weight : how far the centre is the target's own, 0 to 1
    players : the sources in the order of the masks' columns
    """

    systems: Vector
    centre: Vector
    spread: Vector
    noise: float
    variance: float
    allowed: npt.NDArray[np.bool_]
    weight: float
    players: tuple[SourceId, ...]

    def __call__(self, coalitions: Masks) -> Vector:
        """Return the gain of each of (m, sources) coalitions; 0 for the empty one."""
        flat = self.systems.reshape(len(self.systems), -1)
        return self._gains(flat[0] + coalitions.astype(np.float64) @ flat[1:])

    def additions(self, inside: npt.NDArray[np.bool_], places: Places) -> Vector:
        """Return the gains of ``inside`` with each of ``places`` added."""
        flat = self.systems.reshape(len(self.systems), -1)
        return self._gains(self._sum(inside.astype(np.float64)).ravel() + flat[1 + places])

    def slopes(self, weights: Vector) -> Vector:
        """Return the (sources,) gradient of the gain at fractional membership, of the larger part of the risk."""
        system = self._sum(weights)
        inverse = np.linalg.inv(system[:, :-1])
        away = inverse @ system[:, -1] - self.centre
        if away @ self.spread @ away >= self.noise * float(np.sum(inverse * self.spread)):
            pull = -2 * inverse @ self.spread @ away
            outer = np.hstack([np.outer(-pull, inverse @ system[:, -1]), pull[:, None]])
        else:
            freed = self.noise * inverse @ self.spread @ inverse
            outer = np.hstack([freed, np.zeros((len(freed), 1))])
        # XᵀX is symmetric: reading one half of it for every source takes half the time.
        rows, columns = _halves(len(away))
        twice = np.where((rows == columns) | (columns == len(away)), 0.0, outer[columns % len(away), rows])
        return np.asarray(self._half @ (outer[rows, columns] + twice) / self.variance, dtype=np.float64)

    def among(self, places: Places) -> "CautiousUtility":
        """Return the game of some of the sources alone."""
        names = tuple(self.players[place] for place in places)
        return replace(self, systems=self.systems[[0, *(1 + places)]], allowed=self.allowed[places], players=names)

    @cached_property
    def ceiling(self) -> float:
        """No coalition gains more: the risk of the target alone."""
        return float(self._risk(self.systems[:1])[0]) / self.variance

    @cached_property
    def _half(self) -> Vector:
        """The upper half of every source's system, its last column included."""
        return np.ascontiguousarray(self.systems[1:, *_halves(self.systems.shape[1])])

    def _sum(self, weights: Vector) -> Vector:
        members = np.flatnonzero(weights)
        flat = self.systems.reshape(len(self.systems), -1)
        # A choice is a few of many: reading all systems for it would be most of the work.
        total = flat[0] + weights[members] @ flat[1 + members]
        return np.asarray(total.reshape(self.systems.shape[1:]), dtype=np.float64)

    def _gains(self, flat: Vector) -> Vector:
        systems = flat.reshape(-1, *self.systems.shape[1:])
        return np.asarray(self.ceiling - self._risk(systems) / self.variance, dtype=np.float64)

    def _risk(self, systems: Vector) -> Vector:
        inverse = np.linalg.inv(systems[:, :, :-1])
        away = np.einsum("mde,me->md", inverse, systems[:, :, -1]) - self.centre
        plain = np.sum((away @ self.spread) * away, axis=1)
        return np.asarray(np.maximum(plain, self.noise * np.einsum("mde,ed->m", inverse, self.spread)))


def _halves(dim: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return rows and columns of the upper half of a (dim, dim + 1) system."""
    rows, columns = np.triu_indices(dim, m=dim + 1)
    return rows, columns


def cautious(game: GramUtility) -> CautiousUtility:
    """Return the cautious form of a game of Gram statistics."""
    systems = game.systems
    both = game.gram.moments(game.target.merge(game.validation))
    own, records = np.hstack([both.xx, both.xy[:, None]]), both.n
    variance = max(float(both.yy / records - (both.y / records) ** 2), game.gram.encoding.resolution)
    alone = _solved(own)
    squares = float(both.yy - 2 * alone @ own[:, -1] + alone @ own[:, :-1] @ alone)
    noise = min(max(squares / max(1.0, records - len(alone)), 1e-6 * variance), variance)
    allowed, centre, weight = _kin(systems[1:], own, noise)
    counts = float(records + systems[1:][allowed, 0, 0].sum()) if game.gram.intercept else records
    spread = (own[:, :-1] + systems[1:][allowed, :, :-1].sum(axis=0)) / counts
    return CautiousUtility(systems, centre, spread, noise, variance, allowed, weight, game.players)


def _kin(sources: Vector, own: Vector, noise: float) -> tuple[npt.NDArray[np.bool_], Vector, float]:
    """Return who may share the target's relation, its coefficients, and their weight on the target's own."""
    allowed = _alike(sources, _solved(own), own[:, :-1], noise)
    centre, weight = _solved(own), 1.0
    for _ in range(_ROUNDS):
        joint = own + sources[allowed].sum(axis=0)
        centre, weight = _shrunk(_solved(own), _solved(joint), own[:, :-1], noise)
        again = _alike(sources, centre, joint[:, :-1], noise)
        if (again == allowed).all():
            break
        allowed = again
    return allowed, centre, weight


def _shrunk(alone: Vector, joint: Vector, squares: Vector, noise: float) -> tuple[Vector, float]:
    """Return the joint coefficients, moved towards the target's own as far as chance does not explain."""
    away = alone - joint
    distance = float(away @ squares @ away) / noise
    # Without anyone to share with, the target's own coefficients are all there is.
    weight = max(0.0, 1.0 - float(stats.chi2.ppf(_SURE, len(alone))) / distance) if away.any() else 1.0
    return joint + weight * away, weight


def _alike(sources: Vector, centre: Vector, squares: Vector, noise: float) -> npt.NDArray[np.bool_]:
    """Return whose errors at the centre are what sampling allows, the centre itself resting on ``squares``.

    The gradient g = Xᵀ(y − Xβ) of a source of the same relation has the variance s²(A + A C A), C being that of β.
    """
    squared, moments = sources[:, :, :-1], sources[:, :, -1]
    gradient = moments - squared @ centre
    size = squares.shape[0]
    ridge = _JITTER * np.trace(squared, axis1=1, axis2=2)[:, None, None] * np.eye(size) + _JITTER * np.eye(size)
    # One product of all sources' rows is faster than one a source.
    turned = (squared.reshape(-1, size) @ np.linalg.inv(squares + ridge[0])).reshape(squared.shape)
    spread = squared + turned @ squared + ridge
    scaled = np.linalg.solve(spread, gradient[:, :, None])[:, :, 0]
    surprise = np.einsum("nd,nd->n", gradient, scaled) / noise
    # A source of fewer records than features says as much as it has records.
    bounds = _most_surprise(np.arange(1, size + 1))
    degrees = np.clip(squared[:, 0, 0], 1, size).astype(np.int64)
    return np.asarray(surprise <= bounds[degrees - 1], dtype=np.bool_)


def _most_surprise(degrees: Vector) -> Vector:
    """Return the surprise up to which a source may join.

    Beside what chance explains: a source of n records spares its coalition of N a variance of s² d n / N² and brings a
    bias of s² (q − d) n / N², which is known only to ±s² √(2d) n / N². It joins if it spares more than it may bring.
    """
    spares = 2 * degrees - _DOUBT * np.sqrt(2 * degrees)
    return np.asarray(np.minimum(stats.chi2.ppf(_UNLIKELY, degrees), spares), dtype=np.float64)


def _solved(system: Vector) -> Vector:
    squares = system[:, :-1]
    ridge = _JITTER * (np.trace(squares) + 1.0) * np.eye(len(squares))
    return np.asarray(np.linalg.solve(squares + ridge, system[:, -1]), dtype=np.float64)
