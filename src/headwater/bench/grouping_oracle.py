"""A grouper written apart from the engine: one stay at a time, straight from the published rules, as a clerk would.

It reads ``rules.json`` and the tables beside it by itself, takes each rule apart as an expression of Python's grammar
(parsed, never run) and walks it. It shares no line with ``claims.grouping``; where both agree on a hundred thousand
stays, neither is likely to have misread the plan.
"""

import ast
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

__all__ = ["Answer", "Case", "Oracle"]

Answer = tuple[str | None, str | None, str | None, str]
"""MDC, ADRG, DRG and status."""

_AREAS = 2
_SURGICAL = "ABCDEFGHJKLMNOPQ"


@dataclass(frozen=True)
class Case:
    """One stay; a number that is not known is None."""

    diagnoses: Sequence[str]
    operations: Sequence[str] = ()
    numbers: Mapping[str, float | None] = field(default_factory=dict)


class Oracle:
    """One published plan, read as it stands.

    Parameters
    ----------
    folder : with ``rules.json`` and its tables
    """

    def __init__(self, folder: Path) -> None:
        self.rules: dict[str, Any] = json.loads((folder / "rules.json").read_text(encoding="utf-8"))
        tables = ("CC", "MCC", "CCE", "SS_VALID", "ZD_MAP", "SS_MAP", "ZD_INFO", "SS_INFO")
        self.table = {name: dict(self._lines(folder / f"{name}.dat")) for name in tables}
        self.lists: dict[tuple[str, str], frozenset[str]] = {}
        self.trees: dict[str, ast.expr] = {}
        for groups in (self.rules["mdc"], self.rules["adrg"]):
            for owner, group in groups.items():
                for name, codes in group["lists"].items():
                    self.lists[owner, name] = frozenset(codes)

    @staticmethod
    def _lines(file: Path) -> list[tuple[str, str]]:
        text = file.read_text(encoding="utf-8").replace("\ufeff", "")
        return [(line.partition(" ")[0], line.partition(" ")[2].strip()) for line in text.split("\n") if line.strip()]

    @cached_property
    def known_diagnoses(self) -> frozenset[str]:
        """Every diagnosis that the plan speaks of."""
        listed = (codes for (_, name), codes in self.lists.items() if "zd" in name)
        return frozenset(self.table["ZD_INFO"]).union(*(self.table[name] for name in ("CC", "MCC", "CCE")), *listed)

    @cached_property
    def known_operations(self) -> frozenset[str]:
        """Every operation that the plan speaks of."""
        listed = (codes for (_, name), codes in self.lists.items() if "ss" in name)
        return frozenset(self.table["SS_INFO"]).union(self.table["SS_VALID"], *listed)

    @cached_property
    def areas(self) -> dict[str, str]:
        """Area of the body of each injury of the list of multiple traumata."""
        area, areas = "", {}
        for code in self.rules["mdc"]["MDCZ"]["lists"]["mdc_zd"]:
            if code.endswith("创伤"):
                area = code
            else:
                areas[code] = area
        return areas

    @cached_property
    def drgs(self) -> dict[str, list[tuple[str, str]]]:
        """DRGs and their rules by ADRG, in order."""
        by: dict[str, list[tuple[str, str]]] = {}
        for code, rules in self.rules["drg"].items():
            by.setdefault(code[:3], []).extend((code, rule) for rule in rules)
        return by

    def group(self, case: Case) -> Answer:
        """Return where one stay belongs."""
        if not case.diagnoses:
            return None, None, None, "invalid"
        known, maps = self.known_diagnoses, self.table["ZD_MAP"]
        diagnoses = [code if code in known else maps.get(code, code) for code in case.diagnoses]
        known, maps = self.known_operations, self.table["SS_MAP"]
        operations = [code if code in known else maps.get(code, code) for code in case.operations]
        stay = Case(diagnoses, operations, case.numbers)
        for mdc in self.rules["mdc_order"]:
            found = self._in_mdc(mdc, stay)
            if found:
                return found
        return None, None, None, "ungroupable"

    def _in_mdc(self, mdc: str, stay: Case) -> Answer | None:
        group = self.rules["mdc"][mdc]
        if not any(self._holds(rule, mdc, stay) for rule in group["entry"]):
            return None
        if mdc == "MDCZ":
            hit = {self.areas[code] for code in stay.diagnoses if code in self.areas}
            if stay.diagnoses[0] not in self.areas or len(hit) < _AREAS:
                return None
        unrelated = f"{mdc[-1]}QY"
        for adrg in group["adrg_order"]:
            valid = bool(stay.operations) and stay.operations[0] in self.table["SS_VALID"]
            if unrelated in self.rules["drg_names"] and adrg[1] not in _SURGICAL and valid:
                return mdc, unrelated, unrelated, "unrelated"
            if any(self._holds(rule, adrg, stay) for rule in self.rules["adrg"][adrg]["entry"]):
                for drg, rule in self.drgs[adrg[:3]]:
                    if self._holds(rule, adrg, stay):
                        return mdc, adrg[:3], drg, "grouped"
                return mdc, adrg[:3], None, "ungroupable"
        return None

    def _holds(self, rule: str, owner: str, stay: Case) -> bool:
        if rule not in self.trees:
            self.trees[rule] = ast.parse(rule, mode="eval").body
        return bool(self._value(self.trees[rule], owner, stay))

    def _value(self, node: ast.expr, owner: str, stay: Case) -> Any:
        if isinstance(node, ast.BoolOp):
            parts = (self._value(part, owner, stay) for part in node.values)
            return all(parts) if isinstance(node.op, ast.And) else any(parts)
        if isinstance(node, ast.UnaryOp):
            return not self._value(node.operand, owner, stay)
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Call):
            value = self._value(node.args[0], owner, stay)
            return None if value is None else int(value)
        if isinstance(node, ast.Compare):
            return self._compare(node, owner, stay)
        assert isinstance(node, ast.Name)
        if node.id == "ALWAYS":
            return True
        return self._complicated(node.id, stay) if node.id in ("CC", "MCC") else stay.numbers.get(node.id)

    def _compare(self, node: ast.Compare, owner: str, stay: Case) -> bool:
        if isinstance(node.ops[0], ast.In):
            return self._is_in(node.left, node.comparators[0], owner, stay)
        values = [self._value(part, owner, stay) for part in (node.left, *node.comparators)]
        if any(value is None for value in values):
            return False
        for sign, left, right in zip(node.ops, values, values[1:], strict=False):
            held = {
                ast.Lt: left < right,
                ast.LtE: left <= right,
                ast.Gt: left > right,
                ast.GtE: left >= right,
                ast.Eq: left == right,
            }[type(sign)]
            if not held:
                return False
        return True

    def _is_in(self, left: ast.expr, right: ast.expr, owner: str, stay: Case) -> bool:
        assert isinstance(right, ast.Name)
        if right.id == "ss_matched":
            lists = self.rules["adrg"][owner]["lists"]
            matched = [
                lists["adrg_ss1"][lists["adrg_ss"].index(code)] for code in stay.operations if code in lists["adrg_ss"]
            ]
            return isinstance(left, ast.Constant) and left.value in matched
        assert isinstance(left, ast.Name)
        listed = self.table["SS_VALID"] if right.id == "SS_VALID" else self.lists[owner, right.id]
        codes = {
            "PDX": stay.diagnoses[:1],
            "SDX": stay.diagnoses[1:],
            "ANYDX": stay.diagnoses,
            "MAINOP": stay.operations[:1],
            "ANYOP": stay.operations,
        }[left.id]
        return any(code in listed for code in codes)

    def _complicated(self, level: str, stay: Case) -> bool:
        exclusion = self.table["CCE"].get(stay.diagnoses[0])
        table = self.table[level]
        return any(code in table and (not exclusion or table[code] != exclusion) for code in stay.diagnoses[1:])
