"""Suppression: what is withheld cannot be computed from what is published, by no combination of sums."""

from itertools import product

import hypothesis.strategies as st
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings

from headwater.claims.comparing import suppress
from headwater.claims.comparing.suppressing import LEAST, Suppressed


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    """Draw a table of up to 5 by 5 cells, some of which are not there."""
    places = list(product(range(draw(st.integers(1, 5))), range(draw(st.integers(1, 5)))))
    counts = draw(st.lists(st.none() | st.integers(0, 25), min_size=len(places), max_size=len(places)))
    return table([(*place, n) for place, n in zip(places, counts, strict=True)])


def table(counts: list[tuple[int, int, int | None]]) -> pa.Table:
    kept = [(f"r{row}", f"c{column}", n) for row, column, n in counts if n is not None]
    rows, columns, numbers = zip(*kept, strict=True) if kept else ([], [], [])
    return pa.table(
        {
            "drg": pa.array(rows, pa.string()),
            "hospital_id": pa.array(columns, pa.string()),
            "stays": pa.array(numbers, pa.int64()),
            "mean": pa.array([float(one) for one in numbers], pa.float64()),
        }
    )


def published(found: Suppressed, of: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """Return all quantities as sums of cells, (quantities, cells), and which of them are withheld."""
    drg, hospital = of["drg"].to_pylist(), of["hospital_id"].to_pylist()
    sums = [np.eye(len(of))]
    sums.append([[one == name for one in drg] for name in found.rows["drg"].to_pylist()])
    sums.append([[one == name for one in hospital] for name in found.columns["hospital_id"].to_pylist()])
    sums.append([[True] * len(of)])
    hidden = [found.table["suppressed"], found.rows["suppressed"], found.columns["suppressed"]]
    flags = [one.is_valid().to_numpy() for one in hidden] + [np.array([found.total is None])]
    return np.concatenate([np.asarray(one, dtype=float) for one in sums]), np.concatenate(flags)


def computable(known: np.ndarray, wanted: np.ndarray) -> bool:
    """Tell whether a quantity is a combination of known ones."""
    if not len(known):
        return False
    weights, *_ = np.linalg.lstsq(known.T, wanted, rcond=None)
    return bool(np.allclose(known.T @ weights, wanted, atol=1e-9))


@settings(deadline=None, max_examples=150)
@given(tables())
def test_what_is_withheld_cannot_be_computed_from_what_is_published(of):
    if not len(of):
        return
    found = suppress(of, rows=["drg"], columns=["hospital_id"])
    sums, hidden = published(found, of)
    values = sums @ of["stays"].to_numpy()
    assert np.all(hidden[(values > 0) & (values < LEAST)])
    # A number that equals a published one by the table's own shape (one cell a row) is withheld with it.
    assert not [place for place in np.flatnonzero(hidden) if computable(sums[~hidden], sums[place])]


@settings(deadline=None, max_examples=100)
@given(tables())
def test_what_a_row_or_column_withholds_is_no_small_group_either(of):
    if not len(of):
        return
    found = suppress(of, rows=["drg"], columns=["hospital_id"])
    shown = dict(zip(found.rows["drg"].to_pylist(), found.rows["count"].to_pylist(), strict=True))
    for name, total in shown.items():
        rows = found.table.filter(pa.compute.equal(found.table["drg"], name))
        if total is not None:
            rest = total - sum(one or 0 for one in rows["stays"].to_pylist())
            assert rest == 0 or rest >= LEAST


def test_without_complementary_cells_subtraction_would_undo_it():
    of = table([(0, 0, 3), (0, 1, 40), (0, 2, 30), (1, 0, 50), (1, 1, 20), (1, 2, 60)])
    found = suppress(of, rows=["drg"], columns=["hospital_id"])
    reasons = found.table["suppressed"].to_pylist()
    assert reasons == ["small", None, "complementary", "complementary", None, "complementary"] or reasons == [
        *("small", "complementary", None, "complementary", "complementary", None)
    ]
    assert found.total == 203
    assert [one for one, why in zip(found.table["mean"].to_pylist(), reasons, strict=True) if why] == [None] * 4
    primary = [why == "small" for why in reasons] + [False] * 6
    sums, _ = published(found, of)
    assert computable(sums[~np.array(primary)], sums[0])


def test_a_table_without_small_cells_is_published_whole():
    found = suppress(table([(0, 0, 10), (0, 1, 0), (1, 0, 11)]), rows=["drg"], columns=["hospital_id"])
    assert found.table["suppressed"].null_count == 3
    assert found.rows["count"].to_pylist() == [10, 11]


def test_the_least_is_stated(tmp_path):
    of = table([(0, 0, 12), (0, 1, 40), (1, 0, 50), (1, 1, 60)])
    assert suppress(of, rows=["drg"], columns=["hospital_id"], least=15).table["suppressed"].null_count == 0
    assert suppress(of, rows=["drg"], columns=["hospital_id"]).table["suppressed"].null_count == 4


@pytest.mark.parametrize("seed", [1, 2])
def test_a_level_with_hundreds_of_hospitals_is_closed_soon(seed):
    rng = np.random.default_rng(seed)
    kept = rng.random((300, 60)) < 0.5
    counts = [(row, column, int(rng.negative_binomial(1, 0.03))) for row, column in np.argwhere(kept).tolist()]
    of = table(counts)
    found = suppress(of, rows=["drg"], columns=["hospital_id"])
    small = of.filter(pa.compute.and_(pa.compute.greater(of["stays"], 0), pa.compute.less(of["stays"], LEAST)))
    withheld = len(of) - found.table["suppressed"].null_count
    assert len(small) <= withheld <= 1.1 * len(small)
