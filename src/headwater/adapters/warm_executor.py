"""Airflow's local executor, whose workers fork from a scheduler that has imported what tasks are about to import."""

import ast
import gc
import importlib
import logging
from collections.abc import Iterator
from pathlib import Path

import duckdb
from airflow.configuration import conf
from airflow.executors.local_executor import LocalExecutor

__all__ = ["LATER", "WarmExecutor", "preload", "wanted"]

LATER = (
    "dbt.adapters.duckdb.connections",
    "dbt.cli.main",
    "headwater.adapters.gx",
    "headwater.adapters.matchers",
    "mlflow.artifacts",
    "mlflow.pyfunc",
)
"""What several tasks import inside functions. Torch is not here: retraining alone wants it, for 180 MB."""


class WarmExecutor(LocalExecutor):
    """A task forks from a worker and a worker from the scheduler, so an import made here is made once, not once a task.

    New code of the engine therefore counts from the scheduler's next start; DAGs, models and plans are read as before.
    """

    def start(self) -> None:
        """Import, then fork the workers."""
        preload(Path(conf.get_mandatory_value("core", "dags_folder")))
        super().start()


def preload(dags: Path) -> None:
    """Import what the tasks under ``dags`` want of the engine, and leave no thread that a fork would lose.

    A module that cannot be imported is logged: the task that wants it fails by itself and says why.
    """
    for module in sorted({*wanted(dags), *LATER}):
        try:
            importlib.import_module(module)
        except (Exception, SystemExit):  # noqa: BLE001 - as in Airflow, a module that fails fails its own task alone.
            logging.getLogger("headwater").warning("%s could not be imported beforehand", module, exc_info=True)
    # DuckDB opens a database at import, with a thread of its own. No lake is read through it.
    duckdb.default_connection().close()
    # What is alive now is frozen by the local executor, so that no collection copies its pages in every task.
    gc.collect()


def wanted(dags: Path) -> Iterator[str]:
    """Yield the modules of the engine that DAG files import, inside tasks too, as ``import a`` or ``from a import``."""
    for file in sorted(dags.glob("*.py")):
        try:
            nodes = [*ast.walk(ast.parse(file.read_bytes()))]
        except (OSError, SyntaxError, ValueError):
            continue  # Airflow reports it, with the line.
        for node in nodes:
            if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                names = [node.module]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            else:
                names = []
            yield from (name for name in names if name.split(".")[0] == "headwater")
