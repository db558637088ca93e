"""From pairs to codes: each name's best codes with their probabilities."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from headwater.claims.coding.blocking import Candidates, Floats
from headwater.claims.coding.reading import Indices
from headwater.claims.coding.reference import Reference

__all__ = ["Ranked", "ranked"]

_SHOWN = 5


@dataclass(frozen=True)
class Ranked:
    """The best codes of n names, best first.

    Parameters
    ----------
    name, code, chance : (k,) number of the name, of the code, and its probability before calibration; five a name
    barred : (k,) whether the entry that speaks most for the code is in conflict with the name
    first : (n,) where a name's best stands, or -1
    """

    name: Indices
    code: Indices
    chance: Floats
    barred: npt.NDArray[np.bool_]
    first: Indices


def ranked(
    reference: Reference, pairs: Candidates, chance: Floats, barred: npt.NDArray[np.bool_], count: int
) -> Ranked:
    """Return the best codes of each of ``count`` names."""
    start, stop = reference.start[pairs.entry], reference.start[pairs.entry + 1]
    size = np.minimum(stop - start, _SHOWN + 1)
    pair = np.repeat(np.arange(len(size)), size)
    place = start[pair] + np.arange(len(pair)) - np.repeat(np.cumsum(size) - size, size)
    total = np.add.reduceat(reference.weight, reference.start[:-1])
    part = chance[pair] * reference.weight[place] / total[pairs.entry[pair]]
    key = pairs.name[pair] * len(reference.codes) + reference.code[place]
    # Within a code the strongest entry goes first, and speaks for whether there is a conflict.
    order = np.lexsort((pair, -part, key))
    key, part, pair = key[order], part[order], pair[order]
    head = np.flatnonzero(np.append(True, key[1:] != key[:-1])) if len(key) else np.empty(0, dtype=np.int64)
    together = np.add.reduceat(part, head) if len(key) else np.empty(0)
    name, code, conflict = key[head] // len(reference.codes), key[head] % len(reference.codes), barred[pair[head]]
    # Equal probabilities go by the code, so that a tie is cut the same way every time.
    order = np.lexsort((code, -np.round(together, 9), name))
    name, code, together, conflict = name[order], code[order], together[order], conflict[order]
    opens = np.append(True, name[1:] != name[:-1]) if len(name) else np.empty(0, dtype=np.bool_)
    rank = np.arange(len(name)) - np.flatnonzero(opens)[np.cumsum(opens) - 1] if len(name) else np.empty(0, np.int64)
    kept = rank < _SHOWN
    name, code, together, conflict = name[kept], code[kept], together[kept], conflict[kept]
    first: Indices = np.full(count, -1, dtype=np.int64)
    first[name[rank[kept] == 0]] = np.flatnonzero(rank[kept] == 0)
    return Ranked(name, code, together, conflict, first)
