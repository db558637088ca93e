"""Drafts parse, whatever the files look like, and never hide a doubt."""

import csv
import io
from pathlib import Path

import pytest
import xlsxwriter
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headwater.bench.proposals import Score, score_hospital
from headwater.claims.contract import parse_contract
from headwater.claims.proposing import Source, draft, propose_tables, source_name
from headwater.claims.proposing.sampling import cut, grids, header_row
from headwater.errors import Refusal
from headwater.simulation import simulate
from headwater.simulation.hospitals import Region, roster

CELL = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_categories=("Cs",), exclude_characters="\0"), max_size=12),
    st.sampled_from(["男", "2024-01-05", "05/01/2024", "12.5", "I10.x00", "血常规", "", "A1", "7"]),
)
NAME = st.one_of(
    CELL,
    st.sampled_from(
        [
            "项目编码",
            "项目名称",
            "单价",
            "名称",
            "编码",
            "Charge Code",
            "Description",
            "Price",
            "y",
            "on",
            "1",
            "[x]: {",
        ]
    ),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(NAME, min_size=1, max_size=7), st.lists(st.lists(CELL, min_size=7, max_size=7), max_size=6))
def test_every_draft_parses(tmp_path: Path, header: list[str], rows: list[list[str]]):
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([*header, "收费项目", "price"])
    writer.writerows([*row[: len(header)], "床位费用", "12.5"] for row in rows)
    file = tmp_path / "x.csv"
    file.write_text(text.getvalue(), encoding="utf-8")
    try:
        proposal = propose_tables([file])
    except Refusal:
        return
    parsed = yaml.safe_load(draft(proposal, Source("x")))
    contract = parse_contract(parsed["sources"][0], where="draft")
    assert len(contract.tables) == len(proposal.complete)
    for table in contract.tables:
        assert set(table.delivered_columns) <= set(cut(grids(file)[0], table.header_row).header)


def test_a_table_that_lacks_a_required_field_is_drafted_as_a_comment(tmp_path: Path):
    (tmp_path / "drug.csv").write_text("药品编码,药品名称,单价,剂型\nA1,阿司匹林片,1.5,片剂\n", encoding="utf-8")
    (tmp_path / "zd.csv").write_text("就诊号,诊断编码,诊断名称\nZ1,I10.x00,高血压\n", encoding="utf-8")
    text = draft(propose_tables(sorted(tmp_path.iterdir())), Source("s"))
    assert "# - name: diagnosis" in text
    assert "diag_srt" in text
    assert [table["name"] for table in yaml.safe_load(text)["sources"][0]["tables"]] == ["drug"]


def test_persons_do_not_reach_the_draft(tmp_path: Path):
    rows = "".join(f"1101051949123100{n}X,A{n},项目{n},2.5\n" for n in range(10, 30))
    (tmp_path / "list.csv").write_text("11010519491231002X,项目编码,项目名称,单价\n" + rows, encoding="utf-8")
    assert "1101051949" not in draft(propose_tables([tmp_path / "list.csv"]), Source("s"))


def test_titles_above_the_header_are_passed_over(tmp_path: Path):
    file = tmp_path / "x.csv"
    file.write_text(
        "某医院收费目录,,\n制表日期：2024-01-05,,\n编码,名称,单价\nA1,血常规,12.5\nA2,尿常规,8\n", encoding="utf-8"
    )
    assert header_row(grids(file)[0]) == 3


@pytest.mark.parametrize("sign", [";", "|"])
def test_separators_that_no_contract_reads_are_refused(tmp_path: Path, sign: str):
    (tmp_path / "x.csv").write_text(f"编码{sign}名称\nA1{sign}血常规\n", encoding="utf-8")
    with pytest.raises(Refusal, match="E-FILE-FORMAT"):
        grids(tmp_path / "x.csv")


def test_source_names_are_fit_for_folders_and_dbt():
    assert source_name("St. Mary's") == "st_mary_s"
    assert source_name("医院") == "source"


def test_the_first_twelve_layouts_are_read_right(tmp_path: Path):
    simulate(tmp_path / "d", hospitals=12, months=1, stays=360, seed=7)
    region = Region(hospitals=12, months=1, stays=360, seed=7)
    total = Score()
    for hospital in roster(region):
        total.add(score_hospital(hospital, tmp_path / "d" / hospital.source))
    assert total.share >= 0.95, total.wrong
    assert total.columns > 900


def test_zeros_that_a_workbook_lost_are_given_back_where_another_table_shows_them(tmp_path: Path):
    lines = [f"Z{n},L{n},2024-01-05,{n:06d},血常规检查,2,{n + 0.5},{2 * n + 1}.00" for n in range(1, 40)]
    (tmp_path / "fee.csv").write_text(
        "就诊号,明细号,收费日期,项目编码,项目名称,数量,单价,金额\n" + "\n".join(lines), encoding="utf-8"
    )
    with xlsxwriter.Workbook(str(tmp_path / "service.xlsx")) as book:
        sheet = book.add_worksheet()
        for row, cells in enumerate(
            [["项目编码", "项目名称", "单价"], *([n, f"检查项目{n}", 1.5] for n in range(1, 40))]
        ):
            sheet.write_row(row, 0, cells)
    tables = {table.entity.name: table for table in propose_tables(sorted(tmp_path.iterdir())).tables}
    keys = {column.field: column.keys for column in tables["service_item"].columns}
    assert keys["medins_list_codg"] == {"width": 6}
    assert all("width" not in column.keys for column in tables["fee_line"].columns)
