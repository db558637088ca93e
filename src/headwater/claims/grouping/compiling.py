"""Tables become a compiled plan: codes as numbers, lists as bits, rules as trees that name lists by their key."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from headwater.claims.grouping.codebook import Bits, Codebook, Numbers
from headwater.claims.grouping.grammar import (
    SUBJECTS,
    Comparison,
    Complicated,
    Count,
    Fact,
    Marked,
    Member,
    Rule,
    atoms,
    excerpt,
    parse,
)
from headwater.claims.grouping.tables import Entry, Group, Listed, PlanTables
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
    """A DRG as tried; ``facts`` are the numbers that its rule compares."""

    code: str
    rule: Rule
    scope: Scope
    facts: tuple[str, ...]


@dataclass(frozen=True)
class Adrg:
    """One way into an ADRG as tried, its DRGs in order; ``asks`` tells whether any of them asks for CC or MCC."""

    entry: str
    code: str
    status: str
    rule: Rule
    scope: Scope
    facts: tuple[str, ...]
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
    _refuse_empty_levels(tables.name, mdcs, tables.complications)
    complicating = [code for code, _, _ in tables.complications] + [code for _, code in tables.exclusions]
    diagnoses = _codebook(tables, "diagnosis", [*tables.diagnoses, *complicating], mdcs)
    operations = _codebook(tables, "operation", list(tables.operations), mdcs)
    return Compiled(diagnoses, operations, _exclusions(tables, diagnoses), mdcs)


def _refuse_loose(tables: PlanTables) -> None:
    """Refuse groups that stand under no group, twice, or have nothing below them, and levels that say half."""
    mdcs, adrgs = [mdc.code for mdc in tables.mdcs], [adrg.code for adrg in tables.adrgs]
    above = {code.split("_")[0] for code in adrgs}
    faults = [
        *(f"ADRG {adrg.code} → {adrg.within}" for adrg in tables.adrgs if adrg.within not in mdcs),
        *(f"DRG {drg.code} → {drg.adrg}" for drg in tables.drgs if drg.adrg not in above),
        *(f"ADRG {code} → DRG" for code in sorted(above - {drg.adrg for drg in tables.drgs})),
        *(f"2 × {code}" for codes in (mdcs, adrgs, [drg.code for drg in tables.drgs]) for code in _twice(codes)),
        *_incomplete(tables),
    ]
    if faults or not mdcs:
        shown = "; ".join(faults[:5]) or "MDC"
        reason = Message(
            "分组方案 {name} 的表格不完整：{shown}。", "The tables of plan {name} do not fit together: {shown}."
        )
        remedy = Message("请补齐、更正或删除。", "Add what is missing, or mend or remove these rows.")
        raise Refusal("E-PLAN-TABLE", reason.format(name=tables.name, shown=shown), remedy)


def _incomplete(tables: PlanTables) -> Iterator[str]:
    """Tell what is wrong with MCC and CC: each lack would silently put stays into lower or higher groups."""
    if tables.complications and not tables.exclusions:
        yield "MCC, CC → exclusions: ∅"
    yield from (f"MCC, CC: 2 × {code}" for code in _twice([code for code, _, _ in tables.complications]))


def _refuse_empty_levels(name: str, mdcs: tuple[Mdc, ...], complications: tuple[tuple[str, str, str], ...]) -> None:
    """Refuse a plan whose rules ask for a level of which no diagnosis is."""
    there = {level for _, level, _ in complications}
    for rule, _ in _rules(mdcs):
        for atom in atoms(rule):
            if isinstance(atom, Complicated) and atom.level not in there:
                reason = Message(
                    "分组方案 {name} 的规则用到 {level}，但没有任何诊断属于 {level}。",
                    "Rules of plan {name} ask for {level}, of which no diagnosis is.",
                )
                remedy = Message("请补齐该表。", "Supply the table of that level.")
                raise Refusal("E-PLAN-TABLE", reason.format(name=name, level=atom.level), remedy)


def _twice(codes: Sequence[str]) -> list[str]:
    return sorted(code for code, count in Counter(codes).items() if count > 1)


def _mdc(tables: PlanTables, owned: Mapping[str, list[Listed]], entry: Entry) -> Mdc:
    scope = _scope(owned, entry.code)
    within = tuple(_adrg(tables, owned, adrg) for adrg in tables.adrgs if adrg.within == entry.code)
    return Mdc(entry.code, _rule(entry.code, entry.rule, scope), scope, within)


def _adrg(tables: PlanTables, owned: Mapping[str, list[Listed]], entry: Entry) -> Adrg:
    scope, code = _scope(owned, entry.code), entry.code.split("_")[0]
    rule = _rule(entry.code, entry.rule, scope)
    drgs = tuple(_drg(owned, drg) for drg in tables.drgs if drg.adrg == code)
    asks = any(isinstance(atom, Complicated) for drg in drgs for atom in atoms(drg.rule))
    return Adrg(entry.code, code, entry.status, rule, scope, _facts(rule), drgs, asks)


def _drg(owned: Mapping[str, list[Listed]], group: Group) -> Drg:
    scope = _scope(owned, group.code)
    rule = _rule(group.code, group.rule, scope)
    return Drg(group.code, rule, scope, _facts(rule))


def _facts(rule: Rule) -> tuple[str, ...]:
    compared = [atom for atom in atoms(rule) if isinstance(atom, Comparison)]
    sides = [side for atom in compared for side in (atom.left, atom.right)]
    return tuple(dict.fromkeys(side.name for side in sides if isinstance(side, Fact)))


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
            shown, clipped = excerpt(text, text.find(missing)), excerpt(missing, 0)
            raise Refusal("E-PLAN-RULE", reason.format(where=where, text=shown, missing=clipped), remedy)
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
