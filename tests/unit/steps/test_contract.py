"""Drafting and checking contracts from the files of real folders."""

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from headwater.adapters.home import Home
from headwater.claims.contract import parse_contract
from headwater.claims.proposing import Source
from headwater.cli.main import app
from headwater.errors import Refusal
from headwater.steps.contract import check, propose
from headwater.steps.land import land

PROJECT = Path(__file__).resolve().parents[3]
NOW = datetime(2026, 6, 30, tzinfo=UTC)
CERTIFICATE = "11010519491231002X"
STAYS = "住院费用明细表\n就诊号,流水,费用发生日期,项目编码,项目名称,数量,单价,金额,姓名,联系电话\n"


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    (tmp_path / "inbox" / "h1").mkdir(parents=True)
    return tmp_path / "inbox"


def _months(folder: Path, *, cents: int = 1) -> None:
    for month in ("202401", "202402"):
        rows = [
            f"ZY{n:04d},{month}{n},{1 + n % 28:02d}/{month[4:]}/2024,A{n % 7:03d},血常规,{1 + n % 3},{(5 + n % 9) / 2},"
            f"{cents * (1 + n % 3) * (5 + n % 9) / 2:.2f},张三,13812345678"
            for n in range(40)
        ]
        (folder / f"mx_{month}.csv").write_bytes((STAYS + "\n".join(rows) + "\n").encode("gb18030"))


def _column(report: dict, table: str, field: str) -> dict:
    columns = next(entry["columns"] for entry in report["tables"] if entry["table"] == table)
    return next(column for column in columns if column["field"] == field)


def test_a_draft_names_rows_of_titles_formats_and_one_pattern_for_all_months(inbox: Path):
    _months(inbox / "h1", cents=100)
    report = propose([inbox / "h1"]).to_dict()
    table = report["tables"][0]
    assert (report["source"], table["table"], table["files"], table["header_row"]) == ("h1", "fee_line", "mx_*.csv", 2)
    assert _column(report, "fee_line", "fee_ocur_time")["rule"] == {"format": "%d/%m/%Y"}
    assert _column(report, "fee_line", "det_item_fee_sumamt")["rule"] == {"scale": 0.01}
    assert _column(report, "fee_line", "feedetl_sn")["column"] == "流水"
    unread = {column["column"] for column in table["columns"] if column["field"] is None}
    assert unread == {"姓名", "联系电话"}


def test_a_draft_lands_as_it_stands(home: Home, inbox: Path):
    _months(inbox / "h1")
    text = propose([inbox / "h1"], source=Source("h1", "CNY", "H1")).text
    (inbox / "contracts" / "h1").mkdir(parents=True)
    (inbox / "contracts" / "h1" / "_h1.yml").write_text(text, encoding="utf-8")
    report = land(home, deliveries=inbox, now=NOW)
    assert (report.total("rows_in"), report.total("rows_loaded")) == (80, 80)
    assert check(["h1"], project=home.project, deliveries=inbox).errors == 0


def test_what_a_draft_left_open_is_told_by_the_check(home: Home, inbox: Path):
    _months(inbox / "h1")
    (inbox / "contracts" / "h1").mkdir(parents=True)
    (inbox / "contracts" / "h1" / "_h1.yml").write_text(propose([inbox / "h1"]).text, encoding="utf-8")
    report = check(["h1"], project=home.project, deliveries=inbox)
    open_places = [finding.place for finding in report.findings if "占位符" in finding.text.zh]
    assert open_places == [f"_h1.yml: h1.{key}" for key in ("owner", "currency", "hospital.code")]
    assert report.errors == 0


def test_what_is_to_be_decided_is_said_in_both_languages(inbox: Path):
    _months(inbox / "h1")
    text = propose([inbox / "h1"]).text
    asked = [line for line in text.splitlines() if "# ?" in line]
    assert any("currency" in line and "币种" in line for line in asked)
    assert any("origin" not in line and "real, synthetic or converted" in line for line in asked)
    meta = yaml.safe_load(text)["sources"][0]["config"]["meta"]
    assert (meta["currency"], meta["hospital"]["code"]) == ("XXX", "TO-DECIDE")


def test_no_files_and_unlike_files_are_refused(inbox: Path):
    with pytest.raises(Refusal, match="E-NO-DELIVERIES"):
        propose([inbox / "absent.csv"])
    (inbox / "h1" / "weather.csv").write_text("humidity,wind\n3,4\n5,6\n", encoding="utf-8")
    with pytest.raises(Refusal, match="E-PROPOSE-NOTHING"):
        propose([inbox / "h1"])


BROKEN = """
sources:
  - name: h1
    config:
      meta:
        title: {zh: 一, en: one}
        origin: guessed
        currency: CNY
        deliveries: h1
        colour: red
    tables:
      - name: front_page
        config:
          meta:
            files: "fp_*.csv"
            headerrow: 3
            columns:
              mdtrt_id: 住院号
              fixmedins_code: {value: H1}
              gend: {from: 性别, map: {男: "1"}}
              begntime: {from: 入院日期, format: "%d/%Q"}
              endtime: 出院日期
              dscg_maindiag_code: 主诊断
              medfee_sumamt: {from: 总费用, scale: -1}
              sex: 性别
      - name: diagnosis
        config: {meta: {files: "zd_*.csv", columns: {mdtrt_id: 住院号}}}
      - name: invoice
        config: {meta: {files: "x"}}
"""


def _broken(inbox: Path) -> Path:
    file = inbox / "_h1.yml"
    file.write_text(BROKEN, encoding="utf-8")
    return file


def test_all_faults_of_a_contract_are_found_at_once(inbox: Path):
    report = check([str(_broken(inbox))], project=PROJECT, deliveries=inbox)
    places = {finding.place for finding in report.findings if finding.level == "error"}
    for end in (
        *("h1.owner", "h1.origin", "h1.colour", "h1.front_page.headerrow", "h1.front_page.sex", "h1.invoice.name"),
        *("h1.front_page.begntime.format", "h1.front_page.medfee_sumamt.scale", "h1.diagnosis.columns"),
    ):
        assert any(place.endswith(end) for place in places), (end, places)


GOOD = """
sources:
  - name: h1
    config:
      meta:
        title: {zh: 一, en: one}
        owner: it
        origin: synthetic
        currency: CNY
        deliveries: h1
    tables:
      - name: front_page
        config:
          meta:
            files: "fp_*.csv"
            columns:
              mdtrt_id: 住院号
              fixmedins_code: {value: H1}
              psn_no: 证件号
              gend: {from: 性别, map: {男: "1"}}
              begntime: 入院日期
              endtime: 出院日期
              dscg_maindiag_code: 主诊断编号
              medfee_sumamt: 总费用
      - name: settlement
        config:
          meta:
            files: "js_*.csv"
            columns: {setl_id: a, mdtrt_id: b, fixmedins_code: {value: H1}, setl_time: c, medfee_sumamt: d}
"""


def _stays(folder: Path, *, title: str = "", diagnosis: str = "主诊断编码", rows: int = 20) -> None:
    lines = [
        f"Z{n:03d},{CERTIFICATE},{'男' if n % 3 else '女'},{1 + n % 9:02d}/03/2024,{13 + n % 9}/03/2024,I10.x00,"
        f"{123457 + 7 * n},{2 + n % 5}"
        for n in range(rows)
    ]
    header = f"住院号,证件号,性别,入院日期,出院日期,{diagnosis},总费用,住院天数\n"
    (folder / "fp_202403.csv").write_text(title + header + "\n".join(lines) + "\n", encoding="utf-8")


def _findings(inbox: Path, contract: str) -> dict[str, list[str]]:
    file = inbox / "_h1.yml"
    file.write_text(contract, encoding="utf-8")
    found: dict[str, list[str]] = {}
    for finding in check([str(file)], project=PROJECT, deliveries=inbox).findings:
        assert CERTIFICATE not in finding.text.zh + finding.text.en
        assert finding.text.zh != finding.text.en
        found.setdefault(finding.code, []).append(f"{finding.place} {finding.text.en}")
    return found


def test_a_missing_column_is_named_with_the_nearest_that_is_there(inbox: Path):
    _stays(inbox / "h1")
    found = _findings(inbox, GOOD)
    assert "主诊断编码" in found["E-COLUMN-MISSING"][0]
    assert found["E-NO-FILE"][0].startswith("_h1.yml: h1.settlement.files")


def test_values_are_held_against_the_contract(inbox: Path):
    _stays(inbox / "h1", diagnosis="主诊断编号")
    (inbox / "h1" / "lost.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    found = _findings(inbox, GOOD)
    assert [place.split()[1] for place in found["E-DATE-FORMAT"]] == ["h1.front_page.begntime", "h1.front_page.endtime"]
    assert "1 values of column '性别' in 7 rows are not in the map: 女 (7)." in found["W-VALUE-MAP"][0]
    assert found["W-FEN"][0].startswith("_h1.yml: h1.front_page.medfee_sumamt")
    assert "lost.csv" in found["W-FILE-UNREAD"][0]
    assert any("ipt_days" in text for text in found["I-UNREAD-COLUMN"])


def test_a_header_that_moved_is_found(inbox: Path):
    _stays(inbox / "h1", title="某医院出院病人\n二〇二四年三月\n", diagnosis="主诊断编号")
    assert "is row 3, the contract says 1" in _findings(inbox, GOOD)["E-HEADER-MOVED"][0]


def test_a_map_on_the_wrong_column_shows_no_values(inbox: Path):
    _stays(inbox / "h1", diagnosis="主诊断编号")
    found = _findings(inbox, GOOD.replace("from: 性别", "from: 住院号"))
    assert "Z001" not in found["E-VALUE-MAP"][0]
    assert "20 values" in found["E-VALUE-MAP"][0]


def test_several_tables_may_read_one_file(inbox: Path):
    _stays(inbox / "h1", diagnosis="主诊断编号")
    more = """
      - name: diagnosis
        config:
          meta:
            files: "fp_*.csv"
            each: {rank: diag_srt, slots: [{diag_code: 主诊断编号}]}
            columns: {mdtrt_id: 住院号}
"""
    found = _findings(inbox, GOOD.split("      - name: settlement")[0] + more)
    assert not any("diagnosis" in text for texts in found.values() for text in texts)


def test_every_contract_of_the_project_is_sound_by_itself(tmp_path: Path):
    report = check([], project=PROJECT, deliveries=tmp_path)
    assert report.contracts > 10
    assert [finding for finding in report.findings if finding.level != "info"] == []


def test_broken_yaml_is_told_with_its_place_in_both_languages(tmp_path: Path):
    (tmp_path / "_h1.yml").write_text("sources:\n  - {name: h1\n", encoding="utf-8")
    with pytest.raises(Refusal) as refusal:
        check([str(tmp_path / "_h1.yml")], project=PROJECT, deliveries=tmp_path)
    assert all("line 3" in text for text in (refusal.value.reason.zh, refusal.value.reason.en))


def test_a_contract_that_is_endless_when_spelt_out_is_refused(tmp_path: Path):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    meta = "{deliveries: h1, owner: *a8, title: {zh: x, en: x}, origin: real, currency: CNY}"
    lines += ["sources:", f"  - {{name: h1, config: {{meta: {meta}}}, tables: [{{name: drug}}]}}"]
    for number, text in enumerate(("\n".join(lines), "a: &a [*a]\nsources: []")):
        (tmp_path / f"_h{number}.yml").write_text(text, encoding="utf-8")
        with pytest.raises(Refusal, match="E-CONTRACT"):
            check([str(tmp_path / f"_h{number}.yml")], project=PROJECT, deliveries=tmp_path)


def test_an_unknown_source_is_refused(tmp_path: Path):
    with pytest.raises(Refusal, match="E-UNKNOWN-SOURCE"):
        check(["nobody"], project=PROJECT, deliveries=tmp_path)


def test_the_commands_write_drafts_and_fail_on_errors(inbox: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HEADWATER_PROJECT", str(PROJECT))
    monkeypatch.setenv("HEADWATER_HOME", str(inbox / "home"))
    _months(inbox / "h1")
    drafted = inbox / "contracts" / "h1" / "_h1.yml"
    runner = CliRunner()
    files = [str(file) for file in sorted((inbox / "h1").iterdir())]
    done = runner.invoke(app, ["contract", "propose", *files, "--out", str(drafted), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["contract"] == drafted.read_text(encoding="utf-8")
    shown = runner.invoke(app, ["contract", "propose", *files])
    parse_contract(yaml.safe_load(shown.stdout)["sources"][0], where="draft")
    assert "张三" not in shown.output
    good = runner.invoke(app, ["contract", "check", "h1", "--deliveries", str(inbox)])
    assert good.exit_code == 0, good.output
    bad = runner.invoke(app, ["contract", "check", str(_broken(inbox)), "--deliveries", str(inbox), "--json"])
    assert bad.exit_code == 1
    assert json.loads(bad.stdout)["errors"] >= 9


def test_a_draft_names_the_folder_that_its_files_lie_in(inbox: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HEADWATER_PROJECT", str(PROJECT))
    monkeypatch.setenv("HEADWATER_HOME", str(inbox / "home"))
    folder = inbox / "St. Mary's 医院"
    (inbox / "h1").rename(folder)
    _months(folder)
    drafted = inbox / "contracts" / "mary" / "_mary.yml"
    done = CliRunner().invoke(app, ["contract", "propose", str(folder), "--out", str(drafted)])
    assert done.exit_code == 0, done.output
    (source,) = yaml.safe_load(drafted.read_text(encoding="utf-8"))["sources"]
    assert (source["name"], source["config"]["meta"]["deliveries"]) == ("st_mary_s", folder.name)
    found = CliRunner().invoke(app, ["contract", "check", str(drafted), "--deliveries", str(inbox)])
    assert "没有送报目录" not in found.output


def test_gzip_and_parquet_are_told_by_their_content(inbox: Path):
    _months(inbox / "h1")
    file = inbox / "h1" / "mx_202401.csv"
    file.with_suffix(".dat").write_bytes(gzip.compress(file.read_bytes()))
    report = propose([file.with_suffix(".dat")]).to_dict()
    assert (report["tables"][0]["format"], report["tables"][0]["table"]) == ("csv", "fee_line")


def test_synthea_lands_by_its_contract(home: Home, data: Path):
    report = land(home, deliveries=data, sources=["synthea"], now=NOW)
    assert report.refused == ()
    loaded = {result.entity: result.counts.rows_loaded for result in report.files if result.counts}
    assert {name: loaded[name] for name in ("hospital", "settlement", "fee_line")} == {
        "hospital": 63,
        "settlement": 604,
        "fee_line": 1545,
    }
    assert loaded["diagnosis"] > 600
    assert check(["synthea"], project=PROJECT, deliveries=data).errors == 0
