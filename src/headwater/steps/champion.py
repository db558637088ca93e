"""Champion: which version serves, since when and why; every change stands in the audit log before it is made."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, TypeAlias

import duckdb

from headwater.adapters import audit as log
from headwater.adapters import knowledge, mlflow, postgres, versions
from headwater.adapters.home import Home
from headwater.adapters.knowledge import Run
from headwater.adapters.versions import Line
from headwater.errors import Message, Refusal
from headwater.steps import audit
from headwater.steps.comparison import Comparison

__all__ = ["Change", "Why", "require_open", "serve", "serving"]

Why: TypeAlias = Literal["better", "withdrawal", "promoted", "rollback"]
"""``better``: registered and better than what served; ``withdrawal``: it takes the place of a version that may serve no
more, whatever it scores; ``promoted`` and ``rollback``: by a person."""


@dataclass(frozen=True)
class Change:
    """A version comes to serve.

    Parameters
    ----------
    before : the version that it relieves, None where none served
    comparison : what was compared, None for a rollback
    """

    task: str
    region: str
    version: mlflow.Version
    before: mlflow.Version | None
    why: Why
    comparison: Comparison | None
    snapshot: int


def serving(home: Home, connection: duckdb.DuckDBPyConnection, name: str) -> mlflow.Version | None:
    """Return what serves now, once the lake tells of it: a change may have broken off before it was written there."""
    version = mlflow.champion(home, name)
    if version is not None:
        _tell(home, connection, version)
    return version


def serve(home: Home, connection: duckdb.DuckDBPyConnection, change: Change, *, run: Run) -> int:
    """Let the version serve from now on and return the number of the audit log's entry that tells of it.

    The log is told first and the lake last, from the log: neither people nor lineage read there of what does not serve.
    """
    version, before = change.version, change.before
    told = {"name": version.name, "version": version.number, "before": before.number if before else None}
    told |= {"task": change.task, "region": change.region, "snapshot": change.snapshot, "why": change.why}
    compared = change.comparison.to_dict() if change.comparison else {}
    entry = audit.enter(home, "champion", {**told, "run": run.name, "as_of": run.at, "compared": compared})
    mlflow.promote(home, version)
    _tell(home, connection, version)
    return entry


def _tell(home: Home, connection: duckdb.DuckDBPyConnection, version: mlflow.Version) -> None:
    """Let the lake know since when a version serves, if the newest change in the log is that and it does not yet."""
    with postgres.connect(home) as ops:
        changes = [(one.number, json.loads(one.body)) for one in log.entries(ops, kind="champion")]
    mine = [one for one in changes if one[1]["name"] == version.name]
    if not mine or mine[-1][1]["version"] != version.number:
        return
    entry, told = mine[-1]
    if (entry, version.number) in {(one.entry, one.version) for one in versions.served(connection, version.name)}:
        return
    as_of = datetime.fromisoformat(told.pop("as_of")).astimezone(UTC).replace(tzinfo=None)
    knowledge.insert(connection, "champion", [{**told.pop("compared"), **told, "entry": entry, "as_of": as_of}])


def require_open(connection: duckdb.DuckDBPyConnection, line: Line) -> None:
    """Refuse a version that was made with records that were withdrawn since: it may not serve again."""
    if gone := versions.withdrawn_from(connection, line):
        named = "、".join(gone), ", ".join(gone)
        raise Refusal(
            "E-VERSION-WITHDRAWN",
            Message(
                f"版本 {line.label} 含有已退出的记录（{named[0]}），不能再现役，也不能重现。",
                f"{line.label} was made with records that were withdrawn since ({named[1]}): it may not serve nor "
                "be computed again.",
            ),
            Message("请选择退出之后的版本。", "Name a version made after the withdrawal."),
        )
