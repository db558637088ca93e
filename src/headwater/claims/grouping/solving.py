"""What would have to differ for a group to admit a stay: rules read backwards into changes of the stay."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import nsmallest
from itertools import islice, product
from math import inf
from typing import Literal, TypeAlias

import numpy as np

from headwater.claims.grouping.codebook import Codebook
from headwater.claims.grouping.compiling import Adrg, Compiled, Drg, Mdc, Scope
from headwater.claims.grouping.facts import COLUMNS
from headwater.claims.grouping.grammar import (
    SUBJECTS,
    All,
    Always,
    Any,
    Comparison,
    Complicated,
    Count,
    Fact,
    Marked,
    Member,
    Not,
    Rule,
)

__all__ = ["Edit", "Stay", "Target", "applied", "ways"]

Action = Literal["principal", "first", "add", "remove", "set"]
Literals: TypeAlias = "list[tuple[Rule, Scope, bool]]"
_MOST_WAYS = 64
_OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


@dataclass(frozen=True)
class Edit:
    """One change of a stay: the column, what is done, and the code or number with which."""

    column: str
    action: Action
    value: str


@dataclass(frozen=True)
class Stay:
    """One stay: codes, the principal or first one first, and numbers by their column; None is unknown."""

    diagnoses: tuple[str, ...]
    operations: tuple[str, ...]
    numbers: Mapping[str, float | None]


@dataclass(frozen=True)
class Target:
    """A DRG with the way to it."""

    mdc: Mdc
    adrg: Adrg
    drg: Drg


def applied(stay: Stay, edits: Sequence[Edit]) -> Stay:
    """Return the stay with its changes, one after another."""
    for edit in edits:
        if edit.action == "set":
            stay = replace(stay, numbers={**stay.numbers, edit.column: float(edit.value)})
            continue
        codes = stay.diagnoses if edit.column == "diagnoses" else stay.operations
        changed = {
            "principal": (edit.value, *codes[1:]),
            "first": (edit.value, *(code for code in codes if code != edit.value)),
            "add": (*codes, edit.value),
            "remove": tuple(code for place, code in enumerate(codes) if code != edit.value or _stays(edit, place)),
        }[edit.action]
        stay = replace(stay, diagnoses=changed) if edit.column == "diagnoses" else replace(stay, operations=changed)
    return stay


def _stays(edit: Edit, place: int) -> bool:
    """Tell whether a code to be removed stays: a principal diagnosis is never taken away."""
    return edit.column == "diagnoses" and place == 0


def ways(plan: Compiled, target: Target, stay: Stay, tries: int) -> Iterator[list[Edit]]:
    """Propose changes after which the rules of a group hold of a stay; whether an earlier group takes it is not asked.

    Parameters
    ----------
    plan, target : whose rules
    stay : with the codes as the plan writes them
    tries : how many principal diagnoses and first operations are proposed where one has to change
    """
    earlier = target.adrg.drgs[: target.adrg.drgs.index(target.drg)]
    parts = [
        _alternatives(target.mdc.rule, target.mdc.scope, True),
        _alternatives(target.adrg.rule, target.adrg.scope, True),
        _alternatives(target.drg.rule, target.drg.scope, True),
        *(_alternatives(drg.rule, drg.scope, False) for drg in earlier),
    ]
    for chosen in islice(product(*parts), _MOST_WAYS):
        yield from _Solver(plan, [literal for part in chosen for literal in part], stay).solve(tries)


def _alternatives(rule: Rule, scope: Scope, wanted: bool) -> list[Literals]:
    """Return the ways in which a rule can hold, or fail, each as literals that must all be so."""
    if isinstance(rule, Not):
        return _alternatives(rule.rule, scope, not wanted)
    if isinstance(rule, All | Any):
        parts = [_alternatives(part, scope, wanted) for part in rule.rules]
        if isinstance(rule, All) == wanted:
            return [[literal for part in chosen for literal in part] for chosen in product(*parts)]
        return [literals for part in parts for literals in part]
    if isinstance(rule, Always):
        return [[]] if wanted else []
    return [[(rule, scope, wanted)]]


class _Solver:
    """Changes that make literals true of a stay."""

    def __init__(self, plan: Compiled, literals: Literals, stay: Stay) -> None:
        self.plan, self.literals, self.stay = plan, literals, stay

    def solve(self, tries: int) -> Iterator[list[Edit]]:
        """Yield changes, for the nearest principal diagnoses and first operations."""
        numbers = self._numbers()
        if numbers is None:
            return
        for principal, first in product(self._heads("PDX", tries), self._heads("MAINOP", tries)):
            edits = [*principal, *first]
            changed = applied(self.stay, edits)
            for rule, scope, wanted in self.literals:
                more = self._beside(rule, scope, wanted, changed)
                if more is None:
                    break
                changed, edits = applied(changed, more), [*edits, *more]
            else:
                yield [*edits, *numbers]

    def _book(self, kind: str) -> Codebook:
        return self.plan.diagnoses if kind == "diagnosis" else self.plan.operations

    def _heads(self, subject: str, tries: int) -> list[list[Edit]]:
        """Return ways to a principal diagnosis or first operation that is in every list asked for."""
        kind, codes = ("diagnosis", self.stay.diagnoses) if subject == "PDX" else ("operation", self.stay.operations)
        keys = [
            scope.lists[f"{kind} {rule.list}"]
            for rule, scope, wanted in self.literals
            if isinstance(rule, Member) and rule.subject == subject and wanted
        ]
        if not keys:
            return [[]]
        fits = self._book(kind).listed(*dict.fromkeys(keys))
        current = codes[0] if codes else ""
        if current in fits:
            return [[]]
        # Of codes equally near, one that stands in few lists is the least likely to be taken by another group.
        nearest = nsmallest(tries, fits, key=lambda code: (-_shared(code, current), self._book(kind).spread(code)))
        column, action = ("diagnoses", "principal") if subject == "PDX" else ("operations", "first")
        own = [code for code in codes[1:] if code in fits] if subject == "MAINOP" else []
        return [[Edit(column, action, code)] for code in dict.fromkeys([*own, *nearest])]  # type: ignore[arg-type]

    def _beside(self, rule: Rule, scope: Scope, wanted: bool, stay: Stay) -> list[Edit] | None:
        """Return what to add or take away so that the literal holds; None if nothing helps."""
        match rule:
            case Complicated():
                return self._complicate(rule.level, wanted, stay)
            case Member() if rule.subject in ("SDX", "ANYDX", "ANYOP"):
                kind = SUBJECTS[rule.subject]
                codes = stay.operations if kind == "operation" else stay.diagnoses[rule.subject == "SDX" :]
                return self._belong(kind, scope.lists[f"{kind} {rule.list}"], codes, wanted)
            case Member() if rule.subject == "MAINOP" and not wanted:
                return self._belong("operation", scope.lists[f"operation {rule.list}"], stay.operations, wanted)
            case Marked():
                codes = stay.operations if rule.kind == "operation" else stay.diagnoses
                return self._belong(rule.kind, scope.marks[rule.kind][rule.mark], codes, wanted)
            case Comparison(left=Count() as count, sign=">=", right=float() as least) if wanted:
                return self._spread(count.kind, scope, int(least), stay)
        return []

    def _belong(self, kind: str, key: tuple[str, ...], codes: Sequence[str], wanted: bool) -> list[Edit] | None:
        listed = self._book(kind).listed(key)
        column, hit = "diagnoses" if kind == "diagnosis" else "operations", [code for code in codes if code in listed]
        if not wanted:
            return [Edit(column, "remove", code) for code in dict.fromkeys(hit)]
        if hit:
            return []
        nearest = max(listed, key=lambda code: max((_shared(code, own) for own in codes), default=0), default="")
        return [Edit(column, "add", nearest)] if nearest else None

    def _spread(self, kind: str, scope: Scope, least: int, stay: Stay) -> list[Edit]:
        codes = stay.operations if kind == "operation" else stay.diagnoses
        missing = []
        for key in scope.marks[kind].values():
            added = self._belong(kind, key, codes, True)
            missing += added or []
        return missing[: max(0, least - (len(scope.marks[kind]) - len(missing)))]

    def _complicate(self, level: str, wanted: bool, stay: Stay) -> list[Edit] | None:
        names, rules = self.plan.diagnoses.names, self.plan.exclusions
        number = {code: self.plan.diagnoses.number(code) for code in stay.diagnoses}
        principal = number[stay.diagnoses[0]] if stay.diagnoses else 0
        places = np.flatnonzero(rules.table[level] >= 0)
        table = rules.table[level][places]
        bit = np.uint64(1) << (table % 64).astype(np.uint64)
        counting = places[(rules.excluded[principal, table // 64] & bit) == 0]
        hit = [code for code in stay.diagnoses[1:] if number[code] in counting]
        if not wanted:
            return [Edit("diagnoses", "remove", code) for code in dict.fromkeys(hit)]
        if hit:
            return []
        return [Edit("diagnoses", "add", names[int(counting[0])])] if len(counting) else None

    def _numbers(self) -> list[Edit] | None:
        """Return the numbers to be set, each the nearest to what it is; None if the literals contradict each other."""
        bounds: dict[str, tuple[float, float]] = {}
        for rule, _, wanted in self.literals:
            if not isinstance(rule, Comparison):
                continue
            sign = rule.sign if wanted else _OPPOSITE[rule.sign]
            if isinstance(rule.left, Fact) and isinstance(rule.right, float):
                _narrow(bounds, rule.left.name, sign, rule.right)
            elif isinstance(rule.right, Fact) and isinstance(rule.left, float):
                _narrow(bounds, rule.right.name, _MIRRORED[sign], rule.left)
        edits = []
        for fact, (low, high) in bounds.items():
            column = COLUMNS[fact]
            now = self.stay.numbers.get(column)
            if low > high:
                return None
            if now is None or not low <= now <= high:
                near = min(max(now if now is not None else 0.0, low), high)
                edits.append(Edit(column, "set", f"{near:g}"))
        return edits


def _narrow(bounds: dict[str, tuple[float, float]], fact: str, sign: str, value: float) -> None:
    """Narrow the whole numbers that a fact may have."""
    low, high = bounds.get(fact, (1.0 if fact == "BIRTH_WT_G" else 0.0, inf))
    if sign in ("<", "<="):
        high = min(high, value if sign == "<=" else value - 1)
    elif sign in (">", ">="):
        low = max(low, value if sign == ">=" else value + 1)
    elif sign == "==":
        low, high = max(low, value), min(high, value)
    elif value in (low, high):
        low, high = (low + 1, high) if value == low else (low, high - 1)
    bounds[fact] = (low, high)


def _shared(one: str, other: str) -> int:
    """Return how many letters two codes begin with in common."""
    for place, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return place
    return min(len(one), len(other))
