"""References: loaded once, whatever happens; held by date; refused with the reason."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter

from headwater.adapters import lake, references
from headwater.adapters.home import Home
from headwater.claims.references import KINDS
from headwater.content.references import Layout, layout_for, named_date, read_layouts
from headwater.errors import Refusal
from headwater.steps.reference import listed, load, supplied


def _csv(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


@pytest.fixture
def inbox(home: Home) -> Path:
    folder = home.deliveries / "reference"
    _csv(folder, "drug_2024-01-01.csv", "code,name,is_central\nA,a,否\nB,b,否\n")
    _csv(folder, "drug_20250101.csv", "code,name,is_central,remark\nA,a,是,\nB,b,否,new\n")
    return folder


def test_a_version_holds_from_its_day_until_the_next(home: Home, inbox: Path):
    report = load(home, inbox)
    assert [(one.state, one.valid_from, one.rows_in, one.rows) for one in report.files] == [
        ("loaded", date(2024, 1, 1), 2, 2),
        ("loaded", date(2025, 1, 1), 2, 2),
    ]
    assert report.files[1].ignored == ("remark",)
    assert references.newest(home, "drug", on=date(2023, 12, 31)) is None
    assert references.newest(home, "consumable", on=date(2026, 1, 1)) is None
    found = {day: references.newest(home, "drug", on=day) for day in (date(2024, 1, 1), date(2024, 12, 31), date.max)}
    central = {day: one.table.column("is_central").to_pylist() for day, one in found.items() if one}
    assert central == {
        date(2024, 1, 1): [False, False],
        date(2024, 12, 31): [False, False],
        date.max: [True, False],
    }
    newest = found[date.max]
    assert newest is not None
    assert newest.table.schema == KINDS["drug"].schema
    assert newest.version == report.files[1].version


def test_loading_again_changes_nothing(home: Home, inbox: Path):
    first = load(home, inbox)
    again = load(home, inbox)
    assert [one.state for one in again.files] == ["unchanged", "unchanged"]
    assert again.snapshot_id == first.snapshot_id
    # Nor does the same content under another name or in another order.
    other = load(home, _csv(home.root / "other", "x.csv", "name,code,is_central\nb,B,0\na,A,1\n"), kind="drug",
                 valid_from=date(2025, 6, 1))  # fmt: skip
    assert [one.state for one in other.files] == ["unchanged"]
    assert [(one.kind, one.rows, one.rows_in) for one in listed(home)] == [("drug", 2, 2), ("drug", 2, 2)]


def test_many_processes_at_once_add_a_version_once(home: Home, inbox: Path):
    with ThreadPoolExecutor(max_workers=4) as pool:
        reports = list(pool.map(lambda _: load(home, inbox), range(4)))
    assert sorted(one.state for report in reports for one in report.files) == ["loaded"] * 2 + ["unchanged"] * 6
    with lake.connect(home) as connection:
        assert connection.execute("SELECT count(*) FROM lake.reference.drug").fetchone() == (4,)


def test_a_version_never_changes_and_has_one_day(home: Home, inbox: Path):
    load(home, inbox)
    other = _csv(home.root / "other", "drug_20250101.csv", "code,name\nA,another\n")
    (refused,) = load(home, other).refused
    assert refused.reason is not None
    assert "drug_20250101.csv" in refused.reason.en
    assert "生效日" in refused.reason.zh
    earlier = _csv(home.root / "other", "drug_20230101.csv", "code,name,is_central\nA,a,1\nB,b,0\n")
    (refused,) = load(home, earlier).refused
    assert refused.reason is not None
    assert "2025-01-01" in refused.reason.en
    assert len(listed(home)) == 2
    # An older version may still come: what held before is known later.
    load(home, _csv(home.root / "other", "drug_20220101.csv", "code,name\nA,old\n"))
    found = references.newest(home, "drug", on=date(2023, 1, 1))
    assert found is not None
    assert found.table.column("name").to_pylist() == ["old"]


def test_one_bad_file_is_told_and_the_others_load(home: Home, inbox: Path):
    _csv(inbox, "service_20240101.csv", "code\n1\n")
    _csv(inbox, "operation_20240101.csv", "code,name\n1,a\n1,b\n")
    _csv(inbox, "diagnosis.csv", "code,name\nA00,a\n")
    (inbox / "consumable_20240101.xlsx").write_bytes(b"no workbook")
    _csv(inbox, "threshold_20240101.csv", "code,name,amount,currency\nconsumable,limit,500\n")
    _csv(inbox, "notes.txt", "hello")
    report = supplied(home, home.deliveries)
    assert report is not None
    assert {one.file_name for one in report.refused} == {
        "service_20240101.csv",
        "operation_20240101.csv",
        "diagnosis.csv",
        "consumable_20240101.xlsx",
        "threshold_20240101.csv",
    }
    assert all(one.reason and one.reason.zh != one.reason.en for one in report.refused)
    assert report.unread == ("notes.txt",)
    assert [one.kind for one in report.loaded] == ["drug", "drug"]
    assert supplied(home, home.root / "nowhere") is None


def test_workbooks_and_parquet_are_read_as_text(home: Home, tmp_path: Path):
    with xlsxwriter.Workbook(tmp_path / "service_20240101.xlsx") as book:
        sheet = book.add_worksheet()
        for row, cells in enumerate([("code", "name"), ("000123", "a"), ("12", "b")]):
            sheet.write_row(row, 0, cells)
    pq.write_table(pa.table({"code": ["A00.000"], "name": ["霍乱"]}), tmp_path / "diagnosis_20240101.parquet")
    (tmp_path / "operation_20240101.tsv").write_text("code\tname\n00.0100\t手术\n", encoding="gb18030")
    report = load(home, tmp_path)
    assert [one.state for one in report.files] == ["loaded"] * 3
    with lake.connect(home) as connection:
        codes = connection.execute(
            "SELECT code, name FROM lake.reference.service UNION ALL SELECT code, name FROM lake.reference.operation "
            "UNION ALL SELECT code, name FROM lake.reference.diagnosis ORDER BY code"
        ).fetchall()
    assert codes == [("00.0100", "手术"), ("000123", "a"), ("12", "b"), ("A00.000", "霍乱")]


def test_the_delivered_bytes_are_kept(home: Home, inbox: Path):
    load(home, inbox)
    shutil.rmtree(inbox)
    kept = {one.sha256 for one in listed(home)}
    assert all((home.vault / "landing" / sha256[:2] / sha256).is_file() for sha256 in kept)


def test_what_nothing_reads_is_refused(home: Home, tmp_path: Path):
    with pytest.raises(Refusal, match="E-REFERENCE-NONE"):
        load(home, tmp_path / "missing")
    file = _csv(tmp_path, "list.csv", "code,name\nA,a\n")
    with pytest.raises(Refusal, match="E-REFERENCE-NONE"):
        load(home, file)
    with pytest.raises(Refusal, match="E-REFERENCE-KIND"):
        load(home, file, kind="drugs")


def test_names_tell_kind_and_day():
    assert layout_for(Path("a/drug_class_2024-02-29.csv"), []) == Layout("drug_class")
    assert layout_for(Path("drug.parquet"), []) == Layout("drug")
    assert layout_for(Path("drug_20240101.pdf"), []) is None
    assert layout_for(Path("drugs_20240101.csv"), []) is None
    assert named_date(Path("drug_2024-02-30.csv")) is None
    assert named_date(Path("drug_20240229.csv")) == date(2024, 2, 29)
    declared = Layout("diagnosis", "plan/list.dat")
    assert layout_for(Path("x/plan/list.dat"), [declared]) == declared
    assert layout_for(Path("x/other/list.dat"), [declared]) is None


@pytest.mark.parametrize(
    "entry",
    [
        "kind: drugs\n    files: a",
        "kind: drug\n    files: a\n    colums: {}",
        "kind: drug\n    files: a\n    columns: {generic: x}",
        "kind: drug\n    files: a\n    lines: '('",
        "kind: drug",
    ],
)
def test_a_wrong_layout_is_refused(tmp_path: Path, entry: str):
    _csv(tmp_path / "dbt_project" / "references", "x.yml", f"layouts:\n  - {entry}\n")
    with pytest.raises(Refusal, match="E-REFERENCE-LAYOUT"):
        read_layouts(tmp_path)


def test_the_real_files_are_read_by_their_layouts(home: Home, data: Path):
    day = date(2026, 1, 1)
    found = {one.file_name: one for one in load(home, data / "nhsa_ref", valid_from=day).loaded}
    found |= {one.file_name: one for one in load(home, data / "opendrg_chs", valid_from=day).loaded}
    counts = {name: (one.kind, one.rows_in, one.rows, one.rows_passed) for name, one in found.items()}
    assert counts == {
        "nhsa_drug_codes_from_rules.csv": ("drug", 13_759, 13_738, 0),
        "字典_药品分类.csv": ("drug_class", 696, 695, 0),
        "字典_材料分类.csv": ("consumable_class", 185, 185, 0),
        "字典_诊疗分类.csv": ("service_class", 947, 405, 0),
        "字典_疾病分类.csv": ("diagnosis_class", 2_313, 2_155, 158),
        "chs_drg_11/ZD_INFO.dat": ("diagnosis", 33_304, 33_304, 0),
        "chs_drg_11/SS_INFO.dat": ("operation", 13_686, 13_686, 0),
    }
    assert all(one.rows_in == one.rows + one.rows_repeated + one.rows_passed for one in found.values())
