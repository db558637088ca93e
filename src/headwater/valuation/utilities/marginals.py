r"""What every source adds to one coalition, for many sources at once.

With :math:`A, b` the coalition's system, :math:`\beta = A^{-1} b` and a source's :math:`G, h`, the source moves the
solution by :math:`\delta = \pm (A \pm G)^{-1} (h - G \beta)` (minus where it is a member and leaves) and the squared
error by :math:`2 (V\beta - v)^T \delta + \delta^T V \delta`. Nothing is subtracted that is nearly equal, so single
precision is enough; one elimination runs over the sources as its innermost axis.

Everything is first rotated so that target + mean source is the identity: single precision stays sound however
features are scaled.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import solve_triangular

from headwater.types import Masks, Vector

__all__ = ["RidgeMarginals"]

_Single = npt.NDArray[np.float32]
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
    chunks : systems as (dim, dim + 1, up to 2048) single-precision arrays
    """

    base: Vector
    parts: Vector
    xx: Vector
    xy: Vector
    chunks: tuple[_Single, ...]

    @staticmethod
    def of(base: Vector, parts: Vector, xx: Vector, xy: Vector) -> "RidgeMarginals":
        """Rotate the systems so that target + mean source is the identity, and lay them out."""
        dim = len(base)
        mean = parts.mean(axis=0).reshape(dim, dim + 1) if len(parts) else np.zeros_like(base)
        factor = np.linalg.cholesky(base[:, :dim] + mean[:, :dim])
        inverse = solve_triangular(factor, np.eye(dim), lower=True)
        wide = np.block([[inverse.T, np.zeros((dim, 1))], [np.zeros((1, dim)), np.ones((1, 1))]])
        rotated = (inverse @ parts.reshape(-1, dim, dim + 1) @ wide).reshape(len(parts), -1)
        chunks = tuple(
            np.ascontiguousarray(rotated[start : start + _CHUNK].T.reshape(dim, dim + 1, -1), dtype=np.float32)
            for start in range(0, len(parts), _CHUNK)
        )
        return RidgeMarginals(inverse @ base @ wide, rotated, inverse @ xx @ inverse.T, inverse @ xy, chunks)

    def __call__(self, coalitions: Masks) -> Vector:
        """Return (m, sources): v(S with i) − v(S without i) for each coalition S and source i."""
        out = np.empty(coalitions.shape)
        for start in range(0, len(coalitions), _MASKS_AT_ONCE):
            some = coalitions[start : start + _MASKS_AT_ONCE]
            sums = (some.astype(np.float64) @ self.parts).reshape(len(some), *self.base.shape) + self.base
            for place, (system, members) in enumerate(zip(sums, some, strict=True), start):
                out[place] = self._at(system, members)
        return out

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


def _moves(chunk: _Single, sign: _Single, matrix: _Single, beta: _Single) -> _Single:
    """Return (dim, sources): how far each source moves the solution when it joins (+1) or leaves (−1)."""
    dim = len(matrix)
    rows = chunk * sign
    rows[:, dim] -= np.einsum("ijn,j->in", rows[:, :dim], beta)
    rows[:, :dim] += matrix[:, :, None]
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
