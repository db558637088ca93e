"""A target is split in halves alike and gives its features by itself."""

from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from headwater.errors import Refusal
from headwater.valuation import Target


def table(count: int, **columns) -> pa.Table:
    rng = np.random.default_rng(0)
    return pa.table({"x": rng.normal(3, 2, count), "y": rng.normal(size=count), **columns})


def of(own, **options) -> Target:
    return Target.of(own, label="y", rng=np.random.default_rng(0), **options)


def test_the_halves_are_alike_and_hold_every_record_once():
    own = table(101, place=list(range(101)))
    target = of(own)
    places = [target.train.column("place").to_pylist(), target.valid.column("place").to_pylist()]
    assert sorted(places[0] + places[1]) == list(range(101))
    assert abs(len(places[0]) - len(places[1])) == 1
    means = [float(np.mean(part.column("y").to_numpy())) for part in (target.train, target.valid)]
    assert abs(means[0] - means[1]) < 0.1


@pytest.mark.parametrize("ones", [1, 2, 3])
def test_rare_labels_stand_where_they_judge(ones):
    own = table(60, y=[1.0] * ones + [0.0] * (60 - ones))
    target = of(own)
    assert 0 < float(np.mean(target.valid.column("y").to_numpy())) < 1


def test_every_kind_of_column_has_its_treatment():
    target = of(
        table(
            30,
            decimal=[Decimal(place) for place in range(30)],
            flag=[True, False] * 15,
            ward=["内", "外", None] * 10,
            category=pa.array(["a", "b"] * 15).dictionary_encode(),
            person=[f"p{place}" for place in range(30)],
            same=[1] * 30,
            empty=pa.nulls(30),
            day=[date(2026, 1, 1)] * 15 + [date(2026, 2, 1)] * 15,
            some=[None] * 10 + list(range(20)),
        )
    )
    assert {name.split("#")[0] for name in target.features.names} == {
        *("bias", "x", "decimal", "flag", "ward", "category", "some"),
    }
    assert set(target.left_out) == {"person", "same", "empty", "day"}
    x = target.features.transform(target.train)
    assert np.isfinite(x).all()
    place = target.features.names.index("some")
    nulls = [value is None for value in target.train.column("some").to_pylist()]
    assert (x[nulls, place] == 0).all()
    wards = [place for place, name in enumerate(target.features.names) if name.startswith("ward#")]
    nobody = [value is None for value in target.train.column("ward").to_pylist()]
    assert x[:, wards].sum(axis=1).tolist() == [0.0 if empty else 1.0 for empty in nobody]


def test_a_data_frame_is_a_table_and_its_nan_is_empty():
    frame = pd.DataFrame({"x": [1.0, np.nan, 3.0, 4.0], "k": ["a", "b", "a", "b"], "y": [0, 1, 0, 1]})
    target = of(frame)
    assert target.features.names[:2] == ("bias", "x")
    assert target.train.num_rows + target.valid.num_rows == 4


def test_labels_are_standardised_so_that_any_unit_will_do():
    own = table(40)
    dear = own.set_column(1, "y", pa.array(1e6 * own.column("y").to_numpy() + 5e6))
    first, second = (target.question.of(target.valid) for target in (of(own), of(dear)))
    one, other = (target.question.family.moments(s) for target, s in ((of(own), first), (of(dear), second)))
    np.testing.assert_allclose(one.xy, other.xy, atol=1e-2)


@pytest.mark.parametrize(
    ("own", "options", "code"),
    [
        (table(3), {}, "E-TARGET-SMALL"),
        (table(9, y=[2.0] * 9), {}, "E-TARGET-CONSTANT"),
        (table(9, y=["x"] * 9), {}, "E-FEATURE-NUMBER"),
        (table(9, y=[1.0, np.nan, *range(7)]), {}, "E-FEATURE-FINITE"),
        (table(9, y=[None, *range(8)]), {}, "E-FEATURE-EMPTY"),
        (table(9).drop_columns(["y"]), {}, "E-FEATURE-COLUMN"),
        (table(9).drop_columns(["x"]), {}, "E-FEATURE-NONE"),
        (table(9, same=[1] * 9), {"columns": ["same"]}, "E-FEATURE-USELESS"),
        (table(9), {"columns": ["z"]}, "E-FEATURE-COLUMN"),
        (table(9, x=[1.0, np.inf, *range(7)]), {}, "E-FEATURE-FINITE"),
    ],
)
def test_refusals(own, options, code):
    with pytest.raises(Refusal) as caught:
        of(own, **options)
    assert caught.value.code == code
