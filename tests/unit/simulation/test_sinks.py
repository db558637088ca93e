import csv
import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from python_calamine import CalamineWorkbook

from headwater.simulation.layouts import Column, Layout
from headwater.simulation.rendering import Grid
from headwater.simulation.sinks import open_sink

COLUMNS = (Column("a", "code", "编号"), Column("b", "money", "金额"), Column("c", "text", "名称"))
CELLS = (["001", "002", "003"], ["1.50", "见收据", "2.00"], ["甲", "", "丙"])
ROWS = Grid(COLUMNS, tuple(pa.array(cells) for cells in CELLS))


def _written(path: Path, shape: Layout, misshapen: dict[int, str]) -> bytes:
    sink = open_sink(path, shape=shape, columns=COLUMNS, title="某医院")
    sink.write(ROWS, misshapen)
    sink.write(ROWS, {})
    sink.close()
    return path.read_bytes()


@pytest.mark.parametrize("quoted", [True, False])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_lines_have_the_layout_s_encoding_titles_and_header(tmp_path: Path, encoding: str, quoted: bool) -> None:
    shape = Layout(1, encoding=encoding, quoted=quoted, header_row=2)
    data = _written(tmp_path / "a.csv", shape, {})
    assert data.startswith(b"\xef\xbb\xbf") == (encoding == "utf-8-sig")
    lines = list(csv.reader(data.decode(encoding).splitlines()))
    assert lines[:3] == [["某医院"], ["编号", "金额", "名称"], ["001", "1.50", "甲"]]
    assert len(lines) == 8


@pytest.mark.parametrize("quoted", [True, False])
def test_misshapen_rows_have_one_cell_too_many_or_too_few(tmp_path: Path, quoted: bool) -> None:
    data = _written(tmp_path / "a.csv", Layout(1, quoted=quoted), {0: "more", 2: "fewer"})
    rows = list(csv.reader(data.decode().splitlines()))[1:]
    assert [len(row) for row in rows] == [4, 3, 2, 3, 3, 3]
    assert rows[2] == ["003", "2.00"]


def test_a_compressed_file_carries_no_time(tmp_path: Path) -> None:
    shape = Layout(1, format="csv.gz")
    first, again = _written(tmp_path / "a.csv.gz", shape, {}), _written(tmp_path / "b.csv.gz", shape, {})
    assert first == again
    assert gzip.decompress(first).decode().splitlines()[1] == "001,1.50,甲"


def test_a_workbook_has_numbers_where_they_are_numbers(tmp_path: Path) -> None:
    first = _written(tmp_path / "a.xlsx", Layout(1, format="xlsx", header_row=3), {})
    rows = CalamineWorkbook.from_path(str(tmp_path / "a.xlsx")).get_sheet_by_name("数据").to_python()
    assert rows[2] == ["编号", "金额", "名称"]
    assert rows[3:6] == [["001", 1.5, "甲"], ["002", "见收据", ""], ["003", 2.0, "丙"]]
    assert _written(tmp_path / "a.xlsx", Layout(1, format="xlsx", header_row=3), {}) == first


def test_parquet_has_a_row_group_a_block(tmp_path: Path) -> None:
    _written(tmp_path / "a.parquet", Layout(1, format="parquet"), {})
    assert pq.ParquetFile(tmp_path / "a.parquet").num_row_groups == 2


@pytest.mark.parametrize("form", ["parquet", "xlsx"])
def test_formats_without_lines_cannot_be_misshapen(tmp_path: Path, form: str) -> None:
    sink = open_sink(tmp_path / f"a.{form}", shape=Layout(1, format=form), columns=COLUMNS, title="")
    sink.write(ROWS, {})
    with pytest.raises(ValueError, match="misshapen"):
        sink.write(ROWS, {0: "more"})
    sink.close()
