"""Rollback: the version that served before serves again, at once; nothing is computed, everything is told."""

import time
from dataclasses import dataclass
from typing import Any

from headwater.adapters import knowledge, lake, mlflow, versions
from headwater.adapters.home import Home
from headwater.adapters.knowledge import Run
from headwater.errors import Message, Refusal
from headwater.steps.champion import Change, require_open, serve

__all__ = ["RolledBack", "rollback"]


@dataclass(frozen=True)
class RolledBack:
    """What serves now.

    Parameters
    ----------
    before, after : labels
    entry : in the audit log
    seconds : that the whole took
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

    Its predictions are there already, for they are kept by version.

    Raises
    ------
    Refusal
        ``E-ROLLBACK-NONE`` where there is nothing to go back to, ``E-VERSION-WITHDRAWN``
    """
    started = time.perf_counter()
    serving = mlflow.champion(home, name)
    if serving is None:
        raise _nothing(name)
    with lake.connect(home) as connection:
        knowledge.prepare(home, connection)
        served = versions.served(connection, name)
        back = to if to is not None else next((one.before for one in served if one.version == serving.number), None)
        if back is None or back == serving.number or back not in {one.version for one in served}:
            raise _nothing(name)
        line = versions.line(connection, name, back)
        require_open(connection, line)
        version = mlflow.numbered(home, name, back)
        change = Change(line.task, line.region, version, serving, "rollback", None, line.snapshot)
        entry = serve(home, connection, change, run=run)
    return RolledBack(serving.label, version.label, entry, time.perf_counter() - started)


def _nothing(name: str) -> Refusal:
    return Refusal(
        "E-ROLLBACK-NONE",
        Message(f"“{name}”没有可退回的曾现役版本。", f"{name} has no version to go back to that ever served."),
        Message("用 headwater model list 查看。", "See headwater model list."),
    )
