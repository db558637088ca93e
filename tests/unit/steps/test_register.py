"""How a candidate is judged. The gate itself is tried in ``test_aggregate`` against real versions."""

import numpy as np
import pyarrow as pa
import pytest

from headwater.steps.register import Score, registered_name, score


def test_a_prediction_without_fault_scores_one_and_zero_and_the_mean_scores_nothing():
    logs = np.array([1.0, 2.0, 4.0])
    table = pa.table({"log_cost": logs, "cost": np.exp(logs)})
    assert score(logs, table, target="log_cost") == Score(r2_log=1.0, mae=0.0)
    mean = score(np.full(3, logs.mean()), table, target="log_cost")
    assert mean.r2_log == pytest.approx(0.0, abs=1e-12)
    assert mean.mae == pytest.approx(np.abs(np.exp(logs) - np.exp(7 / 3)).mean())


def test_one_champion_for_each_task_and_region():
    assert registered_name("stay_cost", "楚源省") == "stay_cost-楚源省"
