"""Rules over many stays at once."""

import operator
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from headwater.claims.grouping.codebook import Bits, Codebook, Numbers
from headwater.claims.grouping.compiling import Compiled, Scope
from headwater.claims.grouping.facts import Coded, Stays
from headwater.claims.grouping.grammar import (
    All,
    Always,
    Any,
    Comparison,
    Complicated,
    Fact,
    Marked,
    Member,
    Not,
    Rule,
    Value,
)
from headwater.types import Vector

__all__ = ["Batch", "Flags", "Rows", "united"]

Flags = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.int64]
_SIGNS: Mapping[str, Callable[[Vector, Vector], Flags]] = {
    **{"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne}
}
_T = TypeVar("_T", np.uint64, np.uint8)
_LEVELS = {"CC": 1, "MCC": 2}
Compared: TypeAlias = Callable[[Comparison, Scope, Rows], Flags]
"""What answers comparisons of rows."""


class Batch:
    """n stays under one plan: whatever rules ask of them, worked out when first asked.

    Parameters
    ----------
    plan : the compiled plan
    stays : n stays
    """

    def __init__(self, plan: Compiled, stays: Stays) -> None:
        self.plan, self.stays = plan, stays
        self._codes = {
            "diagnosis": stays.diagnoses.spelled.codes[stays.diagnoses.text],
            "operation": stays.operations.spelled.codes[stays.operations.text],
        }
        self._first = {
            "diagnosis": _first(stays.diagnoses, self._codes["diagnosis"]),
            "operation": _first(stays.operations, self._codes["operation"]),
        }

    def holds(self, rule: Rule, scope: Scope, rows: Rows, *, compared: Compared | None = None) -> Flags:
        """Tell of which rows a rule holds; ``compared`` answers its comparisons, unless they are negated."""
        match rule:
            case Always():
                return np.ones(len(rows), bool)
            case Not():
                return ~self.holds(rule.rule, scope, rows)
            case All():
                return self._joined(np.logical_and, rule.rules, scope, rows, compared)
            case Any():
                return self._joined(np.logical_or, rule.rules, scope, rows, compared)
            case Comparison():
                return (compared or self.compared)(rule, scope, rows)
            case Complicated():
                return np.asarray(self.complicated[rows] & _LEVELS[rule.level] != 0)
            case Member():
                return self._member(rule, scope, rows)
            case Marked():
                return self._among(rule.kind, scope.marks[rule.kind][rule.mark], rows)

    def _joined(
        self, join: np.ufunc, rules: tuple[Rule, ...], scope: Scope, rows: Rows, compared: Compared | None
    ) -> Flags:
        joined = self.holds(rules[0], scope, rows, compared=compared)
        for rule in rules[1:]:
            joined = join(joined, self.holds(rule, scope, rows, compared=compared))
        return joined

    def _member(self, rule: Member, scope: Scope, rows: Rows) -> Flags:
        kind = "diagnosis" if rule.subject in ("PDX", "SDX", "ANYDX") else "operation"
        key = scope.lists[f"{kind} {rule.list}"]
        if rule.subject in ("PDX", "MAINOP"):
            word, bit = self._book(kind).bit(key)
            return np.asarray(self._book(kind).bits[self._first[kind][rows], word] & bit != 0)
        return self._among("secondary" if rule.subject == "SDX" else kind, key, rows)

    def _book(self, kind: str) -> Codebook:
        return self.plan.operations if kind == "operation" else self.plan.diagnoses

    def _among(self, kind: str, key: tuple[str, ...], rows: Rows) -> Flags:
        word, bit = self._book(kind).bit(key)
        return np.asarray(self._united(kind, word)[rows] & bit != 0)

    def compared(self, rule: Comparison, scope: Scope, rows: Rows) -> Flags:
        """Tell of which rows a comparison holds."""
        left, right = self._value(rule.left, scope, rows), self._value(rule.right, scope, rows)
        # Whoever lacks the number satisfies no comparison, not even "differs from".
        return _SIGNS[rule.sign](left, right) & ~np.isnan(left) & ~np.isnan(right)

    def compared_or_lacking(self, rule: Comparison, scope: Scope, rows: Rows) -> Flags:
        """Tell of which rows a comparison holds or could hold, if a number that they lack were there."""
        lacking = [np.isnan(self._value(side, scope, rows)) for side in (rule.left, rule.right)]
        return np.asarray(self.compared(rule, scope, rows) | lacking[0] | lacking[1])

    def _value(self, value: Value, scope: Scope, rows: Rows) -> Vector:
        if isinstance(value, float):
            return np.full(len(rows), value)
        if isinstance(value, Fact):
            there = self.stays.numbers[value.name][rows]
            return np.asarray(np.trunc(there) if value.whole else there)
        hit = [self._among(value.kind, key, rows) for key in scope.marks[value.kind].values()]
        return np.asarray(np.sum(hit, axis=0, dtype=np.float64))

    def _united(self, kind: str, word: int) -> Bits:
        """Return (n,) one word of the lists in which any code stands; any but the first for ``secondary``."""
        if (kind, word) not in self._unions:
            coded = self.stays.operations if kind == "operation" else self.stays.diagnoses
            codes = self._codes["operation" if kind == "operation" else "diagnosis"]
            bits = self._book(kind).bits[codes, word]
            if kind == "secondary":
                bits[coded.offsets[:-1][np.diff(coded.offsets) > 0]] = 0
            self._unions[kind, word] = united(bits, coded.offsets)
        return self._unions[kind, word]

    @cached_property
    def _unions(self) -> dict[tuple[str, int], Bits]:
        return {}

    @cached_property
    def complications(self) -> tuple[Rows, Rows, npt.NDArray[np.uint8], Flags]:
        """Row, place, level (1 CC, 2 MCC) and exclusion of each secondary diagnosis of a level, row by row."""
        coded, codes = self.stays.diagnoses, self._codes["diagnosis"]
        rules = self.plan.exclusions
        tables = {level: rules.table[level][codes] for level in _LEVELS}
        complicates = (tables["CC"] >= 0) | (tables["MCC"] >= 0)
        complicates[coded.offsets[:-1][np.diff(coded.offsets) > 0]] = False
        place = np.flatnonzero(complicates)
        row = np.repeat(np.arange(len(self.stays)), np.diff(coded.offsets))[place]
        principal = self._first["diagnosis"][row]
        level, excluded = np.zeros(len(place), np.uint8), np.ones(len(place), bool)
        for name, value in _LEVELS.items():
            table = tables[name][place]
            bit = np.uint64(1) << (table % 64).astype(np.uint64)
            out = (rules.excluded[principal, table // 64] & bit) != 0
            level |= np.where((table >= 0) & ~out, value, 0).astype(np.uint8)
            excluded &= (table < 0) | out
        return row, place, level, excluded

    @cached_property
    def complicated(self) -> npt.NDArray[np.uint8]:
        """(n,) levels of the secondary diagnoses that count, 1 for CC, 2 for MCC, 3 for both."""
        _, place, level, _ = self.complications
        levels = np.zeros(len(self._codes["diagnosis"]), np.uint8)
        levels[place] = level
        return united(levels, self.stays.diagnoses.offsets)

    def principal(self) -> Numbers:
        """Return (n,) the number of the principal diagnosis, 0 where it is missing or unknown."""
        return self._first["diagnosis"]


def _first(coded: Coded, codes: Numbers) -> Numbers:
    first = np.zeros(len(coded.headless), np.int32)
    there = np.diff(coded.offsets) > 0
    first[there] = codes[coded.offsets[:-1][there]]
    return first


def united(bits: npt.NDArray[_T], offsets: npt.NDArray[np.int64]) -> npt.NDArray[_T]:
    """Return the union of bits from one offset to the next; 0 where there is nothing between them."""
    union = np.zeros(len(offsets) - 1, bits.dtype)
    there = np.diff(offsets) > 0
    if there.any():
        # Empty stretches take no room, so the beginnings of the others bound them.
        union[there] = np.bitwise_or.reduceat(bits, offsets[:-1][there])
    return union
