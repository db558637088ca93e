"""Codes as numbers: every spelling that a plan can read, and in which lists each code stands, one bit a list."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["BLANK", "EXACT", "MAPPED", "RESPELLED", "UNKNOWN", "Bits", "Codebook", "Numbers", "Spelled"]

Numbers: TypeAlias = npt.NDArray[np.int32]
Bits: TypeAlias = npt.NDArray[np.uint64]

EXACT, RESPELLED, MAPPED, UNKNOWN, BLANK = range(5)
"""How a text was read: as it stands, after folding its spelling, by the plan's map, not at all, or empty."""

_WORD = 64
_FOLDED = {ord("†"): "+", ord("＊"): "*", ord("∗"): "*", ord("﹡"): "*", ord("×"): "x"}
_NOTHING = {"", "-", "--", "/", "\\N", "NULL", "NONE", "NAN", "无"}


def _fold(text: str) -> str:
    """Return the form in which spellings meet: no width, no blanks, no case."""
    if text.isascii() and text.isprintable():
        return "".join(text.split()).casefold()
    plain = unicodedata.normalize("NFKC", text.translate(_FOLDED))
    return "".join(letter for letter in plain if letter.isprintable() and not letter.isspace()).casefold()


@dataclass(frozen=True, eq=False)
class Spelled:
    """Texts of one column read: the number of the code of each (0 for none) and how it was read.

    Parameters
    ----------
    texts : (u,) distinct texts
    codes : (u,) numbers of codes
    how : (u,) ``EXACT`` to ``BLANK``
    """

    texts: pa.StringArray
    codes: Numbers
    how: npt.NDArray[np.int8]


@dataclass(frozen=True, eq=False)
class Codebook:
    """The c codes of one kind that a plan knows, numbered from 1; 0 is no code.

    Parameters
    ----------
    names : (c + 1,) code of each number, empty for 0
    spellings : every exact text that is read, codes and sources of the map
    spelled : number of the code of each spelling
    mapped : whether a spelling is read by the map
    bits : (c + 1, w) membership of the plan's lists, packed
    place : key of a list to its bit
    """

    names: tuple[str, ...]
    spellings: pa.StringArray
    spelled: Numbers
    mapped: npt.NDArray[np.bool_]
    bits: Bits
    place: Mapping[tuple[str, ...], int]

    @staticmethod
    def build(
        known: Sequence[str], maps: Mapping[str, str], lists: Sequence[tuple[tuple[str, ...], Sequence[str]]]
    ) -> "Codebook":
        """Give codes numbers and pack the lists; a code that the plan knows is never mapped to another."""
        codes = list(dict.fromkeys([*known, *(code for _, listed in lists for code in listed)]))
        number = {code: place for place, code in enumerate(codes, start=1)}
        sources = [(text, number[code]) for text, code in maps.items() if text not in number and code in number]
        spellings = [*codes, *(text for text, _ in sources)]
        bits = np.zeros((len(codes) + 1, max(1, -(-len(lists) // _WORD))), np.uint64)
        for place, (_, listed) in enumerate(lists):
            bits[[number[code] for code in listed], place // _WORD] |= np.uint64(1) << np.uint64(place % _WORD)
        return Codebook(
            names=("", *codes),
            spellings=pa.array(spellings, pa.string()),
            spelled=np.array([*number.values(), *(code for _, code in sources)], np.int32),
            mapped=np.arange(len(spellings)) >= len(codes),
            bits=bits,
            place={key: place for place, (key, _) in enumerate(lists)},
        )

    @cached_property
    def folded(self) -> Mapping[str, int]:
        """Folded spelling to its place in ``spellings``."""
        # Reversed, so that of two spellings that fold to one the code itself stays, not a source of the map.
        texts = self.spellings.to_pylist()
        return {_fold(text): place for place, text in reversed(list(enumerate(texts)))}

    def read(self, texts: pa.StringArray) -> Spelled:
        """Read distinct texts."""
        found = pc.index_in(texts, value_set=self.spellings).fill_null(-1).to_numpy(zero_copy_only=False)
        how = np.where(found >= 0, np.where(self.mapped[found], MAPPED, EXACT), UNKNOWN).astype(np.int8)
        places = found.astype(np.int32)
        for at in np.flatnonzero(found < 0).tolist():
            folded = _fold(texts[at].as_py() or "")
            if folded.upper() in _NOTHING:
                how[at] = BLANK
            elif folded in self.folded:
                places[at] = self.folded[folded]
                how[at] = MAPPED if self.mapped[places[at]] else RESPELLED
        codes = np.where(places >= 0, self.spelled[places] if len(self.spelled) else 0, 0).astype(np.int32)
        return Spelled(texts, codes, how)

    @cached_property
    def _number(self) -> Mapping[str, int]:
        return {name: place for place, name in enumerate(self.names)}

    def number(self, code: str) -> int:
        """Return the number of a code as the plan writes it, 0 if it knows none."""
        return self._number.get(code, 0)

    @cached_property
    def _spread(self) -> list[int]:
        return [int(count) for count in np.bitwise_count(self.bits).sum(axis=1)]

    def spread(self, code: str) -> int:
        """Return in how many lists a code stands."""
        return self._spread[self.number(code)]

    @cached_property
    def _listed(self) -> dict[tuple[tuple[str, ...], ...], tuple[str, ...]]:
        return {}

    def listed(self, *keys: tuple[str, ...]) -> tuple[str, ...]:
        """Return the codes that stand in every one of some lists."""
        if keys not in self._listed:
            among = [self.bits[:, word] & bit != 0 for word, bit in map(self.bit, keys)]
            places = np.flatnonzero(np.logical_and.reduce(among)).tolist()
            self._listed[keys] = tuple(self.names[place] for place in places)
        return self._listed[keys]

    def bit(self, key: tuple[str, ...]) -> tuple[int, np.uint64]:
        """Return the word and the bit of a list."""
        place = self.place[key]
        return place // _WORD, np.uint64(1) << np.uint64(place % _WORD)
