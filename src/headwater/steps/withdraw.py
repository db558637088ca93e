"""Withdraw: a hospital or a patient leaves; what they gave is subtracted from the model that serves, and certified."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

import duckdb

from headwater.adapters import held, knowledge, lake, mlflow, postgres, versions, withdrawals
from headwater.adapters.home import Home
from headwater.adapters.knowledge import Run
from headwater.errors import Message
from headwater.evolution import BASE
from headwater.steps import audit
from headwater.steps.leaving import Leaving, Places, found
from headwater.steps.register import register, registered_name
from headwater.steps.shrinking import Shrinking
from headwater.types import SourceId

__all__ = ["Outcome", "Taken", "WithdrawReport", "withdraw"]

Outcome: TypeAlias = Literal["subtracted", "absent", "sums", "none"]
"""``absent``: nothing of it was in the model; ``sums``: the region knows the model's sources as sums only, so nothing
could be subtracted; ``none``: no model serves."""


@dataclass(frozen=True)
class Taken:
    """What became of the model that serves in one region.

    Parameters
    ----------
    entry : of the withdrawal in the audit log
    before, after : labels of the versions that served before and serve now
    certificate : what was subtracted and proved; None where nothing was
    why : what happened, and what is to be done where something is
    """

    places: Places
    entry: int
    outcome: Outcome
    before: str | None
    after: str | None
    certificate: Mapping[str, Any] | None
    why: Message
    remedy: Message | None = None


@dataclass(frozen=True)
class WithdrawReport:
    """What a withdrawal did, region by region."""

    run: str
    task: str
    taken: tuple[Taken, ...]

    @property
    def is_complete(self) -> bool:
        """Whether no model that serves holds anything of whoever withdrew."""
        return all(one.outcome != "sums" for one in self.taken)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON-safe values; single stays are counted, not named."""
        lines = [
            {
                **{name: getattr(one, name) for name in ("entry", "outcome", "before", "after", "certificate")},
                "region": one.places.region,
                "stays": len(one.places.stays),
                "members": list(one.places.members),
                "why": asdict(one.why),
                "remedy": asdict(one.remedy) if one.remedy else None,
            }
            for one in self.taken
        ]
        return {"run": self.run, "task": self.task, "is_complete": self.is_complete, "regions": lines}


def withdraw(home: Home, *, run: Run, leaving: Leaving, task: str = "stay_cost") -> WithdrawReport:
    """Enter a withdrawal, which every later reading of features minds, and subtract it from what serves.

    The entry comes first: from then on nothing of them is learned from, whatever becomes of the model. Repeated after
    it broke off, it goes on from there.

    Raises
    ------
    Refusal
        ``E-WITHDRAW-WHO``, ``E-WITHDRAW-UNKNOWN``
    HeadwaterError
        ``E-WITHDRAW-INEXACT`` where the model without them is not what retraining without them gives; the version
        that served goes on, and nothing is registered
    """
    with lake.connect(home) as connection:
        knowledge.prepare(home, connection)
        snapshot = lake.snapshot(connection)
        taken = []
        for places in found(connection, leaving, task=task, snapshot=snapshot):
            case = _Case(home, connection, run, task, leaving, places)
            entry = case.enter()
            with postgres.alone(home, task=task, region=places.region):
                taken.append(case.take(entry))
    return WithdrawReport(run.name, task, tuple(taken))


@dataclass(frozen=True)
class _Case:
    """One withdrawal in one region."""

    home: Home
    connection: duckdb.DuckDBPyConnection
    run: Run
    task: str
    leaving: Leaving
    places: Places

    def enter(self) -> int:
        """Enter the withdrawal; from now on it is minded by whoever reads features."""
        places = self.places
        told = {**self.leaving.told, "region": places.region, "members": places.members, "stays": len(places.stays)}
        row = {
            **self.run.key(self.task, places.region),
            "as_of": self.run.as_of,
            "snapshot": lake.snapshot(self.connection),
            "source": self.leaving.source,
            "person": self.leaving.person,
            "stays": list(places.stays),
            "members": list(places.members),
        }
        told |= {"task": self.task, "run": self.run.name}
        return withdrawals.enter(self.home, self.connection, told, row)

    def take(self, entry: int) -> Taken:
        """Subtract what is pending from the version that serves."""
        region, name = self.places.region, registered_name(self.task, self.places.region)
        serving = mlflow.champion(self.home, name)
        if serving is None:
            return Taken(self.places, entry, "none", None, None, None, _NONE)
        line = versions.line(self.connection, name, serving.number)
        concerned = withdrawals.members_since(self.connection, region=region, since=line.withdrawn)
        if not concerned & {*line.sources, BASE}:
            return Taken(self.places, entry, "absent", line.label, line.label, None, _ABSENT)
        with postgres.connect(self.home) as ops:
            kept = held.load(ops, name, serving.number)
        if kept is None:
            return Taken(self.places, entry, "sums", line.label, line.label, None, _sums(line), _JOIN_ANEW)
        shrinking = Shrinking.of(self.home, self.connection, serving, line, kept)
        if shrinking.growth.total == kept.growth.total:
            return Taken(self.places, entry, "absent", line.label, line.label, None, _ABSENT)
        return self._register(entry, shrinking, concerned)

    def _register(self, entry: int, shrinking: Shrinking, concerned: set[SourceId]) -> Taken:
        """Make what is left a version that takes the place of the one that serves, and forget what was held of them."""
        certificate = {
            **shrinking.certificate(),
            **self.leaving.told,
            "at": self.run.at.isoformat(),
            "run": self.run.name,
            "entry": entry,
            "stays": len(self.places.stays),
            "not_undone": [asdict(one) for one in shrinking.not_undone(concerned)],
        }
        candidate = shrinking.candidate(certificate, entry=entry)
        version = register(self.home, self.connection, candidate, run=self.run).version
        with postgres.connect(self.home) as ops:
            purged = sum(held.purge(ops, version.name, one, before=version.number) for one in sorted(concerned))
        certificate |= {"version_after": version.label, "statistics_purged": purged}
        audit.enter(self.home, "certificate", certificate)
        return Taken(self.places, entry, "subtracted", shrinking.line.label, version.label, certificate, _SUBTRACTED)


def _sums(line: versions.Line) -> Message:
    return Message(
        f"{line.label} 由受保护的汇聚得到，统筹区只持有合计，没有单个来源的统计量可减；退出已登记，今后不再从中学习。",
        f"{line.label} was joined under protection: the region holds sums alone, and nothing single to subtract. "
        "The withdrawal is entered, and nothing of it is learned from any more.",
    )


_JOIN_ANEW = Message(
    "请运行 headwater aggregate 重新汇聚（不再询问已退出者）。若新旧合计之差会暴露退出者，计划会被拒绝："
    "请换一组来源，或由其与至少两家同时变动的来源在掩码下共同回答差额。",
    "Run headwater aggregate: it is joined anew without them. Where old and new sum would lay the leaver open, "
    "the plan is refused: join in other company, or let it answer the difference under masks with at least two others "
    "who change as well.",
)
_NONE = Message("没有现役模型；退出已登记。", "No model serves; the withdrawal is entered.")
_ABSENT = Message("现役模型中没有其记录；退出已登记。", "The model that serves has nothing of it; it is entered.")
_SUBTRACTED = Message(
    "已减去并登记新版本，与不含其记录的重新训练逐位相同。",
    "Subtracted and registered: bit for bit what retraining without them gives.",
)
