"""Strengths in Latin names: a name that states an amount which nobody calls a code by is in conflict with it."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from headwater.claims.coding.quantities import amounts, compare_strengths, measures
from headwater.claims.coding.states import State
from headwater.claims.coding.wording.words import apart, plain

__all__ = ["Strengths", "strength"]

# 1,000 and what hospitals type for it; METHYLPRED125MG: the number is no part of the word.
_THOUSANDS = re.compile(r"(?<=\d)[,;](?=\d{3}(?!\d))")
_AFTER_WORD = re.compile(r"(?<=[a-z])(?=\d)")


def strength(name: str) -> str:
    """Return the amounts that a name states, in base units; one code holds things of many sizes, so lengths are none.

    >>> strength("METHYLPRED125MGIJ"), strength("Heparin 1,000 units/ml"), strength("SCREW 4.5X36MM")
    ('mg=125', 'iu/ml=1000', '')
    """
    stated = measures(_AFTER_WORD.sub(" ", _THOUSANDS.sub("", apart(plain(name))))).strength
    return ";".join(part for part in stated.split(";") if not part.startswith("mm"))


@dataclass(frozen=True)
class Strengths:
    """The strengths by which each code is known."""

    known: Mapping[str, frozenset[str]]

    @classmethod
    def among(cls, names: Sequence[str], codes: Sequence[str]) -> "Strengths":
        """Read (n,) names with their codes."""
        known: dict[str, set[str]] = defaultdict(set)
        for name, code in zip(names, codes, strict=True):
            if stated := strength(name):
                known[code].add(stated)
        return cls({code: frozenset(stated) for code, stated in known.items()})

    def conflict(self, names: Sequence[str], codes: Sequence[str]) -> npt.NDArray[np.bool_]:
        """Return (n,) whether a name states an amount, its code goes by amounts of the kind, and by none of these."""
        asked = zip(names, codes, strict=True)
        return np.array([self._differ(strength(name), code) for name, code in asked], dtype=np.bool_)

    def _differ(self, stated: str, code: str) -> bool:
        mine = amounts(stated).keys()
        shared = [other for other in self.known.get(code, ()) if mine & amounts(other).keys()]
        return bool(shared) and all(compare_strengths(stated, other) is State.CONFLICT for other in shared)
