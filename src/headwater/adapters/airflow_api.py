"""Airflow's REST interface, as far as the launcher and the demonstration need it."""

import time
from collections.abc import Mapping
from datetime import datetime
from types import TracebackType
from typing import Any

import httpx

__all__ = ["AirflowApi", "health"]

_TIMEOUT_S = 30.0
_BEATS = {
    "metadatabase": "",
    "scheduler": "latest_scheduler_heartbeat",
    "triggerer": "latest_triggerer_heartbeat",
    "dag_processor": "latest_dag_processor_heartbeat",
}


def health(client: httpx.Client, base_url: str, *, since: datetime) -> dict[str, str]:
    """Return component name to ``healthy``, ``unhealthy`` or ``absent``; all absent while nothing answers.

    A component whose last heartbeat is older than ``since`` is absent: it is a former run's.
    """
    try:
        answer = client.get(f"{base_url}/api/v2/monitor/health")
    except httpx.TransportError:
        return dict.fromkeys(_BEATS, "absent")
    found = answer.json() if answer.is_success else {}
    return {name: _state(found.get(name) or {}, beat, since) for name, beat in _BEATS.items()}


def _state(found: Mapping[str, Any], beat: str, since: datetime) -> str:
    if beat and (not found.get(beat) or datetime.fromisoformat(found[beat]) < since):
        return "absent"
    return str(found.get("status") or "absent")


class AirflowApi:
    """A logged-in session.

    Parameters
    ----------
    base_url : address of the api-server
    user, password : one of the users of :func:`headwater.adapters.settings.passwords`
    """

    def __init__(self, base_url: str, *, user: str, password: str) -> None:
        self._client = httpx.Client(base_url=base_url, timeout=_TIMEOUT_S, trust_env=False)
        self._login = {"username": user, "password": password}
        self._renew_at = 0.0

    def __enter__(self) -> "AirflowApi":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._client.close()

    def dags(self) -> dict[str, dict[str, Any]]:
        """Return every DAG the dag-processor has parsed, by id."""
        return {dag["dag_id"]: dag for dag in self._call("GET", "/api/v2/dags?limit=100")["dags"]}

    def import_errors(self) -> dict[str, str]:
        """Return file name to the error met when it was parsed."""
        found = self._call("GET", "/api/v2/importErrors")["import_errors"]
        return {error["filename"]: error["stack_trace"] for error in found}

    def pools(self) -> dict[str, int]:
        """Return pool name to slots."""
        return {pool["name"]: int(pool["slots"]) for pool in self._call("GET", "/api/v2/pools?limit=100")["pools"]}

    def trigger(self, dag_id: str, *, params: Mapping[str, object], note: str = "") -> str:
        """Start a run and return its id."""
        body = {"logical_date": None, "conf": dict(params), "note": note}
        return str(self._call("POST", f"/api/v2/dags/{dag_id}/dagRuns", body)["dag_run_id"])

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        """Return the newest runs of a DAG, newest first."""
        found = self._call("GET", f"/api/v2/dags/{dag_id}/dagRuns?order_by=-run_after&limit=20")
        return list(found["dag_runs"])

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Return the task instances of one run."""
        found = self._call("GET", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances?limit=200")
        return list(found["task_instances"])

    def asked(self, dag_id: str) -> list[dict[str, Any]]:
        """Return the open questions of all runs of a DAG: subject, body, options and the task instance that waits."""
        found = self._call("GET", f"/api/v2/dags/{dag_id}/dagRuns/~/hitlDetails?response_received=false&limit=100")
        return list(found["hitl_details"])

    def answer(self, question: Mapping[str, Any], *, option: str, params: Mapping[str, object]) -> None:
        """Answer an open question as the user of this session."""
        task = question["task_instance"]
        path = f"/api/v2/dags/{task['dag_id']}/dagRuns/{task['dag_run_id']}/taskInstances/{task['task_id']}"
        body = {"chosen_options": [option], "params_input": dict(params)}
        self._call("PATCH", f"{path}/{task['map_index']}/hitlDetails", body)

    def failure(self, dag_id: str, run_id: str, task: Mapping[str, Any]) -> str:
        """Return what the last try of a task instance failed with, as its log has it."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task['task_id']}/logs/{task['try_number']}"
        lines = self._call("GET", f"{path}?map_index={task['map_index']}")["content"]
        raised = [line["error_detail"] for line in lines if line.get("error_detail")]
        if raised:
            # What was raised comes first, what caused it after it.
            error = raised[-1][0]
            return f"{error['exc_type']}: {error['exc_value']}"
        return str(lines[-1]["event"]) if lines else ""

    def _call(self, method: str, path: str, body: Mapping[str, object] | None = None) -> dict[str, Any]:
        answer = self._client.request(method, path, json=body, headers=self._bearer())
        answer.raise_for_status()
        content: dict[str, Any] = answer.json()
        return content

    def _bearer(self) -> dict[str, str]:
        if time.monotonic() >= self._renew_at:
            answer = self._client.post("/auth/token", json=self._login)
            answer.raise_for_status()
            self._token = str(answer.json()["access_token"])
            self._renew_at = time.monotonic() + 1800
        return {"Authorization": f"Bearer {self._token}"}
