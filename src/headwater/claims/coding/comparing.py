"""What speaks for and against each pair: a matrix of comparisons, each made once per distinct pair of values."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from rapidfuzz import fuzz
from rapidfuzz.process import cpdist

from headwater.claims.coding.blocking import Candidates, Floats
from headwater.claims.coding.distinctions import Distinctions
from headwater.claims.coding.kinds import Kind, Parsed
from headwater.claims.coding.states import Compare, State

__all__ = ["States", "compare", "feature_names"]

States = npt.NDArray[np.int8]

_TEXT = ("cosine", "told", "meant", "ratio", "sorted", "same")


def feature_names(kind: Kind) -> tuple[str, ...]:
    """Return what the columns of ``compare`` mean."""
    states = (State.EQUAL, State.NEAR, State.CONFLICT)
    return (*_TEXT, *(f"{attribute.name}_{state.name.lower()}" for attribute in kind.attributes for state in states))


def compare(
    kind: Kind, names: Parsed, entries: Parsed, pairs: Candidates, distinctions: Distinctions
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Return (p, f) comparisons, and (p,) whether there is a conflict.

    A blocking attribute says otherwise, the names are not alike, or differ in what tells references apart.
    """
    ratio = _alike(names.text, entries.text, pairs)
    arranged = _alike(_in_order(names.text), _in_order(entries.text), pairs)
    columns: list[npt.NDArray[Any]] = [pairs.cosine, pairs.told, pairs.meant, ratio, arranged, ratio >= 1]
    barred = arranged < kind.alike
    agreed: dict[str, npt.NDArray[np.bool_]] = {}
    for attribute in kind.attributes:
        states = _states(names.values[attribute.name], entries.values[attribute.name], pairs, attribute.compare)
        agreed[attribute.name] = states == State.EQUAL
        columns += [states == state for state in (State.EQUAL, State.NEAR, State.CONFLICT)]
        if attribute.blocks:
            barred |= states == State.CONFLICT
    if kind.vouching:
        vouched = [np.logical_and.reduce([agreed[name] for name in together]) for together in kind.vouching]
        barred |= (arranged < 1) & ~np.logical_or.reduce(vouched)
    barred |= distinctions.tell(names.text, entries.text, pairs, (ratio < 1) & ~barred)
    return np.column_stack(columns).astype(np.float64), barred


def _in_order(texts: Sequence[str]) -> list[str]:
    return ["".join(sorted(text)) for text in texts]


def _alike(mine: Sequence[str], theirs: Sequence[str], pairs: Candidates) -> Floats:
    """Return (p,) similarity of two texts, 0 to 1: twice the longest common subsequence over both lengths."""
    if not len(pairs.name):
        return np.empty(0)
    left, right = [mine[n] for n in pairs.name.tolist()], [theirs[e] for e in pairs.entry.tolist()]
    return np.asarray(cpdist(left, right, scorer=fuzz.ratio, dtype=np.float32), np.float64) / 100


def _states(mine: Sequence[str], theirs: Sequence[str], pairs: Candidates, compared: Compare) -> States:
    """Return (p,) states of one attribute; an unknown value compares as unknown."""
    values = ["", *sorted({*mine, *theirs} - {""})]
    number = {value: place for place, value in enumerate(values)}
    left = np.array([number[value] for value in mine], dtype=np.int64)[pairs.name]
    right = np.array([number[value] for value in theirs], dtype=np.int64)[pairs.entry]
    states = np.zeros(len(left), dtype=np.int8)
    known = np.flatnonzero((left > 0) & (right > 0))
    if not len(known):
        return states
    both, place = np.unique(left[known] * len(values) + right[known], return_inverse=True)
    found = [compared(values[pair // len(values)], values[pair % len(values)]) for pair in both.tolist()]
    states[known] = np.array(found, dtype=np.int8)[place]
    return states
