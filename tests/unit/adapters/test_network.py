"""The network learner: parameters go in and come out as one vector."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest
import torch
from torch import nn

from headwater.adapters.learners import equally, learner, predict
from headwater.adapters.network import Network
from headwater.content import models
from headwater.errors import Refusal
from headwater.federation import InProcess, TableSource, ask
from headwater.statistics import Statistic
from headwater.valuation import Approach, Target, Updates, value

ROOM = Path(__file__).resolve().parents[3] / "models"


@pytest.fixture(scope="module")
def network():
    return learner(models.load(ROOM, "stay_cost_network"))


@pytest.fixture(scope="module")
def table(make_region):
    return make_region(hospitals=8, months=3, stays_a_month=80)


def changed(network, build):
    return Network(models.Model(network.model.spec, build, network.model.definition, ""))


def loss(network, parameters, table):
    return float(np.mean((predict(network, parameters, table) - table["log_cost"].to_numpy()) ** 2))


def test_a_round_lowers_the_loss_and_is_the_same_under_the_same_seed(network, table):
    start = network.start(table, seed=3)
    first, records = network.train(table, network.question(start, seed=3))
    again, _ = network.train(table, network.question(start, seed=3))
    other, _ = network.train(table, network.question(start, seed=4))
    assert records == table.num_rows
    assert first.shape == (network.dim,)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert loss(network, first, table) < loss(network, start, table)


def test_the_start_is_drawn_by_the_seed_with_the_bureaus_mean_and_touches_no_global_state(network, table):
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    start = network.start(table, seed=3)
    network.train(table, network.question(start, seed=3))
    assert torch.equal(torch.rand(3), expected)
    assert start[-1] == pytest.approx(np.mean(table["log_cost"].to_numpy()))
    assert np.array_equal(start, network.start(table, seed=3))
    assert not np.array_equal(start, network.start(table, seed=4))


def test_threads_are_as_before_training(network, table):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        network.train(table.slice(0, 20), network.question(network.start(table, seed=0), seed=0))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_prediction_does_not_depend_on_the_batch(network, table):
    parameters = network.start(table, seed=1)
    whole = predict(network, parameters, table)
    alone = np.concatenate([predict(network, parameters, table.slice(k, 1)) for k in range(50)])
    assert np.abs(whole[:50] - alone).max() < 1e-12


def test_one_record_is_enough_to_answer(network, table):
    parameters, records = network.train(table.slice(0, 1), network.question(network.start(table, seed=1), seed=1))
    assert records == 1
    assert np.isfinite(parameters).all()


def test_a_federated_round_is_the_record_weighted_mean_of_what_the_sources_learnt(network, table):
    parts = {"a": table.slice(0, 100), "b": table.slice(100, 700)}
    question = network.question(network.start(table, seed=5), seed=5)
    answers = ask(InProcess([TableSource(name, part, network.train) for name, part in parts.items()]), question)
    learnt = {name: network.train(part, question)[0] for name, part in parts.items()}
    solved = network.solve(question.parameters, Statistic.total(answers.statistics.values()))
    expected = (100 * learnt["a"] + 700 * learnt["b"]) / 800
    assert np.abs(solved - expected).max() < 1e-9
    equal = network.solve(question.parameters, Statistic.total(equally(question, list(answers.statistics.values()))))
    assert np.abs(equal - (learnt["a"] + learnt["b"]) / 2).max() < 1e-9


@pytest.mark.parametrize(
    "build",
    [lambda dim: "a forest", lambda dim: nn.Linear(dim, 2), lambda dim: nn.Linear(dim, 1, bias=False)],
    ids=["no network", "two outputs", "no bias"],
)
def test_what_is_no_network_of_one_output_is_refused(network, build):
    with pytest.raises(Refusal) as refusal:
        _ = changed(network, build).dim
    assert refusal.value.code == "E-MODEL-BUILD"


def test_parameters_of_another_network_are_refused(network, table):
    parameters = np.append(network.start(table, seed=1), 0.0)
    with pytest.raises(Refusal) as refusal:
        predict(network, parameters, table)
    assert refusal.value.code == "E-MODEL-PARAMETERS"


def test_sources_of_a_network_are_valued_by_what_they_sent(network, table):
    spec = network.model.spec
    short = replace(spec, training=replace(spec.training, rounds=2, epochs=1))
    network = Network(replace(network.model, spec=short))
    parts = {name: table.slice(start, 60) for name, start in {"h1": 200, "h2": 400}.items()}
    turned = parts["h1"].set_column(
        parts["h1"].column_names.index("log_cost"), "log_cost", pc.subtract(18.0, parts["h1"]["log_cost"])
    )
    sources = [TableSource(name, part, network.train) for name, part in (parts | {"turned": turned}).items()]
    target = Target(table.slice(0, 60), table.slice(60, 60), spec.target, spec.features, "network")
    found = value(
        InProcess(sources), target, method=Approach(Updates(network, between=0.0)), rng=np.random.default_rng(0)
    )
    assert found.method == "updates/exact"
    assert found.exchange.rounds == network.rounds
    assert np.isfinite(found.values).all()
    assert 2 * network.dim < found.exchange.answered["h1"] / network.rounds <= 8 * (network.dim + 8)


def test_the_last_layer_is_solved_exactly_from_sums_over_a_frozen_body(network, table):
    parameters = network.start(table, seed=3)
    question = network.exact(parameters)
    names = sorted(set(table["source_id"].to_pylist()))
    parts = {name: table.filter(pc.equal(table["source_id"], name)) for name in names}
    answers = ask(InProcess([TableSource(name, part) for name, part in parts.items()]), question).statistics
    total = Statistic.total(answers.values())
    assert total == question.of(table), "the sum of the sources is the answer of their records in one place"
    solved = network.resolve(parameters, total)
    hidden, rest = network.share(parameters)[0] - 1, network.share(parameters)[1]
    assert np.array_equal(solved[: rest - hidden - 1], parameters[: rest - hidden - 1])
    x, y = question.feature_map.transform(table), question.labels(table)
    penalty = np.diag([0.0] + [network.model.spec.ridge] * hidden)
    expected = np.linalg.solve(x.T @ x + penalty, x.T @ y)
    assert solved[-1] == pytest.approx(expected[0], abs=1e-8)
    assert solved[rest - hidden - 1 : -1] == pytest.approx(expected[1:], abs=1e-8)
    assert loss(network, solved, table) < loss(network, parameters, table)


def test_a_source_that_leaves_takes_all_of_its_last_layer_along(network, table):
    parameters = network.start(table, seed=3)
    question = network.exact(parameters)
    of = {name: question.of(table.filter(pc.equal(table["source_id"], name))) for name in ("h02", "h07", "h08")}
    left = Statistic.total(of.values()).subtract(of["h02"])
    never = Statistic.total([of["h07"], of["h08"]])
    assert network.resolve(parameters, left).tobytes() == network.resolve(parameters, never).tobytes()


def test_a_network_without_a_linear_end_has_no_exact_part(network, table):
    def build(dim):
        return nn.Sequential(nn.Linear(dim, 4), nn.Linear(4, 1), nn.Identity())

    other = changed(network, build)
    with pytest.raises(Refusal) as refusal:
        other.exact(other.start(table, seed=1)).family  # noqa: B018
    assert refusal.value.code == "E-MODEL-HEAD"
