"""Parses a folder of DAGs in a process of its own and prints what Airflow keeps of them, as JSON."""

import json
import sys

from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization

MACHINERY = frozenset(sys.modules)


def main(folder: str) -> None:
    bag = DagBag(folder)
    print(
        json.dumps(
            {
                "errors": bag.import_errors,
                "seconds": {stat.file: stat.duration.total_seconds() for stat in bag.dagbag_stats},
                "modules": sorted(set(sys.modules) - MACHINERY),
                "dags": {dag_id: DagSerialization.to_dict(dag)["dag"] for dag_id, dag in bag.dags.items()},
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1])
