"""What estimates for very many sources are held against: thousands of orders of arrival, everyone valued at each.

One order of arrival tells one player's marginal a position; 4,000 orders of 10,000 players correlate .48 with 4,000
others, for each player stands in the first positions only a few times. So at each order, one position in each stretch
of positions is taken, and the marginals of *all* players at that prefix instead of the one who came next
(Rao–Blackwell): the same expectation with far less scatter. Orders come with their reversals.
"""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr

from headwater.adapters.home import Home
from headwater.types import Masks, Vector

__all__ = ["Reference", "cached", "folder_of", "reference"]

_GROWTH = 1.6
_LATE = 100
_LATE_EVERY = 8
"""Positions beyond the hundredth weigh little and scatter less: one order in eight is looked at there."""


@dataclass(frozen=True, eq=False)
class Reference:
    """Shapley values by ``permutations`` orders, with the Spearman correlation of the values by two halves of them."""

    values: Vector
    reliability: float
    permutations: int
    seconds: float


def reference(
    marginals: Callable[[Masks], Vector], size: int, *, permutations: int, rng: np.random.Generator
) -> Reference:
    """Return the values of ``size`` players whose marginals at (m, players) coalitions are known."""
    if permutations % (4 * _LATE_EVERY):
        raise ValueError(f"permutations must be a multiple of {4 * _LATE_EVERY}")
    started = time.perf_counter()
    edges = _edges(size)
    halves = np.zeros((2, size))
    for pair in range(permutations // 2):
        forward = rng.permutation(size)
        for order in (forward, forward[::-1]):
            halves[pair % 2] += _one_order(marginals, order, edges, rng, late=pair // 2 % _LATE_EVERY == 0)
    halves /= permutations / 2
    reliability = float(spearmanr(halves[0], halves[1]).statistic)
    return Reference(halves.mean(axis=0), reliability, permutations, time.perf_counter() - started)


def folder_of(given: Path | None) -> Path:
    """Return where references are kept from one run to the next: the folder given, or the installation's own."""
    return given or Home.from_environment().root / "cache" / "valuation-references"


def cached(key: bytes, compute: Callable[[], Reference], *, folder: Path | None = None) -> Reference:
    """Return the reference of a game whose content hashes to ``key``, computed once; its first seconds are kept."""
    place = folder_of(folder)
    path = place / f"{hashlib.sha256(key).hexdigest()[:32]}.npz"
    if path.exists():
        with np.load(path) as kept:
            reliability, permutations, seconds = kept["about"].tolist()
            return Reference(kept["values"], reliability, int(permutations), seconds)
    found = compute()
    place.mkdir(parents=True, exist_ok=True)
    np.savez(path, values=found.values, about=np.array([found.reliability, found.permutations, found.seconds]))
    return found


def _edges(size: int) -> npt.NDArray[np.int64]:
    edges = [0, 1]
    while edges[-1] < size:
        edges.append(min(size, max(edges[-1] + 1, int(edges[-1] * _GROWTH))))
    return np.array(edges)


def _one_order(
    marginals: Callable[[Masks], Vector],
    order: npt.NDArray[np.int64],
    edges: npt.NDArray[np.int64],
    rng: np.random.Generator,
    *,
    late: bool,
) -> Vector:
    """Return everyone's value by one order: of those yet to come in its first half, of those there in its second."""
    size, lengths = len(order), np.diff(edges)
    met = edges[:-1] + np.floor(rng.random(len(lengths)) * lengths).astype(np.int64)
    early = met <= size / 2
    prefixes = np.argsort(order)[None, :] < (met + ~early)[:, None]
    serves = prefixes ^ early[:, None]
    # Whoever serves is weighted up by the probability to: unbiased, and never by more than two.
    weights = lengths / np.where(early, size - met, met + 1) * np.where(met > _LATE, _LATE_EVERY, 1)
    rows = (met <= _LATE) | late
    found = marginals(prefixes[rows])
    return np.asarray((weights[rows, None] * np.where(serves[rows], found, 0.0)).sum(axis=0))
