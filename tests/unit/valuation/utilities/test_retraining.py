"""Retraining on records agrees with statistics for ridge, and takes any learner where the records are at hand."""

import numpy as np
import pyarrow as pa
import pytest

from headwater.errors import Refusal
from headwater.federation import InProcess, Remembering, TableSource
from headwater.valuation import Approach, Probed, Retraining, Target, value


def records(count: int, seed: int, *, sign: float = 1.0) -> pa.Table:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, 2))
    return pa.table({"a": x[:, 0], "k": rng.choice(["r", "s"], count), "y": sign * x[:, 0] + rng.normal(size=count)})


TARGET = Target.of(records(30, 0), label="y", rng=np.random.default_rng(0))
TABLES = {"h1": records(20, 1), "h2": records(20, 2, sign=-1.0), "h3": records(40, 3)}


def valued(federation, target=TARGET, **options):
    return value(federation, target, rng=np.random.default_rng(0), **options)


def test_equals_the_values_from_statistics():
    retrained, solved = (valued(InProcess.of(TABLES), method=name) for name in ("retraining", "exact"))
    # Statistics know the validation labels on the grid of 2**-14 deviations, retraining as they are.
    np.testing.assert_allclose(retrained.values, solved.values, atol=1e-5, rtol=0)
    assert retrained.method == "retraining/exact"
    assert retrained.exchange.answered == {name: table.nbytes for name, table in TABLES.items()}


def test_a_coalition_is_trained_once():
    trained = []

    def mean(table: pa.Table):
        trained.append(table.num_rows)
        level = float(np.mean(table.column("y").to_numpy()))
        return lambda other: np.full(other.num_rows, level)

    found = valued(InProcess.of(TABLES), method=Approach(Retraining(mean), "permutation"))
    assert len(trained) <= 2**3
    assert found.values.sum() == pytest.approx(found.values.sum())
    assert found.method == "retraining/permutation"


def test_sources_that_cannot_be_used_are_left_out():
    other = TABLES["h1"].set_column(1, "k", pa.array([[1]] * 20))
    words = TableSource("words", TABLES["h1"].set_column(1, "k", pa.array([1] * 20)))
    sources = [TableSource(name, table) for name, table in TABLES.items()]
    found = valued(InProcess([*sources, TableSource("bad", other), words]), method="retraining")
    assert {source: error.code for source, error in found.refused.items()} == {
        "bad": "E-SOURCE-FAULT",
        "words": "E-SOURCE-TYPES",
    }
    assert found.players == tuple(TABLES)


def test_what_cannot_be_retrained_is_refused():
    with pytest.raises(Refusal, match="E-VALUE-AT-HAND"):
        valued(Remembering(InProcess.of(TABLES)), method="retraining")
    trees = Target(TARGET.train, TARGET.valid, "y", TARGET.features, "trees")
    with pytest.raises(Refusal, match="E-VALUE-LEARNER"):
        valued(InProcess.of(TABLES), trees, method="retraining")


@pytest.mark.parametrize(
    "predict",
    [
        lambda table: np.full(table.num_rows, np.nan),
        lambda table: np.zeros((table.num_rows, 1)),
        lambda table: np.zeros(table.num_rows + 1),
        lambda table: 0.0,
    ],
)
@pytest.mark.parametrize("form", [Retraining, lambda fit: Probed(Retraining(fit))])
def test_predictions_that_are_none_are_refused(form, predict):
    with pytest.raises(Refusal, match="E-VALUE-FINITE.*shape"):
        valued(InProcess.of(TABLES), method=form(lambda table: predict))
