"""Words that tell things apart: another bone, another side, another way in is another thing, however alike the rest."""

import re
from collections.abc import Callable
from functools import cache, lru_cache

from rapidfuzz import fuzz

from headwater.claims.coding.states import Compare, State
from headwater.claims.coding.tables import rows

__all__ = ["compare_telling"]


@cache
def compare_telling(kind: str) -> Compare:
    """Return what compares the telling words of two texts of a kind.

    A word of the name that the reference lacks is a conflict. So is one of the reference that the name lacks, unless
    the name has it with a slip of the pen, and what is left is no word itself (``主任`` is not ``副主任``).
    """
    words = _reader(kind)

    def compare(name: str, reference: str) -> State:
        said, meant = words(name), words(reference)
        if said == meant:
            return State.EQUAL if said else State.UNKNOWN
        if said - meant:
            return State.CONFLICT
        slips = all(_slipped(word, name) and not any(part in word for part in said) for word in meant - said)
        return State.NEAR if slips else State.CONFLICT

    return compare


@cache
def _reader(kind: str) -> Callable[[str], frozenset[str]]:
    listed = {row["word"] for row in rows("telling") if kind in row["kinds"].split("|")}
    if not listed:
        return lambda text: frozenset()
    # A word is looked for at every place, and brings the words that it contains.
    pattern = re.compile(f"(?=({'|'.join(sorted(map(re.escape, listed), key=len, reverse=True))}))")
    within = {word: {part for part in listed if part in word} for word in listed}
    return lru_cache(maxsize=1 << 16)(
        lambda text: frozenset(part for word in pattern.findall(text) for part in within[word])
    )


def _slipped(word: str, text: str) -> bool:
    """Return whether all of a word but one character stands in a stretch of the text."""
    return len(word) > 1 and fuzz.partial_ratio(word, text) >= 100 * (len(word) - 1) / len(word) - 1
