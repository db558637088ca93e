"""Certificates of withdrawals: they lie beside the version in MLflow, and are entered when it serves."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb

from headwater.adapters import audit, mlflow, postgres, versions
from headwater.adapters.home import Home
from headwater.adapters.versions import Line

__all__ = ["covers", "of", "pending"]


def pending(home: Home, connection: duckdb.DuckDBPyConnection, name: str) -> list[tuple[Line, dict[str, Any] | None]]:
    """Return what came to serve after a withdrawal and has no entry ``certificate`` yet, each with what it proves.

    That is None where it cannot be read now.
    """
    entered = {told["version_after"] for told in _entered(home)}
    served = {one.version for one in versions.served(connection, name)}
    lines = [one for one in versions.lines(connection, name=name) if one.step == "withdraw" and one.version in served]
    return [(line, _stored(home, line)) for line in lines if line.label not in entered]


def of(home: Home, name: str, entry: int) -> dict[str, Any] | None:
    """Return the newest certificate of a registered model that covers an entry of a withdrawal; None without any."""
    mine = [told for told in _entered(home) if told["version_after"].rpartition("/")[0] == name and covers(told, entry)]
    return mine[-1] if mine else None


def covers(certificate: Mapping[str, Any], entry: int) -> bool:
    """Return whether a certificate proves that what withdrew by an entry of the audit log is subtracted."""
    # Of before several were told, one has a single entry itself.
    return any(one["entry"] == entry for one in certificate.get("entries", [certificate]))


def _entered(home: Home) -> list[dict[str, Any]]:
    with postgres.connect(home) as ops:
        return [json.loads(one.body) for one in audit.entries(ops, kind="certificate")]


def _stored(home: Home, line: Line) -> dict[str, Any] | None:
    try:
        path = mlflow.client(home).download_artifacts(str(line.mlflow_run), "withdrawal.json")
        stored: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
    # The others are not kept from theirs, whatever the registry answers.
    except Exception as error:  # noqa: BLE001
        logging.getLogger("headwater").error("certificate of %s", line.label, exc_info=error)
        return None
    return stored
