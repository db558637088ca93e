"""The job that mixes all protections counts what differs, and says how much noise it found."""

from dataclasses import replace

import numpy as np
import pytest

from headwater.aggregation import aggregate
from headwater.bench import tiers_job
from headwater.bench.tiers_job import Region, measured
from headwater.statistics import Statistic

REGION = Region(3, 3, 2_000)


def test_the_groups_mix_every_protection_over_three_tiers():
    groups = REGION.groups()
    assert {one.protection for one in groups} == {"clear", "masked", "ckks"}
    assert {one.strand for one in groups} == {"exact", "local"}
    assert {one.tier for one in groups} >= {"region", "p0", "p2", "p0c0", "p2c2"}
    vectors = [one.values.tobytes() for one in REGION.contributions().values()]
    assert len(set(vectors)) == len(vectors) == 3 * 3 * 25


def test_no_value_differs():
    figure = measured(REGION)
    assert figure.value == 0
    assert figure.holds
    assert figure.n == 225
    assert figure.also["noise"] == pytest.approx(1, abs=0.05)
    assert figure.also["sources_megabytes"] > figure.also["cities_megabytes"] > figure.also["provinces_megabytes"] > 0


def test_one_value_that_differs_is_counted(monkeypatch):
    def spoilt(*args, **kwargs):
        joined = aggregate(*args, **kwargs)
        if "exact" not in joined.parts:
            return joined
        part = joined.parts["exact"]
        values = part.total.values.copy()
        values[7] += np.uint64(1)
        wrong = replace(part, total=Statistic(part.total.kind, part.total.shape, values))
        return replace(joined, parts={**joined.parts, "exact": wrong})

    monkeypatch.setattr(tiers_job, "aggregate", spoilt)
    figure = measured(REGION)
    assert figure.value == 1
    assert not figure.holds
