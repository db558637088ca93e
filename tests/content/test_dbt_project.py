"""The dbt project on a real lake: marts that were worked out by hand, increments, and twins that must be refused."""

import hashlib
import json
import math
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest

from headwater.adapters import dbt, knowledge, lake, postgres, raw
from headwater.adapters.home import Home
from headwater.claims.canonical import ENTITIES
from headwater.errors import Refusal
from headwater.steps.build import GROUPED_MARTS, MARTS, VIEWS, BuildReport, build

PROJECT = Path(__file__).parents[2]

HOSPITALS = [
    {"source_id": "h1", "fixmedins_code": "A", "hospital_name": "江城市第一人民医院", "hosp_lv": "3", "city": "江城市"},
    {"source_id": "h2", "fixmedins_code": "B", "hospital_name": "江城市第二医院", "hosp_lv": "2", "city": "江城市"},
    {"source_id": "br", "fixmedins_code": "C", "region": "RS", "currency": "BRL", "origin": "real"},
]
HOSPITAL = {"batch_id": "contract", "row_no": 0, "region": "楚源省", "currency": "CNY", "origin": "synthetic"}

FRONT_PAGES = [
    {
        "source_id": "h1",
        "mdtrt_id": "M1",
        "fixmedins_code": "A",
        "gend": "1",
        "age": 70,
        "insutype": "310",
        "adm_way": "1",
        "dscg_way": "1",
        "begntime": datetime(2026, 1, 3, 8),
        "endtime": datetime(2026, 1, 10, 10),
        "dscg_maindiag_code": "J18.900",
        "main_oprn_code": "51.2300X001",
        "medfee_sumamt": "1000.00",
    },
    {
        "source_id": "h1",
        "mdtrt_id": "M2",
        "fixmedins_code": "A",
        "gend": "2",
        "age": 30,
        "insutype": "390",
        "adm_way": "2",
        "dscg_way": "5",
        "begntime": datetime(2026, 1, 20, 1),
        "endtime": datetime(2026, 1, 20, 23),
        "dscg_maindiag_code": "I21.000",
        "medfee_sumamt": "500.50",
    },
    {
        "source_id": "h2",
        "mdtrt_id": "M1",
        "fixmedins_code": "B",
        "gend": "1",
        "brdy": date(1951, 3, 2),
        "begntime": datetime(2026, 2, 27, 8),
        "endtime": datetime(2026, 3, 2, 8),
        "dscg_maindiag_code": "J18.000",
        "medfee_sumamt": "0.00",
    },
    {
        "source_id": "h2",
        "mdtrt_id": "M2",
        "fixmedins_code": "B",
        "gend": "1",
        "age": 50,
        "begntime": datetime(2026, 3, 9, 8),
        "endtime": datetime(2026, 3, 2, 8),
        "dscg_maindiag_code": "J18.000",
        "medfee_sumamt": "70.00",
    },
    {
        "source_id": "br",
        "mdtrt_id": "M1",
        "fixmedins_code": "C",
        "gend": "0",
        "age": 40,
        "begntime": datetime(2019, 12, 1),
        "endtime": datetime(2019, 12, 31),
        "dscg_maindiag_code": "F200",
        "main_oprn_code": "0303170093",
        "medfee_sumamt": "200.10",
    },
]
FRONT_PAGE = {"batch_id": "front", "psn_no": "token"}

DIAGNOSES = [
    {"source_id": "h1", "mdtrt_id": "M1", "diag_srt": 1, "diag_code": "J18.900"},
    {"source_id": "h1", "mdtrt_id": "M1", "diag_srt": 2, "diag_code": "I10.X00"},
    {"source_id": "h1", "mdtrt_id": "M1", "diag_srt": 3, "diag_code": "I10.X00"},
]
OPERATIONS = [
    {"source_id": "h1", "mdtrt_id": "M1", "oprn_srt": 1, "oprn_oprt_code": "51.2300X001"},
    {"source_id": "h1", "mdtrt_id": "M1", "oprn_srt": 2, "oprn_oprt_code": "88.7600"},
]
FEE_LINES = [
    {"mdtrt_id": "M1", "feedetl_sn": "1", "med_chrgitm_type": "09", "det_item_fee_sumamt": "600.10"},
    {"mdtrt_id": "M1", "feedetl_sn": "2", "med_chrgitm_type": "0801", "det_item_fee_sumamt": "300.00"},
    {
        "mdtrt_id": "M1",
        "feedetl_sn": "3",
        "med_chrgitm_type": "03",
        "det_item_fee_sumamt": "99.90",
        "batch_id": "lines2",
    },
    {"mdtrt_id": "M2", "feedetl_sn": "1", "det_item_fee_sumamt": "500.50", "batch_id": "lines2"},
    {
        "mdtrt_id": "LOST",
        "feedetl_sn": "1",
        "med_chrgitm_type": "11",
        "det_item_fee_sumamt": "1.00",
        "batch_id": "lines2",
    },
]
FEE_LINE = {
    "source_id": "h1",
    "batch_id": "lines1",
    "fee_ocur_time": datetime(2026, 1, 31, 23, 59, 59),
    "medins_list_codg": "L1",
    "medins_list_name": "药",
    "cnt": "1",
    "pric": "1",
}


def insert(connection: duckdb.DuckDBPyConnection, entity: str, *rows: dict[str, Any]) -> None:
    for number, row in enumerate(rows):
        filled = {"row_no": number, **row}
        names, marks = ", ".join(filled), ", ".join("?" * len(filled))
        connection.execute(f"INSERT INTO lake.raw.{entity} ({names}) VALUES ({marks})", list(filled.values()))


def fill(connection: duckdb.DuckDBPyConnection) -> None:
    """Leave exactly the rows above in raw."""
    connection.execute("BEGIN")
    for entity in ENTITIES:
        connection.execute(f"DELETE FROM lake.raw.{entity}")
    insert(connection, "hospital", *({**HOSPITAL, **row} for row in HOSPITALS))
    insert(connection, "front_page", *({**FRONT_PAGE, **row} for row in FRONT_PAGES))
    insert(connection, "diagnosis", *({"batch_id": "front", **row} for row in DIAGNOSES))
    insert(connection, "operation", *({"batch_id": "front", **row} for row in OPERATIONS))
    insert(connection, "fee_line", *({**FEE_LINE, **row} for row in FEE_LINES))
    connection.execute("COMMIT")


@pytest.fixture(scope="module")
def home(databases: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    home = Home(tmp_path_factory.mktemp("home"), PROJECT).create()
    postgres.prepare(home)
    yield home
    with psycopg.connect(databases, dbname="postgres", autocommit=True) as connection:
        connection.execute(f"drop database if exists {BUILT} with (force)")


BUILT = "lake_as_built"


def copy(server: str, source: str, target: str) -> None:
    """Make a catalog anew as a copy of another: files of the lake are added and never changed."""
    with psycopg.connect(server, dbname="postgres", autocommit=True) as connection:
        connection.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (source,))
        connection.execute(f"drop database if exists {target} with (force)")
        connection.execute(f"create database {target} template {source}")


@pytest.fixture(scope="module")
def built(home: Home, databases: str) -> BuildReport:
    with lake.connect(home) as connection:
        raw.create_tables(home, connection)
        fill(connection)
    report = build(home)
    copy(databases, "lake", BUILT)
    return report


@pytest.fixture
def connection(home: Home, built: BuildReport) -> Iterator[duckdb.DuckDBPyConnection]:
    with lake.connect(home) as connection:
        yield connection


@pytest.fixture
def changeable(home: Home, built: BuildReport, databases: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """Tables that a test may change and build; afterwards the lake is as it was built first."""
    with lake.connect(home) as connection:
        yield connection
    copy(databases, BUILT, "lake")


def records(connection: duckdb.DuckDBPyConnection, sql: str) -> list[dict[str, Any]]:
    cursor = connection.execute(sql)
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def picture(connection: duckdb.DuckDBPyConnection) -> dict[str, list[tuple[Any, ...]]]:
    return {
        mart: connection.execute(f"SELECT * FROM lake.marts.{mart} ORDER BY ALL").fetchall()
        for mart in (*MARTS, *VIEWS)
    }


@pytest.fixture(scope="module")
def parsing(tmp_path_factory: pytest.TempPathFactory) -> tuple["subprocess.CompletedProcess[str]", Path]:
    """Parse the project from nothing, in a process of its own that stops at a warning; give what it wrote."""
    target = tmp_path_factory.mktemp("parsed")
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from dbt.cli.main import cli; cli()",
            "--warn-error",
            "--no-partial-parse",
            "--show-all-deprecations",
            f"--log-path={target}",
            "parse",
            f"--project-dir={PROJECT / 'dbt_project'}",
            f"--profiles-dir={PROJECT / 'dbt_project'}",
            "--target=read",
            f"--target-path={target}",
        ],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=target,
        check=False,
    )
    return done, target


@pytest.fixture(scope="module")
def manifest(parsing: tuple["subprocess.CompletedProcess[str]", Path]) -> dict[str, Any]:
    return json.loads((parsing[1] / "manifest.json").read_text(encoding="utf-8"))


# The marts, worked out by hand


def test_build_reports_nodes_rows_and_snapshot(built: BuildReport, connection: duckdb.DuckDBPyConnection) -> None:
    statuses = dict(built.statuses)
    assert set(statuses) == {"pass", "success"}
    assert sum(statuses.values()) == len(built.nodes)
    assert {node.kind for node in built.nodes} == {"model", "seed", "test"}
    assert dict(built.rows) == {
        "dim_hospital": 3,
        "dim_item": 0,
        "fct_stay": 5,
        "fct_fee_line": 5,
        "fct_settlement": 0,
        "fct_item_use": 3,
        "fct_item_price": 3,
        "fct_finding": 0,
        "fct_special_use": 0,
        "fct_readmission": 1,
        "ind_hospital_month": 3,
        "ind_special_drug": 0,
        "ind_high_value": 0,
        "ind_payer_mix": 16,
        "ind_formulary_coverage": 4,
        "ind_disease_spectrum": 4,
        "ind_drug_use": 1,
        "ind_consumable_use": 1,
        "ind_item_price": 0,
        "ind_coding_quality": 0,
        "feat_stay_cost": 3,
    }
    assert json.loads(json.dumps(built.to_dict())) == {
        "seconds": round(built.seconds, 3),
        "snapshot_id": built.snapshot_id,
        "statuses": statuses,
        "rows": dict(built.rows),
    }
    tables = connection.execute(f"SELECT count(*) FROM lake.marts.fct_stay AT (VERSION => {built.snapshot_id})")
    assert tables.fetchone() == (5,)


def test_fct_stay(connection: duckdb.DuckDBPyConnection) -> None:
    stays = {row["stay_id"]: row for row in records(connection, "SELECT * FROM lake.marts.fct_stay")}
    assert set(stays) == {"h1:M1", "h1:M2", "h2:M1", "h2:M2", "br:M1"}
    expected = {
        "h1:M1": {
            "hospital_id": "h1:A",
            "region": "楚源省",
            "hosp_lv": "3",
            "currency": "CNY",
            "discharge_month": date(2026, 1, 1),
            "stay_days": 7,
            "age_years": 70,
            "age_band": "60-74",
            "chapter_no": "10",
            "diagnosis_chapter": "J",
            "diagnosis_category": "J18",
            "operation_category": "5123",
            "diagnosis_count": 2,
            "operation_count": 2,
            "fee_line_count": 3,
            "fee_line_amount": Decimal("1000.00"),
            "drug_amount": Decimal("600.10"),
            "consumable_amount": Decimal("300.00"),
            "service_amount": Decimal("99.90"),
            "is_emergency": True,
            "is_dead": False,
            "is_valid": True,
        },
        "h1:M2": {
            "stay_days": 1,
            "chapter_no": "09",
            "operation_category": "",
            "diagnosis_count": 1,
            "operation_count": 0,
            "fee_line_count": 1,
            "drug_amount": Decimal("0.00"),
            "service_amount": Decimal("500.50"),
            "is_emergency": False,
            "is_dead": True,
        },
        "h2:M1": {"age_years": 74, "age_band": "60-74", "fee_line_count": 0, "fee_line_amount": Decimal("0.00")},
        "h2:M2": {"is_valid": False, "invalid_reason": "discharge_before_admission"},
        "br:M1": {
            "region": "RS",
            "city": "unknown",
            "hosp_lv": "9",
            "currency": "BRL",
            "origin": "real",
            "gend": "9",
            "stay_days": 30,
            "chapter_no": "05",
            "operation_category": "0303",
        },
    }
    for stay_id, columns in expected.items():
        assert {name: stays[stay_id][name] for name in columns} == columns, stay_id


def test_fct_fee_line_keeps_every_line_also_of_a_lost_stay(connection: duckdb.DuckDBPyConnection) -> None:
    lines = records(
        connection,
        "SELECT stay_id, feedetl_sn, charge_group, charge_month, det_item_fee_sumamt, currency "
        "FROM lake.marts.fct_fee_line ORDER BY stay_id, feedetl_sn",
    )
    assert [tuple(line.values()) for line in lines] == [
        ("h1:LOST", "1", "drug", date(2026, 1, 1), Decimal("1.00"), "CNY"),
        ("h1:M1", "1", "drug", date(2026, 1, 1), Decimal("600.10"), "CNY"),
        ("h1:M1", "2", "consumable", date(2026, 1, 1), Decimal("300.00"), "CNY"),
        ("h1:M1", "3", "service", date(2026, 1, 1), Decimal("99.90"), "CNY"),
        ("h1:M2", "1", "unknown", date(2026, 1, 1), Decimal("500.50"), "CNY"),
    ]


def test_ind_disease_spectrum(connection: duckdb.DuckDBPyConnection) -> None:
    cells = records(
        connection,
        "SELECT region, discharge_quarter, chapter_name_zh, diagnosis_category, gend, age_band, hosp_lv, insutype, "
        "stay_count, death_count, stay_days, cost, stay_share, cost_share "
        "FROM lake.marts.ind_disease_spectrum ORDER BY discharge_month, diagnosis_category",
    )
    assert [tuple(cell.values()) for cell in cells] == [
        ("RS", "2019Q4", "精神与行为障碍", "F20", "9", "15-44", "9", "unknown", 1, 0, 30, Decimal("200.10"), 1.0, 1.0),
        (
            "楚源省",
            "2026Q1",
            "循环系统疾病",
            "I21",
            "2",
            "15-44",
            "3",
            "390",
            1,
            1,
            1,
            Decimal("500.50"),
            0.5,
            500.5 / 1500.5,
        ),
        (
            "楚源省",
            "2026Q1",
            "呼吸系统疾病",
            "J18",
            "1",
            "60-74",
            "3",
            "310",
            1,
            0,
            7,
            Decimal("1000.00"),
            0.5,
            1000 / 1500.5,
        ),
        ("楚源省", "2026Q1", "呼吸系统疾病", "J18", "1", "60-74", "2", "unknown", 1, 0, 3, Decimal("0.00"), 1.0, None),
    ]


def split_of(stay_id: str, share: float) -> str:
    digits = hashlib.md5(stay_id.encode()).hexdigest()
    sample, part = int(digits[:8], 16) / 2**32, int(digits[8:16], 16) / 2**32
    if sample >= share:
        return "source"
    return "target_train" if part < 0.10 else "target_valid" if part < 0.55 else "target_test"


def test_feat_stay_cost(connection: duckdb.DuckDBPyConnection) -> None:
    features = {row.pop("stay_id"): row for row in records(connection, "SELECT * FROM lake.marts.feat_stay_cost")}
    assert set(features) == {"h1:M1", "h1:M2", "br:M1"}
    assert features["h1:M1"] == {
        "source_id": "h1",
        "hospital": "A",
        "city": "江城市",
        "region": "楚源省",
        "month": date(2026, 1, 1),
        "split": split_of("h1:M1", 0.08),
        "cost": Decimal("1000.00"),
        "currency": "CNY",
        "log_cost": pytest.approx(math.log(1000), rel=1e-15),
        "age": 70.0,
        "is_male": 1.0,
        "log_days": pytest.approx(math.log(8), rel=1e-15),
        "diagnosis_count": 2.0,
        "operation_count": 2.0,
        "is_emergency": 1.0,
        "is_dead": 0.0,
        "is_employee": 1.0,
        "hospital_level": 3.0,
        "diagnosis_chapter": "J",
        "diagnosis_category": "J18",
        "operation_category": "5123",
    }
    assert features["br:M1"]["hospital_level"] == 0.0
    assert features["br:M1"]["is_employee"] == 0.0


# Building again


TABLES = "config.materialized:table config.materialized:incremental"


SETTLEMENT = {
    "source_id": "h1",
    "batch_id": "settled",
    "fixmedins_code": "A",
    "setl_time": datetime(2026, 1, 11),
    "medfee_sumamt": "1000.00",
    "fund_pay_sumamt": "600.00",
}
SETTLEMENTS = [
    {"setl_id": "S1", "mdtrt_id": "M1"},
    {"setl_id": "S2", "mdtrt_id": "M1", "medfee_sumamt": "-1000.00", "init_setl_id": "S1", "refd_setl_flag": "1"},
    {"setl_id": "S3", "mdtrt_id": "M1", "medfee_sumamt": "999.99"},
    {"setl_id": "S4", "mdtrt_id": "LOST", "medfee_sumamt": "-5.00", "init_setl_id": "NEVER"},
]
LATE = {**FEE_LINE, "mdtrt_id": "M1", "batch_id": "late", "det_item_fee_sumamt": "-300.00", "cnt": "-1"}


def changes(connection: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """Change raw step by step as deliveries do: each yield is a state that a build sees."""
    yield "nothing new"
    insert(connection, "settlement", *({**SETTLEMENT, **row} for row in SETTLEMENTS))
    yield "settlements, one taken back, one billed again"
    insert(connection, "fee_line", {**LATE, "feedetl_sn": "9", "med_chrgitm_type": "0801"})
    yield "a late line takes back a line of an earlier batch"
    stay = {**FRONT_PAGE, **FRONT_PAGES[0], "mdtrt_id": "M5", "endtime": datetime(2026, 2, 1), "batch_id": "february"}
    copy = {**stay, "source_id": "h2", "fixmedins_code": "B", "begntime": datetime(2026, 1, 4)}
    insert(connection, "front_page", stay, copy)
    insert(connection, "fee_line", {**FEE_LINE, "mdtrt_id": "M5", "feedetl_sn": "1", "det_item_fee_sumamt": "7.10",
                                    "med_chrgitm_type": "09", "batch_id": "february lines"})  # fmt: skip
    yield "a month comes, and with it stays that overlap an earlier one here and elsewhere"
    connection.execute("DELETE FROM lake.raw.fee_line WHERE batch_id = 'lines1'")
    yield "a batch vanishes"
    insert(connection, "fee_line", *({**FEE_LINE, **row} for row in FEE_LINES[:1]))
    yield "and comes back with less"
    connection.execute("UPDATE lake.raw.front_page SET endtime = '2026-03-05' WHERE mdtrt_id = 'M5'")
    connection.execute("UPDATE lake.raw.front_page SET psn_no = 'another' WHERE mdtrt_id = 'M5' AND source_id = 'h2'")
    yield "a correction moves a stay to another month, and another to another person"
    connection.execute("DELETE FROM lake.raw.front_page WHERE mdtrt_id = 'M5' AND source_id = 'h1'")
    connection.execute("DELETE FROM lake.raw.settlement WHERE setl_id = 'S2'")
    yield "a front page vanishes but its lines stay; a reversal vanishes"
    connection.execute("UPDATE lake.raw.diagnosis SET diag_code = 'Z99' WHERE diag_srt = 3")
    connection.execute("DELETE FROM lake.raw.operation WHERE oprn_srt = 2")
    yield "diagnoses are corrected, an operation goes"
    connection.execute("UPDATE lake.raw.hospital SET hosp_lv = '1', region = '别省' WHERE source_id = 'h2'")
    yield "a hospital moves"
    insert(connection, "hospital", {**HOSPITAL, "source_id": "h9", "fixmedins_code": "Z", "region": "RS"})
    yield "a hospital joins"
    connection.execute("DELETE FROM lake.raw.front_page WHERE source_id = 'h1'")
    connection.execute("DELETE FROM lake.raw.fee_line WHERE mdtrt_id = 'M1'")
    yield "nearly everything goes"


def test_refreshing_equals_building_anew(home: Home, changeable: duckdb.DuckDBPyConnection) -> None:
    """Refresh through every step; then go through the steps again and build everything anew after every other."""
    stepwise, anew = {}, {}
    for step in changes(changeable):
        dbt.run(home, command="run", select=TABLES, exclude="tag:grouped")
        stepwise[step] = picture(changeable)
    fill(changeable)
    for place, step in enumerate(changes(changeable)):
        if place % 2:
            dbt.run(home, command="run", select=TABLES, exclude="tag:grouped", full_refresh=True)
            anew[step] = picture(changeable)
    assert step in anew, "the last is among them: what an earlier refresh left wrong would show"
    assert len({json.dumps(marts, default=str) for marts in stepwise.values()}) == len(stepwise)
    for step, marts in anew.items():
        assert stepwise[step] == marts, step


def test_what_a_failed_build_wrote_is_looked_at_again(home: Home, changeable: duckdb.DuckDBPyConnection) -> None:
    """A stay moves to another month in a build that fails, and vanishes before the next."""
    before = picture(changeable)
    stay = {**FRONT_PAGE, **FRONT_PAGES[0], "mdtrt_id": "M5", "endtime": datetime(2026, 5, 1)}
    insert(changeable, "front_page", stay)
    insert(changeable, "hospital", {**HOSPITAL, **HOSPITALS[0], "fixmedins_code": "D", "hosp_lv": "4"})
    for _ in range(2):
        with pytest.raises(Refusal, match="dim_hospital_holds_known_values"):
            build(home)
    changeable.execute("DELETE FROM lake.raw.hospital WHERE fixmedins_code = 'D'")
    insert(changeable, "settlement", {**SETTLEMENT, "setl_id": "S1", "mdtrt_id": "M5", "fixmedins_code": "NOWHERE"})
    with pytest.raises(Refusal, match="settlement_is_of_a_registered_hospital"):
        build(home)
    changeable.execute("DELETE FROM lake.raw.settlement")
    changeable.execute("DELETE FROM lake.raw.front_page WHERE mdtrt_id = 'M5'")
    build(home)
    assert picture(changeable) == before


def test_a_refresh_writes_what_changed_until_the_project_changes_or_a_mart_is_missing(
    home: Home, changeable: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = lake.snapshot(changeable)
    insert(changeable, "fee_line", {**FEE_LINE, "mdtrt_id": "M2", "feedetl_sn": "2", "det_item_fee_sumamt": "0.50"})
    assert "seed" not in {node.kind for node in build(home).nodes}
    written = changeable.execute(
        f"SELECT stay_id, feedetl_sn FROM ducklake_table_insertions('lake', 'marts', 'fct_fee_line', {before + 1}, "
        f"{lake.snapshot(changeable)}) ORDER BY ALL"
    ).fetchall()
    assert written == [("h1:M2", "1"), ("h1:M2", "2")]
    changeable.execute("DROP TABLE lake.marts.fct_settlement")
    with pytest.raises(Refusal, match="build with a full refresh"):
        dbt.run(home, command="run", select="fct_settlement")
    changeable.execute("DROP VIEW lake.marts.view_fee_line")
    assert "seed" in {node.kind for node in build(home).nodes}
    built_once = picture(changeable)
    monkeypatch.setattr(dbt, "digest", lambda home: "another project")
    assert "seed" in {node.kind for node in build(home).nodes}
    assert "seed" not in {node.kind for node in build(home).nodes}
    assert picture(changeable) == built_once, "neither building everything again nor refreshing changes anything"


def test_the_models_pass_their_own_tests(home: Home, built: BuildReport) -> None:
    result = dbt.run(home, command="test", select="test_type:unit")
    assert {(node.kind, node.status) for node in result.nodes} == {("unit_test", "pass")}


# Broken twins


def test_a_duplicate_key_in_raw_is_refused_by_name(home: Home, changeable: duckdb.DuckDBPyConnection) -> None:
    insert(changeable, "front_page", {**FRONT_PAGE, **FRONT_PAGES[0], "batch_id": "again"})
    with pytest.raises(Refusal) as refused:
        build(home)
    assert refused.value.code == "E-DBT-NODE"
    assert "front_page_is_one_row_per_stay (a stay has more than one front page)" in refused.value.reason.en
    assert "front_page_is_one_row_per_stay (同一来源的就诊ID在病案首页中重复)" in refused.value.reason.zh


@pytest.mark.parametrize(
    ("entity", "row", "selected", "test"),
    [
        pytest.param(
            "front_page",
            {**FRONT_PAGE, **FRONT_PAGES[0], "mdtrt_id": "M7", "fixmedins_code": "NOWHERE"},
            "stg_claims__front_page stg_claims__hospital",
            "front_page_is_of_a_registered_hospital",
            id="stay at an unregistered hospital",
        ),
        pytest.param(
            "fee_line",
            {**FEE_LINE, **FEE_LINES[0], "source_id": "nobody"},
            "stg_claims__fee_line stg_claims__hospital",
            "fee_line_is_of_a_registered_source",
            id="lines of an unregistered source",
        ),
        pytest.param(
            "fee_line",
            {**FEE_LINE, **FEE_LINES[0], "batch_id": "lines4"},
            "+fct_fee_line",
            "fct_fee_line_is_one_row_per_stay_and_line",
            id="line number twice in different batches",
        ),
        pytest.param(
            "hospital",
            {**HOSPITAL, **HOSPITALS[0], "fixmedins_code": "D", "currency": "USD"},
            "+int_sources__denominated",
            "source_has_one_currency",
            id="source with two currencies",
        ),
        pytest.param(
            "hospital",
            {**HOSPITAL, **HOSPITALS[0], "fixmedins_code": "D", "hosp_lv": "4"},
            "+dim_hospital",
            "dim_hospital_holds_known_values",
            id="level that does not exist",
        ),
    ],
)
def test_what_cannot_be_is_refused_by_name(
    home: Home, changeable: duckdb.DuckDBPyConnection, entity: str, row: dict[str, Any], selected: str, test: str
) -> None:
    insert(changeable, entity, row)
    with pytest.raises(Refusal, match=test):
        dbt.run(home, select=selected)


def test_a_mart_refuses_a_hole_before_it_replaces_the_table(home: Home, changeable: duckdb.DuckDBPyConnection) -> None:
    before = picture(changeable)["dim_hospital"]
    changeable.execute("UPDATE lake.raw.hospital SET currency = NULL WHERE source_id = 'br'")
    with pytest.raises(Refusal, match=r"dim_hospital: .*NOT NULL constraint failed: dim_hospital\w*\.currency"):
        dbt.run(home, command="run", select="dim_hospital")
    assert picture(changeable)["dim_hospital"] == before


def test_shares_that_do_not_sum_to_one_are_refused(home: Home, changeable: duckdb.DuckDBPyConnection) -> None:
    changeable.execute("UPDATE lake.marts.ind_disease_spectrum SET stay_share = 0.4 WHERE diagnosis_category = 'I21'")
    changeable.execute("UPDATE lake.marts.ind_disease_spectrum SET stay_count = 2 WHERE diagnosis_category = 'I21'")
    with pytest.raises(Refusal) as refused:
        dbt.run(home, command="test", select="ind_disease_spectrum,test_type:data")
    assert "ind_disease_spectrum_stay_shares_sum_to_one" in refused.value.reason.en
    assert "ind_disease_spectrum_sums_to_the_valid_stays" in refused.value.reason.en
    assert "cost_shares" not in refused.value.reason.en


def test_a_valuation_stands_in_the_mart_at_once(changeable: duckdb.DuckDBPyConnection) -> None:
    for month, value in ((1, 0.2), (2, 0.4)):
        key = {"task": "stay_cost", "region": "楚源省", "month": date(2026, month, 1)}
        row = {"run": "r", "source": "A", "value": value, "low": value, "high": value, "selected": True, "rank": 1}
        judged = {"judged_low": value - 0.05, "judged_high": value + 0.05, "unit": "R²", "method": "exact"}
        knowledge.replace(changeable, "valuation", key=key, rows=[row | judged])
    # One of before there were months.
    old = {"run": "old", "task": "stay_cost", "region": "楚源省"}
    knowledge.replace(changeable, "valuation", key=old, rows=[{"source": "A", "value": 9.0}])
    found = records(changeable, "SELECT * FROM lake.marts.fct_source_value ORDER BY month")
    told = [(one["month"], one["hospital_id"], one["value_low"], one["change"]) for one in found]
    assert told == [
        (date(2026, 1, 1), "h1:A", pytest.approx(0.15), "first"),
        (date(2026, 2, 1), "h1:A", pytest.approx(0.35), "up"),
    ]


# The house rules of the project


def models_of(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    nodes = [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]
    assert len(nodes) > 20
    return nodes


def test_staging_views_carry_every_canonical_field(connection: duckdb.DuckDBPyConnection) -> None:
    for entity in ENTITIES.values():
        columns = {
            row["column_name"]: row["column_type"]
            for row in records(connection, f"DESCRIBE lake.staging.stg_claims__{entity.name}")
        }
        source = {
            row["column_name"]: row["column_type"] for row in records(connection, f"DESCRIBE lake.raw.{entity.name}")
        }
        assert source.items() <= columns.items(), entity.name
        assert set(columns) - set(source) <= {"stay_id", "hospital_id"}


def test_every_mart_states_its_columns_and_tests_its_grain(manifest: dict[str, Any]) -> None:
    marts = [node for node in models_of(manifest) if node["config"]["schema"] == "marts"]
    assert {node["name"] for node in marts} == {*MARTS, *VIEWS, *GROUPED_MARTS}
    tests = [node for node in manifest["nodes"].values() if node["resource_type"] == "test"]
    for mart in marts:
        assert mart["config"]["contract"]["enforced"] is True
        assert re.search(r"One row per [^.]+\.\s*$", mart["description"]), mart["name"]
        assert all(column["description"] and column["data_type"] for column in mart["columns"].values()), mart["name"]
        assert (PROJECT / "dbt_project" / mart["original_file_path"]).with_suffix(".yml").is_file()
        grains = [
            test
            for test in tests
            if test["attached_node"] == mart["unique_id"]
            and test["test_metadata"]["name"] in {"unique", "unique_grain"}
        ]
        assert grains, mart["name"]


def test_marts_demand_only_what_landing_does(manifest: dict[str, Any]) -> None:
    optional = {field.name for entity in ENTITIES.values() for field in entity.fields} - {
        field.name for entity in ENTITIES.values() for field in entity.fields if field.required
    }
    # These are filled in on the way: the register by its contract, the others by a stated word for what is unknown.
    filled = {"city", "region", "currency", "origin", "hosp_lv", "gend", "insutype", "age"}
    for mart in models_of(manifest):
        demanded = {name for name, column in mart["columns"].items() if column["constraints"]}
        assert demanded & optional <= filled, mart["name"]


def test_every_data_test_is_an_error(manifest: dict[str, Any]) -> None:
    tests = [node for node in manifest["nodes"].values() if node["resource_type"] == "test"]
    assert len(tests) > 40
    assert {test["config"]["severity"].lower() for test in tests} == {"error"}


def test_every_decision_has_a_unit_test(manifest: dict[str, Any]) -> None:
    tested = {unit["model"] for unit in manifest["unit_tests"].values()}
    assert tested == {
        "dim_item",
        "fct_fee_line",
        "fct_finding",
        "fct_item_price",
        "fct_item_use",
        "fct_payment",
        "fct_readmission",
        "fct_source_value",
        "fct_special_use",
        "fct_stay",
        "fct_stay_group",
        "feat_stay_cost",
        "ind_antibiotic_intensity",
        "ind_antibiotic_rate",
        "ind_average_cost",
        "ind_average_stay",
        "ind_budget_use",
        "ind_case_mix",
        "ind_common_disease",
        "ind_comparison",
        "ind_consumable_share",
        "ind_consumable_use",
        "ind_cost_consumption",
        "ind_cost_difference",
        "ind_disease_spectrum",
        "ind_extreme_stay",
        "ind_coding_quality",
        "ind_drug_share",
        "ind_drug_use",
        "ind_formulary_coverage",
        "ind_formulary_drug",
        "ind_fund_share",
        "ind_group_coverage",
        "ind_high_value",
        "ind_high_value_price",
        "ind_hospital_drg",
        "ind_hospital_month",
        "ind_item_price",
        "ind_low_risk_mortality",
        "ind_outlier_stay",
        "ind_payer_mix",
        "ind_payment_balance",
        "ind_pool_use",
        "ind_price_difference",
        "ind_readmission",
        "ind_selfpay_share",
        "ind_special_drug",
        "ind_special_payment",
        "ind_spectrum_rank",
        "ind_time_consumption",
        "int_diagnoses__counted",
        "int_fee_lines__grouped",
        "int_fee_lines__paired",
        "int_operations__counted",
        "int_settlements__paired",
        "int_stays__classified",
        "int_stays__overlapped",
        "int_stays__validated",
    }


ANSWERS = {
    *("coded_item", "assigned_value", "item_usage", "stay_group", "stay_payment", "payment_line", "budget"),
    *("pool", "comparison", "extreme_stay", "cost_cell", "cost_difference", "price_difference", "source_value"),
}


def test_layers_read_downwards_only(manifest: dict[str, Any]) -> None:
    allowed = {
        "staging": {"source"},
        "intermediate": {"stg", "int", "seed"},
        "marts": {"int", "dim", "fct", "ind", "feat", "view", "seed"},
    }
    for model in models_of(manifest):
        for parent in model["depends_on"]["nodes"]:
            kind, _, name = parent.split(".", 2)
            prefix = name.split("_")[0] if kind == "model" else kind
            # What changed since the last build is known from the snapshots that wrote and deleted raw rows.
            if model["name"] in {"int_stays__touched", "int_raw__built"} or parent.endswith("int_stays__touched"):
                continue
            # Coding, grouping, pricing and comparing hand on whole answers: between them and a mart there is nothing
            # to put in order.
            if name.removeprefix("stg_claims__") in ANSWERS:
                continue
            assert prefix in allowed[model["config"]["schema"]], f"{model['name']} reads {parent}"


def test_names_say_what_a_model_is(manifest: dict[str, Any]) -> None:
    shapes = {
        "staging": r"stg_[a-z0-9]+__[a-z_]+",
        "intermediate": r"int_[a-z_]+__([a-z]+ed|built)",
        "marts": r"(dim|fct|ind|feat|view)_[a-z_]+",
    }
    for model in models_of(manifest):
        assert re.fullmatch(shapes[model["config"]["schema"]], model["name"]), model["name"]


def test_sources_with_another_diagnosis_system_exist() -> None:
    lines = (PROJECT / "dbt_project" / "seeds" / "diagnosis_system.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "source_id,diagnosis_system"
    for line in lines[1:]:
        source = line.split(",")[0]
        contract = PROJECT / "dbt_project" / "models" / "staging" / source / f"_{source}.yml"
        assert f"- name: {source}" in contract.read_text(encoding="utf-8")


def test_sql_files_stop_at_120_lines() -> None:
    files = [file for room in ("macros", "models", "tests") for file in (PROJECT / "dbt_project" / room).rglob("*.sql")]
    assert len(files) > 30
    assert [file.name for file in files if len(file.read_text(encoding="utf-8").splitlines()) > 120] == []


def test_no_deprecation_when_parsing(parsing: tuple["subprocess.CompletedProcess[str]", Path]) -> None:
    done, _ = parsing
    assert done.returncode == 0, done.stdout + done.stderr
