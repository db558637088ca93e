"""Landing on a real lake and a real PostgreSQL."""

from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from headwater.adapters import lake, postgres
from headwater.adapters.home import Home
from headwater.errors import Refusal
from headwater.steps.decide import decide, waiting_files
from headwater.steps.land import land, sources

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
HEADER = "就诊号,序号,时间,编码,名称,数量,单价,金额,姓名\n"


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    (folder / "contracts" / "t1").mkdir(parents=True)
    (folder / "contracts" / "t1" / "_t1.yml").write_text(CONTRACT, encoding="utf-8")
    (folder / "t1").mkdir()
    return folder


def _write(inbox: Path, name: str, *rows: str, encoding: str = "utf-8") -> None:
    (inbox / "t1" / name).write_text(HEADER + "".join(f"{row}\n" for row in rows), encoding=encoding)


def test_rows_are_loaded_counted_and_landed_once(home: Home, inbox: Path):
    _write(
        inbox,
        "fees_1.csv",
        "m1,1,2026-01-05,D1,药,2,1.5,3.00,张三",
        "m1,2,2026-01-05,D1,药,x,1.5,3.00,张三",
        encoding="gb18030",
    )
    _write(inbox, "fees_2.csv", "m1,1,2026-01-05,D1,药,2,1.5,3.00,张三", "m2,1,20260106,D1,药,1,1.5,1.50,李四")
    first = land(home, deliveries=inbox, now=NOW)
    assert (first.total("rows_in"), first.total("rows_loaded")) == (4, 2)
    assert (first.total("rows_quarantined"), first.total("rows_duplicate")) == (1, 1)
    with lake.connect(home) as connection:
        before = lake.snapshot(connection)
        rows = connection.execute(
            "SELECT source_id, row_no, det_item_fee_sumamt FROM lake.raw.fee_line ORDER BY 3"
        ).fetchall()
        assert [(row[0], row[1], str(row[2])) for row in rows] == [("t1", 2, "1.50"), ("t1", 1, "3.00")]
        assert connection.execute("SELECT fixmedins_code, hosp_lv, origin FROM lake.raw.hospital").fetchall() == [
            ("T1", "2", "synthetic")
        ]
    again = land(home, deliveries=inbox, now=NOW)
    assert (again.files, again.unchanged) == ((), 2)
    with lake.connect(home) as connection:
        assert lake.snapshot(connection) == before
    assert len(list((home.vault / "landing").rglob("*/*"))) == 2


def test_an_interrupted_load_is_done_again_without_doubling(home: Home, inbox: Path):
    _write(inbox, "fees_1.csv", "m1,1,2026-01-05,D1,药,2,1.5,3.00,张三", "m1,2,bad,D1,药,2,1.5,3.00,张三")
    land(home, deliveries=inbox, now=NOW)
    with postgres.connect(home, autocommit=True) as connection:
        # What a process leaves that dies between the lake's commit and the register's.
        connection.execute("update ops.batch set state = 'received'")
    land(home, deliveries=inbox, now=NOW)
    with lake.connect(home) as connection:
        assert connection.execute("SELECT count(*) FROM lake.raw.fee_line").fetchone() == (1,)
        assert connection.execute("SELECT count(*) FROM lake.raw.quarantine").fetchone() == (1,)


def test_a_file_that_does_not_fit_its_contract_is_refused_and_the_others_load(home: Home, inbox: Path):
    (inbox / "t1" / "fees_1.csv").write_text("就诊号,名称\nm1,药\n", encoding="utf-8")
    _write(inbox, "fees_2.csv", "m1,1,2026-01-05,D1,药,2,1.5,3.00,张三")
    report = land(home, deliveries=inbox, now=NOW)
    assert [(result.file_name, result.state) for result in report.files] == [
        ("t1/fees_2.csv", "loaded"),
        ("t1/fees_1.csv", "refused"),
    ]
    with postgres.connect(home) as connection:
        row = connection.execute("select refusal_code, refusal_zh from ops.batch where state = 'refused'").fetchone()
    assert row is not None
    assert row[0] == "E-COLUMN-MISSING"
    assert "序号" in row[1]
    _write(inbox, "fees_1.csv", "m5,1,2026-01-05,D1,药,2,1.5,3.00,张三")
    assert land(home, deliveries=inbox, now=NOW).total("rows_loaded") == 1


def test_the_database_refuses_a_batch_that_does_not_balance(home: Home, inbox: Path):
    _write(inbox, "fees_1.csv", "m1,1,2026-01-05,D1,药,2,1.5,3.00,张三")
    land(home, deliveries=inbox, now=NOW)
    for column in ("rows_loaded", "money_duplicate"):
        with postgres.connect(home) as connection, pytest.raises(psycopg.errors.CheckViolation):
            connection.execute(f"update ops.batch set {column} = {column} + 1")


def test_names_of_persons_are_not_read(home: Home, inbox: Path):
    _write(inbox, "fees_1.csv", "m1,1,2026-01-05,D1,药,2,1.5,3.00,欧阳金丝雀")
    land(home, deliveries=inbox, now=NOW)
    with lake.connect(home) as connection:
        rows = connection.execute("SELECT * FROM lake.raw.fee_line").fetchall()
    assert len(rows) == 1
    assert "欧阳金丝雀" not in str(rows)
    outside = [file for file in home.root.rglob("*") if file.is_file() and home.vault not in file.parents]
    assert not [file for file in outside if "欧阳金丝雀".encode() in file.read_bytes()]


def test_what_is_not_declared_or_not_there_is_refused(home: Home, tmp_path: Path, inbox: Path):
    assert sources(home, inbox) == ["t1"]
    with pytest.raises(Refusal, match="E-UNKNOWN-SOURCE"):
        land(home, deliveries=inbox, sources=["nobody"])
    (tmp_path / "nothing").mkdir()
    with pytest.raises(Refusal, match="E-NO-DELIVERIES"):
        land(home, deliveries=tmp_path / "nothing")


def test_real_stays_balance(home: Home, data: Path):
    report = land(home, deliveries=data, sources=["sih"])
    assert not report.refused
    by_entity = {result.entity: result.counts for result in report.files}
    assert by_entity["front_page"] is not None
    assert by_entity["front_page"].rows_in == 10_000
    assert by_entity["front_page"].rows_loaded == 9_998
    assert by_entity["front_page"].money_in > 0
    with lake.connect(home) as connection:
        assert connection.execute("SELECT count(DISTINCT fixmedins_code) FROM lake.raw.front_page").fetchone() == (263,)


def test_many_sources_land_at_once(home: Home, inbox: Path):
    for number in range(2, 9):
        text = CONTRACT.replace("t1", f"t{number}").replace("T1", f"T{number}")
        (inbox / "contracts" / f"t{number}").mkdir()
        (inbox / "contracts" / f"t{number}" / f"_t{number}.yml").write_text(text, encoding="utf-8")
        (inbox / f"t{number}").mkdir()
        (inbox / f"t{number}" / "fees_1.csv").write_text(
            HEADER + "m1,1,2026-01-05,D1,药,2,1.5,3.00,张三\n", encoding="utf-8"
        )
    report = land(home, deliveries=inbox, now=NOW)
    assert report.total("rows_loaded") == 7
    with lake.connect(home) as connection:
        assert connection.execute("SELECT count(*) FROM lake.raw.hospital").fetchone() == (8,)


def test_identity_numbers_in_other_columns_and_links_to_other_folders_stay_outside(home: Home, inbox: Path):
    _write(inbox, "fees_1.csv", "m1,1,2026-01-05,11010519491231002X,药,2,1.5,3.00,张三")
    (inbox / "secret").mkdir()
    (inbox / "secret" / "fees_2.csv").write_text(HEADER + "m9,1,2026-01-05,D1,药,2,1.5,3.00,张三\n", encoding="utf-8")
    (inbox / "t1" / "fees_2.csv").symlink_to(inbox / "secret" / "fees_2.csv")
    report = land(home, deliveries=inbox, now=NOW)
    assert (report.total("rows_in"), report.total("rows_quarantined")) == (1, 1)
    with lake.connect(home) as connection:
        assert connection.execute("SELECT code, value FROM lake.raw.quarantine").fetchall() == [("E-PERSON-ID", "***")]


def _rows(home: Home, columns: str = "mdtrt_id, det_item_fee_sumamt") -> list[tuple]:
    with lake.connect(home) as connection:
        return connection.execute(f"SELECT {columns} FROM lake.raw.fee_line ORDER BY ALL").fetchall()


def _states(home: Home) -> list[tuple]:
    with postgres.connect(home) as connection:
        return connection.execute("select file_name, state from ops.batch order by file_name, landed_at").fetchall()


def _line(stay: int, amount: str = "3.00") -> str:
    return f"m{stay},1,2026-01-05,D1,药,2,{float(amount) / 2},{amount},张三"


def test_a_file_sent_again_takes_the_place_of_the_earlier_one(home: Home, inbox: Path):
    _write(inbox, "fees_1.csv", _line(1), _line(2), _line(3))
    first = land(home, deliveries=inbox, now=NOW)
    _write(inbox, "fees_1.csv", _line(1), _line(2, "5.00"), _line(4))
    second = land(home, deliveries=inbox, now=NOW)
    assert [row[0] for row in _rows(home)] == ["M1", "M2", "M4"]
    assert _states(home) == [("t1/fees_1.csv", "superseded"), ("t1/fees_1.csv", "loaded")]
    (result,) = second.files
    assert result.difference is not None
    found = result.difference
    assert (found.rows_same, found.rows_changed, found.rows_added, found.rows_removed) == (1, 1, 1, 1)
    assert (found.money_before, found.money_after) == (first.total("money_in"), second.total("money_in"))
    with postgres.connect(home) as connection:
        assert connection.execute(
            "select rows_changed, snapshot_before is not null from ops.difference"
        ).fetchall() == [(1, True)]


def test_files_named_after_persons_are_told_apart(home: Home, inbox: Path):
    persons = ("11010519491231002X", "110101199003071090")
    for number, person in enumerate(persons):
        _write(inbox, f"fees_{person}.csv", _line(number))
        land(home, deliveries=inbox, now=NOW)
    assert [stay for stay, _ in _rows(home)] == ["M0", "M1"]
    assert land(home, deliveries=inbox, now=NOW).unchanged == 2
    # The same name is still the same place.
    _write(inbox, f"fees_{persons[0]}.csv", _line(0, "5.00"))
    (result,) = land(home, deliveries=inbox, now=NOW).files
    assert (result.difference is not None, "***" in result.file_name) == (True, True)
    assert not any(person[6:14] in result.file_name for person in persons)
    assert [(stay, str(amount)) for stay, amount in _rows(home)] == [("M0", "5.00"), ("M1", "3.00")]


def test_history_stays_readable_and_an_older_version_can_come_back(home: Home, inbox: Path):
    for rows in ([_line(1), _line(2)], [_line(1), _line(3)], [_line(1), _line(2)]):
        _write(inbox, "fees_1.csv", *rows)
        land(home, deliveries=inbox, now=NOW)
    assert [row[0] for row in _rows(home)] == ["M1", "M2"]
    with postgres.connect(home) as connection:
        row = connection.execute("select snapshot_id from ops.batch where state = 'superseded'").fetchone()
    assert row is not None
    with lake.connect(home) as connection:
        old = connection.execute(
            f"SELECT mdtrt_id FROM lake.raw.fee_line AT (VERSION => {row[0]}) ORDER BY 1"
        ).fetchall()
    assert old == [("M1",), ("M3",)]


def test_rows_that_left_as_duplicates_of_a_superseded_file_come_back(home: Home, inbox: Path):
    _write(inbox, "fees_1.csv", _line(1), _line(2))
    _write(inbox, "fees_2.csv", _line(2), _line(3))
    land(home, deliveries=inbox, now=NOW)
    _write(inbox, "fees_1.csv", _line(1), _line(9))
    land(home, deliveries=inbox, now=NOW)
    assert [row[0] for row in _rows(home)] == ["M1", "M2", "M3", "M9"]


def test_a_file_that_shrank_waits_and_the_earlier_one_stays_live(home: Home, inbox: Path):
    _write(inbox, "fees_1.csv", *(_line(stay) for stay in range(100)))
    land(home, deliveries=inbox, now=NOW)
    _write(inbox, "fees_1.csv", *(_line(stay) for stay in range(95)))
    assert not land(home, deliveries=inbox, now=NOW).held
    _write(inbox, "fees_1.csv", *(_line(stay) for stay in range(90)))
    (held,) = land(home, deliveries=inbox, now=NOW).held
    assert held.reason is not None
    assert ("95" in held.reason.zh, "90" in held.reason.en) == (True, True)
    assert not land(home, deliveries=inbox, now=NOW).files
    assert len(_rows(home)) == 95
    (waiting,) = waiting_files(home)
    decide(home, waiting.batch_id, choice="accept", by="admin", why="科室撤并")
    land(home, deliveries=inbox, now=NOW)
    assert len(_rows(home)) == 90
    assert not waiting_files(home)


def test_a_returned_file_is_not_taken_again(home: Home, inbox: Path):
    _write(inbox, "fees_1.csv", *(_line(stay) for stay in range(20)))
    land(home, deliveries=inbox, now=NOW)
    _write(inbox, "fees_1.csv", _line(1))
    land(home, deliveries=inbox, now=NOW)
    (waiting,) = waiting_files(home)
    decide(home, waiting.batch_id, choice="return", by="admin", why="文件被截断")
    assert not land(home, deliveries=inbox, now=NOW).files
    assert len(_rows(home)) == 20
    with pytest.raises(Refusal, match="E-NOT-WAITING"):
        decide(home, waiting.batch_id, choice="accept", by="admin", why="")


def test_a_corrected_row_takes_the_place_of_the_first(home: Home, inbox: Path):
    contract = inbox / "contracts" / "t1" / "_t1.yml"
    contract.write_text(
        CONTRACT.replace('files: "fees_*.csv"', 'files: "fees_*.csv"\n            corrections: "fees_*_fix.csv"'),
        encoding="utf-8",
    )
    _write(inbox, "fees_1.csv", _line(1), _line(2))
    _write(inbox, "fees_0_fix.csv", _line(2, "7.00"), _line(1), _line(3))
    report = land(home, deliveries=inbox, now=NOW)
    fix = next(result.counts for result in report.files if result.file_name.endswith("fix.csv"))
    assert fix is not None
    assert (fix.rows_loaded, fix.rows_duplicate, fix.rows_replaced) == (2, 1, 1)
    assert [(stay, str(amount)) for stay, amount in _rows(home)] == [("M1", "3.00"), ("M2", "7.00"), ("M3", "3.00")]
    # Withdrawn corrections give the first row back.
    _write(inbox, "fees_0_fix.csv", _line(1), _line(3), _line(4))
    land(home, deliveries=inbox, now=NOW)
    assert [(stay, str(amount)) for stay, amount in _rows(home)][1] == ("M2", "3.00")


def _open_items(home: Home) -> list[tuple]:
    with lake.connect(home) as connection:
        return connection.execute(
            "SELECT file_name, row_no, code, row_key, closed_by IS NULL FROM lake.raw.quarantine ORDER BY ALL"
        ).fetchall()


def test_items_close_when_the_mended_file_comes_back(home: Home, inbox: Path):
    bad = "m2,1,2026-02-30,D1,药,2,1.5,3.00,张三"
    _write(inbox, "fees_1.csv", _line(1), bad)
    land(home, deliveries=inbox, now=NOW)
    assert _open_items(home) == [("t1/fees_1.csv", 2, "E-DATE", "M2|1", True)]
    _write(inbox, "fees_1.csv", _line(1), _line(2))
    land(home, deliveries=inbox, now=NOW)
    assert _open_items(home) == [("t1/fees_1.csv", 2, "E-DATE", "M2|1", False)]


def test_items_close_when_only_the_mended_rows_come(home: Home, inbox: Path):
    _write(inbox, "fees_1.csv", _line(1), "m2,1,2026-02-30,D1,药,2,1.5,3.00,张三")
    land(home, deliveries=inbox, now=NOW)
    _write(inbox, "fees_1_mended.csv", _line(2))
    land(home, deliveries=inbox, now=NOW)
    assert [row[4] for row in _open_items(home)] == [False]
    assert len(_rows(home)) == 2


def test_what_was_mended_stays_closed_when_its_file_is_judged_again(home: Home, inbox: Path):
    _write(inbox, "fees_1.csv", _line(1), "m2,1,2026-02-30,D1,药,2,1.5,3.00,张三")
    _write(inbox, "fees_2.csv", _line(3))
    _write(inbox, "fees_1_mended.csv", _line(2))
    land(home, deliveries=inbox, now=NOW)
    assert [row[4] for row in _open_items(home)] == [False]
    # Another file sent again has all that left rows behind judged again, and so has a mended contract.
    _write(inbox, "fees_2.csv", _line(3), _line(4))
    land(home, deliveries=inbox, now=NOW)
    assert [row[4] for row in _open_items(home)] == [False]
    contract = inbox / "contracts" / "t1" / "_t1.yml"
    contract.write_text(CONTRACT.replace("cnt: 数量", "cnt: {from: 数量, units: [盒]}"), encoding="utf-8")
    land(home, deliveries=inbox, now=NOW)
    assert [row[4] for row in _open_items(home)] == [False]
    # Once the mended rows are gone, the item waits again.
    _write(inbox, "fees_1_mended.csv", _line(5))
    land(home, deliveries=inbox, now=NOW)
    assert [row[4] for row in _open_items(home)] == [True]


def test_a_conflict_stays_open_beside_the_row_that_came_first(home: Home, inbox: Path):
    _write(inbox, "fees_1.csv", _line(1))
    _write(inbox, "fees_2.csv", _line(1, "9.00"))
    land(home, deliveries=inbox, now=NOW)
    _write(inbox, "fees_3.csv", _line(3))
    land(home, deliveries=inbox, now=NOW)
    assert [(row[2], row[4]) for row in _open_items(home)] == [("E-KEY-CONFLICT", True)]


def test_a_mended_contract_reads_again_what_it_had_read(home: Home, inbox: Path):
    _write(inbox, "fees_1.csv", _line(1), "m2,1,2026-01-05,D1,药,2盒,1.5,3.00,张三")
    land(home, deliveries=inbox, now=NOW)
    assert len(_rows(home)) == 1
    contract = inbox / "contracts" / "t1" / "_t1.yml"
    contract.write_text(CONTRACT.replace("cnt: 数量", "cnt: {from: 数量, units: [盒]}"), encoding="utf-8")
    (inbox / "t1" / "fees_1.csv").unlink()
    _write(inbox, "fees_2.csv", _line(3))
    land(home, deliveries=inbox, now=NOW)
    assert [row[0] for row in _rows(home)] == ["M1", "M2", "M3"]
    assert not _open_items(home)
    assert land(home, deliveries=inbox, now=NOW).unchanged == 1


def test_cleaned_cells_keep_what_was_delivered(home: Home, inbox: Path):
    _write(inbox, "fees_1.csv", "ｍ1,1,2026/1/5,D1,药,2,1.5,￥3.00,张三")
    land(home, deliveries=inbox, now=NOW)
    with lake.connect(home) as connection:
        cells = connection.execute("SELECT field, rules, raw, clean FROM lake.raw.cleaned ORDER BY ALL").fetchall()
    assert cells == [
        ("det_item_fee_sumamt", "C-WIDTH C-CURRENCY", "￥3.00", "3.00"),
        ("fee_ocur_time", "C-DATE", "2026/1/5", "2026-01-05 00:00:00"),
        ("mdtrt_id", "C-WIDTH C-CASE", "ｍ1", "M1"),
    ]


def test_a_lake_and_a_register_of_an_earlier_version_are_brought_up_to_date(home: Home, inbox: Path):
    _write(inbox, "fees_1.csv", _line(1), "m2,1,2026-02-30,D1,药,2,1.5,3.00,张三")
    land(home, deliveries=inbox, now=NOW)
    with postgres.connect(home, autocommit=True) as register:
        register.execute(
            "alter table ops.batch drop column contract, drop column superseded_by, drop column rows_replaced"
        )
        register.execute("comment on schema ops is null")
    with lake.connect(home) as connection:
        connection.execute("ALTER TABLE lake.raw.fee_line DROP COLUMN med_list_codg")
        connection.execute("ALTER TABLE lake.raw.quarantine DROP COLUMN row_key")
    _write(inbox, "fees_2.csv", _line(3, "7.00"))
    land(home, deliveries=inbox, now=NOW)
    assert [(stay, str(amount)) for stay, amount in _rows(home)] == [("M1", "3.00"), ("M3", "7.00")]
    assert _open_items(home) == [("t1/fees_1.csv", 2, "E-DATE", "M2|1", True)]
    assert _rows(home, "med_list_codg, medins_list_codg") == [(None, "D1"), (None, "D1")]
