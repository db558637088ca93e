"""The whole job in real Airflow: triggered once, followed from asset to asset by the scheduler, on a small region.

Afterwards, on the same stack: its evolution made up for by a backfill, a removal approved, networks retrained.
"""

import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import pytest

from headwater.adapters import chain, evolved, lake, postgres, publication
from headwater.adapters.airflow_api import AirflowApi
from headwater.adapters.chain import CHAIN
from headwater.adapters.home import Home
from headwater.adapters.settings import Ports
from headwater.adapters.stack import Stack
from headwater.simulation import simulate
from headwater.steps.demo import DemoReport, run_chain

PROJECT = Path(__file__).resolve().parents[2]
KEY = {"task": "stay_cost", "region": "楚源省"}
TABLES = ("evolution", "evolution_month", "heard")
OF_THE_RUN = {"run", "as_of", "snapshot", "version", "is_champion"}
"""Columns that tell who followed a month, not what came of it."""

pytestmark = pytest.mark.e2e

T = TypeVar("T")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    # The database server's own user must reach its folder, which pytest's private temporary folders do not allow.
    root = Path(tempfile.mkdtemp(prefix="headwater-chain-"))
    yield Home(root=root, project=PROJECT).create()
    shutil.rmtree(root)


@pytest.fixture(scope="module")
def stack(home: Home) -> Iterator[Stack]:
    simulate(home.deliveries, hospitals=12, months=18, stays=24_000, seed=20260101)
    with Stack(home, Ports(airflow=_free_port(), mlflow=_free_port())) as stack:
        yield stack


@pytest.fixture(scope="module")
def chained(home: Home, stack: Stack) -> DemoReport:
    return run_chain(
        stack, home.deliveries, tell=lambda said: None, watch=lambda progress: None, started=time.monotonic()
    )


@pytest.fixture
def api(stack: Stack, chained: DemoReport) -> Iterator[AirflowApi]:
    with stack.api() as api:
        yield api


def test_one_trigger_carries_deliveries_to_an_evolved_model(home: Home, chained: DemoReport) -> None:
    assert list(chained.seconds) == list(CHAIN)
    with lake.connect(home) as connection:
        facts = connection.execute(
            "SELECT (SELECT count(*) FROM lake.marts.fct_stay), (SELECT count(*) FROM lake.knowledge.valuation), "
            "(SELECT count(*) FROM lake.knowledge.model_version WHERE step = 'aggregate'), "
            "(SELECT count(DISTINCT month) FROM lake.knowledge.evolution), "
            "(SELECT count(*) FROM lake.quality.result)"
        ).fetchone()
    with postgres.connect(home) as register:
        states = register.execute("select distinct state from ops.batch").fetchall()
    seen = publication.current(home)
    assert seen is not None, "what was checked is published"
    assert seen.published_by.startswith("check_quality ")
    assert facts is not None
    stays, values, versions, months, results = facts
    assert 23_000 < stays <= 24_000
    assert values == 12
    assert versions == 1
    assert months > 6
    assert results == 135
    assert states == [("loaded",)]
    assert (home.reports / "quality" / "latest" / "zh.html").is_file()


def told(home: Home, table: str) -> list[dict[str, Any]]:
    with lake.connect(home) as connection:
        return evolved.rows(connection, table, key=KEY)


def plain(home: Home, *, until: date) -> dict[str, list[dict[str, Any]]]:
    """Return what was followed up to a month, whoever followed it."""
    return {
        table: [
            {name: value for name, value in row.items() if name not in OF_THE_RUN}
            for row in told(home, table)
            if row["month"] <= until
        ]
        for table in TABLES
    }


def forget(home: Home) -> None:
    with lake.connect(home) as connection:
        newest = evolved.rows(connection, "evolution_month", key=KEY)[-1]["month"]
        evolved.rewrite(connection, {table: (date.min, []) for table in TABLES}, key=KEY, newest=newest)


def ended(api: AirflowApi, dag_id: str, run_ids: set[str]) -> None:
    """Wait until these runs have succeeded."""
    deadline = time.monotonic() + 600
    while True:
        states = {run["dag_run_id"]: run["state"] for run in api.runs(dag_id) if run["dag_run_id"] in run_ids}
        if set(states) == run_ids and set(states.values()) == {"success"}:
            return
        assert "failed" not in states.values(), states
        assert time.monotonic() < deadline, states
        time.sleep(chain.LOOK_S)


def until(look: Callable[[], T]) -> T:
    """Look until there is something."""
    deadline = time.monotonic() + 300
    while not (found := look()):
        assert time.monotonic() < deadline, "not in time"
        time.sleep(chain.LOOK_S)
    return found


def test_a_backfill_follows_month_after_month_and_comes_to_the_same(home: Home, api: AirflowApi) -> None:
    """Month by month it is what the chain's own run came to in one go, also after a run of it was cleared."""
    last = date(2025, 11, 1)
    expected = plain(home, until=last)
    forget(home)
    body = {"from_date": "2025-11-01T00:00:00+08:00", "to_date": "2025-12-31T00:00:00+08:00", "max_active_runs": 1}
    api._call("POST", "/api/v2/backfills", {"dag_id": "evolve_model", **body})
    begun = {run["logical_date"]: run["dag_run_id"] for run in api.runs("evolve_model") if run["logical_date"]}
    # The fourth at eight in the evening is the fifth at four in Shanghai.
    first, second = (begun[f"2025-{month}-04T20:00:00Z"] for month in (11, 12))
    ended(api, "evolve_model", {first, second})
    runs = {row["month"]: row["run"].split()[0] for row in told(home, "evolution_month")}
    assert plain(home, until=last) == expected
    assert [runs.pop(last), set(runs.values())] == [second, {first}], "each month once, the earlier first"
    api._call("POST", f"/api/v2/dags/evolve_model/dagRuns/{first}/clear", {"dry_run": False})
    ended(api, "evolve_model", {first})
    assert plain(home, until=last) == expected
    assert {row["run"].split()[0] for row in told(home, "evolution_month")} == {first}


def test_a_removal_that_a_person_approves_holds_from_the_next_month(home: Home, api: AirflowApi) -> None:
    last = date(2025, 11, 1)
    proposed = {row["source"] for row in told(home, "evolution") if row["month"] == last and row["unapproved"]}
    source, *others = sorted(proposed)

    def asked() -> list[dict[str, Any]]:
        return [one for one in api.asked("review_evolution") if f"Month**: {last:%Y-%m}" in one["body"]]

    until(lambda: len(asked()) >= len(proposed))

    def approved() -> list[dict[str, Any]]:
        # Airflow loses an answer that comes before it has seen the task pause, and asks again (apache/airflow#67287).
        for question in asked():
            if f"{source}：" in question["subject"]:
                api.answer(question, option=question["options"][0], params={"why": "长期有害"})
        return told(home, "approval")

    (row,) = until(approved)
    assert (row["source"], row["standing"], row["approved"], row["person"], row["why"]) == (
        *(source, "removed", True, "admin", "长期有害"),
    )
    ended(api, "evolve_model", {api.trigger("evolve_model", params={})})
    after = {row["source"]: row for row in told(home, "evolution") if row["month"] > last}
    assert (after[source]["standing"], after[source]["unapproved"], after[source]["state"]) == (
        *("removed", None, "resting"),
    )
    assert all(after[other]["standing"] != "removed" or after[other]["unapproved"] for other in others)
    assert len(asked()) == len(others), "each is asked about once, however often a month was followed"


def test_a_network_is_retrained_with_an_exact_last_layer(home: Home, api: AirflowApi) -> None:
    ended(api, "retrain_networks", {api.trigger("retrain_networks", params={})})
    with lake.connect(home) as connection:
        found = connection.execute(
            "SELECT model, exact, len(sources) FROM lake.knowledge.model_version WHERE step = 'retrain'"
        ).fetchall()
    ((model, exact, members),) = found
    assert (model, exact) == ("stay_cost_network", "17/2241")
    assert members > 1
