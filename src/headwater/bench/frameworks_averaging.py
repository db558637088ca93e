"""Federated averaging at its best: many settings, and the fewest bytes by which any of them reaches an accuracy.

All sources train at once: their records lie in one block, shorter ones filled up with records of weight 0. Parameters
travel as float32, once down and once up a round. Source: McMahan et al. 2017, algorithm 1.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from headwater.types import Vector

__all__ = ["Block", "Score", "Setting", "bytes_to_reach"]

_WIRE = 8
"""Bytes of a parameter in a round: float32 down, float32 up."""


@dataclass(frozen=True, eq=False)
class Block:
    """Everyone's records: ``x`` (sources, rows, dim), ``y`` and ``inside`` (sources, rows), 0 where there is none."""

    x: Vector
    y: Vector
    inside: Vector

    @staticmethod
    def of(parts: Iterable[tuple[Vector, Vector]]) -> "Block":
        """Return sources' features and labels as one block."""
        held = list(parts)
        rows = max(len(y) for _, y in held)
        x = np.stack([np.pad(one, ((0, rows - len(one)), (0, 0))) for one, _ in held])
        y = np.stack([np.pad(one, (0, rows - len(one))) for _, one in held])
        return Block(x, y, np.stack([np.arange(rows) < len(one) for _, one in held]).astype(np.float64))


@dataclass(frozen=True)
class Setting:
    """One way of federated averaging: ``hidden`` units (0: a linear model), local ``epochs``, ``rate`` of descent."""

    hidden: int
    epochs: int
    rate: float
    batch: int = 32

    def start(self, dim: int, rng: np.random.Generator) -> list[Vector]:
        """Return the parameters of the first round."""
        if not self.hidden:
            return [np.zeros(dim)]
        return [rng.normal(size=(dim, self.hidden)) / np.sqrt(dim), rng.normal(size=self.hidden) / np.sqrt(self.hidden)]

    def sent(self, dim: int, rounds: int) -> int:
        """Return the bytes of one source in so many rounds over ``dim`` features."""
        return rounds * _WIRE * ((dim + 1) * self.hidden or dim)

    def predict(self, parameters: list[Vector], x: Vector) -> Vector:
        """Return what parameters (…) put out for ``x`` (…, rows, dim)."""
        if not self.hidden:
            return np.asarray(np.einsum("...rd,...d->...r", x, parameters[0]))
        return np.asarray(np.einsum("...rh,...h->...r", np.tanh(x @ parameters[0]), parameters[1]))

    def round(self, parameters: list[Vector], block: Block, rng: np.random.Generator) -> list[Vector]:
        """Return the mean of what descent at each source makes of the parameters, weighted by records."""
        sources, rows = block.y.shape
        theirs = [np.repeat(one[None], sources, axis=0) for one in parameters]
        for _ in range(self.epochs):
            order = rng.permutation(rows)
            for start in range(0, rows, self.batch):
                at = order[start : start + self.batch]
                self._step(theirs, block.x[:, at], block.y[:, at], block.inside[:, at])
        share = block.inside.sum(axis=1) / block.inside.sum()
        return [np.tensordot(share, one, axes=1) for one in theirs]

    def _step(self, theirs: list[Vector], x: Vector, y: Vector, inside: Vector) -> None:
        count = np.maximum(inside.sum(axis=1), 1.0)[:, None]
        error = inside * (self.predict(theirs, x) - y) / count
        if not self.hidden:
            theirs[0] -= self.rate * np.einsum("sr,srd->sd", error, x)
            return
        unit = np.tanh(x @ theirs[0])
        back = error[:, :, None] * theirs[1][:, None, :] * (1 - unit**2)
        theirs[1] -= self.rate * np.einsum("sr,srh->sh", error, unit)
        theirs[0] -= self.rate * np.einsum("srd,srh->sdh", x, back)


Score: TypeAlias = Callable[[Setting, list[Vector]], float]
"""How good parameters are on records held out."""


def bytes_to_reach(setting: Setting, block: Block, score: Score, goal: float, *, rounds: int) -> int:
    """Return the bytes of one source until ``score`` of the predictions reaches ``goal``; -1 if no round does.

    Parameters
    ----------
    score : of parameters on records held out
    """
    rng = np.random.default_rng(7)
    parameters = setting.start(block.x.shape[2], rng)
    for number in range(1, rounds + 1):
        parameters = setting.round(parameters, block, rng)
        if not all(np.isfinite(one).all() for one in parameters):
            return -1
        if score(setting, parameters) >= goal:
            return setting.sent(block.x.shape[2], number)
    return -1
