"""The readers of dates, amounts and codes: exact, or empty."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.claims.canonical import ENTITIES
from headwater.claims.compiling import faults_sql, macros, values_sql
from headwater.claims.contract import ColumnRule, Each, TableContract
from headwater.errors import Refusal


@pytest.fixture(scope="module")
def sql() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    for statement in macros():
        connection.execute(statement)
    return connection


def _time(sql: duckdb.DuckDBPyConnection, text: str) -> datetime | None:
    row = sql.execute("SELECT hw_time(hw_blank(hw_plain(?)))", [text]).fetchone()
    assert row is not None
    return row[0]


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-05",
        "20260105",
        "2026/1/5",
        "2026/01/05",
        "2026年1月5日",
        "46027",
        " ２０２６－０１－０５ ",
        "2026-1-5",
        "2026/1/5 00:00",
    ],
)
def test_every_unambiguous_date_is_read(sql: duckdb.DuckDBPyConnection, text: str):
    assert _time(sql, text) == datetime(2026, 1, 5)


@pytest.mark.parametrize("text", ["2026-01-05 08:30", "20260105083000", "2026/1/5 8:30:00", "2026-01-05T08:30:00"])
def test_times_are_read(sql: duckdb.DuckDBPyConnection, text: str):
    assert _time(sql, text) == datetime(2026, 1, 5, 8, 30)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "02/01/26",
            "2026-02-30",
            "20260231",
            "2026111",
            "05-01-2026",
            "1/5/2026",
            "2026-13-01",
            "2026-01-05 24:00:00",
        ),
        *("2026-01-05 (BC)", "infinity", "epoch", "2026-01-05 08:00:00+08", "无", "9999", "Jan 5 2026", "2026-00-10"),
    ],
)
def test_nothing_else_is_a_date(sql: duckdb.DuckDBPyConnection, text: str):
    assert _time(sql, text) is None


@settings(max_examples=200, deadline=None)
@given(
    day=st.dates(min_value=datetime(1937, 1, 1).date(), max_value=datetime(2099, 12, 31).date()),
    style=st.integers(0, 4),
)
def test_written_dates_come_back(sql: duckdb.DuckDBPyConnection, day, style: int):
    serial = (day - datetime(1899, 12, 30).date()).days
    text = [
        f"{day:%Y-%m-%d}",
        f"{day:%Y%m%d}",
        f"{day.year}/{day.month}/{day.day}",
        f"{day.year}年{day.month}月{day.day}日",
    ]
    written = [*text, str(serial)][style]
    assert _time(sql, written) == datetime(day.year, day.month, day.day)


def _drug(rule: ColumnRule) -> TableContract:
    columns = (
        ("medins_list_codg", ColumnRule(column="code")),
        ("medins_list_name", ColumnRule(value="x")),
        ("pric", rule),
    )
    return TableContract(ENTITIES["drug"], "*", "csv", "auto", None, 1, columns)


def _front(**rules: ColumnRule) -> TableContract:
    base = {
        "mdtrt_id": ColumnRule(value="m"),
        "fixmedins_code": ColumnRule(value="h"),
        "begntime": ColumnRule(value="2026-01-01"),
        "endtime": ColumnRule(value="2026-01-02"),
        "dscg_maindiag_code": ColumnRule(value="J18"),
        "medfee_sumamt": ColumnRule(value="1"),
    } | rules
    return TableContract(ENTITIES["front_page"], "*", "csv", "auto", None, 1, tuple(base.items()))


def _read(sql: duckdb.DuckDBPyConnection, table: TableContract, field: str, **text: str) -> tuple[object, list[str]]:
    columns = ", ".join(f"'{value.replace(chr(39), chr(39) * 2)}' AS \"{name}\"" for name, value in text.items())
    sql.execute(f'CREATE OR REPLACE TEMP TABLE incoming AS SELECT 0 AS "__batch", 1::BIGINT AS "__row", {columns}')
    sql.execute(f"CREATE OR REPLACE TEMP TABLE typed AS {values_sql(table, relation='incoming', constants={})}")
    faults = sql.execute(faults_sql(table, typed="typed", delivered_on="2026-06-30")).fetchall()
    value = sql.execute(f'SELECT "{field}" FROM typed').fetchone()
    assert value is not None
    return value[0], sorted(fault[4] for fault in faults)


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("1,234.50", "1234.50"),
        ("￥1234.5", "1234.50"),
        ("１２３", "123"),
        ("12.3400", "12.34"),
        ("-5", "-5"),
        ("+0.01", "0.01"),
    ],
)
def test_amounts_are_read_exactly(sql: duckdb.DuckDBPyConnection, text: str, amount: str):
    table = _front(medfee_sumamt=ColumnRule(column="fee"))
    assert _read(sql, table, "medfee_sumamt", fee=text) == (Decimal(amount), [])


@pytest.mark.parametrize(
    ("text", "code"),
    [
        *(
            ("1,2", "E-MONEY"),
            ("1e5", "E-MONEY"),
            ("abc", "E-MONEY"),
            ("1.2.3", "E-MONEY"),
            ("12,34.5", "E-MONEY"),
            ("NaN", "E-MONEY"),
        ),
        *(("12.345", "E-MONEY-PRECISION"), ("0.001", "E-MONEY-PRECISION"), ("", "E-REQUIRED"), ("无", "E-REQUIRED")),
    ],
)
def test_other_amounts_are_faults_with_their_code(sql: duckdb.DuckDBPyConnection, text: str, code: str):
    table = _front(medfee_sumamt=ColumnRule(column="fee"))
    assert _read(sql, table, "medfee_sumamt", fee=text) == (None, [code])


@settings(max_examples=200, deadline=None)
@given(fen=st.integers(-(10**14), 10**14), grouped=st.booleans())
def test_any_amount_of_fen_survives(sql: duckdb.DuckDBPyConnection, fen: int, grouped: bool):
    amount = Decimal(fen) / 100
    text = f"{amount:,.2f}" if grouped else f"{amount:.2f}"
    table = _front(medfee_sumamt=ColumnRule(column="fee"))
    assert _read(sql, table, "medfee_sumamt", fee=text) == (amount, [])


def test_amounts_in_fen_are_scaled_and_never_rounded(sql: duckdb.DuckDBPyConnection):
    table = _front(medfee_sumamt=ColumnRule(column="fee", scale="0.01"))
    assert _read(sql, table, "medfee_sumamt", fee="12345") == (Decimal("123.45"), [])
    assert _read(sql, table, "medfee_sumamt", fee="12345.5") == (None, ["E-MONEY-PRECISION"])


def test_only_amounts_may_be_scaled():
    with pytest.raises(Refusal, match="pric cannot use scale"):
        values_sql(_drug(ColumnRule(column="p", scale="0.01")), relation="incoming", constants={})


@pytest.mark.parametrize("scale", ["1e2", "-1", "'; drop", "０．０１"])
def test_a_scale_is_a_plain_decimal(scale: str):
    with pytest.raises(Refusal, match="positive decimal"):
        values_sql(_front(medfee_sumamt=ColumnRule(column="fee", scale=scale)), relation="incoming", constants={})


def test_codes_keep_zeros_and_lose_width(sql: duckdb.DuckDBPyConnection):
    table = _front(mdtrt_id=ColumnRule(column="id"))
    assert _read(sql, table, "mdtrt_id", id=" ００123ａ ") == ("00123A", [])
    assert _read(sql, table, "mdtrt_id", id="1.23457E+17") == ("1.23457E+17", ["E-CODE-SCIENTIFIC"])


def test_value_maps_are_closed(sql: duckdb.DuckDBPyConnection):
    table = _front(gend=ColumnRule(column="sex", values=(("男", "1"), ("女", "2"))))
    assert _read(sql, table, "gend", sex="女") == ("2", [])
    assert _read(sql, table, "gend", sex="") == (None, [])
    assert _read(sql, table, "gend", sex="妇") == (None, ["E-VALUE-MAP"])


def test_a_field_counts_only_under_its_condition(sql: duckdb.DuckDBPyConnection):
    table = _front(age=ColumnRule(column="n", only=("unit", "4")))
    assert _read(sql, table, "age", n="11", unit="4") == (11, [])
    assert _read(sql, table, "age", n="11", unit="3") == (None, [])


def test_discharge_before_admission_and_dates_to_come_are_faults(sql: duckdb.DuckDBPyConnection):
    table = _front(begntime=ColumnRule(column="b"), endtime=ColumnRule(column="e"))
    assert _read(sql, table, "endtime", b="2026-01-02", e="2026-01-01")[1] == ["E-STAY-ORDER"]
    assert _read(sql, table, "endtime", b="2026-01-02", e="2026-07-01")[1] == ["E-DATE-RANGE"]
    assert _read(sql, table, "endtime", b="1899-12-31", e="2026-06-30 23:59")[1] == ["E-DATE-RANGE"]


def test_slots_become_rows_and_empty_slots_do_not(sql: duckdb.DuckDBPyConnection):
    each = Each("diag_srt", ((("diag_code", "d1"),), (("diag_code", "d2"),), (("diag_code", "d3"),)))
    table = TableContract(
        ENTITIES["diagnosis"], "*", "csv", "auto", None, 1, (("mdtrt_id", ColumnRule(column="m")),), each, ("0000",)
    )
    sql.execute(
        """CREATE OR REPLACE TEMP TABLE incoming AS
        SELECT 0 AS "__batch", 1::BIGINT AS "__row", 'a' m, 'J18' d1, '0000' d2, 'I10' d3"""
    )
    rows = sql.execute(values_sql(table, relation="incoming", constants={})).fetchall()
    assert [row[2:6] for row in rows] == [(1, "A", 1, "J18"), (3, "A", 3, "I10")]


def test_column_names_are_quoted(sql: duckdb.DuckDBPyConnection):
    table = _front(mdtrt_id=ColumnRule(column='x"; DROP TABLE typed; --'))
    assert values_sql(table, relation="incoming", constants={}).count('"x""; DROP TABLE typed; --"') >= 1


def test_delivered_on_is_inclusive(sql: duckdb.DuckDBPyConnection):
    table = _front(endtime=ColumnRule(column="e"))
    today = datetime(2026, 6, 30, tzinfo=UTC)
    assert _read(sql, table, "endtime", e=f"{today:%Y-%m-%d} 23:59:59")[1] == []
    assert _read(sql, table, "endtime", e=f"{today + timedelta(days=1):%Y-%m-%d}")[1] == ["E-DATE-RANGE"]
