"""Kept deliveries against raw rows: honest lakes are explained to the last cell, every broken twin is told by name."""

import gzip
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter

from headwater.adapters import lake, postgres, verification
from headwater.adapters.home import Home
from headwater.adapters.migration import compared
from headwater.adapters.quality import frozen
from headwater.adapters.verification import Verification, save, verify
from headwater.content.migration import Verified
from headwater.simulation import simulate
from headwater.steps.check import check
from headwater.steps.land import land

NOW = datetime(2026, 6, 30, tzinfo=UTC)
PERSON = "110101199003078515"
CONTRACT = """
version: 2
sources:
  - name: {name}
    config:
      meta:
        title: {{zh: 测试医院, en: Test hospital}}
        owner: it
        origin: synthetic
        currency: CNY
        deliveries: {name}
    tables:
      - name: front_page
        config:
          meta:
            files: "pages*"
            format: {format}
            header_row: {header_row}
            columns:
              mdtrt_id: 就诊号
              fixmedins_code: {{from: 机构, width: 4}}
              psn_no: 人员
              certno: 证件
              gend: {{from: 性别, map: {{男: "1", 女: "2"}}}}
              age: {{from: 年龄, only: {{单位: A}}}}
              begntime: 入院
              endtime: 出院
              dscg_maindiag_code: 诊断
              dscg_maindiag_name: 诊断名称
              medfee_sumamt: 总费用
              fund_pay_sumamt: {{from: 基金分, scale: 0.01}}
      - name: diagnosis
        config:
          meta:
            files: "pages*"
            format: {format}
            header_row: {header_row}
            each: {{rank: diag_srt, slots: [{{diag_code: 诊断}}, {{diag_code: 诊断二}}]}}
            columns: {{mdtrt_id: 就诊号}}
"""
HEADER = (
    "就诊号",
    "机构",
    "人员",
    "证件",
    "性别",
    "年龄",
    "单位",
    "入院",
    "出院",
    "诊断",
    "诊断名称",
    "总费用",
    "基金分",
    "诊断二",
    "姓名",
)
ROWS = (
    (
        "M1",
        "0007",
        "P1",
        PERSON,
        "男",
        "35",
        "A",
        "2026-01-01",
        "2026-01-05",
        "A01",
        "伤寒",
        "1234.50",
        "5000",
        "B02",
        "甲",
    ),
    (
        "Ｍ２",
        "7",
        "p1 ",
        PERSON,
        "男",
        "３５岁",
        "A",
        "2026/1/2",
        "20260106",
        "a02",
        " 副伤寒",
        "1,234.50元",
        "0",
        "",
        "乙",
    ),
    ("M3", "0007", "P2", "", "男", "11", "M", "2026-01-03", "2026-01-07", "A03", "痢疾", "壹佰元整", "", "NULL", "丙"),
    ("M4", "0007", "P3", "", "男", "40", "A", "2026-01-03", "no date", "A04", "肠炎", "3.00", "100", "", "丁"),
    (
        "M1",
        "0007",
        "P1",
        PERSON,
        "男",
        "35",
        "A",
        "2026-01-01",
        "2026-01-05",
        "A01",
        "伤寒",
        "1234.50",
        "5000",
        "B02",
        "甲",
    ),
    ("M5", "0007", "P4", "", "", "9", "A", "2026-01-03", "2026-01-08", "A05", '说"是"', "3.5", "10", "-", "戊"),
)
SHORT = "M9,0007\n"


TWINS: dict[str, set[tuple[str, str]]] = {
    "UPDATE lake.raw.front_page SET medfee_sumamt = 1234.51 WHERE mdtrt_id = 'M1'": {("front_page", "medfee_sumamt")},
    "UPDATE lake.raw.front_page SET medfee_sumamt = 12345 WHERE mdtrt_id = 'M2'": {("front_page", "medfee_sumamt")},
    "UPDATE lake.raw.front_page SET age = NULL WHERE mdtrt_id = 'M1'": {("front_page", "age")},
    "UPDATE lake.raw.front_page SET age = 11 WHERE mdtrt_id = 'M3'": {("front_page", "age")},
    "UPDATE lake.raw.front_page SET endtime = endtime + INTERVAL 1 DAY": {("front_page", "endtime")},
    "UPDATE lake.raw.front_page SET begntime = endtime, endtime = begntime": {
        ("front_page", "begntime"),
        ("front_page", "endtime"),
    },
    "UPDATE lake.raw.front_page SET dscg_maindiag_code = dscg_maindiag_name, dscg_maindiag_name = dscg_maindiag_code": {
        ("front_page", "dscg_maindiag_code"),
        ("front_page", "dscg_maindiag_name"),
    },
    "UPDATE lake.raw.front_page SET row_no = CASE row_no WHEN 3 THEN 4 WHEN 4 THEN 3 ELSE row_no END": {
        ("front_page", "age"),
        ("front_page", "begntime"),
        ("front_page", "certno"),
        ("front_page", "dscg_maindiag_code"),
        ("front_page", "dscg_maindiag_name"),
        ("front_page", "endtime"),
        ("front_page", "fund_pay_sumamt"),
        ("front_page", "mdtrt_id"),
        ("front_page", "medfee_sumamt"),
        ("front_page", "psn_no"),
    },
    "DELETE FROM lake.raw.front_page WHERE mdtrt_id = 'M3'": {("front_page", "")},
    "DELETE FROM lake.raw.front_page WHERE mdtrt_id = 'M1'": {("front_page", "")},
    "DELETE FROM lake.raw.diagnosis WHERE diag_srt = 2": {("diagnosis", "")},
    "INSERT INTO lake.raw.front_page FROM lake.raw.front_page WHERE mdtrt_id = 'M3'": {("front_page", "")},
    "DELETE FROM lake.raw.quarantine WHERE code = 'E-DATE'": {("front_page", "")},
    "DELETE FROM lake.raw.cleaned WHERE field = 'medfee_sumamt'": {("front_page", "medfee_sumamt")},
    "UPDATE lake.raw.front_page SET psn_no = 'p0000_x' WHERE mdtrt_id = 'M2'": {("front_page", "psn_no")},
    "UPDATE lake.raw.front_page SET certno = NULL WHERE mdtrt_id = 'M1'": {("front_page", "certno")},
    "UPDATE lake.raw.front_page SET psn_no = 'p0000_x' WHERE mdtrt_id IN ('M3', 'M5')": {("front_page", "psn_no")},
}
"""What is done to a lake, and the columns that must then be told."""


def _lines(delimiter: str = ",") -> str:
    quoted = [
        [f'"{cell.replace(chr(34), chr(34) * 2)}"' if '"' in cell or "," in cell else cell for cell in row]
        for row in ROWS
    ]
    return "".join(delimiter.join(row) + "\r\n" for row in (HEADER, *quoted))


def _deliver(inbox: Path, name: str) -> None:
    """Write the same rows in one of the forms that deliveries have."""
    form, header_row = {"tsv": "tsv", "xlsx": "xlsx", "parquet": "parquet"}.get(name, "csv"), 1
    folder = inbox / name
    folder.mkdir(parents=True)
    match name:
        case "plain":
            head, _, rest = _lines().partition("\r\n")
            (folder / "pages.csv").write_bytes(f"{head}\r\n\r\n{SHORT}{rest}".encode("utf-8-sig"))
        case "chinese":
            header_row = 2
            (folder / "pages.csv.gz").write_bytes(gzip.compress(("某院送报\r\n" + _lines()).encode("gb18030")))
        case "tsv":
            (folder / "pages.tsv").write_bytes(_lines("\t").encode())
        case "xlsx":
            with xlsxwriter.Workbook(folder / "pages.xlsx") as book:
                sheet, day = book.add_worksheet("数据"), book.add_format({"num_format": "yyyy-mm-dd"})
                for at, row in enumerate((HEADER, *ROWS[:2], [""] * len(HEADER), *ROWS[2:])):
                    for place, cell in enumerate(row):
                        sheet.write_string(at, place, cell)
                sheet.write_datetime(1, 7, datetime(2026, 1, 1), day)
                sheet.write_number(1, 11, 1234.5)
                sheet.write_number(1, 5, 35)
        case _:
            table = pa.table({head: [row[at] for row in ROWS] for at, head in enumerate(HEADER)})
            ages = pa.array([35.0, None, 11.0, 40.0, 35.0, 9.0])
            pq.write_table(table.set_column(5, "年龄", ages), folder / "pages.parquet")
    contracts = inbox / "contracts" / name
    contracts.mkdir(parents=True)
    text = CONTRACT.format(name=name, format=form, header_row=header_row)
    (contracts / f"_{name}.yml").write_text(text, encoding="utf-8")


def _verified(home: Home, *, keep: bool = False) -> tuple[Verified, ...]:
    with lake.connect(home) as connection:
        with frozen(connection) as (cursor, snapshot):
            found: Verification = verify(home, cursor, snapshot=snapshot)
        if keep:
            save(home, connection, found, at=NOW)
    return found.found


def _stopping(home: Home) -> set[tuple[str, str]]:
    return {(item.entity, item.column) for item in _verified(home) if item.stops}


@pytest.fixture
def landed(home: Home, tmp_path: Path) -> Home:
    _deliver(tmp_path / "inbox", "plain")
    land(home, deliveries=tmp_path / "inbox", now=NOW)
    return home


def _change(home: Home, *statements: str) -> None:
    with lake.connect(home) as connection:
        for statement in statements:
            connection.execute(statement)


@pytest.mark.parametrize("form", ["plain", "chinese", "tsv", "xlsx", "parquet"])
def test_what_was_delivered_in_any_form_is_explained_to_the_last_cell(home: Home, tmp_path: Path, form: str) -> None:
    _deliver(tmp_path / "inbox", form)
    report = land(home, deliveries=tmp_path / "inbox", now=NOW)
    assert not report.refused
    found = {(item.entity, item.column): item for item in _verified(home)}
    assert not [item for item in found.values() if item.stops]
    rows = found["front_page", ""]
    # One row has no date, one repeats another; of the plain file one is too short.
    assert (rows.rows_before, rows.rows_after) == ((7, 4) if form == "plain" else (6, 4))
    assert found["front_page", "psn_no"].kind == "token"
    assert {found["front_page", name].kind for name in ("gend", "fund_pay_sumamt")} == {"exact"}
    assert {found["front_page", name].kind for name in ("mdtrt_id", "medfee_sumamt", "begntime")} == {"cleaned"}
    assert found["front_page", "mdtrt_id"].distance == pytest.approx(1 / 4)
    assert (found["front_page", "begntime"].shift or 0) < 1
    assert found["diagnosis", "diag_code"].kind == "cleaned"


def test_a_broken_twin_is_told_by_name(landed: Home) -> None:
    assert _stopping(landed) == set()
    told = {}
    with lake.connect(landed) as connection:
        connection.execute("USE lake")
        for twin in TWINS:
            connection.execute("BEGIN")
            connection.execute(twin)
            told[twin] = {
                (item.entity, item.column) for item in verify(landed, connection, snapshot=10**9).found if item.stops
            }
            connection.execute("ROLLBACK")
    assert told == TWINS


def test_a_record_of_cleaning_does_not_excuse_another_value(landed: Home) -> None:
    _change(
        landed,
        "UPDATE lake.raw.front_page SET medfee_sumamt = 12.35 WHERE mdtrt_id = 'M2'",
        "UPDATE lake.raw.cleaned SET clean = '12.35' WHERE field = 'medfee_sumamt' AND clean = '1234.50'",
    )
    assert _stopping(landed) == {("front_page", "medfee_sumamt")}


def test_only_rows_that_changed_make_a_delivery_be_read_again(landed: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    first = _verified(landed, keep=True)
    read: list[str] = []
    real = verification.reread  # type: ignore[attr-defined]

    def noted(*args: object, **options: object) -> None:
        read.append(str(options["name"]))
        real(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(verification, "reread", noted)
    assert _verified(landed, keep=True) == first
    assert read == []
    _change(landed, "UPDATE lake.raw.front_page SET age = 36 WHERE mdtrt_id = 'M1'")
    assert {item.column for item in _verified(landed, keep=True) if item.stops} == {"age"}
    assert read == ["plain/pages.csv"]
    # What was found stays found until the rows change again.
    assert {item.column for item in _verified(landed) if item.stops} == {"age"}
    assert len(read) == 1


def test_bytes_that_are_not_those_that_were_delivered_stop(landed: Home) -> None:
    (file,) = (file for file in (landed.vault / "landing").rglob("*") if file.is_file())
    file.chmod(0o600)
    file.write_bytes(file.read_bytes().replace(b"1234.50", b"1234.51"))
    assert {(item.kind, item.stops) for item in _verified(landed)} == {("unread", True)}


def test_a_row_that_was_corrected_is_explained_by_its_key(home: Home, tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    _deliver(inbox, "plain")
    contract = inbox / "contracts" / "plain" / "_plain.yml"
    text = contract.read_text("utf-8").replace(
        'files: "pages*"', 'files: "pages*"\n            corrections: "pages_fix*"'
    )
    contract.write_text(text, encoding="utf-8")
    land(home, deliveries=inbox, now=NOW)
    assert not [item for item in _verified(home, keep=True) if item.stops]
    row = ",".join((*ROWS[2][:11], "120.00", *ROWS[2][12:]))
    (inbox / "plain" / "pages_fix.csv").write_text(",".join(HEADER) + f"\n{row}\n", encoding="utf-8")
    land(home, deliveries=inbox, now=NOW)
    rows = {item.file_name: item for item in _verified(home) if (item.entity, item.column) == ("front_page", "")}
    assert not any(item.stops for item in rows.values())
    assert {name: item.rows_after for name, item in rows.items()} == {"plain/pages.csv": 3, "plain/pages_fix.csv": 1}


def test_what_landed_after_the_snapshot_waits_for_the_next_check(landed: Home) -> None:
    with lake.connect(landed) as connection, frozen(connection) as (cursor, _):
        assert verify(landed, cursor, snapshot=0).found == ()


def test_a_lake_of_before_contracts_were_kept_waits_for_its_next_landing(landed: Home, tmp_path: Path) -> None:
    with postgres.connect(landed) as register:
        register.execute("delete from ops.contract")
        register.execute("update ops.batch set contract = 'of an earlier version'")
    assert {(item.kind, item.stops) for item in _verified(landed)} == {("unkept", False)}
    land(landed, deliveries=tmp_path / "inbox", now=NOW)
    assert {item.kind for item in _verified(landed)} == {"exact", "cleaned", "token"}


def test_the_steps_and_both_pages_tell_it_and_no_identifier_is_kept(landed: Home) -> None:
    _change(landed, "UPDATE lake.raw.front_page SET gend = '2' WHERE mdtrt_id = 'M1'")
    report = check(landed, stages=("raw",), now=NOW)
    assert not report.success
    stops = [column for column in report.migration if column.stops]
    assert [(column.step, column.source_id, column.column) for column in stops] == [("delivered-raw", "plain", "gend")]
    pages = [(landed.reports / report.folder / f"{language}.html").read_text("utf-8") for language in ("zh", "en")]
    assert "1 格与送报不同，且无清洗记录，首见于第 2 行" in pages[0]
    assert "1 cells differ from what was delivered and no cleaning says why, first in row 2" in pages[1]
    with lake.connect(landed) as connection:
        kept = str(connection.execute("FROM lake.quality.verified").fetchall())
    assert PERSON[:17] not in kept + "".join(pages)


def test_distances_of_deliveries_are_put_together_by_rows() -> None:
    items = [
        Verified("s", "fee_line", "a", "f", "pric", "cleaned", 30, 30, changed=3, distance=0.1, shift=2.0),
        Verified("s", "fee_line", "b", "g", "pric", "cleaned", 10, 10, changed=5, distance=0.5, shift=None),
    ]
    with duckdb.connect() as connection:
        (column,) = compared(connection, stages=("raw",), verified=items)
    assert (column.kind, column.rows_before) == ("cleaned", 40)
    assert column.distance == pytest.approx(0.2)
    assert column.shift == pytest.approx(1.5)
    assert not column.stops


def test_a_simulated_region_with_its_dirt_is_explained(home: Home, tmp_path: Path) -> None:
    # Quoted CSV, workbooks, GB18030 with amounts in fen, TSV and Parquet.
    sources = ["h0101", "h0104", "h0105", "h0109", "h0110"]
    simulate(tmp_path / "inbox", hospitals=12, months=1, stays=600, seed=5)
    land(home, deliveries=tmp_path / "inbox", sources=sources, now=NOW)
    found = _verified(home)
    assert {item.source_id for item in found} == set(sources)
    assert not [item for item in found if item.stops]
    assert sum(item.changed for item in found if item.column) > 100


@pytest.mark.parametrize(
    ("source", "file", "rows"),
    [
        ("sih", "sih_rs_2019/sih_rs_2019_10k.csv.gz", 500),
        ("desynpuf", "desynpuf/DE1_0_2008_to_2010_Inpatient_Claims_Sample_1.csv.gz", 500),
        ("chargemaster", "ca_cdm/cdm_dev.parquet", 20_000),
        ("synthea", "synthea_dbt/seeds/synthea/claims.csv", 300),
    ],
)
def test_real_deliveries_are_explained(
    home: Home, tmp_path: Path, data: Path, source: str, file: str, rows: int
) -> None:
    into = tmp_path / "inbox" / file
    into.parent.mkdir(parents=True)
    if file.endswith(".parquet"):
        pq.write_table(pq.read_table(data / file).slice(0, rows), into)
    elif file.endswith(".gz"):
        with gzip.open(data / file) as whole, gzip.open(into, "wb") as part:
            part.writelines(line for line, _ in zip(whole, range(rows), strict=False))
    else:
        into.write_bytes(b"".join((data / file).read_bytes().splitlines(keepends=True)[:rows]))
    report = land(home, deliveries=tmp_path / "inbox", sources=[source], now=NOW)
    assert report.total("rows_loaded") > 0
    found = _verified(home)
    assert found
    assert not [item for item in found if item.stops]
