"""Rollback: the version that served before serves again, at once; nothing is computed, everything is told."""

import time
from dataclasses import dataclass
from typing import Any

import duckdb

from headwater.adapters import knowledge, lake, mlflow, postgres, versions
from headwater.adapters.home import Home
from headwater.adapters.knowledge import Run
from headwater.errors import Message, Refusal
from headwater.steps.champion import Change, require_open, serve, serving
from headwater.steps.minded import require_minded

__all__ = ["RolledBack", "rollback"]


@dataclass(frozen=True)
class RolledBack:
    """What serves now.

    Parameters
    ----------
    before, after : labels
    entry : in the audit log
    seconds : that the whole took, waiting and the look into the audit log included
    """

    before: str
    after: str
    entry: int
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON-safe values."""
        return {"before": self.before, "after": self.after, "entry": self.entry, "seconds": round(self.seconds, 3)}


def rollback(home: Home, *, run: Run, name: str, to: int | None = None) -> RolledBack:
    """Let the version serve again that served before, or version ``to``, which must have served once.

    What served before a version that was gone back to is what served before it then: done twice, it goes two steps
    back. Its predictions are there already, for they are kept by version.

    Raises
    ------
    Refusal
        ``E-ROLLBACK-NONE`` where there is nothing to go back to, ``E-VERSION-WITHDRAWN``, ``E-WITHDRAWAL-LOST``
    """
    started = time.perf_counter()
    with lake.connect(home) as connection:
        knowledge.prepare(home, connection)
        first = next(iter(versions.lines(connection, name=name)), None)
        if first is None:
            raise _nothing(name)
        with postgres.alone(home, task=first.task, region=first.region, who=f"rollback {run.name}"):
            require_minded(home, connection)
            before, after, entry = _back(home, connection, run, name, to)
    return RolledBack(before, after, entry, time.perf_counter() - started)


def _back(
    home: Home, connection: duckdb.DuckDBPyConnection, run: Run, name: str, to: int | None
) -> tuple[str, str, int]:
    """Return the labels of what served and of what does now, and the entry in the audit log."""
    before = serving(home, connection, name)
    if before is None:
        raise _nothing(name)
    served = versions.served(connection, name)
    came = (one.before for one in served if one.version == before.number and one.why != "rollback")
    back = to if to is not None else next(came, None)
    if back is None or back == before.number or back not in {one.version for one in served}:
        raise _nothing(name)
    line = versions.line(connection, name, back)
    require_open(connection, line)
    version = mlflow.numbered(home, name, back)
    change = Change(line.task, line.region, version, before, "rollback", None, line.snapshot)
    entry = serve(home, connection, change, run=run)
    return before.label, version.label, entry


def _nothing(name: str) -> Refusal:
    return Refusal(
        "E-ROLLBACK-NONE",
        Message(f"“{name}”没有可退回的曾现役版本。", f"{name} has no version to go back to that ever served."),
        Message("用 headwater model list 查看。", "See headwater model list."),
    )
