"""The readers of dates, amounts and codes: exact, or empty."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.claims.canonical import ENTITIES
from headwater.claims.compiling import reader_sql
from headwater.claims.contract import ColumnRule, Each, TableContract
from headwater.claims.macros import macros
from headwater.claims.pseudonyms import Pseudonyms
from headwater.claims.reading import ROW
from headwater.claims.rows import BATCH, ITEM, Rows, Typed
from headwater.claims.valuing import Reader, Texts
from headwater.errors import Refusal
from headwater.simulation.people import check_digit

FULL_WIDTH = str.maketrans("0123456789X", "０１２３４５６７８９Ｘ")


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


def _written(day: date, style: int) -> str:
    serial = (day - date(1899, 12, 30)).days
    return (
        f"{day:%Y-%m-%d}",
        f"{day:%Y%m%d}",
        f"{day.year}/{day.month}/{day.day}",
        f"{day.year}年{day.month}月{day.day}日",
        f"{day.year}.{day.month}.{day.day}",
        str(serial),
    )[style]


@settings(max_examples=10, deadline=None)
@given(
    days=st.lists(
        st.tuples(st.dates(min_value=date(1937, 1, 1), max_value=date(2099, 12, 31)), st.integers(0, 5)),
        min_size=50,
        max_size=200,
    )
)
def test_written_dates_come_back(sql: duckdb.DuckDBPyConnection, days: list[tuple[date, int]]):
    texts = [_written(day, style) for day, style in days]
    rows = sql.execute("SELECT hw_time(hw_blank(hw_plain(t))) FROM (SELECT unnest(?) AS t)", [texts]).fetchall()
    assert [row[0] for row in rows] == [datetime(day.year, day.month, day.day) for day, _ in days]


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


def _typed(sql: duckdb.DuckDBPyConnection, table: TableContract, **text: str) -> list[Typed]:
    reader = Reader(sql, pseudonyms=Pseudonyms(bytes(32)), delivered_on="2026-06-30", nulls=table.nulls)
    places = {ROW: pa.array([1], pa.int64()), BATCH: pa.array([0], pa.int32())}
    block = pa.table({**{name: pa.array([value], pa.string()) for name, value in text.items()}, **places})
    return Rows(table, constants={}, reader=reader).read(block)


def _read(sql: duckdb.DuckDBPyConnection, table: TableContract, field: str, **text: str) -> tuple[object, list[str]]:
    (typed,) = _typed(sql, table, **text)
    return typed.rows.column(field)[0].as_py(), sorted(typed.faults.column("code").to_pylist())


def _cleaned(sql: duckdb.DuckDBPyConnection, table: TableContract, **text: str) -> list[tuple[str, ...]]:
    (typed,) = _typed(sql, table, **text)
    return [(row["field"], row["rules"], row["raw"], row["clean"]) for row in typed.cleaned.to_pylist()]


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


@settings(max_examples=10, deadline=None)
@given(amounts=st.lists(st.tuples(st.integers(-(10**14), 10**14), st.booleans()), min_size=50, max_size=200))
def test_any_amount_of_fen_survives(sql: duckdb.DuckDBPyConnection, amounts: list[tuple[int, bool]]):
    truth = [Decimal(fen) / 100 for fen, _ in amounts]
    texts = [f"{a:,.2f}" if grouped else f"{a:.2f}" for a, (_, grouped) in zip(truth, amounts, strict=True)]
    reader = Reader(sql, pseudonyms=Pseudonyms(bytes(32)), delivered_on="2026-06-30", nulls=())
    reading = reader.read(
        ENTITIES["front_page"].field("medfee_sumamt"),
        ColumnRule(column="fee"),
        Texts(pa.array(texts, pa.string()), None),
    )
    assert reading.value.to_pylist() == truth
    assert reading.code.null_count == len(texts)


def test_amounts_in_fen_are_scaled_and_never_rounded(sql: duckdb.DuckDBPyConnection):
    table = _front(medfee_sumamt=ColumnRule(column="fee", scale="0.01"))
    assert _read(sql, table, "medfee_sumamt", fee="12345") == (Decimal("123.45"), [])
    assert _read(sql, table, "medfee_sumamt", fee="12345.5") == (None, ["E-MONEY-PRECISION"])
    assert _read(sql, table, "medfee_sumamt", fee="1234567890123") == (Decimal("12345678901.23"), [])
    large = _front(medfee_sumamt=ColumnRule(column="fee", scale="100000"))
    assert _read(sql, large, "medfee_sumamt", fee="9999999999999") == (None, ["E-MONEY"])


def test_only_amounts_may_be_scaled():
    with pytest.raises(Refusal, match="pric cannot use scale"):
        reader_sql(
            ENTITIES["drug"].field("pric"), ColumnRule(column="p", scale="0.01"), nulls=(), delivered_on="2026-06-30"
        )


@pytest.mark.parametrize("scale", ["1e2", "-1", "'; drop", "０．０１"])
def test_a_scale_is_a_plain_decimal(scale: str):
    with pytest.raises(Refusal, match="positive decimal"):
        reader_sql(
            ENTITIES["front_page"].field("medfee_sumamt"),
            ColumnRule(column="fee", scale=scale),
            nulls=(),
            delivered_on="2026-06-30",
        )


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


def test_dates_to_come_and_of_other_centuries_are_faults(sql: duckdb.DuckDBPyConnection):
    table = _front(begntime=ColumnRule(column="b"), endtime=ColumnRule(column="e"))
    assert _read(sql, table, "endtime", b="2026-01-02", e="2026-07-01")[1] == ["E-DATE-RANGE"]
    assert _read(sql, table, "endtime", b="1899-12-31", e="2026-06-30 23:59")[1] == ["E-DATE-RANGE"]


def test_slots_become_rows_and_empty_slots_do_not(sql: duckdb.DuckDBPyConnection):
    each = Each("diag_srt", ((("diag_code", "d1"),), (("diag_code", "d2"),), (("diag_code", "d3"),)))
    table = TableContract(
        ENTITIES["diagnosis"], "*", "csv", "auto", None, 1, (("mdtrt_id", ColumnRule(column="m")),), each, ("0000",)
    )
    slots = _typed(sql, table, m="a", d1="J18", d2="0000", d3="I10")
    rows = [row for slot in slots for row in slot.rows.to_pylist()]
    assert [(row[ITEM], row["mdtrt_id"], row["diag_srt"], row["diag_code"]) for row in rows] == [
        (1, "A", 1, "J18"),
        (3, "A", 3, "I10"),
    ]


def test_delivered_on_is_inclusive(sql: duckdb.DuckDBPyConnection):
    table = _front(endtime=ColumnRule(column="e"))
    today = datetime(2026, 6, 30, tzinfo=UTC)
    assert _read(sql, table, "endtime", e=f"{today:%Y-%m-%d} 23:59:59")[1] == []
    assert _read(sql, table, "endtime", e=f"{today + timedelta(days=1):%Y-%m-%d}")[1] == ["E-DATE-RANGE"]


@pytest.mark.parametrize(
    ("text", "amount", "rules"),
    [
        ("壹佰贰拾叁元伍角", "123.50", "C-NUMERAL"),
        ("１，２３４．５０", "1234.50", "C-WIDTH C-SEPARATOR"),
        (" ¥1,234.5", "1234.50", "C-SPACE C-CURRENCY C-SEPARATOR"),
        ("12.5元", "12.50", "C-CURRENCY"),
        ("-￥3", "-3.00", "C-WIDTH C-CURRENCY"),
        ("1.25万元", "12500.00", "C-CURRENCY C-TEN-THOUSAND"),
        ("12\u200b.5", "12.50", "C-INVISIBLE"),
    ],
)
def test_cleaning_keeps_the_delivered_text_and_names_its_rules(
    sql: duckdb.DuckDBPyConnection, text: str, amount: str, rules: str
):
    table = _front(medfee_sumamt=ColumnRule(column="fee"))
    assert _read(sql, table, "medfee_sumamt", fee=text) == (Decimal(amount), [])
    assert _cleaned(sql, table, fee=text) == [("medfee_sumamt", rules, text, amount)]


@pytest.mark.parametrize("text", ["壹佰", "一二三元", "一百二元", "12.5美元", "1.23456789万", "壹佰元零", "元"])
def test_amounts_that_only_look_like_numerals_stay_faults(sql: duckdb.DuckDBPyConnection, text: str):
    value, codes = _read(sql, _front(medfee_sumamt=ColumnRule(column="fee")), "medfee_sumamt", fee=text)
    assert value is None
    assert codes in (["E-MONEY"], ["E-MONEY-PRECISION"])


def test_a_column_of_cents_admits_no_word_for_yuan(sql: duckdb.DuckDBPyConnection):
    table = _front(medfee_sumamt=ColumnRule(column="fee", scale="0.01"))
    assert _read(sql, table, "medfee_sumamt", fee="1250元") == (None, ["E-MONEY"])
    assert _read(sql, table, "medfee_sumamt", fee="壹佰元整") == (None, ["E-MONEY"])


@pytest.mark.parametrize("unit", ["[x]", "\\d", "a|b", "^", "{1}", "盒'", "(", "."])
def test_a_unit_is_a_word_and_no_pattern(sql: duckdb.DuckDBPyConnection, unit: str):
    table = _front(age=ColumnRule(column="n", units=(unit,)))
    assert _read(sql, table, "age", n=f"12{unit}")[0] == 12
    for other in ("12x", "12a", "12-"):
        assert _read(sql, table, "age", n=other)[1] == ["E-NUMBER"]
    assert _read(sql, table, "age", n="12")[0] == 12


def test_units_that_are_agreed_are_dropped_and_others_are_faults(sql: duckdb.DuckDBPyConnection):
    table = _front(age=ColumnRule(column="n", units=("yr",)))
    assert _read(sql, table, "age", n="35岁") == (35, [])
    assert _read(sql, table, "age", n="35 yr") == (35, [])
    assert _read(sql, table, "age", n="8月") == (None, ["E-NUMBER"])
    assert _read(sql, table, "age", n="351") == (351, ["E-NUMBER-RANGE"])


def test_leading_zeros_come_back_only_where_the_contract_says_so(sql: duckdb.DuckDBPyConnection):
    table = _front(dscg_maindiag_code=ColumnRule(column="c", width=6))
    assert _read(sql, table, "dscg_maindiag_code", c="1234") == ("001234", [])
    assert _cleaned(sql, table, c="1234") == [("dscg_maindiag_code", "C-ZEROS", "1234", "001234")]
    assert _read(sql, table, "dscg_maindiag_code", c="1234567") == ("1234567", [])
    assert _read(sql, _front(dscg_maindiag_code=ColumnRule(column="c")), "dscg_maindiag_code", c="1234") == ("1234", [])


@pytest.mark.parametrize("text", ["02/01/26", "02/01/2026", "1-2-2026", "1.2.26 08:00"])
def test_ambiguous_dates_are_named_so(sql: duckdb.DuckDBPyConnection, text: str):
    assert _read(sql, _front(endtime=ColumnRule(column="e")), "endtime", e=text) == (None, ["E-DATE-AMBIGUOUS"])


@pytest.mark.parametrize(
    "text",
    [
        *("2026.1.5 08:30", "2026年1月5日 8:30", "2026年01月05日8时30分", "2026年1月5日8点30分00秒", "202601050830"),
        "20260105 08:30:00",
    ],
)
def test_more_ways_to_write_a_time(sql: duckdb.DuckDBPyConnection, text: str):
    assert _time(sql, text) == datetime(2026, 1, 5, 8, 30)


@pytest.mark.parametrize(
    "text", ["2026/1.5", "2026.1/5", "2026.13.1", "2026年2月30日", "202613010830", "2026010508300"]
)
def test_times_that_do_not_exist_or_mix_their_marks(sql: duckdb.DuckDBPyConnection, text: str):
    assert _time(sql, text) is None


def test_look_alikes_damage_and_identity_numbers_in_codes_are_faults(sql: duckdb.DuckDBPyConnection):
    table = _front(mdtrt_id=ColumnRule(column="id"), dscg_dept_name=ColumnRule(column="d"))
    assert _read(sql, table, "mdtrt_id", id="1О2", d="内科")[1] == ["E-CODE-CHARACTER"]
    assert _read(sql, table, "mdtrt_id", id="A1", d="内\ufffd科")[1] == ["E-TEXT-DAMAGED"]
    person = "11010119900307109" + check_digit("11010119900307109")
    for hidden in (person, f"张三{person}", person.translate(FULL_WIDTH), f"{person[:6]} {person[6:]}"):
        assert _read(sql, table, "mdtrt_id", id="A1", d=hidden)[1] == ["E-PERSON-ID"]


def test_a_text_may_hold_no_identity_number_with_a_slip_in_it(sql: duckdb.DuckDBPyConnection):
    table = _front(mdtrt_id=ColumnRule(column="id"), dscg_dept_name=ColumnRule(column="d"))
    right = check_digit("11010119900307109")
    slip = "11010119900307109" + ("1" if right != "1" else "2")
    for hidden in (slip, f"张三{slip}", f"{slip[:6]} {slip[6:14]} {slip[14:]}"):
        assert _read(sql, table, "mdtrt_id", id="A1", d=hidden)[1] == ["E-PERSON-ID"]
    # Other numbers are texts like any other: of another length, with no such date, or from no region.
    for other in (slip[:16], slip[:17], f"{slip}0", "110101199013071095", "990101199003071095"):
        assert _read(sql, table, "mdtrt_id", id="A1", d=other)[1] == []


def test_an_identity_number_becomes_a_token_whatever_its_age(sql: duckdb.DuckDBPyConnection):
    table = _front(certno=ColumnRule(column="c"))
    long = "11010119900307109" + check_digit("11010119900307109")
    tokens = {_read(sql, table, "certno", c=text)[0] for text in (long, long.lower(), "110101900307109")}
    assert len(tokens) == 1
    assert long not in str(tokens)
    wrong = long[:17] + ("1" if long[17] != "1" else "2")
    assert _read(sql, table, "certno", c=wrong)[1] == ["E-IDENTITY"]
    assert _read(sql, table, "certno", c="11010119900230109X")[1] == ["E-IDENTITY"]
    for passport in ("E12345678", "ea1234567", "H0123456789", "Ｇ12345678"):
        token, faults = _read(sql, table, "certno", c=passport)
        assert (str(token)[:1], faults) == ("p", [])
    for odd in ("E123", "12345678", "E1234567890123", "EABC12345678", "E-12345678"):
        assert _read(sql, table, "certno", c=odd)[1] == ["E-IDENTITY"]
    (typed,) = _typed(sql, table, c=wrong)
    assert typed.faults.column("value").to_pylist() == [None]
