"""Features are the same bits everywhere, bounded, and never guessed."""

import zlib

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.errors import Refusal
from headwater.statistics import Categorical, FeatureMap, Numeric, on_grid

MAP = FeatureMap(
    numeric=(Numeric("age", 60.0, 20.0), Numeric("days", 2.0, 1.0, clip=3.0)),
    categorical=(Categorical("chapter", 5), Categorical("category", 7)),
)


def table(ages, days, chapters, categories) -> pa.Table:
    return pa.table(
        {
            "age": pa.array(ages, pa.float64()),
            "days": pa.array(days, pa.float64()),
            "chapter": pa.array(chapters, pa.string()),
            "category": pa.array(categories, pa.string()),
        }
    )


def test_layout():
    assert MAP.columns == ("age", "days", "chapter", "category")
    assert MAP.dim == len(MAP.names) == 1 + 2 + 5 + 7
    assert MAP.names[:4] == ("bias", "age", "days", "chapter#0")


def test_values():
    x = MAP.transform(table([80.0], [100.0], ["I"], ["I25"]))
    assert x.shape == (1, MAP.dim)
    assert x[0, :3].tolist() == [1.0, 1.0, 3.0]
    assert x[0, 3 + zlib.crc32(b"I") % 5] == 1.0
    assert x[0, 8 + zlib.crc32(b"I25") % 7] == 1.0
    assert x[0, 3:].sum() == 2.0


words = st.text(max_size=4)
rows = st.lists(st.tuples(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9), words, words), max_size=20)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(rows, st.randoms(use_true_random=False))
def test_every_row_depends_on_itself_alone(records, random):
    x = MAP.transform(table(*zip(*records, strict=True)) if records else table([], [], [], []))
    assert x.shape == (len(records), MAP.dim)
    assert np.abs(x).max(initial=0.0) <= 8.0
    np.testing.assert_array_equal(x, on_grid(x))
    order = list(range(len(records)))
    random.shuffle(order)
    shuffled = [records[place] for place in order]
    again = MAP.transform(table(*zip(*shuffled, strict=True)) if records else table([], [], [], []))
    np.testing.assert_array_equal(again, x[order])


def test_chunked_and_integer_columns_are_read():
    one = table([80.0], [1.0], ["I"], ["I25"])
    both = pa.concat_tables([one, table([20.0], [2.0], ["J"], ["J18"])])
    np.testing.assert_array_equal(MAP.transform(both)[:1], MAP.transform(one))
    integers = one.set_column(0, "age", pa.array([80], pa.int64()))
    np.testing.assert_array_equal(MAP.transform(integers), MAP.transform(one))


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda t: t.drop(["age"]), "E-FEATURE-COLUMN"),
        (lambda t: t.drop(["chapter"]), "E-FEATURE-COLUMN"),
        (lambda t: t.set_column(0, "age", pa.array([None], pa.float64())), "E-FEATURE-EMPTY"),
        (lambda t: t.set_column(2, "chapter", pa.array([None], pa.string())), "E-FEATURE-EMPTY"),
        (lambda t: t.set_column(0, "age", pa.array([np.nan])), "E-FEATURE-FINITE"),
        (lambda t: t.set_column(0, "age", pa.array([-np.inf])), "E-FEATURE-FINITE"),
    ],
)
def test_bad_columns_are_refused_by_name(spoil, code):
    with pytest.raises(Refusal) as caught:
        MAP.transform(spoil(table([1.0], [1.0], ["I"], ["I25"])))
    assert caught.value.code == code
    assert "age" in str(caught.value) or "chapter" in str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Numeric("age", 0.0, 0.0),
        lambda: Numeric("age", 0.0, 1.0, clip=0.0),
        lambda: Numeric("age", 0.0, float("nan")),
        lambda: Categorical("sex", 0),
        lambda: FeatureMap((Numeric("a", 0, 1),), (Categorical("a", 2),)),
    ],
)
def test_impossible_recipes_are_errors(wrong):
    with pytest.raises(ValueError, match="must be|twice"):
        wrong()


def test_json_is_canonical():
    assert FeatureMap((Numeric("年龄", 60, 20),)).to_json() == (
        '{"categorical":[],"numeric":[{"center":60,"clip":8.0,"name":"年龄","scale":20}]}'
    )


def test_empty_cells_have_a_place_where_the_recipe_gives_them_one():
    features = FeatureMap((Numeric("age", 60, 20, fill=True),), (Categorical("sex", 2, fill=True),))
    table = pa.table({"age": pa.array([None, 80.0]), "sex": pa.array([None, "1"])})
    np.testing.assert_array_equal(features.transform(table).sum(axis=1), [1.0, 3.0])
    assert features.to_json().count('"fill":true') == 2
    assert "fill" not in FeatureMap((Numeric("age", 60, 20),)).to_json()
    with pytest.raises(Refusal, match="E-FEATURE-FINITE"):
        features.transform(pa.table({"age": [np.nan], "sex": ["1"]}))
