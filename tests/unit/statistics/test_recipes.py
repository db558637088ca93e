"""Features derived from one's own records stand up to whatever others hold."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from headwater.errors import Refusal
from headwater.statistics.recipes import derive

values = st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), min_size=2, max_size=20)


@settings(deadline=None, derandomize=True, max_examples=40)
@given(values, values)
def test_numbers_are_standardised_and_bounded_at_home_and_elsewhere(own, others):
    present = [value for value in own if value is not None]
    assume(present and np.std(present) > 1e-2)
    features, _ = derive(pa.table({"x": pa.array(own, pa.float64())}))
    at_home = features.transform(pa.table({"x": pa.array(own, pa.float64())}))
    assert abs(at_home[:, 1].sum()) <= 1e-3 * len(own)
    elsewhere = features.transform(pa.table({"x": pa.array(others, pa.float64())}))
    assert np.isfinite(elsewhere).all()
    assert np.abs(elsewhere).max() <= 8.0


@pytest.mark.parametrize("words", [["甲", "乙"], ["a", "b", "c", "d", "e"]])
def test_few_words_are_told_apart(words):
    features, _ = derive(pa.table({"k": words * 3}))
    assert len({tuple(row) for row in features.transform(pa.table({"k": words}))}) == len(words)


def test_many_words_share_columns_and_new_ones_have_a_place():
    words = [f"code {place}" for place in range(60)]
    features, _ = derive(pa.table({"k": words * 3}))
    assert features.dim == 33
    assert features.transform(pa.table({"k": ["unheard of"]}))[0, 1:].sum() == 1.0


def test_what_gives_no_feature_is_told():
    table = pa.table({"x": [1.0, 2.0], "same": [1, 1], "list": [[1], [2]]})
    features, left_out = derive(table)
    assert features.names == ("bias", "x")
    assert set(left_out) == {"same", "list"}
    with pytest.raises(Refusal, match=r"E-FEATURE-USELESS.*same"):
        derive(table, columns=["x", "same"])
    with pytest.raises(Refusal, match=r"E-FEATURE-NONE.*list"):
        derive(table.select(["list"]))
