from datetime import date
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.simulation.layouts import Column, Layout
from headwater.simulation.rendering import day_text, decimals, render

FEN = st.lists(st.integers(-(10**15), 10**15), min_size=1, max_size=20)


@given(FEN)
def test_decimals_are_exact(fen: list[int]) -> None:
    assert decimals(np.array(fen)).to_pylist() == [Decimal(value).scaleb(-2) for value in fen]


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=20))
def test_every_way_of_writing_money_can_be_read_back(fen: list[int]) -> None:
    column = (Column("medfee_sumamt", "money", "金额"),)
    for money in ("plain", "thousands", "sign", "fen"):
        texts = render({"medfee_sumamt": np.array(fen)}, column, Layout(1, money=money)).arrays[0].to_pylist()
        read = [Decimal(text.replace(",", "").removeprefix("¥")) for text in texts]
        assert [value if money == "fen" else value * 100 for value in read] == fen
        if money == "thousands":
            assert texts == [f"{Decimal(value).scaleb(-2):,.2f}" for value in fen]


@pytest.mark.parametrize(
    ("day", "clock", "text"),
    [
        ("%Y-%m-%d", " %H:%M:%S", "2025-03-07 08:05:00"),
        ("%Y%m%d", "%H%M%S", "20250307080500"),
        ("%Y/%-m/%-d", " %H:%M", "2025/3/7 08:05"),
        ("%d/%m/%Y", " %H:%M", "07/03/2025 08:05"),
        ("%Y年%-m月%-d日", "", "2025年3月7日"),
        ("serial", "serial", "45723.33680556"),
    ],
)
def test_times_are_written_in_the_hospital_s_way(day: str, clock: str, text: str) -> None:
    minute = np.array([(np.datetime64("2025-03-07T08:05") - np.datetime64("1970-01-01T00:00")).astype(int)])
    shape = Layout(1, format="csv", day=day, clock=clock)
    done = render({"begntime": minute}, (Column("begntime", "time", "入院"),), shape)
    assert done.arrays[0].to_pylist() == [text]


def test_a_spreadsheet_counts_days_from_its_own_epoch() -> None:
    assert day_text(date(2026, 1, 1), "serial") == "46023"


def test_parquet_is_typed_and_words_are_words() -> None:
    columns = (
        Column("gend", "sex", "性别"),
        Column("begntime", "time", "入院"),
        Column("brdy", "date", "出生"),
        Column("medfee_sumamt", "money", "总额"),
    )
    values = {
        "gend": pa.array(["1", "2"]),
        "begntime": np.array([0, 1440]),
        "brdy": np.array([0, 1]),
        "medfee_sumamt": np.array([1, 250]),
    }
    shape = Layout(1, format="parquet", sex="男女")
    types = [array.type for array in render(values, columns, shape).arrays]
    assert types == [pa.string(), pa.timestamp("s"), pa.date32(), pa.decimal128(18, 2)]
    assert render(values, columns, shape).arrays[0].to_pylist() == ["男", "女"]
