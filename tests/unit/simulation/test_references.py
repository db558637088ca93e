"""The region's references: every item once, and a revision in the middle of the period."""

import csv
from pathlib import Path

import pytest

from headwater.simulation.hospitals import Region
from headwater.simulation.reference import diseases, items, operations
from headwater.simulation.references import write_references


def _rows(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_references(tmp_path, Region(months=24))
    return tmp_path


def test_every_item_of_the_region_is_referred_to_once(folder: Path):
    codes = {kind: [row["code"] for row in _rows(folder / f"{kind}_20240101.csv")] for kind in ("drug", "consumable")}
    codes["service"] = [row["code"] for row in _rows(folder / "service_20240101.csv")]
    for kind, listed in codes.items():
        assert listed == [item.code for item in items() if item.kind == kind]
        assert len(set(listed)) == len(listed)
    assert tuple(row["code"] for row in _rows(folder / "diagnosis_20240101.csv")) == diseases().code
    assert tuple(row["code"] for row in _rows(folder / "operation_20240101.csv")) == operations().code


def test_every_item_has_classes(folder: Path):
    for kind in ("drug", "consumable", "service"):
        classes = {row["code"] for row in _rows(folder / f"{kind}_class_20240101.csv")}
        for item in items():
            found = [code for code in classes if item.code.startswith(code)]
            assert item.kind != kind or len(found) >= (1 if kind == "service" else 2), item.code


def test_the_revision_buys_drugs_centrally_and_lowers_limits(folder: Path):
    first, second = (_rows(folder / f"drug_{day}.csv") for day in ("20240101", "20250101"))
    assert {row["is_central"] for row in first} == {"0"}
    assert {row["is_central"] for row in second} == {"0", "1"}
    same = [{name: cell for name, cell in row.items() if name != "is_central"} for row in first]
    assert same == [{name: cell for name, cell in row.items() if name != "is_central"} for row in second]
    limits = [
        {row["code"]: float(row["amount"]) for row in _rows(folder / f"threshold_{day}.csv")}
        for day in ("20240101", "20250101")
    ]
    assert all(limits[1][kind] < limits[0][kind] for kind in limits[0])


def test_flags_follow_the_items(folder: Path):
    by_code = {row["code"]: row for row in _rows(folder / "drug_20240101.csv")}
    for item in items():
        if item.kind == "drug":
            row = by_code[item.code]
            assert bool(row["antibiotic_grade"]) == item.flag.startswith("antibiotic")
            assert bool(row["control"]) == (item.flag in ("narcotic", "toxic"))
            assert bool(row["ddd"]) == bool(row["ddd_unit"])


def test_a_region_of_one_month_has_no_revision(tmp_path: Path):
    write_references(tmp_path, Region(months=1, stays=12))
    assert {file.stem.rpartition("_")[2] for file in tmp_path.iterdir()} == {"20251201"}
