"""Lineage: where a prediction comes from, whole: data, sources and their value then, protection, versions, checks."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import duckdb

from headwater.adapters import audit, lake, lineage, postgres, versions
from headwater.adapters.home import Home
from headwater.adapters.lineage import Drift, Paid, Predicted, Quality, Stay
from headwater.adapters.versions import Line, Member, Succession
from headwater.errors import Message, Refusal

__all__ = ["Lineage", "found", "lineage_of", "offered"]

_PARENTS = 50
"""How far back versions are followed."""


@dataclass(frozen=True)
class Lineage:
    """All that a prediction rests on.

    Parameters
    ----------
    shown : the prediction that is traced; ``predictions`` are those of every version
    stay : as it was when it was predicted, None where the lake keeps that snapshot no more
    paid : plan and policy, as they stand now
    line, members : the version and its sources, with what each was worth then
    served : when the version came to serve, the newest time first
    champion : number of the version that serves now
    drifts : how the sources stood when the version was made
    parents : the versions it goes on from, the nearest first
    withdrawn : of whom records were withdrawn since the version was made
    entries : of the audit log that tell of the version, with what they tell of
    """

    stay_id: str
    shown: Predicted
    predictions: tuple[Predicted, ...]
    stay: Stay | None
    paid: Paid
    line: Line
    members: tuple[Member, ...]
    served: tuple[Succession, ...]
    champion: int | None
    drifts: tuple[Drift, ...]
    quality: Quality | None
    parents: tuple[Line, ...]
    withdrawn: tuple[str, ...]
    entries: tuple[tuple[int, str], ...]

    @property
    def epsilon(self) -> float:
        """The largest ε that was debited for one of its sources."""
        return max((one.epsilon or 0.0 for one in self.members), default=0.0)

    def drift(self, source: str) -> Drift | None:
        """Return how one of the sources stood."""
        return next((one for one in self.drifts if one.source == source), None)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as values that JSON has, but for times and money."""
        return {**asdict(self), "epsilon": self.epsilon}


def lineage_of(home: Home, stay_id: str, *, version: int | None = None) -> Lineage:
    """Return where the prediction for a stay comes from, by default that of the version that serves.

    Raises
    ------
    Refusal
        ``E-LINEAGE-STAY`` where nothing was predicted for the stay, by that version or at all
    """
    with lake.connect(home, threads=1) as connection:
        return found(home, connection, stay_id, version=version)


def found(home: Home, connection: duckdb.DuckDBPyConnection, stay_id: str, *, version: int | None = None) -> Lineage:
    """Do the same through a connection that is open."""
    there = lineage.tables(connection)
    predicted = lineage.predictions(connection, stay_id) if "knowledge.prediction" in there else []
    if not predicted:
        raise _unknown(stay_id, version)
    name = predicted[0].name
    predicted = [one for one in predicted if one.name == name]
    history = versions.served(connection, name)
    serving = history[0].version if history else None
    wanted = version if version is not None else serving
    shown = next((one for one in predicted if one.version == wanted), None if version else predicted[0])
    if shown is None:
        raise _unknown(stay_id, version)
    known = versions.lines(connection, name=name)
    line = next((one for one in known if one.version == shown.version), None)
    if line is None:
        raise _unknown(stay_id, version)
    return Lineage(
        stay_id,
        shown,
        tuple(sorted(predicted, key=lambda one: (one.version != serving, -one.version))),
        lineage.stay(connection, stay_id, task=shown.task, snapshot=shown.snapshot),
        lineage.paid(connection, stay_id, there),
        line,
        tuple(versions.members(connection, name, line.version)),
        tuple(one for one in history if one.version == line.version),
        serving,
        tuple(lineage.drifts(connection, line, there)),
        lineage.quality(connection, snapshot=line.snapshot, there=there),
        _parents(line, known),
        versions.withdrawn_from(connection, line),
        _entries(home, line),
    )


def offered(connection: duckdb.DuckDBPyConnection, *, limit: int) -> list[tuple[str, str]]:
    """Return some stays that were predicted, with their regions; none before anything was."""
    if "knowledge.prediction" not in lineage.tables(connection):
        return []
    return lineage.some(connection, limit=limit)


def _parents(line: Line, known: Sequence[Line]) -> tuple[Line, ...]:
    by_label, found, at = {one.label: one for one in known}, list[Line](), line
    while at.parent in by_label and len(found) < _PARENTS:
        at = by_label[at.parent]
        found.append(at)
    return tuple(found)


def _entries(home: Home, line: Line) -> tuple[tuple[int, str], ...]:
    """Return the entries of the audit log that tell of a version: its registration, how it served, its certificate."""
    with postgres.connect(home) as connection:
        entries = [
            (entry.number, entry.kind)
            for kind in ("model_version", "champion", "certificate")
            for entry in audit.entries(connection, kind=kind)
            if _tells_of(kind, json.loads(entry.body), line)
        ]
    plan = [(line.entry, "plan")] if line.entry else []
    return tuple(sorted(plan + entries))


def _tells_of(kind: str, body: dict[str, Any], line: Line) -> bool:
    if kind == "certificate":
        return bool(body["version_after"] == line.label)
    return bool((body["name"], body["version"]) == (line.name, line.version))


def _unknown(stay_id: str, version: int | None) -> Refusal:
    by = ("", "") if version is None else (f"第 {version} 版", f" by version {version}")
    return Refusal(
        "E-LINEAGE-STAY",
        Message(f"{by[0]}没有对住院 {stay_id} 的预测。", f"Nothing was predicted for the stay {stay_id}{by[1]}."),
        Message(
            "请核对住院号；预测在登记模型时作出。", "Check the stay; predictions are made when a model is registered."
        ),
    )
