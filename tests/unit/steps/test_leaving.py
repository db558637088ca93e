"""What leaves is subtracted from members and base as often as it counts there, and from nobody else."""

from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from headwater.adapters.held import Held
from headwater.adapters.learners import learner
from headwater.adapters.withdrawals import Left
from headwater.content import models
from headwater.evolution import BASE, Growth
from headwater.statistics import Statistic
from headwater.steps.leaving import shrunk

RIDGE = learner(models.load(Path(__file__).resolve().parents[3] / "models", "stay_cost_ridge"))
ANY = np.zeros(68)
UNTIL, MONTHS = date(2024, 3, 1), (date(2024, 1, 1), date(2024, 3, 1))


@pytest.fixture(scope="module")
def stays(make_region):
    table = make_region(hospitals=4, months=5, stays_a_month=60)
    return table.append_column("source", table["hospital"])


def statistic(stays, *conditions):
    for column, wanted in conditions:
        kind = stays[column].type
        stays = stays.filter(pc.is_in(stays[column], pa.array(wanted, kind)))
    return RIDGE.exact(ANY).of(stays)


def grown(stays, weight):
    """Return what a version holds: the bureau's own records until March, H03 of two months, H04 of all."""
    first = [date(2024, month, 1) for month in (1, 2, 3)]
    base = Statistic.total([statistic(stays, ("split", ["target_train"]), ("month", first))] * weight)
    members = {
        "H03": statistic(stays, ("split", ["source"]), ("source", ["H03"]), ("month", MONTHS)),
        "H04": statistic(stays, ("split", ["source"]), ("source", ["H04"])),
    }
    return Held(Growth.start(base, members), {"H03": MONTHS, "H04": ()}, UNTIL, weight)


def test_only_own_stays_of_months_that_count_leave(stays):
    count, weight = (date(2024, 1, 1), date(2024, 3, 1)), 2
    kept = statistic(stays, ("split", ["target_train"]), ("month", count))
    held = Held(Growth.start(Statistic.total([kept] * weight), {}), {BASE: count}, UNTIL, weight)
    own = stays.filter(pc.equal(stays["split"], "target_train"))
    assert set(held.own(own)["month"].to_pylist()) == set(count)
    left = Left(frozenset(), frozenset(own["stay_id"].to_pylist()), 1)
    found = shrunk(held, left, stays, learner=RIDGE, parameters=ANY)
    assert not found.total.values.any()


@pytest.mark.parametrize("weight", [1, 2, 8])
def test_single_stays_leave_exactly_what_never_had_them(stays, weight):
    rng = np.random.default_rng(weight)
    gone = rng.choice(stays["stay_id"].to_pylist(), 150, replace=False).tolist()
    left = stays.filter(pc.invert(pc.is_in(stays["stay_id"], pa.array(gone))))
    found = shrunk(grown(stays, weight), Left(frozenset(), frozenset(gone), 1), stays, learner=RIDGE, parameters=ANY)
    expected = grown(left, weight).growth
    assert found.total == expected.total
    assert (found.base, found.members) == (expected.base, expected.members)
    assert found.proven() == expected.total.digest


def test_a_source_and_its_stays_leave_once(stays):
    held = grown(stays, 1)
    theirs = stays.filter(pc.and_(pc.equal(stays["source"], "H03"), pc.equal(stays["split"], "source")))
    left = Left(frozenset({"H03"}), frozenset(theirs["stay_id"].to_pylist()), 1)
    found = shrunk(held, left, stays, learner=RIDGE, parameters=ANY)
    assert found.total == held.growth.remove("H03").total


def test_what_the_version_never_knew_changes_nothing(stays):
    held = grown(stays, 1)
    later = stays.filter(pc.greater(stays["month"], pa.scalar(UNTIL)))
    unknown = later.filter(pc.not_equal(later["source"], "H04"))["stay_id"].to_pylist()
    found = shrunk(held, Left(frozenset({"H01"}), frozenset(unknown), 1), stays, learner=RIDGE, parameters=ANY)
    assert found == held.growth
