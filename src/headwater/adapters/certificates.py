"""Certificates of withdrawals: they lie beside the version in MLflow, and are entered when it serves."""

import json
from pathlib import Path
from typing import Any

import duckdb

from headwater.adapters import audit, mlflow, postgres, versions
from headwater.adapters.home import Home
from headwater.adapters.versions import Line

__all__ = ["pending"]


def pending(home: Home, connection: duckdb.DuckDBPyConnection, name: str) -> list[tuple[Line, dict[str, Any]]]:
    """Return what came to serve after a withdrawal and has no entry ``certificate`` yet, each with what it proves."""
    with postgres.connect(home) as ops:
        entered = {json.loads(one.body)["version_after"] for one in audit.entries(ops, kind="certificate")}
    served = {one.version for one in versions.served(connection, name)}
    lines = [one for one in versions.lines(connection, name=name) if one.step == "withdraw" and one.version in served]
    return [(line, _stored(home, line)) for line in lines if line.label not in entered]


def _stored(home: Home, line: Line) -> dict[str, Any]:
    path = mlflow.client(home).download_artifacts(str(line.mlflow_run), "withdrawal.json")
    stored: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
    return stored
