"""The chain of DAGs as Airflow runs it: triggered at its first link, followed from asset to asset to its last."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from headwater.adapters.airflow_api import AirflowApi
from headwater.errors import Message, Refusal

__all__ = ["CHAIN", "LOOK_S", "Following", "Progress", "TaskState", "await_dags", "trigger"]

CHAIN = (
    "ingest_deliveries",
    "code_items",
    "build_warehouse",
    "group_stays",
    "price_stays",
    "publish_indicators",
    "check_quality",
    "value_sources",
    "aggregate_knowledge",
    "evolve_model",
)
"""In the order in which one's asset starts the next; what starts the last is already the values'."""

LOOK_S = 1.0
"""Between two looks: each is two questions to Airflow, and the chain does not wait for whoever follows it."""
_STRANDED_S = 20.0


@dataclass(frozen=True)
class TaskState:
    """One task instance: its name as people see it, with the map index where there are several, and its state."""

    name: str
    state: str


@dataclass(frozen=True)
class Progress:
    """How far the chain has come.

    Parameters
    ----------
    finished : DAGs whose run succeeded, in order
    running : the DAG that is being followed, None after the last
    tasks : the task instances of its run
    """

    finished: tuple[str, ...]
    running: str | None
    tasks: tuple[TaskState, ...] = ()


class Following:
    """Follows one chain through Airflow.

    Parameters
    ----------
    api : a session
    run_id, born : the first DAG's run, and when it was made; later runs are younger
    """

    def __init__(self, api: AirflowApi, *, run_id: str, born: datetime) -> None:
        self._api = api
        self._born = born
        self._run_id: str | None = run_id
        self._done: list[str] = []
        self._since = time.monotonic()

    @property
    def done(self) -> bool:
        """Whether the last DAG's run has succeeded."""
        return len(self._done) == len(CHAIN)

    def look(self) -> Progress:
        """Ask Airflow once and return what is going on.

        Raises
        ------
        Refusal
            ``E-CHAIN-FAILED`` naming the task and the end of its log, ``E-CHAIN-SKIPPED`` when a run hands nothing on
        """
        if self.done:
            return Progress(tuple(self._done), None)
        dag_id = CHAIN[len(self._done)]
        run = self._find(dag_id)
        if run is None:
            return Progress(tuple(self._done), dag_id)
        tasks = self._api.tasks(dag_id, run["dag_run_id"])
        if run["state"] == "failed":
            raise self._failed(dag_id, run["dag_run_id"], tasks)
        if run["state"] == "success":
            if any(task["state"] == "skipped" for task in tasks):
                raise _skipped(dag_id)
            self._done.append(dag_id)
            self._run_id, self._since = None, time.monotonic()
        return Progress(tuple(self._done), dag_id, tuple(_state(task) for task in tasks))

    def _find(self, dag_id: str) -> dict[str, Any] | None:
        runs = self._api.runs(dag_id)
        if self._run_id:
            return next(run for run in runs if run["dag_run_id"] == self._run_id)
        young = [run for run in runs if datetime.fromisoformat(run["run_after"]) >= self._born]
        if young:
            self._run_id = str(young[-1]["dag_run_id"])
        elif time.monotonic() - self._since > _STRANDED_S:
            # Airflow may strand an asset's event until the next one; a person would press the button too.
            self._run_id = self._api.trigger(dag_id, params={}, note="资产事件滞留，补触发 / asset event was stranded")
        return None

    def _failed(self, dag_id: str, run_id: str, tasks: list[dict[str, Any]]) -> Refusal:
        culprit = next((task for task in tasks if task["state"] == "failed"), None)
        name = culprit["task_id"] if culprit else "?"
        told = self._api.failure(dag_id, run_id, culprit).rstrip("。. ") if culprit else ""
        return Refusal(
            "E-CHAIN-FAILED",
            Message(f"{dag_id}.{name} 失败：{told}。", f"{dag_id}.{name} failed: {told}."),
            Message("请在 Airflow 中查看其日志。", "See its log in Airflow."),
        )


def _skipped(dag_id: str) -> Refusal:
    return Refusal(
        "E-CHAIN-SKIPPED",
        Message(f"{dag_id} 没有结果可传下去。", f"{dag_id} has nothing to hand on."),
        Message("请在 Airflow 中查看该次运行。", "Look at its run in Airflow."),
    )


def await_dags(api: AirflowApi, *, limit_s: float) -> None:
    """Wait until every DAG of the chain is parsed; one that cannot be imported, or is paused, is refused."""
    deadline = time.monotonic() + limit_s
    while missing := set(CHAIN) - set(known := api.dags()):
        errors = api.import_errors()
        if errors or time.monotonic() > deadline:
            told = "; ".join(f"{name}: {error.strip().splitlines()[-1]}" for name, error in errors.items())
            raise Refusal(
                "E-DAG-IMPORT",
                Message(f"DAG 未能加载：{sorted(missing)} {told}", f"DAGs were not loaded: {sorted(missing)} {told}"),
                Message("请修正 dags/ 中的文件。", "Mend the files in dags/."),
            )
        time.sleep(LOOK_S)
    paused = sorted(name for name in CHAIN if known[name]["is_paused"])
    if paused:
        raise Refusal(
            "E-DAG-PAUSED",
            Message(f"已暂停：{paused}。", f"Paused: {paused}."),
            Message("请在 Airflow 中打开其开关。", "Switch them on in Airflow."),
        )


def trigger(api: AirflowApi, deliveries: Path) -> tuple[str, datetime]:
    """Start the chain on a folder of deliveries and return its first run's id and birth."""
    params = {"deliveries": str(deliveries), "always_continue": True}
    run_id = api.trigger(CHAIN[0], params=params, note="headwater demo")
    born = next(run["run_after"] for run in api.runs(CHAIN[0]) if run["dag_run_id"] == run_id)
    return run_id, datetime.fromisoformat(born)


def _state(task: Mapping[str, Any]) -> TaskState:
    shown = task.get("rendered_map_index") or (task["map_index"] if task["map_index"] >= 0 else "")
    name = task.get("task_display_name") or task["task_id"]
    return TaskState(f"{name} {shown}".strip(), task["state"] or "waiting")
