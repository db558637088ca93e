"""Plans in the layout of the open reference grouper: ``rules.json`` beside tables ``*.dat``.

Two rules are not in ``rules.json`` but in what is published with it, and are made explicit here:

multiple trauma
    The list of MDCZ is cut by headings that name an area of the body. A stay enters where its diagnoses hit two areas.
unrelated operations
    A plan that names groups ``BQY``, ``CQY``, … puts a stay there whose first operation is valid and which no surgical
    ADRG of its MDC took, before any medical ADRG is tried.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from headwater.claims.grouping.tables import Entry, Group, Listed, PlanTables
from headwater.errors import Message, Refusal

__all__ = ["is_published", "read_published"]

_RULES = "rules.json"
_LISTS = ("mdc_zd", "adrg_zd", "adrg_zd1", "adrg_ss", "adrg_ss1")
_MEDICAL = "RSTUVWXYZ"
_TRAUMA = " and count(zd_matched) >= 2"
_UNRELATED = "MAINOP in SS_VALID"


def is_published(folder: Path) -> bool:
    """Tell whether the folder has the published layout."""
    return (folder / _RULES).is_file()


def read_published(folder: Path) -> PlanTables:
    """Read a published plan.

    Raises
    ------
    Refusal
        ``E-PLAN-FILE`` where a table is missing or cannot be read.
    """
    rules = _rules(folder / _RULES)
    try:
        return _tables(folder, rules)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise _unreadable(folder / _RULES, repr(error)) from error


def _tables(folder: Path, rules: Mapping[str, Any]) -> PlanTables:
    names = rules["drg_names"]
    adrgs = tuple(_adrgs(rules))
    unrelated = tuple(
        Group(adrg.code, adrg.code, "ALWAYS", names[adrg.code]) for adrg in adrgs if adrg.status != "grouped"
    )
    drgs = tuple(Group(code, code[:3], _any(rule), names.get(code, "")) for code, rule in rules["drg"].items())
    pairs = {name: _pairs(folder / f"{name}.dat", valued=True) for name in ("CC", "MCC", "CCE", "ZD_MAP", "SS_MAP")}
    valid = Listed("", "SS_VALID", "operation", dict.fromkeys(_pairs(folder / "SS_VALID.dat"), ""))
    return PlanTables(
        name=str(rules["version"]),
        source=str(rules.get("source", "")),
        diagnoses=_pairs(folder / "ZD_INFO.dat"),
        operations=_pairs(folder / "SS_INFO.dat"),
        diagnosis_map=pairs["ZD_MAP"],
        operation_map=pairs["SS_MAP"],
        lists=(valid, *_lists(rules)),
        mdcs=tuple(Entry(code, "", _entry(rules["mdc"][code])) for code in rules["mdc_order"]),
        adrgs=adrgs,
        drgs=drgs + unrelated,
        complications=tuple((code, level, table) for level in ("MCC", "CC") for code, table in pairs[level].items()),
        exclusions=tuple((table, code) for code, table in pairs["CCE"].items()),
    )


def _rules(file: Path) -> dict[str, Any]:
    try:
        rules = json.loads(file.read_text(encoding="utf-8-sig"))
        missing = {"version", "mdc_order", "mdc", "adrg", "drg", "drg_names"} - set(rules)
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise _unreadable(file, str(error)) from error
    if missing:
        raise _unreadable(file, ", ".join(sorted(missing)))
    return dict(rules)


def _pairs(file: Path, *, valued: bool = False) -> dict[str, str]:
    """Read lines of a code, a blank and a value, which may lack unless ``valued``; no code has two values."""
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(file, str(error)) from error
    split = (line.split(maxsplit=1) for line in lines)
    pairs: dict[str, str] = {}
    for code, value in ((parts[0], parts[1].strip() if len(parts) > 1 else "") for parts in split if parts):
        if pairs.setdefault(code, value) != value:
            raise _unreadable(file, f"2 × {code}: {pairs[code]!r}, {value!r}")
        if valued and not value:
            raise _unreadable(file, f"{code}: ∅")
    return pairs


def _unreadable(file: Path, detail: str) -> Refusal:
    reason = Message("分组方案文件 {file} 无法读取：{detail}。", "The plan's file {file} cannot be read: {detail}.")
    remedy = Message("请补齐该文件。", "Supply the file as published.")
    return Refusal("E-PLAN-FILE", reason.format(file=file.name, detail=detail), remedy)


def _any(rules: Sequence[str]) -> str:
    """Return one rule of alternatives."""
    if isinstance(rules, str):
        raise TypeError(f"{rules[:50]!r}: a text where a list is needed")
    return rules[0] if len(rules) == 1 else " or ".join(f"({rule})" for rule in rules)


def _entry(group: Mapping[str, Any]) -> str:
    headed = any(_is_heading(code) for code in group["lists"].get("mdc_zd", ()))
    return f"({_any(group['entry'])}){_TRAUMA}" if headed else _any(group["entry"])


def _is_heading(code: str) -> bool:
    return not code[:1].isascii()


def _adrgs(rules: Mapping[str, Any]) -> Iterator[Entry]:
    for mdc in rules["mdc_order"]:
        unrelated = f"{mdc[-1]}QY"
        wanted = unrelated in rules["drg_names"]
        for code in rules["mdc"][mdc]["adrg_order"]:
            if wanted and code[1] in _MEDICAL:
                yield Entry(unrelated, mdc, _UNRELATED, status="unrelated")
                wanted = False
            yield Entry(code, mdc, _any(rules["adrg"][code]["entry"]))


def _lists(rules: Mapping[str, Any]) -> Iterator[Listed]:
    for groups in (rules["mdc"], rules["adrg"]):
        for owner, group in groups.items():
            lists = group["lists"]
            if any(isinstance(lists.get(name), str) for name in _LISTS):
                raise TypeError(f"{owner}: a text where a list is needed")
            marked = any("ss_matched" in rule for rule in group["entry"])
            for name in _LISTS[:3]:
                if lists.get(name):
                    yield Listed(owner, name, "diagnosis", _headed(owner, lists[name]))
            if marked:
                # The second list says of each operation of the first which part it plays.
                pairs = zip(lists["adrg_ss"], lists["adrg_ss1"], strict=True)
                yield Listed(owner, "adrg_ss", "operation", _marked(owner, pairs))
                continue
            for name in _LISTS[3:]:
                if lists.get(name):
                    yield Listed(owner, name, "operation", dict.fromkeys(lists[name], ""))


def _headed(owner: str, codes: Sequence[str]) -> dict[str, str]:
    """Return codes with the heading under which each stands."""
    area, pairs = "", []
    for code in codes:
        if _is_heading(code):
            area = code
        else:
            pairs.append((code, area))
    return _marked(owner, pairs)


def _marked(owner: str, pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return codes with their marks; a code may stand twice, but with one mark."""
    marks: dict[str, str] = {}
    for code, mark in pairs:
        if marks.setdefault(code, mark) != mark:
            raise ValueError(f"{owner}: 2 × {code}: {marks[code]}, {mark}")
    return marks
