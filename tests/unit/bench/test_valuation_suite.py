import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from sklearn.linear_model import LogisticRegression, Ridge

from headwater.bench import valuation_learners, valuation_suite
from headwater.bench.valuation_families import FAMILIES, available
from headwater.bench.valuation_learners import Records, predictions
from headwater.bench.valuation_suite import Case, cases, gains, reference, training_records
from headwater.statistics.features import FeatureMap, Numeric
from headwater.types import Vector
from headwater.valuation import Target
from headwater.valuation.methods.exact import all_coalitions


def _table(rng: np.random.Generator, n: int, *, binary: bool) -> pa.Table:
    x = rng.normal(size=(n, 2))
    y = x[:, 0] - 0.5 * x[:, 1] + 0.3 * rng.normal(size=n)
    return pa.table({"a": x[:, 0], "b": x[:, 1], "label": (y > 0).astype(np.float64) if binary else y})


def _tiny(learner: str, *, binary: bool = False) -> Case:
    rng = np.random.default_rng(7)
    features = FeatureMap((Numeric("a", 0.0, 1.0), Numeric("b", 0.0, 1.0)))
    target = Target(_table(rng, 14, binary=binary), _table(rng, 30, binary=binary), "label", features)
    sources = {name: _table(rng, 9, binary=binary) for name in ("S00", "S01", "S02")}
    test = _table(rng, 30, binary=binary)
    return Case("tiny", "tiny", learner, "mild", 0, replace(target, learner=learner), sources, test)


@pytest.fixture(scope="module")
def made_up() -> dict[str, Case]:
    """The first seed of the family that needs no files."""
    return {case.name: case for case in cases("ci", None)}


def test_the_generators_are_frozen(made_up: dict[str, Case]) -> None:
    digest = hashlib.sha256()
    for name, case in sorted(made_up.items()):
        digest.update(name.encode())
        for table in (case.target.train, case.target.valid, *case.sources.values(), case.test):
            digest.update(np.round(table.to_pandas().to_numpy(), 6).tobytes())
    assert digest.hexdigest()[:16] == "dded40e89597afcb"


def test_the_suite_is_what_the_goal_asks_for(made_up: dict[str, Case]) -> None:
    assert len(FAMILIES) >= 4
    assert {case.learner for case in made_up.values()} == {"linear", "network", "trees"}
    assert {case.regime for case in made_up.values()} == {"fault", "mild", "concept"}
    for case in made_up.values():
        assert len(case.sources) == 10
        assert case.target.valid.num_rows == case.test.num_rows


def test_families_whose_records_are_missing_are_left_out(tmp_path: Path) -> None:
    assert available(None) == available(tmp_path) == ("waves", "region")
    (tmp_path / "sih_rs_2019").mkdir()
    assert "sih" in available(tmp_path)


def test_faults_and_other_concepts_touch_some_sources_only(made_up: dict[str, Case]) -> None:
    mild, concept, fault = (made_up[f"waves/linear/{regime}/0"] for regime in ("mild", "concept", "fault"))
    assert sorted(table.num_rows for table in fault.sources.values()) == [15, *[60] * 8, 120]
    pools = FAMILIES["waves"].draw(valuation_suite._rng("waves", "pools", 0), None)
    changed = [
        not case_table["label"].equals(pool["label"].slice(0, 60))
        for case_table, pool in zip(concept.sources.values(), pools.sources, strict=True)
    ]
    assert sum(changed) == 4
    assert len({table.num_rows for table in mild.sources.values()}) == 10


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("learner", ["linear", "network", "trees"])
def test_coalitions_trained_at_once_are_those_trained_one_by_one(learner: str, binary: bool) -> None:
    case = _tiny(learner, binary=binary)
    records, coalitions = training_records(case), all_coalitions(3)
    # Trees may put a cut anywhere between two of their own records: they are compared on those. With two outcomes many
    # cuts gain the same at first, and rounding chooses among them.
    held = records.x if learner == "trees" else case.target.features.transform(case.target.valid)
    together = predictions(learner, records, coalitions, held)
    for coalition, fitted in zip(coalitions, together, strict=True):
        members = (records.owner < 0) | coalition[records.owner]
        compared = members if learner == "trees" else slice(None)
        own = _by_itself(learner, records, members, held[compared], binary=binary)
        np.testing.assert_allclose(fitted[compared], own, atol=0.03 if learner == "trees" and binary else 2e-4)


def test_the_reference_is_the_shapley_value_by_its_definition(tmp_path: Path) -> None:
    case = _tiny("linear")
    truth = reference(case, tmp_path)
    v = dict(zip(map(tuple, all_coalitions(3).tolist()), truth.table, strict=True))
    first = (
        (v[True, False, False] - v[False, False, False]) / 3
        + (v[True, True, False] - v[False, True, False]) / 6
        + (v[True, False, True] - v[False, False, True]) / 6
        + (v[True, True, True] - v[False, True, True]) / 3
    )
    assert truth.values[0] == pytest.approx(first)
    assert truth.values.sum() == pytest.approx(v[True, True, True])
    assert v[False, False, False] == 0
    assert truth.lookup(np.array([[True, False, True]]))[0] == v[True, False, True]


def test_the_ceiling_is_of_records_that_the_game_does_not_see(tmp_path: Path) -> None:
    case = _tiny("linear")
    same = reference(replace(case, test=case.target.valid))
    assert same.ceiling == pytest.approx(1.0)
    np.testing.assert_array_equal(reference(case).values, same.values)


def test_references_are_kept_by_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = _tiny("linear")
    first = reference(case, tmp_path)
    monkeypatch.setattr(valuation_suite, "gains", lambda *_: pytest.fail("trained again"))
    np.testing.assert_array_equal(reference(replace(case, name="renamed"), tmp_path).table, first.table)
    monkeypatch.setattr(valuation_suite, "gains", gains)
    reference(replace(case, sources=dict(reversed(case.sources.items()))), tmp_path)
    monkeypatch.setattr(valuation_suite, "VERSION", 0)
    reference(case, tmp_path)
    assert len(list(tmp_path.iterdir())) == 3


def _by_itself(learner: str, records: Records, members: Vector, held: Vector, *, binary: bool) -> Vector:
    """Train on the members' records alone, by code that shares nothing with the suite's."""
    x, y = records.x[members], records.y[members]
    if learner == "linear":
        model = LogisticRegression(C=1.0, tol=1e-10, max_iter=1000) if binary else Ridge(alpha=1.0)
        fitted = model.fit(x[:, 1:], y)
        return fitted.predict_proba(held[:, 1:])[:, 1] if binary else fitted.predict(held[:, 1:])
    if learner == "network":
        own = records.y[records.owner < 0]
        return _network(x, y, held, (0.0, 1.0) if binary else (own.mean(), own.std()), binary=binary)
    return _boosted(records.x, x, y, held, binary=binary)


def _network(x: Vector, y: Vector, held: Vector, scale: tuple[float, float], *, binary: bool) -> Vector:
    hidden, dim, rng = valuation_learners._HIDDEN, x.shape[1], np.random.default_rng(0)
    first, last = torch.nn.Linear(dim, hidden, bias=False), torch.nn.Linear(hidden, 1)
    with torch.no_grad():
        first.weight.copy_(torch.tensor(rng.normal(size=(hidden, dim)) * np.sqrt(2 / dim)))
        last.weight.copy_(torch.tensor(rng.normal(size=(1, hidden)) / np.sqrt(hidden)))
        last.bias.zero_()
    model = torch.nn.Sequential(first, torch.nn.ReLU(), last)
    adam = torch.optim.Adam(model.parameters(), lr=valuation_learners._RATE, weight_decay=1 / len(x))
    inputs, labels = torch.tensor(x, dtype=torch.float32), torch.tensor((y - scale[0]) / scale[1], dtype=torch.float32)
    for _ in range(valuation_learners._STEPS):
        adam.zero_grad()
        out = model(inputs)[:, 0]
        loss = (
            torch.nn.functional.binary_cross_entropy_with_logits(out, labels)
            if binary
            else ((out - labels) ** 2).mean() / 2
        )
        loss.backward()
        adam.step()
    out = model(torch.tensor(held, dtype=torch.float32))[:, 0]
    return (torch.sigmoid(out) if binary else scale[0] + scale[1] * out).detach().numpy()


def _boosted(everyone: Vector, x: Vector, y: Vector, held: Vector, *, binary: bool) -> Vector:
    cuts = [
        (at, cut)
        for at in range(1, x.shape[1])
        for cut in np.unique(
            np.quantile(everyone[:, at], np.linspace(0, 1, valuation_learners._CUTS + 2)[1:-1], method="lower")
        )
        if cut < everyone[:, at].max()
    ]
    start = np.log(y.mean() / (1 - y.mean())) if binary else y.mean()
    here, there = np.full(len(x), start), np.full(len(held), start)
    for _ in range(valuation_learners._ROUNDS):
        mean = 1 / (1 + np.exp(-here)) if binary else here
        slope, bend = y - mean, mean * (1 - mean) if binary else np.ones(len(y))
        steps = _tree(cuts, (x, slope, bend, np.arange(len(x))), held, np.arange(len(held)), 3)
        for (inside, outside), step in steps:
            here[inside] += valuation_learners._SHRINKAGE * step
            there[outside] += valuation_learners._SHRINKAGE * step
    return 1 / (1 + np.exp(-there)) if binary else there


def _tree(cuts, data, held, held_rows, depth):  # type: ignore[no-untyped-def]
    x, slope, bend, rows = data
    g, h = slope[rows].sum(), bend[rows].sum()
    best, cut = 1e-6, None
    for at, value in cuts if depth else ():
        left = rows[x[rows, at] <= value]
        gl, hl = slope[left].sum(), bend[left].sum()
        gain = gl**2 / (hl + 1) + (g - gl) ** 2 / (h - hl + 1) - g**2 / (h + 1)
        if hl >= 1 and h - hl >= 1 and gain > best + 1e-9:
            best, cut = gain, (at, value)
    if cut is None:
        return [((rows, held_rows), g / (h + 1))]
    inside, outside = x[rows, cut[0]] <= cut[1], held[held_rows, cut[0]] <= cut[1]
    low = _tree(cuts, (x, slope, bend, rows[inside]), held, held_rows[outside], depth - 1)
    return low + _tree(cuts, (x, slope, bend, rows[~inside]), held, held_rows[~outside], depth - 1)
