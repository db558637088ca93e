"""What tells a reference apart: a character by which two of its own names differ is never a slip of the pen.

Two names of different codes that differ in one character teach that it matters: as a pair where one stands for the
other (left and right), by itself where it is there or not (*not*). Learned whenever a matcher is made, so that no table
of words has to foresee what a reference holds.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
import numpy.typing as npt

from headwater.claims.coding.blocking import Candidates
from headwater.claims.coding.reference import Reference

__all__ = ["Distinctions"]

Flags = npt.NDArray[np.bool_]
_SELDOM = 0.002
"""Share of the names with a character that are another's without it, below which it mostly says nothing (的, 性)."""

_FAMILY = 200
"""Names that differ in one place, beyond which each is told from the next one only: their pairs are too many."""


@dataclass(frozen=True)
class Distinctions:
    """Characters that tell names apart.

    Parameters
    ----------
    needed : name to those of its characters that another name has not, or has another one for
    rivals : character to those that stand in its place in the name of another code
    alone : characters that make another name by being there, and do so more than seldom
    """

    needed: Mapping[str, frozenset[str]]
    rivals: Mapping[str, frozenset[str]]
    alone: frozenset[str]

    @classmethod
    def among(cls, reference: Reference) -> "Distinctions":
        """Compare all names of a reference; the cost grows with their characters, not with their pairs."""
        owners = _owners(reference)
        needed: dict[str, set[str]] = defaultdict(set)
        rivals: dict[str, set[str]] = defaultdict(set)
        alone: Counter[str] = Counter()
        for one, mine, other, theirs in _neighbours(owners):
            if owners[one] & owners.get(other, frozenset()):
                continue
            needed[one].add(mine)
            if theirs:
                needed[other].add(theirs)
                rivals[mine].add(theirs)
                rivals[theirs].add(mine)
            else:
                alone[mine] += 1
        having = Counter(sign for name in owners for sign in set(name))
        return cls(
            _frozen(needed),
            _frozen(rivals),
            frozenset(sign for sign, count in alone.items() if count >= _SELDOM * having[sign]),
        )

    @classmethod
    def none(cls) -> "Distinctions":
        """Return what takes every difference for a slip."""
        return cls({}, {}, frozenset())

    def tell(self, names: Sequence[str], entries: Sequence[str], pairs: Candidates, asked: Flags) -> Flags:
        """Return (p,) whether a name differs from an entry in what tells names apart; False where not ``asked``."""
        found = np.zeros(len(pairs.name), dtype=np.bool_)
        for place in np.flatnonzero(asked).tolist():
            found[place] = self.differ(names[pairs.name[place]], entries[pairs.entry[place]])
        return found

    def differ(self, name: str, entry: str) -> bool:
        """Tell whether what a name has more or less than an entry, in whatever order, is no slip."""
        if name == entry:
            return False
        said, meant = Counter(name), Counter(entry)
        if said == meant:
            return self._changed_places(name, entry)
        more, less = (said - meant).keys(), (meant - said).keys()
        if not self.alone.isdisjoint(more) or not self.alone.isdisjoint(less):
            return True
        if not self.needed.get(entry, frozenset()).isdisjoint(less):
            return True
        return any(not self.rivals.get(sign, frozenset()).isdisjoint(more) for sign in less)

    def _changed_places(self, name: str, entry: str) -> bool:
        """Tell whether all that differs is that two rivals stand in each other's place."""
        moved = {said for said, meant in zip(name, entry, strict=True) if said != meant}
        places = sum(said != meant for said, meant in zip(name, entry, strict=True))
        return places == len(moved) == 2 and min(moved) in self.rivals.get(max(moved), frozenset())


def _frozen(told: Mapping[str, set[str]]) -> Mapping[str, frozenset[str]]:
    return {key: frozenset(found) for key, found in told.items()}


def _owners(reference: Reference) -> Mapping[str, frozenset[int]]:
    """Return each distinct name with its codes."""
    owners: dict[str, set[int]] = defaultdict(set)
    for place, text in enumerate(reference.entries.text):
        owners[text].update(reference.code[reference.start[place] : reference.start[place + 1]].tolist())
    return {text: frozenset(codes) for text, codes in owners.items()}


def _neighbours(names: Mapping[str, object]) -> Iterator[tuple[str, str, str, str]]:
    """Yield every two names that differ in one character: name, its character, the other, its character or nothing."""
    holes: dict[tuple[int, str], list[str]] = defaultdict(list)
    for name in names:
        for place, sign in enumerate(name):
            rest = name[:place] + name[place + 1 :]
            holes[place, rest].append(name)
            if rest in names:
                yield name, sign, rest, ""
    for (place, _), alike in holes.items():
        for one, other in combinations(alike, 2) if len(alike) <= _FAMILY else pairwise(alike):
            yield one, one[place], other, other[place]
