import csv
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from headwater.simulation import simulate
from headwater.simulation.hospitals import Region, roster
from headwater.simulation.layouts import file_columns
from headwater.simulation.stays import blocks, draw

REGION = Region(hospitals=3, months=2, stays=300, seed=4, dirt=False)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("clean")
    simulate(folder / "in", hospitals=3, months=2, stays=300, seed=4, dirt=False)
    return folder / "in"


def _rows(file: Path, encoding: str, number: int, table: str) -> list[dict[str, str]]:
    shape = roster(REGION)[number - 1].layout
    fields = [column.field for column in file_columns(shape, table)]
    with file.open(encoding=encoding, newline="") as stream:
        rows = list(csv.reader(stream, delimiter=shape.delimiter))
    return [dict(zip(fields, row, strict=True)) for row in rows[1:]]


@pytest.mark.parametrize(
    ("number", "encoding", "suffix"), [(1, "utf-8-sig", "csv"), (2, "gb18030", "csv"), (3, "utf-8", "tsv")]
)
def test_lines_of_a_clean_delivery_add_up_to_the_front_page(
    clean: Path, number: int, encoding: str, suffix: str
) -> None:
    folder = clean / f"h{100 + number:04d}"
    for month in ("202511", "202512"):
        pages = _rows(folder / f"front_page_{month}.{suffix}", encoding, number, "front_page")
        sums: Counter[str] = Counter()
        for line in _rows(folder / f"fee_lines_{month}.{suffix}", encoding, number, "fee_line"):
            amount = Decimal(line["det_item_fee_sumamt"].replace(",", ""))
            assert amount == Decimal(line["cnt"]) * Decimal(line["pric"])
            sums[line["mdtrt_id"]] += amount
        assert len(pages) == len(sums)
        for page in pages:
            total = Decimal(page["medfee_sumamt"].replace(",", ""))
            assert sums[page["mdtrt_id"]] == total
            parts = [Decimal(page[name].replace(",", "")) for name in ("fund_pay_sumamt", "psn_selfpay")]
            assert sum(parts) == total


def test_diagnoses_and_operations_are_listed_main_first(clean: Path) -> None:
    hospital = roster(REGION)[1]
    stays = [draw(place) for month in range(2) for place in blocks(REGION, hospital, month)]
    for name, wanted in (
        ("diagnosis", sum(len(s) + int((s.others >= 0).sum()) for s in stays)),
        ("operation", sum(int((s.operations >= 0).sum()) for s in stays)),
    ):
        rank = "diag_srt" if name == "diagnosis" else "oprn_srt"
        rows = [
            row for file in sorted((clean / "h0102").glob(f"{name}_*.csv")) for row in _rows(file, "gb18030", 2, name)
        ]
        assert len(rows) == wanted
        by_stay: dict[str, list[int]] = {}
        for row in rows:
            by_stay.setdefault(row["mdtrt_id"], []).append(int(row[rank]))
        assert all(ranks == list(range(1, len(ranks) + 1)) for ranks in by_stay.values())


def test_catalogues_cover_what_is_billed(clean: Path) -> None:
    folder = clean / "h0101"
    known = {
        row["medins_list_codg"]
        for table, stem in (("drug", "drug_list"), ("consumable", "consumable_list"), ("service_item", "service_list"))
        for row in _rows(folder / f"{stem}.csv", "utf-8-sig", 1, table)
    }
    billed = {row["medins_list_codg"] for row in _rows(folder / "fee_lines_202511.csv", "utf-8-sig", 1, "fee_line")}
    assert billed <= known


def test_names_stand_only_in_columns_that_no_field_reads_and_certificates_in_their_own(clean: Path) -> None:
    extra = [column for column in file_columns(roster(REGION)[0].layout, "front_page") if column.field.startswith("+")]
    assert {column.field for column in extra} == {"+name", "+phone", "+operator"}
    page = _rows(clean / "h0101" / "front_page_202511.csv", "utf-8-sig", 1, "front_page")[0]
    assert page["certno"].startswith("99")
    assert page["certno"] not in {
        value for field, value in page.items() if field != "certno" and not field.startswith("+")
    }
