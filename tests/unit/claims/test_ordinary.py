"""The short way of reading texts says what the long way says, whatever the texts."""

from dataclasses import fields
from typing import get_args

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.claims.canonical import ENTITIES, Field, FieldType
from headwater.claims.compiling import PERSONAL
from headwater.claims.contract import ColumnRule
from headwater.claims.macros import macros
from headwater.claims.ordinary import ordinary
from headwater.claims.pseudonyms import Pseudonyms
from headwater.claims.valuing import Reader, Texts

NULLS = ("0", "99", "不详")
DAY = "2026-06-30"
FIELDS = {
    "text": Field("name", "text", "", "", required=True),
    "code": Field("code", "code", "", ""),
    "integer": Field("age", "integer", "", "", low=0, high=150),
    "quantity": Field("cnt", "quantity", "", "", units=("盒",)),
    "price": Field("pric", "price", "", "", required=True),
    "money": Field("fee", "money", "", ""),
    "ratio": Field("prop", "ratio", "", "", low=0, high=1),
    "date": Field("brdy", "date", "", ""),
    "time": Field("begntime", "time", "", "", required=True),
}
RULES = {
    "text": (
        ColumnRule("c"),
        ColumnRule("c", values=(("男", "1"), ("女", "2"), ("男", "3"), (" a", "b"), ("无", "9"))),
    ),
    "code": (
        ColumnRule("c"),
        ColumnRule("c", width=5),
        ColumnRule("c", width=1),
        ColumnRule("c", values=(("m", "1"), ("M", "a"), ("0", "2"), ("Ｍ", "3"), ("J18.9", "J18"))),
    ),
    "money": (ColumnRule("c"), ColumnRule("c", scale="0.01")),
    "time": (ColumnRule("c"), ColumnRule("c", format="%Y%m%d")),
}
WORDS = (
    *(
        "",
        " ",
        "NULL",
        "null",
        "n/a",
        "\\N",
        "\\n",
        "-",
        "--",
        "无",
        "0",
        "99",
        "不详",
        "男",
        "女",
        "m",
        "M",
        "Ｍ",
        " a",
    ),
    *("J18.9", "j18.9", "J18.900x001", "00012", "12", "1.23457E+17", "110105194912310021", "11010519491231002X"),
    *(
        "张三 11010519491231002X",
        "330106491231002",
        "住院号330106491231002",
        "4401 0649 1231 0020 1 2",
        "电话０１２３４５６７８９０１２３４",
    ),
    *(
        "阿莫西林\u200b",
        "\ufeff阿莫西林",
        "阿莫西林　",
        "\u00a0阿莫西林",
        "阿\t莫",
        "\t阿",
        "a\n",
        "a\nb",
        "\x01a",
        "a\x7f",
        "坏\ufffd字",
    ),
    *(
        "1",
        "-1",
        "+1",
        "1.5",
        "1.50",
        "1.505",
        "1.12345678",
        "007",
        "1,234.5",
        "1.",
        ".5",
        "１２",
        "12盒",
        "¥5",
        "5元",
        "3万",
    ),
    *(
        "99999999999",
        "999999999999",
        "1234567890123",
        "150",
        "151",
        "-0",
        "-0.00",
        "1.0",
        "0.5",
        "1.000001",
        "一百二十",
    ),
    *("2024-02-29", "2023-02-29", "2024-04-31", "2024-13-01", "2024-1-3", "2024-01-31 15:50", "2024-01-31 15:50:09"),
    *("2024-01-31 24:00", "2024-01-31T15:50", "2024-01-31 15:50:09.0", "1899-12-31", "1900-01-01", "0000-01-01"),
    *(
        "2026-06-30",
        "2026-06-30 23:59:59",
        "2026-07-01",
        "9999-12-31",
        "20240131",
        "31/01/2024",
        "2024年1月3日",
        "44927",
    ),
)
CASES = [
    pytest.param(FIELDS[kind], rule, id=f"{kind}-{number}")
    for kind in FIELDS
    for number, rule in enumerate(RULES.get(kind, (ColumnRule("c"),)))
]


@pytest.fixture(scope="module")
def reader() -> Reader:
    connection = duckdb.connect(":memory:")
    connection.execute("SET TimeZone = 'UTC'")
    for statement in macros():
        connection.execute(statement)
    return Reader(connection, pseudonyms=Pseudonyms(bytes(32)), delivered_on=DAY, nulls=NULLS)


def listed(column: pa.Array | npt.NDArray[np.bool_]) -> list[object]:
    """Return the values; times as numbers, as some of the odd ones are beyond what Python can say."""
    if isinstance(column, np.ndarray):
        return column.tolist()
    if pa.types.is_temporal(column.type):
        column = column.cast(pa.int32() if pa.types.is_date(column.type) else pa.int64())
    return column.to_pylist()


def differences(reader: Reader, field: Field, rule: ColumnRule, words: list[str]) -> list[tuple[str, str]]:
    texts = Texts(pa.array(words, pa.string()), None)
    short, long = reader.read(field, rule, texts), reader._by_sql(field, rule, texts.words)
    found = []
    for name in ("text", "value", "filled", "code", "rules", "delivered", "clean"):
        one, other = getattr(short, name), long[name]
        if name != "filled":
            assert one.type == other.type, name
        pairs = zip(words, listed(one), listed(other), strict=True)
        found += [(word, f"{name}: {a!r}, not {b!r}") for word, a, b in pairs if a != b]
    return found


def test_every_type_is_read() -> None:
    assert set(FIELDS) == set(get_args(FieldType)) - set(PERSONAL)
    assert {field.name for field in fields(ColumnRule)} == {
        *("column", "value", "values", "format", "scale", "only", "width", "units")
    }


@pytest.mark.parametrize(("field", "rule"), CASES)
def test_both_ways_agree_on_what_is_known_to_be_odd(reader: Reader, field: Field, rule: ColumnRule) -> None:
    assert differences(reader, field, rule, list(WORDS)) == []


@pytest.mark.parametrize(("field", "rule"), CASES)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_both_ways_agree_on_anything(reader: Reader, field: Field, rule: ColumnRule, data: st.DataObject) -> None:
    letters = st.sampled_from("0123456789.-/: ,+EXxaAJ元万盒　０\u200b\ufffd\t男张年月日")
    mixed = st.builds(
        lambda word, place, letter: word[: place % (len(word) + 1)] + letter + word[place % (len(word) + 1) :],
        st.sampled_from(WORDS),
        st.integers(0, 40),
        st.one_of(letters, st.just("")),
    )
    words = data.draw(st.lists(st.one_of(mixed, st.text(letters, max_size=24), st.text(max_size=24)), max_size=60))
    assert differences(reader, field, rule, [word.replace("\x00", "") for word in words]) == []


@pytest.mark.parametrize("kind", sorted(FIELDS))
def test_most_texts_take_the_short_way(kind: str) -> None:
    usual = {
        "text": ["阿莫西林胶囊", "0.9%氯化钠注射液 250ml"],
        "code": ["J18.900", "86900001000017"],
        "integer": ["45"],
        "quantity": ["2", "0.5"],
        "price": ["12.345678"],
        "money": ["-10.00", "3"],
        "ratio": ["0.1"],
        "date": ["1951-03-02"],
        "time": ["2026-01-31 15:50", "2026-01-31"],
    }[kind]
    mask, values = ordinary(FIELDS[kind], ColumnRule("c"), pa.array(["", *usual]), nulls=(), delivered_on=DAY)
    assert mask.all()
    assert values.null_count == 1


def test_what_is_left_over_is_put_back_in_its_place(reader: Reader) -> None:
    field = ENTITIES["fee_line"].field("cnt")
    words = ["3", "x", "", "１", "5", "y"]
    read = reader.read(field, ColumnRule("c"), Texts(pa.array(words), np.arange(6, dtype=np.int32)))
    assert [None if value is None else int(value) for value in read.value.to_pylist()] == [3, None, None, 1, 5, None]
    assert read.filled.tolist() == [True, True, False, True, True, True]
    assert read.rules.to_pylist() == [None, None, None, "C-WIDTH", None, None]
