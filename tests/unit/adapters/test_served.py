"""A model as it lies on disk and predicts."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from headwater.adapters import served
from headwater.adapters.learners import learner, predict
from headwater.content import models
from headwater.errors import Refusal

ROOM = Path(__file__).resolve().parents[3] / "models"


@pytest.fixture(scope="module")
def table(make_region):
    return make_region(hospitals=6, months=1, stays_a_month=30)


def test_what_is_written_is_read_back_and_predicts_logs_and_costs(tmp_path, table):
    ridge = learner(models.load(ROOM, "stay_cost_ridge"))
    parameters = ridge.coefficients(ridge.asked().of(table))
    served.write(tmp_path / "files", ridge.model, parameters)
    loaded = served._load_pyfunc(str(tmp_path / "files"))
    frame = (
        table.select(ridge.model.spec.features.columns).to_pandas().set_index(pd.Index(range(5, 5 + table.num_rows)))
    )
    answer = loaded.predict(frame)
    assert np.array_equal(answer[served.LOG_COST], predict(ridge, parameters, table))
    assert np.array_equal(answer[served.COST], np.exp(answer[served.LOG_COST]))
    assert list(answer.index) == list(frame.index)
    assert (tmp_path / "files" / "card.md").read_text(encoding="utf-8") == ridge.model.card


def test_a_missing_value_is_refused_not_guessed(tmp_path, table):
    ridge = learner(models.load(ROOM, "stay_cost_ridge"))
    frame = table.select(ridge.model.spec.features.columns).to_pandas()
    frame.loc[0, "age"] = None
    with pytest.raises(Refusal) as refusal:
        served.Served(ridge, np.zeros(68)).predict(frame)
    assert refusal.value.code in ("E-FEATURE-EMPTY", "E-FEATURE-FINITE")
