"""The bench of poison: what it poisons, what it holds robust joining against."""

import numpy as np
import pytest

from headwater.aggregation.robust import telling
from headwater.bench import tiers_poison
from headwater.bench.poison_attacks import ATTACKS, spoken
from headwater.bench.poison_federations import FAMILIES
from headwater.bench.tiers_poison import Run, run


def test_a_fifth_is_poisoned_and_ways_to_join_are_held_against_the_honest_sum(monkeypatch):
    found = run("made_up", 30, "boosted", 0, None)
    assert found.losses["plain"] > 1.2
    assert found.losses["robust"] < 1.02
    assert found.losses["cohort_median"] > found.losses["robust"]
    assert found.missed == 0
    assert found.named_wrongly == 0
    assert found.leverage <= 0.5
    # Who stands in the very same sums as a poisoned one weighs nothing with it, whether or not that is told.
    monkeypatch.setattr(telling, "_alike", lambda sources, cohorts: dict.fromkeys(sources, ()))
    untold = run("made_up", 30, "boosted", 0, None)
    assert untold.left_out_wrongly <= 1
    assert found.left_out_wrongly >= untold.left_out_wrongly
    assert found.losses == untold.losses


def test_of_a_clean_round_nothing_is_lost():
    found = run("made_up", 30, "none", 0, None)
    assert found.losses["before_poison"] == found.losses["plain"] == 1.0
    assert found.missed == 0


@pytest.mark.parametrize("attack", sorted(ATTACKS))
def test_every_attack_changes_the_poisoned_alone_and_stays_a_statistic_of_records(attack):
    drawn = FAMILIES["made_up"](np.random.default_rng(2), 12, None)
    gram, rows = drawn.target.question.family, [drawn.rows(table) for table in drawn.sources]
    honest = [gram.statistic(*each) for each in rows]
    said = spoken(gram, rows, [1, 5], attack, np.random.default_rng(3))
    assert {place for place in range(12) if said[place] != honest[place]} == {1, 5}
    for one in said:
        gram.check(one)


@pytest.mark.parametrize(
    ("robust", "excluded", "leverage", "holds"),
    [(1.02, 0, 0.5, True), (1.021, 0, 0.5, False), (1.0, 1, 0.5, False), (1.0, 0, 0.51, False)],
)
def test_the_figure_says_what_does_not_hold(monkeypatch, robust, excluded, leverage, holds):
    """The worst attack counts, whoever is left out of a clean round, and the highest leverage of any round."""

    def made(family, sources, attack, seed, data):
        clean, worst = attack == "none", attack == sorted(ATTACKS)[-1]
        losses = {"robust": robust if worst else 1.0, "plain": 2.0, "cohort_median": 1.5}
        out = excluded if clean else 0
        return Run(family, sources, attack, losses, 0, 0, out, out, 0, leverage if worst else 0.1, 0.0)

    monkeypatch.setattr(tiers_poison, "run", made)
    monkeypatch.setattr(tiers_poison, "_POISONED", {"ci": {("made_up", 10): 1}})
    monkeypatch.setattr(tiers_poison, "_CLEAN", {"ci": {("made_up", 10): 2}})
    figure = tiers_poison.figures("ci", None)["A7"]
    assert (figure.value, figure.holds) == (robust, holds)
    assert figure.baseline == {"plain": 2.0, "cohort_median": 1.5}
    assert figure.also["honest_excluded"] == excluded / 10
    assert {row["attack"] for row in figure.also["attacks"]} == set(ATTACKS)
