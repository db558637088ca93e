"""Parses a folder of DAGs in a process of its own and prints what Airflow keeps of them, as JSON."""

import json
import sys
import time

STARTED = time.perf_counter()

from airflow.dag_processing.dagbag import DagBag  # noqa: E402
from airflow.serialization.serialized_objects import DagSerialization  # noqa: E402

MACHINERY = frozenset(sys.modules)
MACHINERY_S = time.perf_counter() - STARTED


def main(folder: str) -> None:
    bag = DagBag(folder)
    print(
        json.dumps(
            {
                "errors": bag.import_errors,
                "machinery_seconds": MACHINERY_S,
                "seconds": {stat.file: stat.duration.total_seconds() for stat in bag.dagbag_stats},
                "modules": sorted(set(sys.modules) - MACHINERY),
                "dags": {dag_id: DagSerialization.to_dict(dag)["dag"] for dag_id, dag in bag.dags.items()},
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1])
