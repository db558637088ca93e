"""Codes for names in Latin words, learned from pairs of many hospitals and judged as for a hospital not seen before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater.claims.coding.blocking import Floats
from headwater.claims.coding.reading import Indices
from headwater.claims.coding.wording.evidence import FEATURES, Evidence
from headwater.claims.coding.wording.judging import Asked, Judge
from headwater.claims.coding.wording.sources import drawn, folds
from headwater.claims.coding.wording.strengths import Strengths
from headwater.claims.coding.wording.words import plain

__all__ = ["Pairs", "Wording", "learnable"]

_MOST = 8
_ENOUGH = 200
_PARTS = 10
_OFFICIAL = "reference"
_LEAST = 0.98
_UNSEEN = 0.94
"""Confidence that is never passed when nobody said which names are of one hospital: it would speak of seen ones."""


def learnable(names: Sequence[str]) -> bool:
    """Tell whether these labelled names are enough, and in Latin letters."""
    letters = [sum(char.isascii() and char.isalpha() for char in name) for name in names]
    han = [sum("\u3400" <= char <= "\u9fff" for char in name) for name in names]
    return len(names) >= _ENOUGH and sum(han) * 20 < sum(letters)


@dataclass(frozen=True)
class Pairs:
    """Names with their codes; source is the hospital that writes so, empty if unknown. Each (n,)."""

    name: Sequence[str]
    code: Sequence[str]
    source: Sequence[str]


@dataclass(frozen=True, eq=False)
class Wording:
    """Evidence from labelled names, and the judge of it.

    Parameters
    ----------
    pairs : that the evidence is built of
    sourced : whether the hospitals of the labelled names were known
    """

    pairs: Pairs
    sourced: bool
    judge: Judge
    evidence: Evidence

    @classmethod
    def taught(cls, labelled: Pairs, official: Pairs, seed: int) -> "Wording":
        """Learn from labelled names, and from the reference's own, which no hospital wrote.

        Every hospital's names are asked of the others, and what is learned from that judges the evidence of all. An
        official name that is also a labelled one is left out: the hospital that wrote it would be asked of itself.
        """
        rng = np.random.default_rng(seed)
        owners, sourced = labelled.source, len(set(labelled.source)) > 1
        if not sourced:
            owners = [str(place % _PARTS) for place in rng.permutation(len(owners)).tolist()]
        kept = drawn(labelled.code, owners, _MOST, rng).tolist()
        written = {(plain(name), code) for name, code in zip(labelled.name, labelled.code, strict=True)}
        own = [
            n
            for n, pair in enumerate(zip(official.name, official.code, strict=True))
            if (plain(pair[0]), pair[1]) not in written
        ]
        name = [*(labelled.name[n] for n in kept), *(official.name[n] for n in own)]
        code = [*(labelled.code[n] for n in kept), *(official.code[n] for n in own)]
        owner = [owners[n] for n in kept]
        fold = np.append(folds(name[: len(kept)], owner), np.full(len(own), -1, dtype=np.int64))
        whole = Pairs(name, code, [*owner, *(_OFFICIAL for _ in own)])
        return cls(whole, sourced, Judge.taught(_asked(whole, fold)), Evidence.built(name, code, whole.source))

    def answers(self, names: Sequence[str]) -> tuple[Indices, Floats, Floats, npt.NDArray[np.bool_]]:
        """Return (n, k) codes by their place in ``codes``, best first, with their confidences, and (n,) likeness.

        A name is as like the known ones as the best share of its words that a code's names say, or its best cosine.
        The last are (n,) whether the best is in conflict with the strength that the name states.
        """
        code, features = self.evidence.weigh(names)
        chance = self.judge.chances(features)
        order = np.argsort(-np.round(chance, 9), axis=1, kind="stable")
        row = np.arange(len(order))[:, None]
        code, chance = code[row, order], chance[row, order]
        first = self.judge.confidence(features)
        if not self.sourced:
            first = np.minimum(first, _UNSEEN)
        rest = chance[:, 1:] / np.maximum(1 - chance[:, :1], 1e-9) * (1 - first[:, None])
        shares = np.column_stack([first, np.minimum(rest, first[:, None])])
        looks = [FEATURES.index(look) for look in ("known", "letters")]
        conflict = self._strengths.conflict(names, [self.codes[best] for best in code[:, 0].tolist()])
        return code, shares, features[:, :, looks].max(axis=(1, 2), initial=0.0), conflict

    @cached_property
    def _strengths(self) -> Strengths:
        return Strengths.among(self.pairs.name, self.pairs.code)

    @property
    def least(self) -> float:
        """Confidence from which an answer is automatic: hospitals' labels are noisy, and a new one writes otherwise."""
        return _LEAST

    @property
    def codes(self) -> Sequence[str]:
        """Codes by their place, sorted."""
        return self.evidence.codes

    @property
    def table(self) -> pa.Table:
        """The pairs as a table: ``name, code, source``."""
        return pa.table({field.name: pa.array(getattr(self.pairs, field.name), pa.string()) for field in fields(Pairs)})

    def learned(self) -> dict[str, Any]:
        """Return what was learned as lists of numbers."""
        judge = {field.name: getattr(self.judge, field.name).tolist() for field in fields(Judge)}
        return {"sourced": self.sourced, "judge": judge}

    @classmethod
    def restored(cls, table: pa.Table, learned: Mapping[str, Any]) -> "Wording":
        """Return a wording from its table of pairs and what it had learned."""
        judge = Judge(**{name: np.array(values, dtype=np.float64) for name, values in learned["judge"].items()})
        pairs = Pairs(*(table[field.name].to_pylist() for field in fields(Pairs)))
        return cls(pairs, bool(learned["sourced"]), judge, _evidence(pairs, np.arange(len(pairs.name))))


def _asked(pairs: Pairs, fold: Indices) -> Asked:
    """Ask each fold's names of the others; what has fold -1 is never asked."""
    number = {code: place for place, code in enumerate(sorted(set(pairs.code)))}
    truth = np.array([number[code] for code in pairs.code], dtype=np.int64)
    parts: list[tuple[Floats, Indices, Indices]] = []
    for one in np.unique(fold[fold >= 0]).tolist():
        here, there = np.flatnonzero(fold == one), np.flatnonzero(fold != one)
        evidence = _evidence(pairs, there if len(there) else here)
        code, features = evidence.weigh([pairs.name[place] for place in here.tolist()])
        mine = np.array([number[known] for known in evidence.codes], dtype=np.int64)
        parts.append((features, mine[code], here))
    width = min(features.shape[1] for features, _, _ in parts)
    place = np.concatenate([place for _, _, place in parts])
    code = np.concatenate([code[:, :width] for _, code, _ in parts])
    features = np.concatenate([features[:, :width] for features, _, _ in parts])
    return Asked(features, code == truth[place, None], truth[place], fold[place])


def _evidence(pairs: Pairs, places: Indices) -> Evidence:
    columns = ([column[place] for place in places.tolist()] for column in (pairs.name, pairs.code, pairs.source))
    return Evidence.built(*columns)
