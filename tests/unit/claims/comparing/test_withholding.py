"""Withholding: no cell of few stays can be computed from other cells and totals that are published elsewhere."""

from itertools import product

import hypothesis.strategies as st
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings

from headwater.claims.comparing import withhold, withholding
from headwater.claims.comparing.suppressing import LEAST

KEYS = ("hospital", "month", "level")


def table(counts: list[tuple[int, ...]], keys: tuple[str, ...]) -> pa.Table:
    columns = list(zip(*counts, strict=True)) or [()] * (len(keys) + 1)
    named = {key: pa.array([f"{key}{one}" for one in column]) for key, column in zip(keys, columns, strict=False)}
    return pa.table({**named, "stays": pa.array(columns[-1], pa.int64())})


@st.composite
def tables(draw: st.DrawFn) -> tuple[pa.Table, tuple[str, ...]]:
    """Draw a table of one to three keys, some of whose cells are not there."""
    keys = KEYS[: draw(st.integers(1, 3))]
    places = list(product(*(range(draw(st.integers(1, 4))) for _ in keys)))
    counts = draw(st.lists(st.none() | st.integers(1, 25), min_size=len(places), max_size=len(places)))
    kept = [(*place, n) for place, n in zip(places, counts, strict=True) if n is not None]
    return (table(kept, keys) if kept else table([(0,) * len(keys) + (5,)], keys)), keys


def equations(of: pa.Table, lines: list[list[str]]) -> list[np.ndarray]:
    """Return the published totals as sums of cells: those of at least ten stays and of more than one cell."""
    found, counts = [], of["stays"].to_numpy()
    for keys in lines:
        names = list(zip(*(of[key].to_pylist() for key in keys), strict=True)) if keys else [()] * len(of)
        for name in set(names):
            where = np.array([one == name for one in names])
            if where.sum() > 1 and counts[where].sum() >= LEAST:
                found.append(where.astype(float))
    return found


def computable(known: list[np.ndarray], wanted: np.ndarray) -> bool:
    matrix = np.array(known).T
    weights, *_ = np.linalg.lstsq(matrix, wanted, rcond=None)
    return bool(np.allclose(matrix @ weights, wanted, atol=1e-9))


def given_away(of: pa.Table, keys: tuple[str, ...], reasons: list[str | None]) -> list[int]:
    """Return the small cells that follow from what is shown, reading the table by each key as the module says."""
    shown = [np.eye(len(of))[place] for place, reason in enumerate(reasons) if reason is None]
    hidden = [place for place, reason in enumerate(reasons) if reason == "small"]
    found = []
    for key in keys:
        known = shown + equations(of, [[one for one in keys if one != key], *([[key]] if len(keys) > 1 else [])])
        found += [place for place in hidden if known and computable(known, np.eye(len(of))[place])]
    return found


def dense(of: pa.Table, keys: tuple[str, ...]) -> bool:
    """Tell whether every combination of keys has a cell, so that cells can always stand in for each other."""
    sizes = [len(of[key].unique()) for key in keys]
    return len(of) == np.prod(sizes) and min(sizes) > 1


@settings(deadline=None, max_examples=80)
@given(tables())
def test_a_small_cell_does_not_follow_from_others_and_totals(drawn):
    of, keys = drawn
    reasons = withhold(of, keys).to_pylist()
    assert all(
        (reason == "small") == (count < LEAST) for reason, count in zip(reasons, of["stays"].to_pylist(), strict=True)
    )
    if dense(of, keys) or len(keys) == 1 and len(of) > 1:
        assert not given_away(of, keys, reasons)


def test_the_guard_can_fail(monkeypatch: pytest.MonkeyPatch):
    """Without the further cells the small one is the total less the others."""
    of = table([(0, 4), (1, 30), (2, 40)], ("hospital",))
    assert withhold(of, ("hospital",)).to_pylist() == ["small", "complementary", None]
    monkeypatch.setattr(withholding._Split, "close", lambda *_: False)
    assert given_away(of, ("hospital",), withhold(of, ("hospital",)).to_pylist()) == [0]


def test_the_cheapest_rectangle_is_withheld_and_no_more():
    counts = [(row, column, 20 + row + column) for row in range(4) for column in range(4)]
    counts[5] = (1, 1, 3)
    reasons = withhold(table(counts, KEYS[:2]), KEYS[:2]).to_pylist()
    assert [place for place, reason in enumerate(reasons) if reason] == [0, 1, 4, 5]


def test_what_is_kept_apart_gives_nothing_away():
    of = pa.table({"currency": ["CNY", "USD", "USD"], "hospital": ["a", "b", "c"], "stays": [3, 3, 90]})
    assert withhold(of, ["hospital"], apart=["currency"]).to_pylist() == ["small", "small", "complementary"]
    assert withhold(of, [], apart=["currency"]).to_pylist() == ["small", "small", None]


def test_nothing_small_withholds_nothing():
    assert withhold(table([(0, 10), (1, 90)], ("hospital",)), ("hospital",)).null_count == 2
