"""Words that exclude each other: one letter turns left into right and benign into its opposite, and is no slip."""

import re
from collections.abc import Callable, Mapping
from functools import cache, lru_cache

from rapidfuzz.distance import Levenshtein

from headwater.claims.coding.states import Compare, State
from headwater.claims.coding.tables import rows

__all__ = ["compare_contrasts"]

_IDLE = re.compile(
    r"镜下|引导下|直视下|监视下|(?:其他)?(?:和|或)?未特指的?|未分类|不可归类在他处者?|伴有|具有|手术|小时|无菌|无纺|不锈"
)
_LATIN = re.compile(r"[a-z]+")
_SHORT = 5


Words = tuple[Mapping[str, int], frozenset[str]]


@cache
def compare_contrasts(kind: str) -> Compare:
    """Return what compares two texts of a kind by words that exclude each other, see ``tables/contrasts.csv``.

    It is a conflict when the name has more of one word and the reference more of another of the same group, when a
    word that stands alone in its group (``非``) is on one side only, and when a short Latin word stands for another.
    """
    groups = [frozenset(row["words"].split("|")) for row in rows("contrasts") if kind in row["kinds"].split("|")]
    read, alone = _reader(frozenset().union(*groups)), {word for group in groups if len(group) == 1 for word in group}

    def compare(name: str, reference: str) -> State:
        (said, latin), (meant, other) = read(name), read(reference)
        if said != meant:
            more = {word for word, count in said.items() if count > meant.get(word, 0)}
            less = {word for word, count in meant.items() if count > said.get(word, 0)}
            if (more | less) & alone or (more and less and any(more & group and less & group for group in groups)):
                return State.CONFLICT
        return State.CONFLICT if latin != other and _replaced(latin - other, other - latin) else State.UNKNOWN

    return compare


def _reader(words: frozenset[str]) -> Callable[[str], Words]:
    """Return what counts the words in a text, each wherever it stands, and lists the Latin ones."""
    pattern = re.compile(f"(?=({'|'.join(sorted(map(re.escape, words), key=len, reverse=True))}))")
    within = {word: [part for part in words if part in word] for word in words}

    @lru_cache(maxsize=1 << 16)
    def read(text: str) -> Words:
        counts: dict[str, int] = {}
        for word in pattern.findall(_IDLE.sub("", text)):
            for part in within[word]:
                if word.startswith(part):
                    counts[part] = counts.get(part, 0) + 1
        return counts, frozenset(_LATIN.findall(text))

    return read


def _replaced(more: frozenset[str], less: frozenset[str]) -> bool:
    """Return whether Latin words stand for others, and not by a slip in a long one."""
    return bool(more and less) and not all(
        any(min(len(one), len(two)) > _SHORT and Levenshtein.distance(one, two) == 1 for two in less) for one in more
    )
