"""Readmit: a person brings a source back that was removed for good."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from headwater.adapters import evolved, lake, postgres
from headwater.adapters.home import Home
from headwater.adapters.knowledge import insert
from headwater.errors import Message, Refusal
from headwater.evolution import Standing
from headwater.steps import audit, stands
from headwater.types import SourceId

__all__ = ["Readmitted", "readmit"]

_BACK: Standing = "trial"


@dataclass(frozen=True)
class Readmitted:
    """A source that is asked again.

    Parameters
    ----------
    after : the newest month that was followed; from the next one on it is asked and on trial
    entry : of the audit log
    """

    task: str
    region: str
    source: SourceId
    after: date
    entry: int

    def to_dict(self) -> dict[str, object]:
        """Return everything as JSON-safe values."""
        place = {"task": self.task, "region": self.region, "source": self.source}
        return {**place, "after": f"{self.after:%Y-%m}", "standing": _BACK, "entry": self.entry}


def readmit(home: Home, place: Mapping[str, str], *, by: str, why: str, at: datetime) -> Readmitted:
    """Put a removed source on trial from the next month that is followed; what it was worth before still counts.

    Parameters
    ----------
    place : ``task``, ``region`` and ``source``
    by, why : who decides, and the reason; both are kept in lake and audit log

    Raises
    ------
    Refusal
        ``E-READMIT-WHY`` without either, ``E-READMIT-STANDING`` for a source that is not removed
    """
    if not (by.strip() and why.strip()):
        raise _unsaid()
    task, region, source = (place[name] for name in ("task", "region", "source"))
    key = {"task": task, "region": region}
    with lake.connect(home, threads=1) as connection, postgres.alone(home, task=task, region=region, who="readmit"):
        evolved.prepare(home, connection)
        months, lines = (evolved.rows(connection, table, key=key) for table in ("evolution_month", "evolution"))
        past = stands.stands(months[-1:], lines)
        tick = past[-1].tick if past else None
        approved = stands.approvals(connection, key=key).get(tick.month, {}) if tick else {}
        now = {**tick.standings, **approved}.get(source) if tick else None
        if tick is None or now != "removed":
            raise _not_removed(source, region, now)
        told: dict[str, Any] = {**key, "source": source, "standing": _BACK, "approved": True, "person": by, "why": why}
        entry = audit.enter(home, "evolution_approval", {**told, "month": f"{tick.month:%Y-%m-%d}"})
        as_of = at.astimezone(UTC).replace(tzinfo=None)
        row = {**told, "month": tick.month, "as_of": as_of, "snapshot": lake.snapshot(connection)}
        insert(connection, "approval", [row], columns=evolved.TABLES["approval"])
    return Readmitted(task, region, source, tick.month, entry)


def _unsaid() -> Refusal:
    return Refusal(
        "E-READMIT-WHY",
        Message("须说明由谁、因何恢复。", "It must be said who brings it back, and why."),
        Message("请补充 --by 与 --why。", "Give --by and --why."),
    )


def _not_removed(source: SourceId, region: str, now: Standing | None) -> Refusal:
    zh, en = (f"其状态为 {now}", f"it is {now}") if now else ("其从未被跟踪", "it was never followed")
    return Refusal(
        "E-READMIT-STANDING",
        Message(f"“{region}”的来源“{source}”未被移除：{zh}。", f"Source {source} of {region} is not removed: {en}."),
        Message("只有已移除的来源需要恢复。", "Only a source that was removed can be brought back."),
    )
