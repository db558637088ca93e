"""The bench of many sources plays what it says it plays, and sees a sum that is not exact."""

from dataclasses import replace

import numpy as np
import pytest

from headwater.bench import tiers_scale
from headwater.bench.tiers_scale import Country, Root, measured
from headwater.security import MASKED, Span

COUNTRY = Country(8, 4, 192, 500)


def test_a_twentieth_of_sources_and_cities_is_lost():
    lost, trees = COUNTRY.lost(), COUNTRY.trees()
    sources = {source for tree in trees for source in tree.sources}
    cities = {tier.name for tree in trees for tier in tree.root.tiers}
    assert len(sources) == 192
    assert len(cities) == 32
    assert len(set(lost) & sources) == 10
    assert len(set(lost) & cities) == 2


def test_the_sum_is_exact_with_members_lost():
    figure = measured(COUNTRY, rounds=1)
    assert figure.also["exact"]
    assert figure.also["sources_in_the_sum"] < 192
    assert figure.also["masked_one_lost_megabytes"] < figure.also["masked_megabytes"] < figure.also["ckks_megabytes"]
    phases = [figure.also[f"masked_phase_{phase}_seconds"] for phase in range(5)]
    assert sum(phases) == pytest.approx(figure.also["masked_seconds"])


def test_a_sum_that_is_not_exact_is_seen(monkeypatch):
    plain = tiers_scale._plain
    monkeypatch.setattr(tiers_scale, "_plain", lambda *args: (plain(*args)[0] + np.uint64(1), plain(*args)[1]))
    figure = measured(COUNTRY, rounds=1)
    assert not figure.also["exact"]
    assert not figure.holds


def test_others_in_the_sum_than_were_not_lost_are_seen():
    parts, _ = tiers_scale._provinces(COUNTRY)
    parts["p0"] = replace(parts["p0"], sources=parts["p0"].sources - {min(parts["p0"].sources)})
    with pytest.raises(ArithmeticError):
        tiers_scale._plain(COUNTRY, parts)


def test_the_bytes_that_reach_a_root_are_its_members_messages():
    vectors = {name: np.arange(4_000, dtype=np.uint64) for name in ("a", "b", "c", "d")}
    root = Root.of(MASKED, vectors, Span(0, 2**16 - 1), {"b": 2})
    assert root.played.survivors == ("a", "c", "d")
    assert np.array_equal(root.played.total, 3 * np.arange(4_000))
    assert 3 * 4_000 * 18 / 8e6 < root.megabytes < 3 * 4_000 * 18 / 8e6 * 1.2
