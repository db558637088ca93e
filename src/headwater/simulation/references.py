"""What the region's bureau knows of items and codes: synthetic reference tables, each from its day on.

The daily dose of a drug is two pieces of its first strength, its grade follows the item's flag, and every third drug of
class 甲 is no essential drug: plausible numbers with no meaning beyond this region.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path

from headwater.simulation.hospitals import Region
from headwater.simulation.reference import Item, diseases, items, operations, rows

__all__ = ["FOLDER", "write_references"]

FOLDER = "reference"
"""Folder of the inbox in which a bureau's references lie."""

_GRADES = {"antibiotic_1": "非限制", "antibiotic_2": "限制", "antibiotic_3": "特殊"}
_CONTROLS = {"narcotic": "麻醉", "toxic": "毒性"}
_STRENGTH = re.compile(r"([0-9.]+)(g|mg|μg|IU)")
_CLASS = {"drug": slice(0, 6), "consumable": slice(0, 5), "service": slice(0, 4)}
_LIMITS = {"consumable": (1000, 500), "drug": (800, 500)}
"""Yuan from which an item is of high value, at first and after the revision."""
_DAYS = 2

Row = Mapping[str, object]


def write_references(folder: Path, region: Region) -> None:
    """Write ``<kind>_<date>.csv`` for every kind; in the middle of the period drugs and limits are revised."""
    folder.mkdir(parents=True, exist_ok=True)
    first, revised = region.month(0), region.month(region.months // 2)
    for kind, table in _lasting().items():
        _write(folder, kind, first, table)
    for turn, day in enumerate((first, revised) if revised > first else (first,)):
        _write(folder, "drug", day, [_drug(item, number, turn) for number, item in enumerate(_of("drug"))])
        _write(folder, "threshold", day, list(_thresholds(turn)))


def _lasting() -> dict[str, list[Row]]:
    return {
        "consumable": [_consumable(item) for item in _of("consumable")],
        "service": [{"code": item.code, "name": item.name, "unit": item.unit} for item in _of("service")],
        "diagnosis": [{"code": c, "name": n} for c, n in zip(diseases().code, diseases().name, strict=True)],
        "operation": [{"code": c, "name": n} for c, n in zip(operations().code, operations().name, strict=True)],
        **{f"{kind}_class": list(_classes(kind)) for kind in _CLASS},
    }


def _of(kind: str) -> list[Item]:
    return [item for item in items() if item.kind == kind]


def _drug(item: Item, number: int, turn: int) -> Row:
    dose, unit = _dose(item.base)
    return {
        "code": item.code,
        "name": item.name,
        "spec": item.spec,
        "unit": item.unit,
        "dosform_name": item.form,
        "prodentp_name": item.maker,
        "aprvno": item.licence,
        "ddd": dose,
        "ddd_unit": unit,
        "antibiotic_grade": _GRADES.get(item.flag, ""),
        "control": _CONTROLS.get(item.flag, ""),
        "is_essential": int(item.level == "01" and number % 3 > 0),
        # The revision buys every fifth drug centrally, before it none is.
        "is_central": int(turn > 0 and number % 5 == 0),
    }


def _dose(base: str) -> tuple[str, str]:
    """Return the daily dose of a drug by its name without form, and its unit; nothing where it has no strength."""
    row = next(row for row in rows("drugs") if row["name"] == base)
    found = _STRENGTH.search(row["strength"])
    return (f"{float(found[1]) * _DAYS:.10g}", found[2]) if found else ("", "")


def _consumable(item: Item) -> Row:
    return {
        "code": item.code,
        "name": item.name,
        "spec": item.spec,
        "unit": item.unit,
        "material": item.material,
        "prodentp_name": item.maker,
        "regno": item.licence,
        # What is no implant is of high value by its price.
        "is_high_value": "1" if item.flag == "implant" else "",
    }


def _thresholds(turn: int) -> Iterator[Row]:
    for kind, limits in _LIMITS.items():
        yield {"code": kind, "name": "高值界限", "amount": limits[turn], "currency": "CNY"}


def _classes(kind: str) -> Iterator[Row]:
    """Return the wider classes of the packaged table, and the narrowest ones, named after what first stands in them."""
    known = {row["code"]: row["name"] for row in rows("classes") if row["kind"] == kind}
    for item in _of(kind):
        known.setdefault(item.code[_CLASS[kind]], f"{item.base}等")
    return ({"code": code, "name": name} for code, name in sorted(known.items()))


def _write(folder: Path, kind: str, day: date, table: list[Row]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(table[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    (folder / f"{kind}_{day:%Y%m%d}.csv").write_text(text.getvalue(), encoding="utf-8")
