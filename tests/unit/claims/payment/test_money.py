from decimal import Decimal
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.claims.payment.money import divided, fen_of, shown, times
from headwater.errors import Refusal

WHOLE = st.integers(-(10**13), 10**13)


@given(st.lists(WHOLE, min_size=1, max_size=5), WHOLE, st.integers(1, 10**12))
def test_quotients_are_rounded_half_up_also_beyond_64_bits(values: list[int], by: int, over: int):
    expected = [int((Fraction(2 * value * by, over) + 1) // 2) for value in values]
    if max(map(abs, expected)) < 2**63:
        assert divided(np.array(values), by, over).tolist() == expected


def test_halves_go_up():
    assert times(np.array([1, 3, -1, -3]), 500_000).tolist() == [1, 2, 0, -1]


@given(st.lists(st.none() | st.integers(-(10**14), 10**14), max_size=6), st.integers(0, 5))
def test_amounts_are_read_to_the_fen(values: list[int | None], offset: int):
    column = pa.array([None if one is None else Decimal(one) / 100 for one in values], pa.decimal128(38, 2))
    fen, known = fen_of(pa.chunked_array([column.slice(min(offset, len(values)))]), "x")
    assert fen.tolist() == [one or 0 for one in values[offset:]]
    assert known.tolist() == [one is not None for one in values[offset:]]


def test_other_scales_are_read_or_refused():
    assert fen_of(pa.chunked_array([pa.array([Decimal("12")], pa.decimal128(9, 0))]), "x")[0].tolist() == [1200]
    assert fen_of(pa.chunked_array([pa.array([Decimal("1.2300")], pa.decimal128(9, 4))]), "x")[0].tolist() == [123]
    assert fen_of(pa.chunked_array([pa.nulls(2)]), "x")[1].tolist() == [False, False]
    with pytest.raises(Refusal, match="x"):
        fen_of(pa.chunked_array([pa.array([Decimal(10) ** 30], pa.decimal128(38, 2))]), "x")


def test_numbers_are_shown_as_people_write_them():
    assert [shown(123456, 2), shown(-5, 2), shown(1_000_000, 6), shown(987654, 6), shown(7, 0)] == [
        "1234.56",
        "-0.05",
        "1",
        "0.987654",
        "7",
    ]
