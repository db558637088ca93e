"""Runs the DAGs that lines of its input ask for, on a metadata database of its own, and prints what came of each."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from airflow.dag_processing.dagbag import DagBag
from airflow.models.asset import AssetEvent
from airflow.utils.db import initdb
from airflow.utils.session import create_session
from sqlalchemy import select


def main(prepare: Callable[..., None] = lambda: None) -> None:
    """Run one DAG a line; ``prepare`` is told beforehand what the line says besides the file and its parameters."""
    initdb()
    for line in sys.stdin:
        print(json.dumps(_run(prepare=prepare, **json.loads(line))), flush=True)


def _run(file: str, params: dict[str, Any], *, prepare: Callable[..., None], **further: Any) -> dict[str, Any]:
    prepare(**further)
    run = DagBag(file).dags[Path(file).stem].test(run_conf=params)
    with create_session() as session:
        events = [event.asset.name for event in session.scalars(select(AssetEvent))]
    tasks: dict[str, list[str]] = {}
    for instance in run.get_task_instances():
        tasks.setdefault(instance.task_id, []).append(str(instance.state))
    return {"state": str(run.state), "assets": events, "tasks": tasks}


if __name__ == "__main__":
    main()
