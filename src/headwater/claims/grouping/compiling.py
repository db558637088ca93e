"""Tables become a compiled plan: codes as numbers, lists as bits, rules as trees that name lists by their key."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from headwater.claims.grouping.codebook import Bits, Codebook, Numbers
from headwater.claims.grouping.grammar import (
    SUBJECTS,
    Comparison,
    Complicated,
    Count,
    Marked,
    Member,
    Rule,
    atoms,
    parse,
)
from headwater.claims.grouping.tables import Entry, Listed, PlanTables
from headwater.errors import Message, Refusal

__all__ = ["Adrg", "Compiled", "Drg", "Exclusions", "Mdc", "Scope", "compiled"]

_MANY = ("SDX", "ANYDX", "ANYOP")


@dataclass(frozen=True)
class Scope:
    """What the rules of one group may name.

    Parameters
    ----------
    lists : name in the rule to key of the list in its codebook
    marks : kind to the marks of the group's marked list and their keys
    """

    lists: Mapping[str, tuple[str, ...]]
    marks: Mapping[str, Mapping[str, tuple[str, ...]]]


@dataclass(frozen=True)
class Drg:
    """A DRG as tried."""

    code: str
    rule: Rule
    scope: Scope


@dataclass(frozen=True)
class Adrg:
    """One way into an ADRG as tried, its DRGs in order; ``asks`` tells whether any of them asks for CC or MCC."""

    entry: str
    code: str
    status: str
    rule: Rule
    scope: Scope
    drgs: tuple[Drg, ...]
    asks: bool


@dataclass(frozen=True)
class Mdc:
    """An MDC as tried, its ADRGs in order."""

    code: str
    rule: Rule
    scope: Scope
    adrgs: tuple[Adrg, ...]


@dataclass(frozen=True, eq=False)
class Exclusions:
    """Which diagnoses complicate and which principal ones exclude them.

    Parameters
    ----------
    table : level to (c + 1,) number of the exclusion table of each code, -1 if it is not of that level
    excluded : (c + 1, w) the tables in which a principal diagnosis stands, packed
    """

    table: Mapping[str, Numbers]
    excluded: Bits


@dataclass(frozen=True, eq=False)
class Compiled:
    """A plan ready to group."""

    diagnoses: Codebook
    operations: Codebook
    exclusions: Exclusions
    mdcs: tuple[Mdc, ...]


def compiled(tables: PlanTables) -> Compiled:
    """Compile a plan.

    Raises
    ------
    Refusal
        ``E-PLAN-RULE`` for a rule that does not parse or names a list that is not there, ``E-PLAN-TABLE`` for groups
        that hang in the air.
    """
    _refuse_loose(tables)
    owned: dict[str, list[Listed]] = {}
    for listed in tables.lists:
        owned.setdefault(listed.owner, []).append(listed)
    mdcs = tuple(_mdc(tables, owned, entry) for entry in tables.mdcs)
    complicating = [code for code, _, _ in tables.complications] + [code for _, code in tables.exclusions]
    diagnoses = _codebook(tables, "diagnosis", [*tables.diagnoses, *complicating], mdcs)
    operations = _codebook(tables, "operation", list(tables.operations), mdcs)
    return Compiled(diagnoses, operations, _exclusions(tables, diagnoses), mdcs)


def _refuse_loose(tables: PlanTables) -> None:
    """Refuse groups that stand under no group, twice, or have nothing below them."""
    mdcs, adrgs = [mdc.code for mdc in tables.mdcs], [adrg.code for adrg in tables.adrgs]
    above = {code.split("_")[0] for code in adrgs}
    faults = [
        *(f"ADRG {adrg.code} → {adrg.within}" for adrg in tables.adrgs if adrg.within not in mdcs),
        *(f"DRG {drg.code} → {drg.adrg}" for drg in tables.drgs if drg.adrg not in above),
        *(f"ADRG {code} → DRG" for code in sorted(above - {drg.adrg for drg in tables.drgs})),
        *(f"2 × {code}" for codes in (mdcs, adrgs, [drg.code for drg in tables.drgs]) for code in _twice(codes)),
    ]
    if faults or not mdcs:
        shown = "; ".join(faults[:5]) or "MDC"
        reason = Message(
            "分组方案 {name} 的表格不完整：{shown}。", "The tables of plan {name} do not fit together: {shown}."
        )
        remedy = Message("请补齐或删除这些组。", "Add what is missing or remove these groups.")
        raise Refusal("E-PLAN-TABLE", reason.format(name=tables.name, shown=shown), remedy)


def _twice(codes: list[str]) -> list[str]:
    return sorted({code for code in codes if codes.count(code) > 1})


def _mdc(tables: PlanTables, owned: Mapping[str, list[Listed]], entry: Entry) -> Mdc:
    scope = _scope(owned, entry.code)
    within = tuple(_adrg(tables, owned, adrg) for adrg in tables.adrgs if adrg.within == entry.code)
    return Mdc(entry.code, _rule(entry.code, entry.rule, scope), scope, within)


def _adrg(tables: PlanTables, owned: Mapping[str, list[Listed]], entry: Entry) -> Adrg:
    scope, code = _scope(owned, entry.code), entry.code.split("_")[0]
    drgs = tuple(
        Drg(drg.code, _rule(drg.code, drg.rule, inner), inner)
        for drg in tables.drgs
        if drg.adrg == code
        for inner in (_scope(owned, drg.code),)
    )
    asks = any(isinstance(atom, Complicated) for drg in drgs for atom in atoms(drg.rule))
    return Adrg(entry.code, code, entry.status, _rule(entry.code, entry.rule, scope), scope, drgs, asks)


def _scope(owned: Mapping[str, list[Listed]], owner: str) -> Scope:
    """Return the lists of the whole plan and of the owner, which come first."""
    visible = [*owned.get("", ()), *owned.get(owner, ())]
    marks = {
        listed.kind: {mark: (*_key(listed), mark) for mark in dict.fromkeys(listed.codes.values()) if mark}
        for listed in owned.get(owner, ())
        if any(listed.codes.values())
    }
    return Scope({f"{listed.kind} {listed.name}": _key(listed) for listed in visible}, marks)


def _key(listed: Listed) -> tuple[str, ...]:
    return listed.kind, listed.owner, listed.name


def _rule(where: str, text: str, scope: Scope) -> Rule:
    """Parse a rule and refuse names that its group does not have."""
    rule = parse(text, where=where)
    for atom in atoms(rule):
        missing = ""
        if isinstance(atom, Member) and f"{SUBJECTS[atom.subject]} {atom.list}" not in scope.lists:
            missing = atom.list
        elif isinstance(atom, Marked) and atom.mark not in scope.marks.get(atom.kind, {}):
            missing = f"'{atom.mark}'"
        elif isinstance(atom, Comparison):
            counts = [side.kind for side in (atom.left, atom.right) if isinstance(side, Count)]
            missing = next((f"count({kind})" for kind in counts if kind not in scope.marks), "")
        if missing:
            reason = Message(
                "{where} 的规则“{text}”引用了不存在的清单 {missing}。",
                "The rule of {where}, {text!r}, names {missing}, which is no list of it.",
            )
            remedy = Message("请在 lists.csv 中补上该清单。", "Add the list to lists.csv.")
            raise Refusal("E-PLAN-RULE", reason.format(where=where, text=text, missing=missing), remedy)
    return rule


def _rules(mdcs: tuple[Mdc, ...]) -> Iterator[tuple[Rule, Scope]]:
    for mdc in mdcs:
        yield mdc.rule, mdc.scope
        for adrg in mdc.adrgs:
            yield adrg.rule, adrg.scope
            yield from ((drg.rule, drg.scope) for drg in adrg.drgs)


def _codebook(tables: PlanTables, kind: str, known: list[str], mdcs: tuple[Mdc, ...]) -> Codebook:
    """Build the codebook of one kind; lists asked of many codes of a stay share the first words of its bits."""
    many, one = dict[tuple[str, ...], None](), dict[tuple[str, ...], None]()
    for rule, scope in _rules(mdcs):
        for atom in atoms(rule):
            if isinstance(atom, Member) and SUBJECTS[atom.subject] == kind:
                (many if atom.subject in _MANY else one)[scope.lists[f"{kind} {atom.list}"]] = None
            elif isinstance(atom, Marked | Comparison):
                many.update(dict.fromkeys(scope.marks.get(kind, {}).values()))
    codes = {_key(listed): listed.codes for listed in tables.lists if listed.kind == kind}
    lists = [(key, _codes(codes[key[:3]], key)) for key in [*many, *(key for key in one if key not in many)]]
    maps = tables.diagnosis_map if kind == "diagnosis" else tables.operation_map
    every = [*known, *(code for listed in codes.values() for code in listed)]
    return Codebook.build(every, maps, lists)


def _codes(listed: Mapping[str, str], key: tuple[str, ...]) -> list[str]:
    """Return all codes of a list, or those that bear the mark with which the key ends."""
    return [code for code, mark in listed.items() if key[3:] in ((), (mark,))]


def _exclusions(tables: PlanTables, diagnoses: Codebook) -> Exclusions:
    number = {code: place for place, code in enumerate(diagnoses.names)}
    named = dict.fromkeys([table for _, _, table in tables.complications] + [table for table, _ in tables.exclusions])
    place = {table: at for at, table in enumerate(named)}
    table = {level: np.full(len(number), -1, np.int32) for level in ("MCC", "CC")}
    for code, level, name in tables.complications:
        table[level][number[code]] = place[name]
    excluded = np.zeros((len(number), max(1, -(-len(place) // 64))), np.uint64)
    for name, code in tables.exclusions:
        excluded[number[code], place[name] // 64] |= np.uint64(1) << np.uint64(place[name] % 64)
    return Exclusions(table, excluded)
