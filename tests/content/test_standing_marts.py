"""The marts of case mix, consumption and risk say what the functions say, on the same drawn stays."""

from datetime import date
from pathlib import Path

import duckdb
import jinja2
import numpy as np
import pyarrow as pa
import pytest

from headwater.claims.comparing import consumption_index, low_risk_mortality, risk_scores

PROJECT = Path(__file__).resolve().parents[2] / "dbt_project"


def rendered(model: str) -> str:
    """Return a model's SQL over relations that have its inputs' own names."""
    macro = (PROJECT / "macros" / "consumption.sql").read_text(encoding="utf-8")
    text = (PROJECT / "models" / "marts" / "indicators" / "grouped" / f"{model}.sql").read_text(encoding="utf-8")
    return jinja2.Environment(autoescape=False).from_string(macro + text).render(ref=lambda name: name)


@pytest.fixture(scope="module")
def stays() -> pa.Table:
    """Give 4,000 stays of one region, year and month in 40 DRGs of unlike risk; a tenth has no group."""
    rng, size = np.random.default_rng(8), 4000
    drg = rng.integers(0, 40, size)
    return pa.table(
        {
            "stay_id": [f"s{number}" for number in range(size)],
            "hospital_id": [f"h{one}" for one in rng.integers(0, 9, size)],
            "region": ["r"] * size,
            "origin": ["synthetic"] * size,
            "currency": ["CNY"] * size,
            "hosp_lv": ["3"] * size,
            "discharge_month": pa.array([date(2025, 3, 1)] * size),
            "plan": ["p"] * size,
            "plan_version": ["v"] * size,
            "drg": pa.array([None if n % 10 == 0 else f"D{one:02d}" for n, one in enumerate(drg)], pa.string()),
            "is_grouped": [n % 10 != 0 for n in range(size)],
            "medfee_sumamt": pa.array(
                np.rint(np.exp(8 + 0.05 * drg + rng.standard_normal(size)) * 100).astype(np.int64)
            ),
            "stay_days": pa.array(1 + rng.poisson(6, size)),
            "is_dead": pa.array(rng.random(size) < 0.0005 * np.exp(0.16 * drg)),
            "snapshot_id": [7] * size,
        }
    )


def mart(model: str, stays: pa.Table) -> dict[str, dict[str, object]]:
    connection = duckdb.connect()
    connection.register("drawn", stays)
    connection.execute(
        "CREATE TABLE fct_stay_group AS "
        "SELECT * REPLACE (CAST(medfee_sumamt / 100 AS DECIMAL(18, 2)) AS medfee_sumamt) FROM drawn"
    )
    rows = connection.execute(rendered(model)).to_arrow_table().to_pylist()
    return {str(row["hospital_id"]): row for row in rows}


@pytest.mark.parametrize(
    ("model", "measure"), [("ind_cost_consumption", "medfee_sumamt"), ("ind_time_consumption", "stay_days")]
)
def test_consumption_is_that_of_the_function(stays, model, measure):
    found = mart(model, stays)
    expected = consumption_index(stays, measure).to_pylist()
    assert len(found) == len(expected) == 9
    for row in expected:
        told = found[row["hospital_id"]]
        assert (told["stay_count"], told["index_value"]) == (row["stays"], pytest.approx(row["index"], rel=1e-9))


def test_low_risk_mortality_is_that_of_the_function(stays):
    found = mart("ind_low_risk_mortality", stays)
    expected = low_risk_mortality(stays, risk_scores(stays)).to_pylist()
    assert sum(row["deaths"] for row in expected) > 0
    for row in expected:
        told = found[row["hospital_id"]]
        assert (told["low_risk_count"], told["low_risk_death_count"]) == (row["stays"], row["deaths"])
        assert told["low_risk_death_share"] == pytest.approx(row["mortality"])
