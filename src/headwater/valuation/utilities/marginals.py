r"""What every source adds to one coalition, for many sources at once.

With :math:`A, b` the coalition's system, :math:`\beta = A^{-1} b` and a source's :math:`G, h`, the source moves the
solution by :math:`\delta = \pm (A \pm G)^{-1} (h - G \beta)` (minus where it is a member and leaves) and the squared
error by :math:`2 (V\beta - v)^T \delta + \delta^T V \delta`. Nothing is subtracted that is nearly equal, so single
precision is enough; one elimination runs over the sources as its innermost axis.

Everything is first rotated so that target + mean source is the identity: single precision stays sound however
features are scaled.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.linalg import solve_triangular

from headwater.types import Masks, Vector

__all__ = ["RidgeMarginals", "Single"]

Single = npt.NDArray[np.float32]
_CHUNK = 2048
"""Sources eliminated at once: their systems stay in the cache for a dozen features."""

_MASKS_AT_ONCE = 64


@dataclass(frozen=True, eq=False)
class RidgeMarginals:
    """The systems of a ridge game, laid out for elimination over sources.

    Parameters
    ----------
    base : (dim, dim + 1) XᵀX with the ridge, and Xᵀy, of the target
    parts : (sources, dim · (dim + 1)) the same of each source, flat
    xx, xy : (dim, dim) and (dim,) validation moments, divided by what makes squared error R²
    turn : (dim, dim) by which all of these are rotated
    chunks : systems as (dim, dim + 1, up to 2048) single-precision arrays
    """

    base: Vector
    parts: Vector
    xx: Vector
    xy: Vector
    turn: Vector
    chunks: tuple[Single, ...]

    @staticmethod
    def of(base: Vector, parts: Vector, xx: Vector, xy: Vector) -> "RidgeMarginals":
        """Rotate the systems so that target + mean source is the identity, and lay them out."""
        dim = len(base)
        mean = parts.mean(axis=0).reshape(dim, dim + 1) if len(parts) else np.zeros_like(base)
        factor = np.linalg.cholesky(base[:, :dim] + mean[:, :dim])
        turn = solve_triangular(factor, np.eye(dim), lower=True)
        rotated = _turned(turn, parts.reshape(-1, dim, dim + 1)).reshape(len(parts), -1)
        return RidgeMarginals(
            _turned(turn, base), rotated, turn @ xx @ turn.T, turn @ xy, turn, _laid_out(dim, rotated)
        )

    def __call__(self, coalitions: Masks) -> Vector:
        """Return (m, sources): v(S with i) − v(S without i) for each coalition S and source i."""
        out = np.empty(coalitions.shape)
        for start in range(0, len(coalitions), _MASKS_AT_ONCE):
            some = coalitions[start : start + _MASKS_AT_ONCE]
            sums = (some.astype(np.float64) @ self.parts).reshape(len(some), *self.base.shape) + self.base
            out[start : start + len(some)] = self.at(sums, some)
        return out

    def at(self, systems: Vector, coalitions: Masks) -> Vector:
        """Return the same where the rotated systems (m, dim, dim + 1) of target + coalition are known."""
        out = np.empty(coalitions.shape)
        for place, (system, members) in enumerate(zip(systems, coalitions, strict=True)):
            out[place] = self._at(system, members)
        return out

    def turned(self, systems: Vector) -> Vector:
        """Return systems (m, dim, dim + 1) rotated as those here are."""
        return _turned(self.turn, systems)

    def renewed(self, places: npt.NDArray[np.int64], systems: Vector) -> "RidgeMarginals":
        """Return the layout with other systems, not rotated yet, at some places."""
        rotated, chunks = self.turned(systems), list(self.chunks)
        parts = self.parts.copy()
        parts[places] = rotated.reshape(len(places), parts.shape[1])
        for which in np.unique(places // _CHUNK).tolist():
            mine = places // _CHUNK == which
            chunks[which] = chunks[which].copy()
            chunks[which][:, :, places[mine] % _CHUNK] = rotated[mine].transpose(1, 2, 0)
        return replace(self, parts=parts, chunks=tuple(chunks))

    def of_some(self, places: npt.NDArray[np.int64]) -> "RidgeMarginals":
        """Return the layout of some sources alone."""
        parts = self.parts[places]
        return replace(self, parts=parts, chunks=_laid_out(len(self.base), parts))

    def first_order(self, systems: Vector) -> Single:
        r"""Return (m, sources): the marginals as far as they are linear in what the source says.

        That is :math:`-2 (V\beta - v)^T A^{-1} (h - G\beta)`, whether the source joins or leaves; one product of
        matrices for all sources and coalitions. What is left out falls with the square of the coalition's size.
        """
        dim = len(self.base)
        beta = np.linalg.solve(systems[:, :, :dim], systems[:, :, dim:])[:, :, 0]
        bent = np.linalg.solve(systems[:, :, :dim], 2 * (beta @ self.xx - self.xy)[:, :, None])
        slopes = (bent * np.concatenate([beta, np.full((len(beta), 1), -1.0)], axis=1)[:, None, :]).reshape(
            len(beta), -1
        )
        single = slopes.astype(np.float32)
        return np.concatenate([single @ chunk.reshape(single.shape[1], -1) for chunk in self.chunks], axis=1)

    def crossed(self, systems: Vector, coalitions: Masks) -> Vector:
        """Return what ``at`` does, all systems in one elimination: for few sources."""
        dim, (several, count) = len(self.base), coalitions.shape
        beta = np.linalg.solve(systems[:, :, :dim], systems[:, :, dim:])[:, :, 0]
        gradient = 2 * (beta @ self.xx - self.xy)
        part = np.concatenate(self.chunks, axis=2) if self.chunks else np.empty((dim, dim + 1, 0), np.float32)
        sign = np.where(coalitions, np.float32(-1), np.float32(1))
        rows = part[:, :, None, :] * sign
        rows[:, dim] -= np.einsum("ijn,mj->imn", part[:, :dim], beta.astype(np.float32)) * sign
        rows[:, :dim] += systems[:, :, :dim].transpose(1, 2, 0).astype(np.float32)[:, :, :, None]
        moved = _eliminated(rows.reshape(dim, dim + 1, -1)).reshape(dim, several, count)
        bent = np.tensordot(self.xx.astype(np.float32), moved, 1)
        return np.asarray(
            -sign * (np.einsum("mi,imn->mn", gradient.astype(np.float32), moved) + (moved * bent).sum(axis=0)),
            dtype=np.float64,
        )

    def reaches(self, system: Vector) -> Vector:
        """Return (sources,): how much each says, times how far that lies from the solution of one system."""
        dim = len(self.base)
        parts = self.parts.reshape(-1, dim, dim + 1)
        beta = np.linalg.solve(system[:, :dim], system[:, dim])
        apart = parts[:, :, dim] - parts[:, :, :dim] @ beta
        return np.asarray(np.einsum("nii->n", parts[:, :, :dim]) * np.linalg.norm(apart, axis=1), dtype=np.float64)

    def gain(self, system: Vector) -> float:
        """Return R² on the validation records of one system's solution, less a constant that is the same for all."""
        beta = np.linalg.solve(system[:, :-1], system[:, -1])
        return float(2 * self.xy @ beta - beta @ self.xx @ beta)

    def _at(self, system: Vector, members: npt.NDArray[np.bool_]) -> Vector:
        beta = np.linalg.solve(system[:, :-1], system[:, -1])
        gradient = 2 * (self.xx @ beta - self.xy)
        signs = np.where(members, np.float32(-1), np.float32(1))
        matrix, beta32 = system[:, :-1].astype(np.float32), beta.astype(np.float32)
        gained = []
        for place, chunk in enumerate(self.chunks):
            sign = signs[place * _CHUNK : (place + 1) * _CHUNK]
            moved = _moves(chunk, sign, matrix, beta32)
            bent = np.tensordot(self.xx.astype(np.float32), moved, 1)
            gained.append(-sign * (gradient.astype(np.float32) @ moved + (moved * bent).sum(axis=0)))
        return np.concatenate(gained) if gained else np.empty(0)


def _turned(turn: Vector, systems: Vector) -> Vector:
    """Return systems (…, dim, dim + 1) rotated: the matrix from both sides, the moment from one."""
    dim = len(turn)
    wide = np.block([[turn.T, np.zeros((dim, 1))], [np.zeros((1, dim)), np.ones((1, 1))]])
    return np.asarray(turn @ systems @ wide, dtype=np.float64)


def _laid_out(dim: int, rotated: Vector) -> tuple[Single, ...]:
    return tuple(
        np.ascontiguousarray(rotated[start : start + _CHUNK].T.reshape(dim, dim + 1, -1), dtype=np.float32)
        for start in range(0, len(rotated), _CHUNK)
    )


def _moves(chunk: Single, sign: Single, matrix: Single, beta: Single) -> Single:
    """Return (dim, sources): how far each source moves the solution when it joins (+1) or leaves (−1)."""
    dim = len(matrix)
    rows = chunk * sign
    rows[:, dim] -= np.einsum("ijn,j->in", rows[:, :dim], beta)
    rows[:, :dim] += matrix[:, :, None]
    return _eliminated(rows)


def _eliminated(rows: Single) -> Single:
    """Solve systems (dim, dim + 1, n) over the last axis, in place, and return (dim, n)."""
    dim = len(rows)
    scratch = np.empty_like(rows)
    for pivot in range(dim - 1):
        factors, rest = rows[pivot + 1 :, pivot], rows[pivot + 1 :, pivot + 1 :]
        factors /= rows[pivot, pivot]
        product = scratch[pivot + 1 :, pivot + 1 :]
        np.multiply(factors[:, None], rows[pivot, None, pivot + 1 :], out=product)
        rest -= product
    moved = rows[:, dim]
    for pivot in range(dim - 1, -1, -1):
        moved[pivot] /= rows[pivot, pivot]
        moved[:pivot] -= rows[:pivot, pivot] * moved[pivot]
    return moved
