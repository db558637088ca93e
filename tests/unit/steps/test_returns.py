"""A hospital gets back what it must mend, and what it mended is gone the next time."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from python_calamine import CalamineWorkbook
from typer.testing import CliRunner

from headwater.adapters import accounts, lake
from headwater.adapters.home import Home
from headwater.cli.main import app
from headwater.content.accounts import Accounts
from headwater.errors import Refusal
from headwater.steps.land import land
from headwater.steps.returns import returns

NOW = datetime(2026, 6, 30, tzinfo=UTC)
CONTRACT = """
version: 2
sources:
  - name: t1
    config:
      meta:
        title: {zh: 测试医院, en: Test hospital}
        owner: it
        origin: synthetic
        currency: CNY
        deliveries: t1
        hospital: {code: T1, level: "2", city: 江城, region: 楚源}
    tables:
      - name: fee_line
        config:
          meta:
            files: "fees_*.csv"
            columns:
              mdtrt_id: 就诊号
              feedetl_sn: 序号
              fee_ocur_time: 时间
              medins_list_codg: 编码
              medins_list_name: 名称
              cnt: 数量
              pric: 单价
              det_item_fee_sumamt: 金额
"""
HEADER = "就诊号,序号,时间,编码,名称,数量,单价,金额"
GOOD = [f"m{n},1,2026-01-05,D1,药,2,1.5,¥3.00" for n in range(40)]
BAD = ["m90,1,2026-01-05,D1,药,=1+1,1.5,3.00", "m91,1,05/01/26,D1,药,2,1.5,3.00", "110101900307851,1,x,D1,药,2,1.5,3"]


@pytest.fixture
def inbox(home: Home) -> Path:
    folder = home.deliveries
    (folder / "contracts" / "t1").mkdir(parents=True)
    (folder / "contracts" / "t1" / "_t1.yml").write_text(CONTRACT, encoding="utf-8")
    (folder / "t1").mkdir()
    send(folder, "fees_202601.csv", *GOOD, *BAD)
    return folder


def send(inbox: Path, name: str, *rows: str) -> None:
    (inbox / "t1" / name).write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")


def sheets(path: Path) -> tuple[list[list[object]], list[list[object]]]:
    book = CalamineWorkbook.from_path(str(path))
    return tuple(book.get_sheet_by_name(name).to_python() for name in book.sheet_names)  # type: ignore[return-value]


def read(home: Home) -> Accounts:
    with lake.connect(home) as connection:
        connection.execute("USE lake")
        return accounts.accounts(home, connection)


def test_every_open_row_is_told_with_its_place_reason_and_remedy(home: Home, inbox: Path) -> None:
    land(home, deliveries=inbox, now=NOW)
    (found,) = returns(home, now=NOW).found
    assert found.path == home.reports / "returns" / "t1" / "t1_2026-06-30.xlsx"
    summary, rows = sheets(found.path)
    assert [row[:4] for row in rows[2:]] == [
        ["t1/fees_202601.csv", "住院费用明细 fee_line", number, zh]
        for number, zh in ((41.0, "数量"), (42.0, "费用发生时间"), (43.0, "费用发生时间"))
    ]
    assert [row[4:7] for row in rows[2:]] == [
        ["cnt", "=1+1", "E-NUMBER"],
        ["fee_ocur_time", "05/01/26", "E-DATE-AMBIGUOUS"],
        ["fee_ocur_time", "x", "E-DATE"],
    ]
    assert rows[2][7:11] == [
        *("不是数字。", "This is not a number.", "只填数字，小数点用“.”，千分位用“,”。"),
        "Use digits, '.' for decimals and ',' for thousands.",
    ]
    assert [row[11] for row in rows[2:]] == ["M90|1", "M91|1", "***|1"]
    assert summary[-1][:8] == ["t1/fees_202601.csv", "住院费用明细 fee_line", 3.0, 0.0, 43.0, 40.0, 3.0, 0.0]
    assert any("fees_*.csv" in str(row[0]) for row in summary)
    assert any(str(row[0]).startswith("关键字为空的条目") for row in summary)


def test_mended_rows_close_their_items_whole_file_or_rows_alone(home: Home, inbox: Path) -> None:
    land(home, deliveries=inbox, now=NOW)
    send(inbox, "fees_again.csv", BAD[0].replace("=1+1", "2"))
    land(home, deliveries=inbox, now=NOW)
    (found,) = returns(home, now=NOW).found
    assert (found.open, found.closed) == (2, 1)
    send(inbox, "fees_202601.csv", *GOOD, *(row.replace("05/01/26", "2026-01-05") for row in BAD[1:2]))
    # The file lost two rows of 43, less than what has to be approved.
    land(home, deliveries=inbox, now=NOW)
    (found,) = returns(home, now=NOW).found
    assert (found.open, found.closed, found.path) == (0, 3, None)


def test_the_accounts_tell_what_a_file_sent_again_changed(home: Home, inbox: Path) -> None:
    land(home, deliveries=inbox, now=NOW)
    send(inbox, "fees_202601.csv", *GOOD[1:], GOOD[0].replace("2,1.5,¥3.00", "4,1.5,¥6.00"), *BAD[:2])
    send(inbox, "fees_all.csv", "m95,1,2026-03-05,D1,药,2,1.5,3.00", "m96,1,2026-03-06,D1,药,2,1.5,3.00")
    land(home, deliveries=inbox, now=NOW)
    found = read(home)
    assert {(one.file_name, one.state, one.month) for one in found.deliveries} == {
        ("t1/fees_202601.csv", "superseded", "2026-01"),
        ("t1/fees_202601.csv", "loaded", "2026-01"),
        ("t1/fees_all.csv", "loaded", "2026-03"),
    }
    (again,) = [one for one in found.deliveries if one.change]
    assert again.change is not None
    assert (again.change.rows_same, again.change.rows_changed, again.change.rows_removed) == (39, 1, 0)
    assert str(again.change.money_after - again.change.money_before) == "3.00"
    assert [(gap.entity, gap.months) for gap in found.gaps] == [("fee_line", ("2026-02",))]
    assert sorted((item.open, item.closed) for item in found.items if item.code == "E-NUMBER") == [(0, 1), (1, 0)]
    (cleaning,) = [one for one in found.cleanings if one.rule == "C-CURRENCY"]
    assert (cleaning.field, cleaning.cells, cleaning.raw, cleaning.clean) == (
        "det_item_fee_sumamt",
        40,
        "¥3.00",
        "3.00",
    )


def test_rows_of_several_months_have_none(home: Home, inbox: Path) -> None:
    send(inbox, "fees_x.csv", *(f"n{n},1,2026-0{1 + n % 3}-05,D1,药,2,1.5,3.00" for n in range(9)))
    land(home, deliveries=inbox, now=NOW)
    assert {one.month for one in read(home).deliveries if one.file_name == "t1/fees_x.csv"} == {""}


def test_the_command_writes_where_it_is_told(home: Home, inbox: Path, tmp_path: Path) -> None:
    land(home, deliveries=inbox, now=NOW)
    done = CliRunner().invoke(app, ["returns", "--source", "t1", "--out", str(tmp_path / "out"), "--json"])
    assert done.exit_code == 0, done.output
    assert '"open": 3' in done.stdout
    assert len(list((tmp_path / "out").glob("t1_*.xlsx"))) == 1


def test_an_unknown_source_is_refused_and_an_empty_lake_has_nothing_to_return(home: Home) -> None:
    assert returns(home, now=NOW).to_dict() == {"open": 0, "closed": 0, "files": {}}
    with pytest.raises(Refusal) as refused:
        returns(home, sources=["t9"], now=NOW)
    assert refused.value.code == "E-UNKNOWN-SOURCE"
