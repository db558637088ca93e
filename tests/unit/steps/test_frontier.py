"""The frontier of a region whose sources' faults are known: what is counted, and against what it is held."""

import dataclasses
import json
from datetime import UTC, datetime

import numpy as np
import pytest

from headwater.adapters import features, lake
from headwater.adapters.knowledge import Run
from headwater.adapters.learners import learner
from headwater.cli.frontier import tell_frontier
from headwater.content import models
from headwater.errors import Refusal
from headwater.steps import ledger
from headwater.steps.frontier import frontier
from headwater.steps.frontier_page import page_of
from headwater.steps.frontier_points import measure
from headwater.steps.frontier_private import EPSILONS, Private, cells, private
from headwater.steps.frontier_reference import reference, sampled
from headwater.steps.value import ridge_of
from headwater.valuation import value
from headwater.valuation.methods.exact import all_coalitions

FAULTY = {"H02", "H03", "H04"}
RECORDS = 400


def told(_: int) -> None:
    """Take no notice."""


@pytest.fixture(scope="module")
def ridge(region_home):
    return ridge_of(region_home, "stay_cost")


def read(home, one, name="值"):
    with lake.connect(home) as connection:
        snapshot = lake.snapshot(connection)
        return features.read(connection, one, snapshot=snapshot, region=name, min_stays=100)


@pytest.fixture(scope="module")
def region(region_home, ridge):
    return read(region_home, ridge)


@pytest.fixture(scope="module")
def few(region):
    return dataclasses.replace(region, sources=region.sources[:5])


@pytest.fixture(scope="module")
def measured(region, ridge):
    return measure(region, ridge, records=RECORDS, seed=1, advance=told)


@pytest.fixture(scope="module")
def of_network(region_home, few):
    return measure(
        few,
        learner(models.load(region_home.project / "models", "stay_cost_network")),
        records=RECORDS,
        seed=1,
        advance=told,
    )


def test_sources_keep_their_shares_and_no_judging_record_judges_twice(region, ridge):
    sample = sampled(region, ridge.model.spec, records=1_000, rng=np.random.default_rng(1))
    sizes = {source.source_id: source.table.num_rows for source in region.sources}
    assert set(sample.tables) == set(sizes)
    share = 1_000 / sum(sizes.values())
    assert all(sample.tables[name].num_rows == max(20, round(share * sizes[name])) for name in sizes)
    first, second = (set(target.valid["log_cost"].to_pylist()) for target in sample.targets)
    assert not first & second
    assert len(first) + len(second) == region.target.valid.num_rows


def test_retraining_a_ridge_gives_the_exact_values_of_its_statistics(few, ridge):
    sample = sampled(few, ridge.model.spec, records=RECORDS, rng=np.random.default_rng(1))
    counted = []
    truth = reference(sample, ridge, advance=counted.append)
    assert sum(counted) == truth.tables.shape[1] == 2**5
    for target, values in zip(sample.targets, truth.values, strict=True):
        exact = value(sample.federation, target, method="statistics/exact", rng=np.random.default_rng(0))
        # Statistics hold labels on a grid of 2^-14, the judge of retraining does not.
        np.testing.assert_allclose(exact.values, values, atol=1e-5)


def test_coalition_k_holds_source_i_at_bit_i():
    every = all_coalitions(3)
    assert every[5].tolist() == [True, False, True]
    assert every.sum() == 12


def _by_name(measured):
    return {point.name.en: point for point in measured.points}


def test_for_a_ridge_one_statistic_is_the_truth_and_its_parts_come_near(measured):
    found = _by_name(measured)
    assert found["linear, all features"].spearman == found["linear, all features"].worst == pytest.approx(1.0)
    assert found["linear, numbers only"].spearman > 0.8
    assert found["sums only"].spearman > 0.8
    assert not any(point.family in ("lifted", "probes") for point in measured.points)
    assert measured.ceiling > 0.8


def test_what_is_counted_is_what_was_exchanged(measured):
    found = _by_name(measured)
    assert found["sums only"].attributable == 4
    one = found["linear, all features"]
    assert found["linear, numbers only"].bytes < found["linear, a quarter of the codes"].bytes < one.bytes
    # A source takes part when all train, and whenever another one is left out.
    alone = found["leave one out"]
    assert alone.trainings == 11
    round_bytes, left_over = divmod(alone.bytes, 10)
    assert not left_over
    assert round_bytes == pytest.approx(one.bytes, abs=100)
    # Answers take as many bytes as their numbers need.
    assert alone.attributable == pytest.approx(10 * one.attributable, rel=0.05)
    orders = [found[f"{count} permutations"] for count in (4, 12, 50)]
    assert [point.trainings for point in orders] == sorted(point.trainings for point in orders)
    assert all(point.trainings * round_bytes > point.bytes > alone.bytes for point in orders)
    assert orders[0].spearman < orders[2].spearman


def test_a_network_is_retrained_and_has_ways_of_its_own(of_network):
    found = _by_name(of_network)
    assert len(of_network.sources) == 5
    assert {"lifted", "probes"} <= {point.family for point in of_network.points}
    assert found["chosen statistic, 12 probes"].trainings == 12
    assert "chosen statistic, 48 probes" not in found  # five sources have 31 coalitions
    assert all(-1 <= point.worst <= point.spearman <= 1 for point in of_network.points)
    assert found["linear, all features"].spearman > 0.6


def test_too_few_sources_for_sums_are_measured_by_all_else(of_network, few, ridge):
    assert "sums" not in {point.family for point in of_network.points}
    sources = tuple(source.source_id for source in few.sources)
    assert not list(private(few, ridge.model.spec, sources=sources, seed=1))
    assert cells(5) == 0


def test_the_same_seed_gives_the_same_figures(few, ridge):
    first, second, other = (measure(few, ridge, records=RECORDS, seed=seed, advance=told) for seed in (3, 3, 4))
    same = [[dataclasses.replace(point, seconds=0.0) for point in found.points] for found in (first, second, other)]
    assert same[0] == same[1] != same[2]


def test_more_privacy_loss_buys_a_better_ranking(region, ridge):
    small = dataclasses.replace(
        region,
        sources=tuple(dataclasses.replace(source, table=source.table.slice(0, 200)) for source in region.sources),
    )
    names = tuple(source.source_id for source in region.sources)
    found = {
        (cell.features, cell.records, cell.epsilon): cell.spearman
        for cell in private(small, ridge.model.spec, sources=names, seed=1)
    }
    assert len(found) == 2 * 2 * 4 <= cells(10)
    assert {records for _, records, _ in found} == {50, 200}
    assert found["numbers", 200, 8.0] > 0.5 > found["numbers", 50, 0.5]


def test_a_page_draws_both_costs_of_a_model_and_both_choices_of_features(region, measured):
    hidden = [
        Private(features, records, epsilon, epsilon / 10 + records / 1e4, 0.0)
        for records in (50, 200)
        for features in ("all", "numbers")
        for epsilon in EPSILONS
    ]
    page = page_of(region, "stay_cost", [measured], hidden)
    names = [one.name for one in page.frontiers]
    assert names == ["stay_cost_ridge_bytes", "stay_cost_ridge_own", "epsilon_all", "epsilon_numbers"]
    exchanged, own, private_all, _ = page.frontiers
    assert sum(len(line.points) for line in exchanged.lines) == len(measured.points)
    cheapest = min((point for line in own.lines for point in line.points), key=lambda point: point.cost)
    assert (cheapest.cost, cheapest.name.en) == (4, "sums only")
    assert [[point.cost for point in line.points] for line in private_all.lines] == [list(EPSILONS)] * 2
    assert private_all.lines[0].points[2].accuracy == pytest.approx(0.305)
    assert len({line.look for line in private_all.lines}) == 2
    assert "snapshot" in page.notes[0].en
    assert len(page_of(region, "stay_cost", [measured], []).frontiers) == 2


def test_a_source_that_cannot_be_valued_is_named(region_home, ridge):
    spec = ridge.model.spec
    sample = sampled(read(region_home, ridge, "缺"), spec, records=RECORDS, rng=np.random.default_rng(1))
    assert set(sample.refused) == {"H07"}
    assert "H07" not in sample.tables


def test_what_cannot_be_measured_is_refused_with_a_remedy(region, few, ridge):
    one = dataclasses.replace(few, sources=few.sources[:1])
    unjudged = dataclasses.replace(few.target, valid=few.target.valid.slice(0, 39))
    judged_by_few = dataclasses.replace(few, target=unjudged)
    for broken, code in ((one, "E-FRONTIER-SOURCES"), (judged_by_few, "E-FRONTIER-JUDGES")):
        with pytest.raises(Refusal) as refusal:
            measure(broken, ridge, records=RECORDS, seed=1, advance=told)
        assert refusal.value.code == code
        assert refusal.value.remedy.zh
        assert refusal.value.remedy.en


def test_where_a_source_lets_nobody_see_its_statistic_nothing_is_measured(region_home, monkeypatch, tmp_path):
    rules = [
        dataclasses.replace(rule, sees={**rule.sees, "statistic": "nobody"})
        for rule in ledger.requirements(region_home)
    ]
    monkeypatch.setattr(ledger, "requirements", lambda _: rules)
    trained = []
    run = Run("closed", datetime(2026, 1, 5, tzinfo=UTC), 3, "值")
    with pytest.raises(Refusal) as refusal:
        frontier(region_home, run=run, folder=tmp_path / "out", progress=lambda done, _: trained.append(done))
    assert refusal.value.code == "E-REQUIRE-VIEWER"
    assert not trained
    assert not (tmp_path / "out").exists()


def test_the_whole_step_draws_what_it_measured(home, make_region, put_mart, tmp_path, capsys):
    put_mart(home, make_region(hospitals=6, months=10, region="小"))
    seen = []
    run = Run("r", datetime(2026, 1, 5, tzinfo=UTC), 3, "小")
    report = frontier(
        home, run=run, records=300, folder=tmp_path / "out", progress=lambda done, total: seen.append((done, total))
    )
    assert {model.name for model in report.models} == {"stay_cost_network", "stay_cost_ridge"}
    sources = len(report.models[0].sources)
    assert seen[-1] == (2 * 2**sources, 2 * 2**sources)
    assert {file.name for file in report.files} >= {"zh.html", "en.html", "stay_cost_ridge_bytes.png"}
    assert all(file.is_file() for file in report.files)
    assert "synthetic data" in (tmp_path / "out" / "en.html").read_text(encoding="utf-8")
    content = json.loads(json.dumps(report.to_dict(), ensure_ascii=False))
    assert content["models"][1]["points"][0]["name"]["zh"]
    assert content["private"] == []
    tell_frontier(report)
    said = capsys.readouterr().out
    for words in ("linear, all features", "线性，全部特征", "ceiling 上限", "zh.html", "本身不是隐私发布"):
        assert words in said
