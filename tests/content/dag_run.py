"""Runs one DAG of a folder in this process, on a metadata database of its own, and prints what came of it, as JSON."""

import json
import sys

from airflow.dag_processing.dagbag import DagBag
from airflow.models.asset import AssetEvent
from airflow.utils.db import initdb
from airflow.utils.session import create_session
from sqlalchemy import select


def main(file: str, dag_id: str) -> None:
    initdb()
    run = DagBag(file).dags[dag_id].test()
    with create_session() as session:
        events = [event.asset.name for event in session.scalars(select(AssetEvent))]
    print(json.dumps({"state": str(run.state), "assets": events}))


if __name__ == "__main__":
    main(*sys.argv[1:])
