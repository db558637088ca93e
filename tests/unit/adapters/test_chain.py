"""The chain as it is followed through Airflow's interface: a small Airflow of the test's own answers over HTTP."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from headwater.adapters import chain
from headwater.adapters.airflow_api import AirflowApi, health
from headwater.adapters.chain import CHAIN, Following
from headwater.errors import Refusal

BORN = datetime(2026, 1, 5, 8, tzinfo=UTC)


def run(run_id: str, state: str, *, minutes: int = 0) -> dict[str, Any]:
    return {"dag_run_id": run_id, "state": state, "run_after": (BORN + timedelta(minutes=minutes)).isoformat()}


def task(name: str, state: str | None, *, index: int = -1) -> dict[str, Any]:
    shown = {"task_display_name": name, "rendered_map_index": f"h{index}" if index >= 0 else None}
    return {"task_id": name, "state": state, "map_index": index, "try_number": 1, **shown}


class Airflow:
    """Answers what the interface of Airflow answers, from what a test writes into it."""

    def __init__(self) -> None:
        self.dags = {name: {"dag_id": name, "is_paused": False} for name in CHAIN}
        self.errors: list[dict[str, str]] = []
        self.runs: dict[str, list[dict[str, Any]]] = {name: [] for name in CHAIN}
        self.tasks: dict[str, list[dict[str, Any]]] = {name: [] for name in CHAIN}
        self.log: list[dict[str, Any]] = []
        self.health: dict[str, Any] = {}
        self.triggered: list[tuple[str, dict[str, Any]]] = []

    def answer(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        parts = path.partition("?")[0].removeprefix("/api/v2/").split("/")
        if path == "/auth/token":
            return {"access_token": "t"}
        if parts[0] == "monitor":
            return self.health
        if parts == ["dags"]:
            return {"dags": list(self.dags.values())}
        if parts == ["importErrors"]:
            return {"import_errors": self.errors}
        if method == "POST":
            self.triggered.append((parts[1], body))
            self.runs[parts[1]].insert(0, run(f"manual-{parts[1]}", "queued"))
            return self.runs[parts[1]][0]
        if parts[-1] == "dagRuns":
            return {"dag_runs": self.runs[parts[1]]}
        if parts[-1] == "taskInstances":
            return {"task_instances": self.tasks[parts[1]]}
        return {"content": self.log}


@contextmanager
def serving(airflow: Airflow) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or b"{}")
            content = json.dumps(airflow.answer(self.command, self.path, body)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            """Keep the test's output clean."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def airflow() -> Airflow:
    return Airflow()


@pytest.fixture
def api(airflow: Airflow) -> Iterator[AirflowApi]:
    with serving(airflow) as base, AirflowApi(base, user="admin", password="x") as found:
        yield found


def test_the_chain_is_followed_from_asset_to_asset(airflow: Airflow, api: AirflowApi) -> None:
    run_id, born = chain.trigger(api, Path("/in"))
    assert airflow.triggered == [
        (
            CHAIN[0],
            {
                "logical_date": None,
                "conf": {"deliveries": "/in", "always_continue": True},
                "note": "headwater demo",
            },
        )
    ]
    following = Following(api, run_id=run_id, born=born)
    airflow.tasks[CHAIN[0]] = [task("land_source", "running", index=3), task("sum_up", None)]
    progress = following.look()
    assert progress.running == CHAIN[0]
    assert [(one.name, one.state) for one in progress.tasks] == [("land_source h3", "running"), ("sum_up", "waiting")]
    airflow.runs[CHAIN[0]][0]["state"] = "success"
    airflow.tasks[CHAIN[0]] = [task("sum_up", "success")]
    assert following.look().finished == CHAIN[:1]
    for number, dag_id in enumerate(CHAIN[1:], start=1):
        airflow.runs[dag_id] = [
            run("late", "running", minutes=9),
            run("mine", "success", minutes=number),
            run("old", "failed", minutes=-5),
        ]
        assert not following.done
        following.look()
        assert following.look().finished == CHAIN[: number + 1]
    assert following.done
    assert following.look().running is None


def test_a_stranded_event_is_replaced_by_a_trigger(
    airflow: Airflow, api: AirflowApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    airflow.runs[CHAIN[0]] = [run("first", "success")]
    following = Following(api, run_id="first", born=BORN)
    following.look()
    following.look()
    assert airflow.triggered == []
    monkeypatch.setattr(chain, "_STRANDED_S", -1.0)
    following.look()
    following.look()
    assert [dag_id for dag_id, _ in airflow.triggered] == [CHAIN[1]]


def test_a_failed_run_is_refused_with_what_its_task_raised(airflow: Airflow, api: AirflowApi) -> None:
    airflow.runs[CHAIN[0]] = [run("first", "failed")]
    airflow.tasks[CHAIN[0]] = [task("land_source", "failed", index=0), task("sum_up", "upstream_failed")]
    airflow.log = [
        {"event": "begun"},
        {
            "event": "failed",
            "error_detail": [
                {"exc_type": "Refusal", "exc_value": "E-FILE-ENCODING: which", "is_cause": False},
                {"exc_type": "UnicodeDecodeError", "exc_value": "byte 7", "is_cause": True},
            ],
        },
        {"event": "ended"},
    ]
    with pytest.raises(Refusal, match="E-CHAIN-FAILED") as refusal:
        Following(api, run_id="first", born=BORN).look()
    assert refusal.value.reason.en == "ingest_deliveries.land_source failed: Refusal: E-FILE-ENCODING: which."


def test_a_run_that_hands_nothing_on_is_refused(airflow: Airflow, api: AirflowApi) -> None:
    airflow.runs[CHAIN[0]] = [run("first", "success")]
    airflow.tasks[CHAIN[0]] = [task("sum_up", "skipped")]
    with pytest.raises(Refusal, match="E-CHAIN-SKIPPED"):
        Following(api, run_id="first", born=BORN).look()


def test_dags_that_cannot_be_imported_or_are_paused_are_refused(airflow: Airflow, api: AirflowApi) -> None:
    chain.await_dags(api, limit_s=5)
    airflow.dags["evolve_model"]["is_paused"] = True
    with pytest.raises(Refusal, match="E-DAG-PAUSED"):
        chain.await_dags(api, limit_s=5)
    del airflow.dags["evolve_model"]
    airflow.errors = [{"filename": "evolve_model.py", "stack_trace": "Traceback\nImportError: no such name\n"}]
    with pytest.raises(Refusal, match="evolve_model.py: ImportError: no such name"):
        chain.await_dags(api, limit_s=5)


def test_health_forgets_the_heartbeats_of_a_former_run(airflow: Airflow) -> None:
    def beat(minutes: int) -> str:
        return (BORN + timedelta(minutes=minutes)).isoformat()

    airflow.health = {
        "metadatabase": {"status": "healthy"},
        "scheduler": {"status": "healthy", "latest_scheduler_heartbeat": beat(1)},
        "triggerer": {"status": "healthy", "latest_triggerer_heartbeat": beat(-1)},
        "dag_processor": {"status": None, "latest_dag_processor_heartbeat": None},
    }
    with httpx.Client(trust_env=False) as client, serving(airflow) as base:
        assert health(client, base, since=BORN) == {
            "metadatabase": "healthy",
            "scheduler": "healthy",
            "triggerer": "absent",
            "dag_processor": "absent",
        }
    with httpx.Client(trust_env=False) as client:
        assert set(health(client, base, since=BORN).values()) == {"absent"}
