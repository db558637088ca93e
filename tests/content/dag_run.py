"""Runs DAGs of files in this process, on a metadata database of its own, and prints what came of each, as JSON."""

import json
import sys
from pathlib import Path

from airflow.dag_processing.dagbag import DagBag
from airflow.models.asset import AssetEvent
from airflow.utils.db import initdb
from airflow.utils.session import create_session
from sqlalchemy import select


def main(*asked: str) -> None:
    """Run each file, with the parameters that may follow it as JSON."""
    initdb()
    for one in asked:
        file, _, params = one.partition(" ")
        run = DagBag(file).dags[Path(file).stem].test(run_conf=json.loads(params or "{}"))
        with create_session() as session:
            events = [event.asset.name for event in session.scalars(select(AssetEvent))]
        tasks: dict[str, list[str]] = {}
        for instance in run.get_task_instances():
            tasks.setdefault(instance.task_id, []).append(str(instance.state))
        print(json.dumps({"state": str(run.state), "assets": events, "tasks": tasks}))


if __name__ == "__main__":
    main(*sys.argv[1:])
