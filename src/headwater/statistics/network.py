"""A small network in NumPy: one hidden layer of rectifiers, for features that a target learns from its own records."""

from dataclasses import dataclass

import numpy as np

from headwater.types import Vector

__all__ = ["Network"]

_RATE, _DECAY, _STEPS = 0.02, 1e-3, 150


@dataclass(frozen=True, eq=False)
class Network:
    """Predicts ``max(0, x @ first) @ last + intercept``; the bias is a column of ``x``.

    Parameters
    ----------
    first : (dim, hidden) weights of the hidden layer
    last : (hidden,) weights of the output
    """

    first: Vector
    last: Vector
    intercept: float

    def __call__(self, x: Vector) -> Vector:
        """Return (rows,) predictions for (rows, dim) features."""
        return np.asarray(np.maximum(x @ self.first, 0.0) @ self.last + self.intercept)

    @staticmethod
    def start(dim: int, *, hidden: int, seed: int) -> "Network":
        """Return an untrained network (He et al. 2015)."""
        rng = np.random.default_rng(seed)
        first = rng.normal(size=(dim, hidden)) * np.sqrt(2.0 / dim)
        return Network(first, rng.normal(size=hidden) / np.sqrt(hidden), 0.0)

    @staticmethod
    def fit(x: Vector, y: Vector, *, hidden: int, seed: int, steps: int = _STEPS) -> "Network":
        """Train on squared error by full-batch steps of Adam (Kingma and Ba 2015), with weight decay."""
        network = Network.start(x.shape[1], hidden=hidden, seed=seed)
        parts = [network.first.copy(), network.last.copy(), np.zeros(1)]
        moments = [(np.zeros_like(part), np.zeros_like(part)) for part in parts]
        for step in range(1, steps + 1):
            hidden_values = np.maximum(x @ parts[0], 0.0)
            error = (hidden_values @ parts[1] + parts[2] - y) / len(y)
            back = error[:, None] * parts[1] * (hidden_values > 0)
            slopes = [x.T @ back, hidden_values.T @ error, error.sum(keepdims=True)]
            for part, slope, (mean, square) in zip(parts, slopes, moments, strict=True):
                _adam(part, slope + _DECAY * part, mean, square, step)
        return Network(parts[0], parts[1], float(parts[2][0]))


def _adam(part: Vector, slope: Vector, mean: Vector, square: Vector, step: int) -> None:
    mean += 0.1 * (slope - mean)
    square += 0.001 * (slope * slope - square)
    part -= _RATE * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
