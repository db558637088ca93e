"""From pairs to codes: each name's best codes with their probabilities."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from headwater.claims.coding.blocking import Candidates, Floats
from headwater.claims.coding.reading import Indices
from headwater.claims.coding.reference import Reference
from headwater.claims.coding.wording import Wording

__all__ = ["Ranked", "answered", "falling", "ranked"]

_SHOWN = 5
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Ranked:
    """The best codes of n names, best first.

    Parameters
    ----------
    name, code, chance : (k,) number of the name, of the code, and its probability before calibration; five a name
    barred : (k,) whether the entry that speaks most for the code is in conflict with the name
    first : (n,) where a name's best stands, or -1
    known : (n,) probability that the name means any code of the reference
    """

    name: Indices
    code: Indices
    chance: Floats
    barred: Flags
    first: Indices
    known: Floats


def ranked(reference: Reference, pairs: Candidates, chance: Floats, barred: Flags, count: int) -> Ranked:
    """Return the best codes of each of ``count`` names.

    They are ordered by the probability of what they are called, and within it by how often the code goes by that name:
    of a name that 250 codes share, each is improbable, and still better than another name.
    """
    pair, code, share, lead = _codes(reference, pairs)
    key = pairs.name[pair] * len(reference.codes) + code
    part, worth = chance[pair] * share, chance[pair] * lead
    # Within a code the strongest entry goes first, and speaks for whether there is a conflict.
    order = np.lexsort((pair, -worth, key))
    key, part, worth, pair = key[order], part[order], worth[order], pair[order]
    head = _heads(key)
    together = np.add.reduceat(part, head) if len(head) else np.empty(0)
    name, code, worth, conflict = (
        pairs.name[pair[head]],
        key[head] % len(reference.codes),
        worth[head],
        barred[pair[head]],
    )
    # Equals go by the code, so that a tie is cut the same way every time.
    order = np.lexsort((code, -np.round(together, 9), -np.round(worth, 9), name))
    name, code, together, conflict = name[order], code[order], together[order], conflict[order]
    rank, opens = _ranks(name), _heads(name)
    kept = rank < _SHOWN
    first: Indices = np.full(count, -1, dtype=np.int64)
    first[name[opens]] = np.flatnonzero(rank[kept] == 0)
    known: Floats = np.bincount(pairs.name, chance, minlength=count).astype(np.float64)
    chances = falling(together[kept], name[kept])
    return Ranked(name[kept], code[kept], chances, conflict[kept], first, known)


def falling(values: Floats, name: Indices) -> Floats:
    """Return (k,) values of which none is above that of a better code of the same name."""
    rank, values = _ranks(name), values.copy()
    for place in range(1, _SHOWN):
        later = np.flatnonzero(rank == place)
        values[later] = np.minimum(values[later], values[later - 1])
    return values


def _ranks(name: Indices) -> Indices:
    """Return the place of each row among those of its name, from 0."""
    opens = _heads(name)
    return np.asarray(np.arange(len(name)) - np.repeat(opens, np.diff(np.append(opens, len(name)))))


def _codes(reference: Reference, pairs: Candidates) -> tuple[Indices, Indices, Floats, Floats]:
    """Return for each pair the codes of its entry: pair, code, share in the entry, and share beside the commonest."""
    start, stop = reference.start[pairs.entry], reference.start[pairs.entry + 1]
    size = np.minimum(stop - start, _SHOWN + 1)
    pair = np.repeat(np.arange(len(size)), size)
    place = start[pair] + np.arange(len(pair)) - np.repeat(np.cumsum(size) - size, size)
    total = np.add.reduceat(reference.weight, reference.start[:-1])
    most = np.maximum.reduceat(reference.weight, reference.start[:-1])
    weight, entry = reference.weight[place], pairs.entry[pair]
    return pair, reference.code[place], weight / total[entry], weight / most[entry]


def _heads(keys: Indices) -> Indices:
    """Return where each run of equal keys begins."""
    return np.flatnonzero(np.append(True, keys[1:] != keys[:-1])) if len(keys) else np.empty(0, dtype=np.int64)


def answered(reference: Reference, wording: Wording, names: Sequence[str]) -> Ranked:
    """Return the best codes of (n,) names by what other hospitals call them; chances are calibrated already."""
    number = {code: place for place, code in enumerate(reference.codes)}
    place = np.array([number[code] for code in wording.codes], dtype=np.int64)
    code, share, known, conflict = wording.answers(names)
    code, share = code[:, :_SHOWN], share[:, :_SHOWN]
    count, width = code.shape if len(names) else (0, 1)
    return Ranked(
        name=np.repeat(np.arange(count), width),
        code=place[code].ravel(),
        chance=share.ravel(),
        barred=(np.arange(count * width) % width == 0) & np.repeat(conflict, width),
        first=(np.arange(count) * width).astype(np.int64),
        known=np.asarray(known, dtype=np.float64),
    )
