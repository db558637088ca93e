"""The DAG that follows sources, really run: rehearsed, up to a month, and from there to the newest."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from headwater.adapters import evolved, lake, postgres
from headwater.adapters.home import Home

PROJECT = Path(__file__).resolve().parents[2]
MONTHS = [date(2025, month, 1) for month in range(1, 8)]
RUNS: tuple[dict[str, Any], ...] = ({"dry_run": True}, {"month": "2025-05", "hours": 0}, {"bytes": 25_000})
KEY = {"task": "stay_cost", "region": "楚源省"}


def mart(*, hospitals: int = 4, stays: int = 1_600) -> pa.Table:
    """Return ``feat_stay_cost`` of an invented region over seven months, of which the last hospital delivers noise."""
    rng = np.random.default_rng(5)
    n = hospitals * stays
    where, days = np.arange(n) % hospitals, rng.gamma(2.0, 4.0, n).round() + 1
    log_cost = 7 + 0.8 * np.log1p(days) + rng.normal(0, np.where(where == hospitals - 1, 3.0, 0.3), n)
    split = rng.choice(["source", "target_train", "target_valid", "target_test"], n, p=[0.85, 0.03, 0.06, 0.06])
    log_cost = np.where(split == "source", log_cost, 7 + 0.8 * np.log1p(days) + rng.normal(0, 0.3, n))
    ones, texts = np.ones(n), np.array(["A"] * n)
    numeric = ("is_male", "diagnosis_count", "operation_count", "is_emergency", "is_dead", "is_employee")
    return pa.table(
        {
            "stay_id": [f"s{k}" for k in range(n)],
            "source_id": [f"h{w}" for w in where],
            "hospital": [f"H{w}" for w in where],
            "city": ["江城市"] * n,
            "region": ["楚源省"] * n,
            "month": [MONTHS[k] for k in rng.integers(0, len(MONTHS), n)],
            "split": split,
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


@dataclass(frozen=True)
class Ran:
    """What came of the runs, and what they left in the lake."""

    runs: list[Any]
    months: list[dict[str, Any]]
    lines: list[dict[str, Any]]
    versions: list[tuple[Any, ...]]
    home: Home


@pytest.fixture(scope="module")
def ran(databases: str, dags_of: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Ran:
    home = Home(tmp_path_factory.mktemp("home"), PROJECT).create()
    postgres.prepare(home)
    with lake.connect(home, threads=1) as connection:
        connection.register("feat", mart())
        connection.execute("CREATE TABLE lake.marts.feat_stay_cost AS SELECT * FROM feat")
        connection.execute(
            "CREATE TABLE lake.marts.dim_hospital AS SELECT DISTINCT "
            "source_id, hospital AS fixmedins_code, city, region, currency, 'synthetic' AS origin FROM feat"
        )
    dags = dags_of(home)
    runs = [dags.run("evolve_model", params) for params in RUNS]
    assert [run.state for run in runs] == ["success"] * len(RUNS), runs[-1].said[-4000:]
    with lake.connect(home, threads=1) as connection:
        months, lines = (evolved.rows(connection, table, key=KEY) for table in ("evolution_month", "evolution"))
        versions = connection.execute(
            "SELECT month, step FROM lake.knowledge.model_version ORDER BY version"
        ).fetchall()
    return Ran(runs, months, lines, versions, home)


def test_a_rehearsal_announces_nothing_and_the_others_announce_an_evolution(ran: Ran) -> None:
    assert [run.tasks["publish"] for run in ran.runs] == [["skipped"], ["success"], ["success"]]
    assert [run.assets for run in ran.runs] == [[], ["model_evolution"], ["model_evolution"] * 2]
    assert all(run.tasks["drain_inbox"] == ["success"] for run in ran.runs)


def test_each_run_goes_on_where_the_one_before_it_stands(ran: Ran) -> None:
    assert [row["month"] for row in ran.months] == MONTHS[3:]
    names = [row["run"] for row in ran.months]
    assert names[0] == names[1] != names[2] == names[3]
    assert [row["labour_budget"] for row in ran.months] == [0.0, 0.0, None, None]
    assert [row["bytes_budget"] for row in ran.months] == [None, None, 25_000.0, 25_000.0]
    assert ran.months[-1]["bytes_next"] <= 25_000
    assert ran.versions[-1] == (MONTHS[-1], "evolve")
    assert all(step == "evolve" for _, step in ran.versions)


def test_the_source_of_noise_is_not_in_the_model(ran: Ran) -> None:
    assert {"H0", "H1", "H2"} <= set(ran.months[-1]["members"])
    assert "H3" not in ran.months[-1]["members"]
    assert {row["source"] for row in ran.lines} == {"H0", "H1", "H2", "H3"}


def test_the_report_lies_where_the_console_looks_for_it(ran: Ran) -> None:
    folders = [place.name for place in (ran.home.reports / "evolution").iterdir()]
    assert len(folders) == 2
    for language in ("zh", "en"):
        assert (ran.home.reports / "evolution" / folders[0] / f"{language}.html").is_file()
