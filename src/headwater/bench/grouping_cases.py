"""Stays that reach into every corner of a published plan, and stays as dirty as deliveries are."""

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np
import pyarrow as pa

from headwater.bench.grouping_oracle import Case, Oracle
from headwater.claims.grouping.facts import COLUMNS

__all__ = ["Cases", "as_table"]

_AGES = (0, 0, 0, 1, 5, 6, 7, 17, 18, 45, 66, 80, 101, None)
_DAYS = (0, 1, 27, 28, 29, 30, 200, 364, None)
_WEIGHTS = (600, 1499, 1500, 1999, 2000, 2499, 2500, 3400, None)
_LENGTHS = (0, 1, 2, 3, 5, 6, 7, 12, 13, 14, 40, None)
_WAYS = (1, 2, 3, 4, 5, 9, None)
_MOST = 7


class Cases:
    """Draws stays for one plan.

    Parameters
    ----------
    oracle : the plan as published
    seed : of the draws
    """

    def __init__(self, oracle: Oracle, seed: int) -> None:
        self.oracle, self.rng = oracle, np.random.default_rng(seed)

    @cached_property
    def _pools(self) -> dict[str, list[str]]:
        table = self.oracle.table
        pools = {
            name: sorted(table[name]) for name in ("CC", "MCC", "SS_VALID", "ZD_INFO", "SS_INFO", "ZD_MAP", "SS_MAP")
        }
        pools["Z"] = sorted(self.oracle.areas)
        exclusion = table["CCE"]
        by: dict[str, list[str]] = {}
        for level in ("CC", "MCC"):
            for code, number in table[level].items():
                by.setdefault(number, []).append(code)
        return pools | {f"excluded by {code}": by.get(number, []) for code, number in exclusion.items()}

    def draw(self, count: int) -> Iterator[Case]:
        """Draw stays: four of five aim at an ADRG, round by round, the others at nothing."""
        adrgs = [
            (mdc, adrg)
            for mdc in self.oracle.rules["mdc_order"]
            for adrg in self.oracle.rules["mdc"][mdc]["adrg_order"]
        ]
        for place in range(count):
            aimed = self.rng.random() < 0.8
            yield self._aimed(*adrgs[place % len(adrgs)]) if aimed else self._random()

    def _pick(self, codes: Sequence[str] | frozenset[str]) -> list[str]:
        ordered = codes if isinstance(codes, list) else sorted(codes)
        return [ordered[int(self.rng.integers(len(ordered)))]] if ordered else []

    def _one(self, values: Sequence[float | None]) -> float | None:
        return values[int(self.rng.integers(len(values)))]

    @cached_property
    def _wide(self) -> dict[tuple[str, str], list[str]]:
        """Codes that fit both an MDC and an ADRG, sorted once."""
        return {}

    def _fitting(self, mdc: str, adrg: str) -> list[str]:
        if (mdc, adrg) not in self._wide:
            wide = {code for code in self.oracle.lists.get((mdc, "mdc_zd"), frozenset()) if code[0].isascii()}
            both = self.oracle.lists.get((adrg, "adrg_zd"), frozenset()) & wide
            self._wide[mdc, adrg] = sorted(both or wide) or self._pools["ZD_INFO"]
        return self._wide[mdc, adrg]

    def _aimed(self, mdc: str, adrg: str) -> Case:
        lists = {
            name: self.oracle.lists.get((adrg, name), frozenset())
            for name in ("adrg_zd", "adrg_zd1", "adrg_ss", "adrg_ss1")
        }
        principal = self._pick(self._fitting(mdc, adrg))
        operations = self._operations(adrg)
        beside = [*self._pick(lists["adrg_zd1"]), *self._pick(lists["adrg_zd"])] if self.rng.random() < 0.7 else []
        if mdc == "MDCZ":
            beside += self._pick(self._pools["Z"]) + self._pick(self._pools["Z"])
        return self._dressed(principal + self._mixed(beside + self._complicating(principal[0])), operations, mdc)

    def _operations(self, adrg: str) -> list[str]:
        given = self.oracle.rules["adrg"][adrg]["lists"]
        if any("ss_matched" in rule for rule in self.oracle.rules["adrg"][adrg]["entry"]):
            marks = sorted(set(given["adrg_ss1"]))
            kept = [mark for mark in marks if self.rng.random() < 0.7]
            by = {
                mark: [code for code, own in zip(given["adrg_ss"], given["adrg_ss1"], strict=True) if own == mark]
                for mark in kept
            }
            return self._mixed([self._pick(codes)[0] for codes in by.values()])
        first = self._pick(given["adrg_ss"]) if given.get("adrg_ss") else []
        second = self._pick(given["adrg_ss1"]) if given.get("adrg_ss1") and self.rng.random() < 0.85 else []
        valid = any("SS_VALID" in rule for rule in self.oracle.rules["adrg"][adrg]["entry"])
        extra = self._pick(self._pools["SS_VALID"]) if valid or self.rng.random() < 0.1 else []
        loose = self._pick(self._pools["SS_INFO"]) if self.rng.random() < 0.3 else []
        done = [*first, *second, *extra, *loose]
        return self._mixed(done) if self.rng.random() < 0.3 else done

    def _complicating(self, principal: str) -> list[str]:
        chosen = []
        for name in ("CC", "MCC", f"excluded by {principal}", "ZD_INFO", "ZD_MAP"):
            if self.rng.random() < (0.25 if name in ("MCC", "ZD_MAP") else 0.35):
                chosen += self._pick(self._pools.get(name, []))
        return chosen

    def _mixed(self, codes: list[str]) -> list[str]:
        return [codes[place] for place in self.rng.permutation(len(codes)).tolist()]

    def _dressed(self, diagnoses: list[str], operations: list[str], mdc: str) -> Case:
        ages = _AGES[:3] if mdc == "MDCP" else _AGES
        age = self._one(ages)
        days = self._one(_DAYS) if age == 0 else None if age is None else float(age * 365 + 100)
        sex = self._one((1, 2, 1, 2, 1, 2, None))
        weight = self._one(_WEIGHTS) if age == 0 else None
        numbers = {"SEX": sex, "AGE_Y": age, "AGE_DAYS": days, "BIRTH_WT_G": weight}
        return Case(diagnoses, operations, {**numbers, "LOS_DAYS": self._one(_LENGTHS), "DSCG_WAY": self._one(_WAYS)})

    def _random(self) -> Case:
        diagnoses = [self._pick(self._pools[name])[0] for name in self._names(("ZD_INFO", "ZD_MAP", "CC", "MCC", "Z"))]
        operations = [self._pick(self._pools[name])[0] for name in self._names(("SS_INFO", "SS_MAP", "SS_VALID"))]
        if self.rng.random() < 0.05:
            diagnoses.insert(int(self.rng.integers(len(diagnoses) + 1)), "X99.999")
        if self.rng.random() < 0.02:
            diagnoses = []
        return self._dressed(diagnoses, operations, "")

    def _names(self, names: Sequence[str]) -> list[str]:
        count = int(self.rng.integers(0 if "SS_INFO" in names else 1, _MOST))
        return [names[place] for place in self.rng.integers(len(names), size=count).tolist()]


def as_table(cases: Sequence[Case]) -> pa.Table:
    """Return stays as the engine takes them."""
    columns = {
        "diagnoses": pa.array([list(case.diagnoses) for case in cases], pa.list_(pa.string())),
        "operations": pa.array([list(case.operations) for case in cases], pa.list_(pa.string())),
    }
    for fact, name in COLUMNS.items():
        columns[name] = pa.array([case.numbers.get(fact) for case in cases], pa.float64())
    return pa.table(columns)
