"""Random streams that depend on nothing but the seed and a place in the region."""

from enum import IntEnum

import numpy as np

__all__ = ["Part", "stream"]


class Part(IntEnum):
    """What a stream is for; every part of every block of stays has its own."""

    ARRIVALS = 1
    READMISSIONS = 2
    STAYS = 3
    COSTS = 4
    LINES = 5
    DIRT = 6
    CATALOGUE = 7
    COPIES = 8
    UPCODING = 9


def stream(seed: int, part: Part, *place: int) -> np.random.Generator:
    """Return the generator of one part at one place, e.g. hospital, month, block.

    The same seed, part and place give the same numbers whatever else is generated before, after or not at all.
    """
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(int(part), *place)))
