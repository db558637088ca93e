"""The DAG that values sources, really run: for all that is known, for an earlier month, and with nothing but sums."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from headwater.adapters import lake, postgres
from headwater.adapters.home import Home

PROJECT = Path(__file__).resolve().parents[2]
MONTHS = (date(2025, 1, 1), date(2025, 2, 1))
RUNS: tuple[dict[str, Any], ...] = (
    {},
    {"month": "2025-01", "method": "leave_one_out", "budget": 250_000, "unit": "bytes"},
    {"region": "楚源省", "month": "2025-01", "method": "sums", "protection": "masked", "budget": 3},
)


def mart(*, hospitals: int = 10, stays: int = 300) -> pa.Table:
    """Return ``feat_stay_cost`` of an invented region of good hospitals, of which the last one delivers noise."""
    rng = np.random.default_rng(5)
    n = hospitals * stays
    where, days = np.arange(n) % hospitals, rng.gamma(2.0, 4.0, n).round() + 1
    log_cost = 7 + 0.8 * np.log1p(days) + rng.normal(0, np.where(where == hospitals - 1, 3.0, 0.3), n)
    ones, texts = np.ones(n), np.array(["A"] * n)
    numeric = ("is_male", "diagnosis_count", "operation_count", "is_emergency", "is_dead", "is_employee")
    return pa.table(
        {
            "stay_id": [f"s{k}" for k in range(n)],
            "source_id": [f"h{w}" for w in where],
            "hospital": [f"H{w}" for w in where],
            "city": ["江城市"] * n,
            "region": ["楚源省"] * n,
            "month": [MONTHS[k % len(MONTHS)] for k in rng.integers(0, 2, n)],
            "split": rng.choice(
                ["source", "target_train", "target_valid", "target_test"], n, p=[0.9, 0.02, 0.04, 0.04]
            ),
            "cost": pa.array(np.exp(log_cost).round(2)).cast(pa.decimal128(18, 2), safe=False),
            "currency": ["CNY"] * n,
            "log_cost": log_cost,
            "age": rng.normal(55, 20, n).clip(0, 99).round(),
            "log_days": np.log1p(days),
            "hospital_level": ones * 3,
            **dict.fromkeys(numeric, ones),
            **dict.fromkeys(("diagnosis_chapter", "diagnosis_category", "operation_category"), texts),
        }
    )


@pytest.fixture(scope="module")
def rows(databases: str, dags_of: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Give what each run chose; the last takes the place of the one before it, and of no other."""
    home = Home(tmp_path_factory.mktemp("home"), PROJECT).create()
    postgres.prepare(home)
    with lake.connect(home, threads=1) as connection:
        connection.register("feat", mart())
        connection.execute("CREATE TABLE lake.marts.feat_stay_cost AS SELECT * FROM feat")
        connection.execute(
            "CREATE TABLE lake.marts.dim_hospital AS SELECT DISTINCT region, 'synthetic' AS origin FROM feat"
        )
    dags = dags_of(home)
    runs = [dags.run("value_sources", params) for params in RUNS]
    assert [run.state for run in runs] == ["success"] * len(RUNS), runs[-1].said[-4000:]
    with lake.connect(home, threads=1) as connection:
        again, masked = _chosen(connection)
    # The lake as the last run found it.
    with lake.read_at(home, masked["snapshot"]) as connection:
        newest, earlier = _chosen(connection)
    assert again == newest
    assert earlier["run"] != masked["run"]
    return [newest, earlier, masked]


def _chosen(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Return the choices that there are, the newest month first, with how many sources were valued for each."""
    found = connection.execute(
        "SELECT s.*, (SELECT count(*) FROM lake.knowledge.valuation AS v WHERE v.month = s.month) AS valued "
        "FROM lake.knowledge.selection AS s ORDER BY month DESC"
    ).to_arrow_table()
    return found.to_pylist()


def test_by_default_all_that_is_known_is_valued(rows: list[dict[str, Any]]) -> None:
    first = rows[0]
    assert (first["month"], first["method"], first["budget"], first["valued"]) == (MONTHS[1], "exact", 8.0, 10)
    assert "H9" not in first["chosen"]
    assert 0 < first["share"] <= 1


def test_an_earlier_month_is_valued_by_what_was_known_then_within_bytes(rows: list[dict[str, Any]]) -> None:
    second = rows[1]
    assert (second["month"], second["method"], second["budget_unit"]) == (MONTHS[0], "leave_one_out", "bytes")
    assert 0 < second["spent"] <= 250_000


def test_with_masks_only_sums_leave(rows: list[dict[str, Any]]) -> None:
    third = rows[2]
    assert (third["month"], third["method"], third["protection"]) == (MONTHS[0], "sums/mean_field", "masked")
    assert third["attributable"] == 4 * third["valued"]
    assert third["leverage"] <= 0.5
    assert len(third["chosen"]) <= 3
