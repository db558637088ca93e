"""The DAG that joins knowledge, really run: the tree as tasks, a city that is lost, a wish that is forbidden."""

import json
import shutil
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from headwater.adapters import audit, knowledge, lake, postgres
from headwater.adapters.home import Home
from headwater.steps.audit import verify

PROJECT = Path(__file__).resolve().parents[2]
CITIES = ("东城", "西城", "南城")


def mart(*, hospitals: int = 12, stays: int = 200, poisoned: int | None = None) -> pa.Table:
    """Return ``feat_stay_cost`` of an invented region of hospitals in three cities; one may turn its labels around."""
    rng = np.random.default_rng(5)
    n = hospitals * stays
    where, days = np.arange(n) % hospitals, rng.gamma(2.0, 4.0, n).round() + 1
    log_cost = 7 + 0.8 * np.log1p(days) + rng.normal(0, 0.3, n)
    split = rng.choice(["source", "target_train", "target_valid", "target_test"], n, p=[0.9, 0.02, 0.04, 0.04])
    log_cost = np.where((where == poisoned) & (split == "source"), 20 - log_cost, log_cost)
    ones, texts = np.ones(n), np.array(["A"] * n)
    numeric = ("is_male", "diagnosis_count", "operation_count", "is_emergency", "is_dead", "is_employee")
    return pa.table(
        {
            "stay_id": [f"s{k}" for k in range(n)],
            "source_id": [f"h{w}" for w in where],
            "hospital": [f"H{w:02d}" for w in where],
            "city": [CITIES[w % len(CITIES)] for w in where],
            "region": ["楚源省"] * n,
            "month": [date(2025, 1, 1)] * n,
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


@pytest.fixture(scope="module")
def home(databases: str, tmp_path_factory: pytest.TempPathFactory) -> Home:
    root = tmp_path_factory.mktemp("home")
    project = root / "project"
    # Requirements are changed on the way; everything else is the project's own.
    for name in ("models", "dags"):
        (project / name).parent.mkdir(exist_ok=True)
        shutil.copytree(PROJECT / name, project / name)
    shutil.copytree(PROJECT / "dbt_project" / "requirements", project / "dbt_project" / "requirements")
    made = Home(root / "var", project).create()
    postgres.prepare(made)
    with lake.connect(made, threads=1) as connection:
        connection.register("feat", mart())
        connection.execute("CREATE TABLE lake.marts.feat_stay_cost AS SELECT * FROM feat")
        connection.execute(
            "CREATE TABLE lake.marts.dim_hospital AS SELECT DISTINCT region, 'synthetic' AS origin FROM feat"
        )
        knowledge.prepare(made, connection)
        choose(connection, 12)
    return made


def choose(connection: duckdb.DuckDBPyConnection, hospitals: int) -> None:
    """Write a valuation that chooses all of so many hospitals."""
    common = {"value": 0.1, "low": 0.1, "high": 0.1, "selected": True, "run": "v", "snapshot": 1}
    key = {"task": "stay_cost", "region": "楚源省", "month": date(2025, 1, 1)}
    rows = [common | {"source": f"H{k:02d}"} for k in range(hospitals)]
    knowledge.replace(connection, "valuation", key=key, rows=rows)


@pytest.fixture(scope="module")
def run(home: Home, dags_of: Callable[..., Any]) -> Callable[..., Any]:
    """Give what runs the DAG once; ``silent`` hospitals are not there, a ``broken`` tier cannot be opened."""
    dags = dags_of(home, program="dag_faults.py")

    def run(*, silent: Sequence[str] = (), broken: str = "", **params: Any) -> Any:
        return dags.run("aggregate_knowledge", params, silent=list(silent), broken=broken)

    return run


def entries(home: Home, kind: str) -> list[dict[str, Any]]:
    with postgres.connect(home) as connection:
        return [json.loads(entry.body) for entry in audit.entries(connection, kind=kind)]


@pytest.fixture(scope="module")
def whole(run: Callable[..., Any]) -> Any:
    return run(city_protection="masked")


def test_the_tree_is_visible_as_tasks(whole: Any) -> None:
    assert whole.state == "success", whole.said[-4000:]
    assert {name: len(states) for name, states in whole.tasks.items()} == {
        "list_regions": 1,
        "plan_join": 1,
        "cities.list_tiers": 1,
        "cities.open_tier": 3,
        "region.open_tier": 1,
        "join_rounds": 1,
        "register": 1,
        "publish": 1,
    }
    assert {state for states in whole.tasks.values() for state in states} == {"success"}


def test_every_round_is_told(whole: Any) -> None:
    assert "round 轮 1: sources 来源 12" in whole.said


def test_plan_release_keys_and_version_are_in_the_audit_log_in_this_order(home: Home, whole: Any) -> None:
    with postgres.connect(home) as connection:
        kinds = [entry.kind for entry in audit.entries(connection)]
    assert kinds[:6] == ["requirement", "plan", "release", "keys", "joined", "model_version"]
    assert verify(home).fault is None


def test_a_wish_that_a_requirement_forbids_is_refused_in_its_words(
    home: Home, run: Callable[..., Any], whole: Any
) -> None:
    file = home.project / "dbt_project" / "requirements" / "insurance_accounting.yml"
    before = file.read_text(encoding="utf-8")
    try:
        file.write_text(before.replace("statistic: region", "statistic: nobody"), encoding="utf-8")
        refused = run(city_protection="clear")
    finally:
        file.write_text(before, encoding="utf-8")
    assert refused.state == "failed"
    assert refused.tasks["plan_join"] == ["failed"]
    assert "the source's own statistic may not be seen by its tier" in refused.said
    assert len(entries(home, "release")) == 1, "nobody was asked"


def test_a_city_that_cannot_be_opened_stands_red_and_is_planned_around(
    home: Home, run: Callable[..., Any], whole: Any
) -> None:
    lost = run(city_protection="masked", silent=["H00", "H03", "H06", "H09"])
    assert lost.state == "success", lost.said[-4000:]
    assert sorted(lost.tasks["cities.open_tier"]) == ["failed", "success", "success"]
    assert lost.tasks["region.open_tier"] == lost.tasks["join_rounds"] == lost.tasks["register"] == ["success"]
    assert "the tier 东城 is lost" in lost.said
    planned = entries(home, "plan")[-1]
    assert planned["lost"] == ["东城"]
    east = [group for group in planned["plan"]["groups"] if "H00" in group["mechanisms"]]
    assert [group["tier"] for group in east] == ["楚源省"], "its hospitals speak to the region, masked"
    assert entries(home, "release")[-1]["sources"] == [f"H{k:02d}" for k in range(12)]


def test_a_region_that_cannot_be_opened_ends_the_run(home: Home, run: Callable[..., Any], whole: Any) -> None:
    before = len(entries(home, "release"))
    lost = run(broken="楚源省")
    assert lost.state == "failed"
    assert (lost.tasks["region.open_tier"], lost.tasks["join_rounds"]) == (["failed"], ["failed"])
    assert "E-JOIN-ROOT" in lost.said
    assert len(entries(home, "release")) == before


def test_a_run_that_would_overspend_is_refused_before_it_starts_with_the_number(
    home: Home, run: Callable[..., Any], whole: Any
) -> None:
    file = home.project / "dbt_project" / "requirements" / "insurance_accounting.yml"
    before, released = file.read_text(encoding="utf-8"), len(entries(home, "release"))
    noisy = before.replace("statistic: region", "statistic: nobody").replace("sum: region", "sum: tier")
    # With less the noise would leave next to nothing of so few stays, and nobody would be asked.
    noisy = noisy.replace(
        "epsilon: {release: 1, month: 3, lifetime: 24}", "epsilon: {release: 8, month: 24, lifetime: 24}"
    )
    noisy = noisy.replace("aggregation: {release: 1, month: 2,", "aggregation: {release: 8, month: 8,")
    try:
        file.write_text(noisy, encoding="utf-8")
        first, second = run(), run()
    finally:
        file.write_text(before, encoding="utf-8")
    assert first.state == "success", first.said[-4000:]
    assert len(entries(home, "ledger")[-1]["debits"]) == 12
    assert second.state == "failed"
    assert second.tasks["plan_join"] == ["failed"]
    assert set(second.tasks["join_rounds"]) == {"upstream_failed"}
    assert "E-LEDGER-RUN" in second.said
    assert "above the cap 8" in second.said
    assert len(entries(home, "release")) == released + 1, "the second asked nobody"
    assert verify(home).fault is None


def test_poison_is_named_and_left_out_where_sums_are_judged(home: Home, run: Callable[..., Any], whole: Any) -> None:
    with lake.connect(home, threads=1) as connection:
        connection.register("poisoned", mart(hospitals=24, stays=150, poisoned=5))
        connection.execute("CREATE OR REPLACE TABLE lake.marts.feat_stay_cost AS SELECT * FROM poisoned")
        choose(connection, 24)
    done = run(region_protection="judged")
    assert done.state == "success", done.said[-4000:]
    assert {name: len(states) for name, states in done.tasks.items() if "open_tier" in name} == {
        "cities.open_tier": 3,
        "region.open_tier": 1,
    }
    (judgement,) = entries(home, "judgement")
    assert list(judgement["excluded"]) == ["H05"]
    assert "来源“H05”所在各和数" in judgement["excluded"]["H05"]["told"]["zh"]
    planned = entries(home, "plan")[-1]
    assert (judgement["plan"], planned["wish"]["region"]) == (planned_entry(home), "judged")
    assert all(len(cohort["members"]) >= 5 for cohort in judgement["cohorts"])
    assert "H05" not in entries(home, "model_version")[-1]["protections"]
    assert len(entries(home, "model_version")[-1]["protections"]) >= 12
    with lake.connect(home, threads=1) as connection:
        told = connection.execute("SELECT judgement FROM lake.knowledge.joined ORDER BY entry DESC").fetchone()
    assert told is not None
    assert list(json.loads(told[0])["excluded"]) == ["H05"]
    assert verify(home).fault is None


def planned_entry(home: Home) -> int:
    with postgres.connect(home) as connection:
        return [entry.number for entry in audit.entries(connection, kind="plan")][-1]
