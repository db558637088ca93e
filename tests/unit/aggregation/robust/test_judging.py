"""Poison is left out, honest sources are kept, and each guard is missed when it is gone."""

import numpy as np
import pytest

from headwater.aggregation.robust import Beliefs, Revealed, judged, judging, telling
from headwater.aggregation.robust.bounds import MOST, beyond
from headwater.bench.poison_attacks import spoken
from headwater.bench.poison_federations import FAMILIES
from headwater.bench.tiers_poison import revealed_sums
from headwater.federation.division import crossed
from headwater.statistics import Statistic, on_grid

SOURCES = 30
POISONED = (2, 7, 11, 16, 21, 28)


@pytest.fixture(scope="module")
def drawn():
    return FAMILIES["made_up"](np.random.default_rng(3), SOURCES, None)


@pytest.fixture(scope="module")
def rows(drawn):
    return [drawn.rows(table) for table in drawn.sources]


def _said(drawn, rows, attack, poisoned=POISONED):
    return spoken(drawn.target.question.family, rows, poisoned, attack, np.random.default_rng(1))


def _loss(drawn, joined):
    question, target = drawn.target.question, drawn.target
    x, y = drawn.rows(drawn.test)
    coefficients = question.family.solve(question.of(target.train).merge(joined), ridge=target.ridge)
    return float(np.square(y - x @ coefficients).mean())


def _clean(drawn, said, poisoned=POISONED):
    return _loss(drawn, Statistic.total(one for place, one in enumerate(said) if place not in poisoned))


def _judged(revealed, drawn, **options):
    return judged(revealed, drawn.target, rng=np.random.default_rng(0), **options)


def _names(places):
    return {f"h{place:04d}" for place in places}


@pytest.mark.parametrize("attack", ["flipped", "replaced", "boosted"])
def test_what_poison_does_is_undone(drawn, rows, attack):
    said = _said(drawn, rows, attack)
    found = _judged(revealed_sums(said), drawn)
    clean = _clean(drawn, said)
    assert _loss(drawn, Statistic.total(said)) > 1.04 * clean
    assert _loss(drawn, found.joined) <= 1.02 * clean
    assert found.excluded
    assert set(found.excluded) <= _names(POISONED)
    assert found.leverage <= 0.5
    for source, finding in found.excluded.items():
        assert found.weights[source] == pytest.approx(0, abs=1e-9)
        assert source in finding.told.zh
        assert source in finding.told.en
        assert all(source in found.cohorts[place].members for place in finding.cohorts)


def test_without_poison_the_plain_sum_is_joined_to_the_bit(drawn, rows):
    gram = drawn.target.question.family
    said = [gram.statistic(*each) for each in rows]
    found = _judged(revealed_sums(said), drawn)
    assert found.left_out == ()
    assert found.joined == Statistic.total(said)
    assert set(found.weights.values()) == {1.0}


def test_nobody_is_left_out_against_the_targets_own_records(drawn, rows, monkeypatch):
    said = _said(drawn, rows, "flipped")
    assert _judged(revealed_sums(said), drawn).left_out
    monkeypatch.setattr(judging, "AGREED", np.inf)
    monkeypatch.setattr(judging, "AGAINST", np.inf)
    kept = _judged(revealed_sums(said), drawn)
    assert kept.left_out == ()
    assert kept.suspected


def test_each_bound_is_held_against_a_sum(drawn, rows):
    gram = drawn.target.question.family
    x, y = rows[0]
    usual = np.ones(gram.dim + 1)
    sound = gram.statistic(x, y)
    assert beyond(gram, sound, records=len(y), usual=usual, center=0.0) is None
    assert "records" in beyond(gram, sound, records=len(y) + 1, usual=usual, center=0.0).en
    wide = gram.statistic(on_grid(np.column_stack([x[:, 0], x[:, 1:] * 2 * np.sqrt(MOST)])), y)
    assert "64" in beyond(gram, wide, records=len(y), usual=usual, center=0.0).en
    values = sound.values.copy()
    values[-3] = 0
    assert beyond(gram, Statistic("gram", sound.shape, values), records=len(y), usual=usual, center=0.0) is not None


def _blinded(drawn, rows):
    """Return sums in which five flip their labels, and a sixth says numbers so wide that all else looks small."""
    gram = drawn.target.question.family
    said = _said(drawn, rows, "flipped", POISONED[1:])
    x, y = rows[POISONED[0]]
    wide = np.column_stack([x[:, :1], x[:, 1:] * 100])
    said[POISONED[0]] = gram.statistic(on_grid(wide), on_grid(wide @ np.full(gram.dim, 0.01)))
    return said


def test_a_sum_beyond_the_bounds_is_not_used(drawn, rows):
    said = _blinded(drawn, rows)
    found = _judged(revealed_sums(said), drawn)
    assert _names(POISONED[:1]) <= set(found.left_out)
    assert [cohort.beyond is not None for cohort in found.cohorts] == [
        f"h{POISONED[0]:04d}" in cohort.members for cohort in found.cohorts
    ]
    assert all(np.isnan(cohort.times) for cohort in found.cohorts if cohort.beyond)


def test_who_alone_is_in_no_sum_within_the_bounds_is_named(drawn, rows):
    gram = drawn.target.question.family
    said = [gram.statistic(*each) for each in rows]
    said[4] = Statistic("gram", (gram.dim,), said[4].values * np.uint64(50))
    revealed = revealed_sums(said)
    told = revealed.sizes.copy()
    told[4] /= 50
    found = _judged(Revealed(revealed.sources, revealed.masks, revealed.sums, told, revealed.partitions), drawn)
    assert set(found.excluded) == {"h0004"}
    assert "bound" in found.excluded["h0004"].told.en


def test_without_the_bounds_two_liars_keep_everybodys_knowledge_out(drawn, rows, monkeypatch):
    gram = drawn.target.question.family
    liars = POISONED[:2]
    said = _said(drawn, rows, "flipped", liars)
    for place in liars:
        said[place] = Statistic("gram", (gram.dim,), said[place].values * np.uint64(50))
    honest = revealed_sums(said)
    told = np.where(np.isin(np.arange(SOURCES), liars), honest.sizes / 50, honest.sizes)
    revealed = Revealed(honest.sources, honest.masks, honest.sums, told, honest.partitions)
    clean = _clean(drawn, said, liars)
    guarded = _loss(drawn, _judged(revealed, drawn).joined)
    monkeypatch.setattr(judging, "beyond", lambda *args, **options: None)
    assert guarded <= 1.03 * clean
    assert _loss(drawn, _judged(revealed, drawn).joined) > 1.05 * clean


def test_whoever_says_other_things_in_other_sums_is_noticed(drawn, rows):
    gram = drawn.target.question.family
    said = [gram.statistic(*each) for each in rows]
    revealed = revealed_sums(said)
    sums = list(revealed.sums)
    sums[0] = sums[0].merge(gram.statistic(*rows[3])).subtract(said[5])
    found = _judged(Revealed(revealed.sources, revealed.masks, tuple(sums), revealed.sizes, revealed.partitions), drawn)
    assert found.notes
    assert "differ" in found.notes[0].en
    assert _judged(revealed, drawn).notes == ()


def test_where_no_sum_can_be_used_nothing_is_joined(drawn, rows):
    gram = drawn.target.question.family
    said = [gram.statistic(*each) for each in rows]
    revealed = revealed_sums(said)
    wrong = Revealed(revealed.sources, revealed.masks, revealed.sums, revealed.sizes + 1, revealed.partitions)
    found = _judged(wrong, drawn)
    assert gram.records(found.joined) == 0
    assert set(found.undecided) == set(revealed.sources)
    assert found.leverage <= 0.5


def test_a_standing_moves_the_odds_by_three_at_most():
    beliefs = Beliefs(standing={"good": (1.0, 1.1), "bad": (-1.1, -1.0), "unsure": (-1.0, 1.0)})
    good, bad, unsure, unknown = beliefs.odds(("good", "bad", "unsure", "unknown"))
    assert unknown - good == bad - unknown == 3.0
    assert unsure == unknown


def test_who_stands_in_the_very_same_sums_as_another_is_left_out_and_not_named(drawn, rows, monkeypatch):
    few, poisoned, innocent = 17, 13, 9
    columns = crossed([f"h{place:04d}" for place in range(few)]).T
    assert np.array_equal(columns[poisoned], columns[innocent])
    said = _said(drawn, rows[:few], "flipped", [poisoned])
    found = _judged(revealed_sums(said), drawn)
    assert not found.excluded
    for source in _names([poisoned, innocent]):
        assert "very same sums" in found.undecided[source].told.en
        assert found.weights[source] == pytest.approx(0, abs=1e-9)
    monkeypatch.setattr(telling, "_alike", lambda sources, cohorts: dict.fromkeys(sources, ()))
    assert set(_judged(revealed_sums(said), drawn).excluded) & _names([innocent]), "an honest hospital is named"
