"""What poisoned sources may put into a sum, each as a function from everyone's records to everyone's statistics.

The families are those of the literature: labels flipped, shifted, scaled; moments with the wrong sign (sign flip);
another model (model replacement); ten times the weight (boosting); one direction by agreement (collusion); a subgroup's
labels (back door); a little each (Baruch 2019, "A little is enough"); another's records (free riders); opposite
directions, so that sums tell little. Records stay within the bounds of records.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from headwater.bench.poison_federations import Rows
from headwater.statistics import Gram, Statistic, on_grid
from headwater.types import Vector

__all__ = ["ATTACKS", "Attack", "spoken"]

Attack = Callable[[np.random.Generator, Sequence[Rows], Sequence[int]], list[Rows]]
"""From everyone's records and the places of the poisoned to the records that those answer from."""

_BOOST = 10


def spoken(
    gram: Gram, rows: Sequence[Rows], poisoned: Sequence[int], attack: str, rng: np.random.Generator
) -> list[Statistic]:
    """Return everyone's statistic, the poisoned ones' under the attack."""
    said = [gram.statistic(*each) for each in rows]
    for place, (x, y) in zip(poisoned, ATTACKS[attack](rng, rows, poisoned), strict=True):
        said[place] = gram.statistic(x, on_grid(y))
        if attack == "boosted":
            said[place] = Statistic(gram.kind, (gram.dim,), said[place].values * np.uint64(_BOOST))
    return said


def _direction(rng: np.random.Generator, rows: Sequence[Rows]) -> Vector:
    direction = rng.normal(size=rows[0][0].shape[1])
    return np.asarray(direction / np.linalg.norm(direction))


def _labels(change: Callable[[Vector, Vector], Vector]) -> Attack:
    """Return the attack that changes labels, given features and labels."""

    def attack(rng: np.random.Generator, rows: Sequence[Rows], poisoned: Sequence[int]) -> list[Rows]:
        return [(x, change(x, y)) for x, y in (rows[place] for place in poisoned)]

    return attack


def _pushed(strength: float, signs: tuple[float, float] = (1.0, 1.0)) -> Attack:
    """Return the attack in which all push in one direction, or every other one in the opposite."""

    def attack(rng: np.random.Generator, rows: Sequence[Rows], poisoned: Sequence[int]) -> list[Rows]:
        push = strength * _direction(rng, rows)
        pushed = enumerate(rows[place] for place in poisoned)
        return [(x, y + signs[turn % 2] * (x @ push)) for turn, (x, y) in pushed]

    return attack


def _replaced(rng: np.random.Generator, rows: Sequence[Rows], poisoned: Sequence[int]) -> list[Rows]:
    said = []
    for x, y in (rows[place] for place in poisoned):
        said.append((x, x @ rng.normal(size=x.shape[1]) + rng.normal(size=len(y))))
    return said


def _free_riding(rng: np.random.Generator, rows: Sequence[Rows], poisoned: Sequence[int]) -> list[Rows]:
    honest = next(place for place in range(len(rows)) if place not in set(poisoned))
    return [rows[honest] for _ in poisoned]


ATTACKS: Mapping[str, Attack] = {
    "flipped": _labels(lambda x, y: -y),
    "shifted": _labels(lambda x, y: y + 1.0),
    "scaled": _labels(lambda x, y: 3.0 * y),
    "replaced": _replaced,
    "boosted": _labels(lambda x, y: -y),
    "collusion": _pushed(1.0),
    "back_door": _labels(lambda x, y: np.where(x[:, 1] > 1.0, y + 3.0, y)),
    "a_little": _pushed(0.25),
    "free_riders": _free_riding,
    "opposed": _pushed(1.0, (1.0, -1.0)),
}
"""Every attack by its name. Flipped labels are a flipped moment too: a statistic holds labels in the moment alone."""
