"""Hostile files are refused before they harm, and whatever a harmless program writes still passes."""

import contextlib
import gzip
import io
import zipfile
from pathlib import Path
from random import Random

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headwater.bench.hostile_files import CLASSES
from headwater.claims.canonical import ENTITIES
from headwater.claims.contract import ColumnRule, TableContract
from headwater.claims.guarding import guard, guard_place, refuse_long_cells, too_misshapen
from headwater.claims.landing import land_bytes
from headwater.claims.reading import read
from headwater.claims.thrift import thrift_struct
from headwater.errors import Refusal

SLOW = {"zip of a million members", "csv of one endless line", "parquet of 100,000 columns", "parquet cell of 400 MB"}
SLOW |= {"parquet cell of 400 MB that denies its size"}
FORMATS = ("csv", "tsv", "xlsx", "parquet")
SHEET = "xl/worksheets/sheet1.xml"


def _table(kind: str, encoding: str = "auto") -> TableContract:
    columns = (("medins_list_codg", ColumnRule(column="c")), ("medins_list_name", ColumnRule(column="n")))
    return TableContract(ENTITIES["drug"], "*", kind, encoding, None, 1, columns)


def _count(path: Path, kind: str, name: str = "f", encoding: str = "auto") -> int:
    return sum(batch.num_rows for batch in read(path, name=name, table=_table(kind, encoding)).batches)


def _deliver(file: Path, kind: str, vault: Path) -> None:
    guard_place(file, folder=file.parent, name=file.name)
    landed = land_bytes(file, inbox=file.parent, vault=vault)
    _count(landed.path, kind, landed.name)


@pytest.mark.parametrize("name", [name for name in CLASSES if name not in SLOW])
def test_every_class_of_the_bench_is_refused_in_both_languages(tmp_path: Path, name: str):
    hostile, inbox = CLASSES[name], tmp_path / "in"
    inbox.mkdir()
    file = inbox / (hostile.title or "f")
    hostile.write(file, Random(7))
    with pytest.raises(Refusal) as refusal:
        _deliver(file, hostile.format, tmp_path)
    assert refusal.value.code in hostile.codes
    said = refusal.value
    assert all((said.reason.zh, said.reason.en, said.remedy.zh, said.remedy.en))
    # A name that orders terminals about does not get to do so through the message.
    assert not {"\x1b", "\x07", "\n", "\u202e"} & set(str(refusal.value))
    assert not list(tmp_path.rglob("hostile-escaped.txt"))


def _workbook(rows: int = 3, columns: int = 2) -> bytes:
    held = io.BytesIO()
    with xlsxwriter.Workbook(held) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["c", "n", *(f"x{place}" for place in range(columns - 2))])
        for row in range(1, rows + 1):
            sheet.write_row(row, 0, [f"A{row}", *range(columns - 1)])
    return held.getvalue()


def _changed(book: bytes, old: str, new: str) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(book)) as whole, zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as made:
        for part in whole.infolist():
            text = whole.read(part)
            if part.filename == SHEET:
                assert old.encode() in text
                text = text.replace(old.encode(), new.encode())
            made.writestr(part.filename, text)
    return held.getvalue()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('<c r="', '<c  r="'),
        ('<c r="A2"', "<c r='A2'"),
        ('<c r="A2"', "<c"),
        ('ref="A1:B4"', 'ref="A1"'),
        ('ref="A1:B4"', 'ref="A1:B1048576"'),
        ("</sheetData>", '<row r="1048576"><c r="XFD1048576" s="1"/></row></sheetData>'),
        ("<worksheet", "<!-- made by hand --><worksheet"),
    ],
)
def test_unusual_workbooks_pass(tmp_path: Path, old: str, new: str):
    (tmp_path / "f").write_bytes(_changed(_workbook(), old, new))
    assert _count(tmp_path / "f", "xlsx") == 3


@pytest.mark.parametrize(("rows", "columns"), [(2, 800), (2_000, 30), (1_001, 3), (9, 26), (9, 27)])
def test_wide_and_long_workbooks_pass(tmp_path: Path, rows: int, columns: int):
    (tmp_path / "f").write_bytes(_workbook(rows, columns))
    assert _count(tmp_path / "f", "xlsx") == rows


@pytest.mark.parametrize(
    "far",
    [
        '<c r="XFD1048576"><v>1</v></c>',
        "<c r='XFD1048576'><v>1</v></c>",
        '<x:c xmlns:x="u" r="XFD1048576"><v>1</v></x:c>',
        '<c\nr="XFD1048576"><v>1</v></c>',
        '<c r="A1" r="XFD1048576"><v>1</v></c>',
        '<c s="1" r="XFD1048576"><v>1</v></c>',
        '<c r="B99999999999"><v>1</v></c>',
        '<c r="AAAAA9"><v>1</v></c>',
        '<c r="xfd1048576"><v>1</v></c>',
    ],
)
def test_a_far_cell_is_found_however_it_is_written(tmp_path: Path, far: str):
    # The reader would end the process for lack of memory, so a miss here ends the tests.
    (tmp_path / "f").write_bytes(_changed(_workbook(), "</sheetData>", f'<row r="9">{far}</row></sheetData>'))
    with pytest.raises(Refusal, match="E-FILE-(SIZE|FORMAT)"):
        guard(tmp_path / "f", name="f", table=_table("xlsx"))


def test_a_far_cell_is_found_in_whatever_part_the_workbook_calls_a_sheet(tmp_path: Path):
    for text in (b"<sst><sheetData>%s</sheetData></sst>", b"x<worksheet><sheetData>%s</sheetData></worksheet>"):
        held = io.BytesIO(_workbook())
        with zipfile.ZipFile(held, "a") as book:
            book.writestr("xl/media/picture.png", text % b'<row r="9"><c r="XFD1048576"><v>1</v></c></row>')
        (tmp_path / "f").write_bytes(held.getvalue())
        with pytest.raises(Refusal, match="E-FILE-(SIZE|ARCHIVE)"):
            guard(tmp_path / "f", name="f", table=_table("xlsx"))


def test_text_that_shrinks_well_passes(tmp_path: Path):
    rows = "".join(f"{row},阿莫西林胶囊\n" for row in range(200_000))
    (tmp_path / "f").write_bytes(gzip.compress(b"c,n\n") + gzip.compress(rows.encode()))
    assert _count(tmp_path / "f", "csv") == 200_000


def test_nul_bytes_are_refused_in_every_declared_encoding(tmp_path: Path):
    (tmp_path / "f").write_bytes(b"c,n\n1,a\0\n")
    with pytest.raises(Refusal, match="E-FILE-ENCODING"):
        _count(tmp_path / "f", "csv", encoding="latin-1")


@pytest.mark.parametrize("name", ["t1/费用 2024-01（补报）.csv", "t1/\\udcc8\\udcfd.csv", "a" * 200, "t1/..csv"])
def test_names_of_people_pass(tmp_path: Path, name: str):
    (tmp_path / "f").write_bytes(b"c,n\n1,a\n")
    assert _count(tmp_path / "f", "csv", name) == 1


def test_links_within_the_folder_are_files_of_it(tmp_path: Path):
    (tmp_path / "f").write_bytes(b"c,n\n1,a\n")
    (tmp_path / "link").symlink_to("f")
    guard_place(tmp_path / "link", folder=tmp_path, name="link")


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("repeats", [1, 1000])
def test_parquet_of_other_programs_passes(tmp_path: Path, version: str, repeats: int):
    duckdb.sql(
        f"COPY (SELECT 'x' || (i // {repeats}) AS c, CASE WHEN i % 3 > 0 THEN i END AS n FROM range(200000) t(i)) "
        f"TO '{tmp_path / 'f'}' (FORMAT parquet, PARQUET_VERSION {version})"
    )
    assert _count(tmp_path / "f", "parquet") == 200_000


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.float16()])
def test_parquet_types_with_a_text_pass(tmp_path: Path, kind: pa.DataType):
    values = [1.5, None] if kind == pa.float16() else ["a", None]
    pq.write_table(pa.table({"c": ["1", "2"], "n": pa.array(values, kind)}), tmp_path / "f")
    assert _count(tmp_path / "f", "parquet") == 2


@pytest.mark.parametrize("encoding", [None, "DELTA_BYTE_ARRAY"])
def test_a_long_text_that_repeats_is_refused_before_it_is_put_in(tmp_path: Path, encoding: str | None):
    table = pa.table({"c": ["x" * 100_000] * 2_000, "n": ["a"] * 2_000})
    given = {"use_dictionary": False, "column_encoding": {"c": encoding, "n": "PLAIN"}} if encoding else {}
    pq.write_table(table, tmp_path / "f", **given)
    with pytest.raises(Refusal, match="E-FILE-(SIZE|FORMAT)"):
        _count(tmp_path / "f", "parquet")


def test_thrift_structs_are_read_to_their_end():
    # Fields 1 (integer -3), 2 (text), 3 (list of two structs), 5 (true), 21 (struct with integer 300).
    data = b"\x15\x05\x18\x02ab\x19\x2c\x15\x02\x00\x00\x21\x0c\x2a\x16\xd8\x04\x00\x00rest"
    assert thrift_struct(data) == ({1: -3, 21: {1: 300}}, len(data) - 4)
    with pytest.raises(IndexError):
        thrift_struct(data[:9])


def test_the_longest_cell_passes_and_one_byte_more_does_not():
    for extra, verdict in ((0, None), (1, "E-FILE-SIZE")):
        batch = pa.RecordBatch.from_arrays([pa.array(["a", None, "x" * (4 * 32_767 + extra)]).slice(1)], names=["c"])
        if verdict is None:
            refuse_long_cells(batch, name="f")
        else:
            with pytest.raises(Refusal, match=verdict):
                refuse_long_cells(batch, name="f")


def test_fifty_thousand_misshapen_rows_are_still_rows():
    assert (too_misshapen(50_000), too_misshapen(50_001)) == (False, True)


def _wholes() -> list[bytes]:
    held = io.BytesIO()
    pq.write_table(pa.table({"c": ["1", "2", "2"], "n": ["a", None, "c"]}), held)
    text = 'c,n\n1,药\n2,"b"\n'
    return [held.getvalue(), _workbook(), text.encode(), text.encode("gb18030"), gzip.compress(text.encode())]


WHOLES = _wholes()


@st.composite
def _damaged(draw: st.DrawFn) -> bytes:
    content = bytearray(draw(st.sampled_from(WHOLES)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(content) - 1)))
        content[at : at + draw(st.integers(0, 8))] = draw(st.binary(max_size=8))
    return bytes(content)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.one_of(_damaged(), st.binary(max_size=200)), kind=st.sampled_from(FORMATS))
def test_any_bytes_are_read_or_refused(tmp_path: Path, content: bytes, kind: str):
    (tmp_path / "f").write_bytes(content)
    with contextlib.suppress(Refusal):
        assert _count(tmp_path / "f", kind) >= 0
