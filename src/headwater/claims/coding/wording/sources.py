"""Hospitals as folds: one hospital's names are asked of the others, as a new hospital's will be."""

from collections.abc import Sequence

import numpy as np

from headwater.claims.coding.reading import Indices
from headwater.claims.coding.wording.words import plain

__all__ = ["drawn", "folds"]

_ONE_LIST = 0.2
_MOST_FOLDS = 5


def folds(names: Sequence[str], sources: Sequence[str]) -> Indices:
    """Return (n,) numbers of folds, at most five; hospitals that share a fifth of the smaller list stay together.

    Two hospitals of one owner print one list: asked of each other they would only repeat it. Without known sources
    every name is a source of its own.
    """
    listed = sorted(set(sources))
    texts: dict[str, set[str]] = {source: set() for source in listed}
    for name, source in zip(names, sources, strict=True):
        texts[source].add(plain(name))
    owner = {source: source for source in listed}
    if len(listed) > 1:
        for place, one in enumerate(listed):
            for other in listed[place + 1 :]:
                least = min(len(texts[one]), len(texts[other]))
                if len(texts[one] & texts[other]) >= _ONE_LIST * least:
                    kept, gone = owner[one], owner[other]
                    owner = {source: kept if at == gone else at for source, at in owner.items()}
    size: dict[str, int] = {}
    for source in sources:
        size[owner[source]] = size.get(owner[source], 0) + 1
    load = [0] * min(_MOST_FOLDS, len(size))
    fold: dict[str, int] = {}
    for source in sorted(size, key=lambda source: (-size[source], source)):
        fold[source] = int(np.argmin(load))
        load[fold[source]] += size[source]
    return np.array([fold[owner[source]] for source in sources], dtype=np.int64)


def drawn(codes: Sequence[str], sources: Sequence[str], most: int, rng: np.random.Generator) -> Indices:
    """Return places of at most ``most`` names of each code and source, drawn at random, in order of place."""
    seen: dict[tuple[str, str], int] = {}
    kept = []
    for place in rng.permutation(len(codes)).tolist():
        key = codes[place], sources[place]
        seen[key] = seen.get(key, 0) + 1
        if seen[key] <= most:
            kept.append(place)
    return np.array(sorted(kept), dtype=np.int64)
