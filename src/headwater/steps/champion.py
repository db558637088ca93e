"""Champion: which version serves, since when and why; every change stands in the audit log before it is made."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import duckdb

from headwater.adapters import knowledge, mlflow, versions
from headwater.adapters.home import Home
from headwater.adapters.knowledge import Run
from headwater.adapters.versions import Line
from headwater.errors import Message, Refusal
from headwater.steps import audit
from headwater.steps.comparison import Comparison

__all__ = ["Change", "Why", "require_open", "serve"]

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


def serve(home: Home, connection: duckdb.DuckDBPyConnection, change: Change, *, run: Run) -> int:
    """Let the version serve from now on and return the number of the audit log's entry that tells of it."""
    version, before = change.version, change.before
    compared = change.comparison.to_dict() if change.comparison else {}
    told = {"name": version.name, "version": version.number, "before": before.number if before else None}
    entry = audit.enter(home, "champion", {**told, "why": change.why, "run": run.name, "compared": compared})
    key = run.key(change.task, change.region) | {"name": version.name, "version": version.number}
    row = {**compared, **told, "entry": entry, "why": change.why, "as_of": run.as_of, "snapshot": change.snapshot}
    knowledge.replace(connection, "champion", key=key, rows=[row])
    mlflow.promote(home, version)
    return entry


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
