"""Withdraw: a hospital or a patient leaves; what they gave is subtracted from the model that serves, and certified."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, TypeAlias

import duckdb

from headwater.adapters import certificates, evolved, held, knowledge, lake, mlflow, postgres, versions, withdrawals
from headwater.adapters.home import Home
from headwater.adapters.knowledge import Run
from headwater.errors import HeadwaterError, Message
from headwater.steps import audit
from headwater.steps.leaving import Leaving, Places, found
from headwater.steps.register import register, registered_name
from headwater.steps.shrinking import Shrinking

__all__ = ["Outcome", "Taken", "WithdrawReport", "withdraw"]

Outcome: TypeAlias = Literal["subtracted", "absent", "sums", "none", "failed"]
"""``absent``: nothing of it was in the model; ``sums``: nothing single is held of the model's sources, so nothing could
be subtracted; ``none``: no model serves; ``failed``: the withdrawal is entered, the model that served goes on."""


@dataclass(frozen=True)
class Taken:
    """What became of the model that serves a task in one region.

    Parameters
    ----------
    entry : of the withdrawal in the audit log
    before, after : labels of the versions that served before and serve now
    certificate : what was subtracted and proved; None where nothing was
    why : what happened, and what is to be done where something is
    code : of the error, where it failed
    """

    places: Places
    entry: int
    outcome: Outcome
    before: str | None
    after: str | None
    certificate: Mapping[str, Any] | None
    why: Message
    remedy: Message | None = None
    code: str | None = None


@dataclass(frozen=True)
class WithdrawReport:
    """What a withdrawal did, by task and region."""

    run: str
    taken: tuple[Taken, ...]

    @property
    def is_complete(self) -> bool:
        """Whether no model that serves holds anything of whoever withdrew."""
        return all(one.outcome not in ("sums", "failed") for one in self.taken)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON-safe values; single stays are counted, not named."""
        lines = [
            {
                **{name: getattr(one, name) for name in ("entry", "outcome", "before", "after", "certificate", "code")},
                "task": one.places.task,
                "region": one.places.region,
                "stays": len(one.places.stays),
                "members": list(one.places.members),
                "why": asdict(one.why),
                "remedy": asdict(one.remedy) if one.remedy else None,
            }
            for one in self.taken
        ]
        return {"run": self.run, "is_complete": self.is_complete, "models": lines}


def withdraw(home: Home, *, run: Run, leaving: Leaving) -> WithdrawReport:
    """Enter a withdrawal, which every later reading of features minds, and subtract it from whatever serves.

    Records are withdrawn, so it is every model that was made with them, whatever its task. All entries come first: from
    then on nothing of them is learned from, whatever becomes of the models; where a model fails, that is told, and the
    others are not kept waiting. Repeated after it broke off, it enters nothing twice and goes on from there: with
    subtracting, with forgetting what is held, or with the certificate.

    Raises
    ------
    Refusal
        ``E-WITHDRAW-WHO``, ``E-WITHDRAW-UNKNOWN``, ``E-FEATURE-MART``
    """
    with lake.connect(home) as connection:
        knowledge.prepare(home, connection)
        evolved.prepare(home, connection)
        withdrawals.adopt(home, connection)
        lines = versions.lines(connection)
        places = found(connection, leaving, snapshot=lake.snapshot(connection), lines=lines)
        cases = [_Case(home, connection, run, leaving, one) for one in places]
        entered = [(case, case.enter()) for case in cases]
        taken = tuple(case.settle(entry) for case, entry in entered)
    return WithdrawReport(run.name, taken)


@dataclass(frozen=True)
class _Case:
    """One withdrawal from one task in one region."""

    home: Home
    connection: duckdb.DuckDBPyConnection
    run: Run
    leaving: Leaving
    places: Places

    @property
    def name(self) -> str:
        """The region's model in the registry."""
        return registered_name(self.places.task or "", self.places.region or "")

    def enter(self) -> int:
        """Enter the withdrawal, if it is not yet; from now on it is minded by whoever reads features."""
        places, leaving = self.places, self.leaving
        who = {"source": leaving.source, "person": leaving.person, "stay": leaving.stay}
        known = withdrawals.in_force(self.connection, **who)
        if here := [one.entry for one in known if (one.task, one.region) == (places.task, places.region)]:
            return here[-1]
        told = {**leaving.told, "region": places.region, "members": places.members, "stays": len(places.stays)}
        row = {
            "run": self.run.name,
            "task": places.task,
            "region": places.region,
            "as_of": self.run.as_of,
            "snapshot": lake.snapshot(self.connection),
            "source": leaving.source,
            "person": leaving.person,
            "stays": list(places.stays),
            "members": list(places.members),
        }
        told |= {"task": places.task, "run": self.run.name}
        return withdrawals.enter(self.home, self.connection, told, row)

    def settle(self, entry: int) -> Taken:
        """Subtract it, forget what is held of it, and certify; whatever went wrong is told."""
        task, region = self.places.task, self.places.region
        if task is None or region is None:
            return Taken(self.places, entry, "absent", None, None, None, _NEVER)
        with postgres.alone(self.home, task=task, region=region):
            return self._settle(entry)

    def _settle(self, entry: int) -> Taken:
        serving = mlflow.champion(self.home, self.name)
        try:
            forgotten = self._forget(serving)
            taken = self._take(entry, serving)
            if taken.after != taken.before:
                forgotten += self._forget(mlflow.champion(self.home, self.name))
            return replace(taken, **self._certified(entry, forgotten))
        except HeadwaterError as error:
            label = serving.label if serving else None
            return Taken(self.places, entry, "failed", label, label, None, error.reason, error.remedy, code=error.code)

    def _take(self, entry: int, serving: mlflow.Version | None) -> Taken:
        """Subtract what is pending from the version that serves."""
        if serving is None:
            return Taken(self.places, entry, "none", None, None, None, _NONE)
        line = versions.line(self.connection, self.name, serving.number)
        if not versions.withdrawn_from(self.connection, line):
            return Taken(self.places, entry, "absent", line.label, line.label, None, _ABSENT)
        with postgres.connect(self.home) as ops:
            kept = held.load(ops, self.name, serving.number)
        if kept is None:
            return self._sums(entry, line)
        shrinking = Shrinking.of(self.home, self.connection, serving, line, kept)
        if shrinking.growth.total == kept.growth.total:
            return Taken(self.places, entry, "absent", line.label, line.label, None, _ABSENT)
        certificate = {
            **shrinking.certificate(),
            **self.leaving.told,
            "at": self.run.at.isoformat(),
            "run": self.run.name,
            "entry": entry,
            "stays": len(self.places.stays),
        }
        candidate = shrinking.candidate(certificate, entry=entry)
        version = register(self.home, self.connection, candidate, run=self.run).version
        return Taken(self.places, entry, "subtracted", line.label, version.label, None, _SUBTRACTED)

    def _sums(self, entry: int, line: versions.Line) -> Taken:
        """Tell that nothing can be subtracted, and what was released for good."""
        members = versions.members(self.connection, line.name, line.version)
        concerned = set(self.places.members)
        released = any(one.epsilon for one in members if one.source in concerned)
        why, remedy = (_purged(line), _LEARN_ANEW) if line.is_held else (_sums(line, released), _JOIN_ANEW)
        return Taken(self.places, entry, "sums", line.label, line.label, None, why, remedy)

    def _forget(self, serving: mlflow.Version | None) -> int:
        """Delete what is held of versions that were withdrawn from, but the one that serves; return how many they were.

        What a whole source said to be followed goes as well; of single stays, an answer is asked for anew without them.
        """
        if self.leaving.source is not None:
            key = {"task": self.places.task, "region": self.places.region}
            evolved.unhear(self.connection, key=key, sources=self.places.members)
        but = serving.number if serving else None
        lines = [line for line in versions.lines(self.connection, name=self.name) if line.version != but]
        gone = [line.version for line in lines if versions.withdrawn_from(self.connection, line)]
        with postgres.connect(self.home) as ops:
            return held.purge(ops, self.name, gone)

    def _certified(self, entry: int, forgotten: int) -> dict[str, Any]:
        """Enter the certificates that are due, also of a run that broke off before; return what this one came to."""
        mine: dict[str, Any] = {}
        for line, stored in certificates.pending(self.home, self.connection, self.name):
            certificate = {**stored, "version_after": line.label, "statistics_purged": forgotten}
            audit.enter(self.home, "certificate", certificate)
            if stored["entry"] == entry:
                before = stored["version_before"]
                mine = {"outcome": "subtracted", "before": before, "after": line.label, "why": _SUBTRACTED}
                mine["certificate"] = certificate
        return mine


def _sums(line: versions.Line, released: bool) -> Message:
    told = Message(
        f"{line.label} 由受保护的汇聚得到，统筹区只持有合计，没有单个来源的统计量可减；退出已登记，今后不再从中学习。",
        f"{line.label} was joined under protection: the region holds sums alone, and nothing single to subtract. "
        "The withdrawal is entered, and nothing of it is learned from any more.",
    )
    if not released:
        return told
    return Message(
        told.zh + "在 ε 之下已发布的和数收不回，其隐私支出仍记在账上。",
        told.en + " Sums released under ε cannot be called back; what they cost stays in the ledger.",
    )


def _purged(line: versions.Line) -> Message:
    return Message(
        f"{line.label} 的在册统计量此前已随另一退出删除，无从减去；退出已登记，今后不再从中学习。",
        f"What was held of {line.label} went with a withdrawal before: there is nothing to subtract from. "
        "The withdrawal is entered, and nothing of it is learned from any more.",
    )


_LEARN_ANEW = Message(
    "请运行 headwater evolve 或 headwater model retrain：新版本不含其记录，并接替现役版本。",
    "Run headwater evolve or headwater model retrain: what is learned anew without them relieves what serves.",
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
_NEVER = Message(
    "其住院未用于任何学习；退出已登记，今后也不会。",
    "None of their stays is learned from; it is entered, and none ever will be.",
)
_SUBTRACTED = Message(
    "已减去并登记新版本，与不含其记录的重新训练逐位相同。",
    "Subtracted and registered: bit for bit what retraining without them gives.",
)
