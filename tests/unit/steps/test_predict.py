"""Predictions are of every stay that can be read, whatever else a region's sources deliver."""

from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest

from headwater.adapters.learners import learner, predict
from headwater.adapters.served import Served
from headwater.content import models
from headwater.steps.predict import _predicted

RIDGE = learner(models.load(Path(__file__).resolve().parents[3] / "models", "stay_cost_ridge"))
MODEL = Served(RIDGE, np.linspace(0, 0.1, 68))


@pytest.fixture(scope="module")
def stays(make_region):
    table = make_region(hospitals=4, months=3, stays_a_month=40)
    return table.append_column("source", table["hospital"])


def test_every_stay_is_predicted_as_the_learner_does(stays):
    found = _predicted(MODEL, stays)
    assert found["stay_id"].to_pylist() == stays["stay_id"].to_pylist()
    assert np.array_equal(found["log_cost"].to_numpy(), predict(RIDGE, MODEL.parameters, stays))
    assert np.array_equal(found["cost"].to_numpy(), np.exp(found["log_cost"].to_numpy()))


def test_a_source_that_cannot_be_read_leaves_the_others_as_they_are(stays):
    ages = pc.if_else(pc.equal(stays["source"], "H03"), float("nan"), stays["age"])
    broken = stays.set_column(stays.column_names.index("age"), "age", ages)
    found = _predicted(MODEL, broken)
    kept = stays.filter(pc.not_equal(stays["source"], "H03"))
    assert sorted(found["stay_id"].to_pylist()) == sorted(kept["stay_id"].to_pylist())
    assert found.sort_by("stay_id")["log_cost"] == _predicted(MODEL, kept).sort_by("stay_id")["log_cost"]
    nobody = broken.filter(pc.equal(broken["source"], "H03"))
    assert _predicted(MODEL, nobody).num_rows == 0
