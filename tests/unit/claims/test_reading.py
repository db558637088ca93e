"""Files of every format and encoding come out as the same text, and broken ones are refused whole."""

import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter

from headwater.claims.canonical import ENTITIES
from headwater.claims.contract import ColumnRule, TableContract
from headwater.claims.reading import ROW, read
from headwater.errors import Refusal

ROWS = [("A01", "阿莫西林"), ("0002", "头孢 “克” 肟"), ("A03", "𠮷田膏")]


def _table(**changes) -> TableContract:
    columns = (("medins_list_codg", ColumnRule(column="码")), ("medins_list_name", ColumnRule(column="名")))
    base = {"format": "csv", "encoding": "auto", "sheet": None, "header_row": 1} | changes
    return TableContract(
        ENTITIES["drug"], "*", base["format"], base["encoding"], base["sheet"], base["header_row"], columns
    )


def _rows(path: Path, **changes) -> list[tuple]:
    delivery = read(path, name=path.name, table=_table(**changes))
    rows = [row for batch in delivery.batches for row in batch.to_pylist()]
    return [(row[ROW], row["码"], row["名"]) for row in rows]


def _text(sep: str = ",") -> str:
    return "".join(f"{sep.join(row)}\r\n" for row in [("码", "备注", "名"), *((code, "", name) for code, name in ROWS)])


WANT = [(number, code, name) for number, (code, name) in enumerate(ROWS, start=1)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("compressed", [False, True])
def test_csv_in_every_encoding(tmp_path: Path, encoding: str, compressed: bool):
    file = tmp_path / "f"
    content = _text().encode(encoding)
    file.write_bytes(gzip.compress(content) if compressed else content)
    assert _rows(file) == WANT


def test_tsv(tmp_path: Path):
    (tmp_path / "f").write_bytes(_text("\t").encode())
    assert _rows(tmp_path / "f", format="tsv") == WANT


def test_title_rows_before_the_header(tmp_path: Path):
    (tmp_path / "f").write_bytes(("药品目录\r\n制表：药剂科\r\n" + _text()).encode())
    assert _rows(tmp_path / "f", header_row=3) == WANT


def test_misshapen_rows_are_named_and_the_others_keep_their_numbers(tmp_path: Path):
    lines = ["码,备注,名", "a,,甲", "", "b,乙", 'c,"x\ny",丙', "d,,丁,戊", "e,,己"]
    (tmp_path / "f").write_text("\n".join(lines))
    delivery = read(tmp_path / "f", name="f", table=_table())
    rows = [(row[ROW], row["码"]) for batch in delivery.batches for row in batch.to_pylist()]
    assert rows == [(1, "a"), (3, "c"), (5, "e")]
    assert delivery.misshapen == [2, 4]


def test_row_numbers_hold_over_many_blocks(tmp_path: Path):
    lines = ["码,备注,名"] + [f"c{number},{'x' * 60},n" if number % 1000 else "broken" for number in range(1, 300_001)]
    (tmp_path / "f").write_text("\n".join(lines))
    delivery = read(tmp_path / "f", name="f", table=_table())
    batches = list(delivery.batches)
    assert len(batches) > 1
    assert all(row["码"] == f"c{row[ROW]}" for batch in batches for row in batch.slice(0, 50).to_pylist())
    assert delivery.misshapen == list(range(1000, 300_001, 1000))


def test_workbook_cells_become_plain_text(tmp_path: Path):
    with xlsxwriter.Workbook(str(tmp_path / "f.xlsx")) as book:
        book.add_worksheet("说明")
        sheet = book.add_worksheet("目录")
        for place, row in enumerate([("码", "名"), ("007", "甲"), (12, 1.5), (), (123456789012345678, "乙")]):
            sheet.write_row(place, 0, row)
    assert _rows(tmp_path / "f.xlsx", format="xlsx", sheet="目录") == [
        (1, "007", "甲"),
        (2, "12", "1.5"),
        (3, "1.23456789012346E+17", "乙"),
    ]


def _book(path: Path, *sheets: list[tuple[object, ...]]) -> Path:
    with xlsxwriter.Workbook(str(path)) as book:
        for rows in sheets:
            sheet = book.add_worksheet()
            for place, row in enumerate(rows):
                sheet.write_row(place, 0, row)
    return path


def test_rows_that_go_on_in_another_sheet_are_not_left_behind(tmp_path: Path):
    head, row = ("码", "名"), ("007", "甲")
    path = _book(tmp_path / "f.xlsx", [head, row], [("说明", "")], [("名", "码"), row])
    with pytest.raises(Refusal) as refusal:
        _rows(path, format="xlsx")
    assert (refusal.value.code, "Sheet3" in refusal.value.reason.zh) == ("E-FILE-SHEET", True)
    assert _rows(path, format="xlsx", sheet="Sheet1") == [(1, *row)]
    # A sheet without rows, or of something else, leaves nothing out.
    assert _rows(_book(tmp_path / "g.xlsx", [head, row], [head], [("码", "价"), row], []), format="xlsx") == [(1, *row)]


def test_parquet_values_become_plain_text(tmp_path: Path):
    pq.write_table(pa.table({"码": pa.array(["007", None]).dictionary_encode(), "名": [1e6, 0.1]}), tmp_path / "f")
    assert _rows(tmp_path / "f", format="parquet") == [(1, "007", "1000000"), (2, None, "0.1")]


def test_header_alone_is_an_empty_delivery(tmp_path: Path):
    (tmp_path / "f").write_text("码,名\n")
    assert _rows(tmp_path / "f") == []


@pytest.mark.parametrize(
    ("content", "changes", "code"),
    [
        (b"", {}, "E-FILE-EMPTY"),
        ("码,名\na,b\n".encode() + b"\xff\xff\n", {}, "E-FILE-ENCODING"),
        ("码,名\na,\0\n".encode(), {}, "E-FILE-ENCODING"),
        ("码,名\n甲,乙\n".encode("utf-16"), {}, "E-FILE-ENCODING"),
        ("码,名\n甲,乙\n".encode("gb18030"), {"encoding": "utf-8"}, "E-FILE-ENCODING"),
        ("码,名称\n甲,乙\n".encode(), {}, "E-COLUMN-MISSING"),
        ("码,名,名\n甲,乙,丙\n".encode(), {}, "E-COLUMN-TWICE"),
        (b"PK not a workbook", {"format": "xlsx"}, "E-FILE-FORMAT"),
        (b"PAR1 not parquet", {"format": "parquet"}, "E-FILE-FORMAT"),
    ],
)
def test_what_cannot_be_read_is_refused_whole(tmp_path: Path, content: bytes, changes: dict, code: str):
    (tmp_path / "f").write_bytes(content)
    with pytest.raises(Refusal) as refusal:
        _rows(tmp_path / "f", **changes)
    assert refusal.value.code == code
    assert "f" in refusal.value.reason.zh
