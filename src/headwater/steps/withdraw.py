"""Withdraw: a hospital or a patient leaves; what they gave is subtracted from the model that serves, and certified."""

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, TypeAlias

import duckdb

from headwater.adapters import certificates, evolved, held, knowledge, lake, mlflow, postgres, versions, withdrawals
from headwater.adapters.home import Home
from headwater.adapters.knowledge import Run
from headwater.claims.signing import signed as by_whom
from headwater.errors import HeadwaterError, Message, Refusal
from headwater.steps import audit
from headwater.steps.champion import serving
from headwater.steps.forget import forget
from headwater.steps.leaving import Leaving, Places, bases_of, found
from headwater.steps.minded import require_minded
from headwater.steps.register import Registered, register, registered_name
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
    certificate : what was subtracted and proved, maybe with what others withdrew, maybe before; None where nothing was
    why : what happened, and what is to be done where something is
    code : of the error, where it failed
    unread : labels of versions whose certificate is due and cannot be read now
    closed : labels of versions that served before and may not serve again
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
    unread: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()


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
                "unread": list(one.unread),
                "closed": list(one.closed),
                "why": asdict(one.why),
                "remedy": asdict(one.remedy) if one.remedy else None,
            }
            for one in self.taken
        ]
        return {"run": self.run, "is_complete": self.is_complete, "models": lines}


def withdraw(home: Home, *, run: Run, leaving: Leaving, signed: tuple[str, str]) -> WithdrawReport:
    """Enter a withdrawal, which every later reading of features minds, and subtract it from whatever serves.

    Records are withdrawn, so it is every model that was made with them, whatever its task. All entries come first: from
    then on nothing of them is learned from, whatever becomes of the models; where a model fails, that is told, and the
    others are not kept waiting. Repeated after it broke off, it enters nothing twice and goes on from there: with
    subtracting, with forgetting what is held, or with the certificate.

    Parameters
    ----------
    signed : who has it entered, and why; both are kept in lake and audit log

    Raises
    ------
    Refusal
        ``E-WITHDRAW-WHO``, ``E-WITHDRAW-WHY``, ``E-WITHDRAW-UNKNOWN``, ``E-FEATURE-MART``
    """
    signed = by_whom(signed, code="E-WITHDRAW-WHY")
    with lake.connect(home) as connection:
        knowledge.prepare(home, connection)
        evolved.prepare(home, connection)
        withdrawals.adopt(home, connection)
        entered = _entered(home, connection, run, leaving, signed)
        taken = tuple(case.settle(entry) for case, entry in entered)
    return WithdrawReport(run.name, taken)


def _entered(
    home: Home, connection: duckdb.DuckDBPyConnection, run: Run, leaving: Leaving, signed: tuple[str, str]
) -> list[tuple["_Case", int]]:
    """Enter the withdrawal wherever its records are, and look again until that enters nothing new.

    So what is built, planned or registered between looking and entering is found; what comes later minds the entry.
    """
    before: list[int] = []
    while True:
        bases = bases_of(home, connection)
        places = found(connection, leaving, snapshot=lake.snapshot(connection), bases=bases)
        cases = [_Case(home, connection, run, leaving, signed, one) for one in places]
        entered = [(case, case.enter()) for case in cases]
        if (now := [entry for _, entry in entered]) == before:
            return entered
        before = now


@dataclass(frozen=True)
class _Case:
    """One withdrawal from one task in one region."""

    home: Home
    connection: duckdb.DuckDBPyConnection
    run: Run
    leaving: Leaving
    signed: tuple[str, str]
    places: Places

    @property
    def name(self) -> str:
        """The region's model in the registry."""
        return registered_name(self.places.task or "", self.places.region or "")

    def enter(self) -> int:
        """Enter what is not entered yet; from now on it is minded by whoever reads features."""
        leaving = self.leaving
        who = {"source": leaving.source, "person": leaving.person, "stay": leaving.stay}
        known = withdrawals.in_force(self.connection, **who)
        here = [one for one in known if (one.task, one.region) == (self.places.task, self.places.region)]
        places = self.places.beyond(here)
        if here and not places.members and not places.stays:
            return here[-1].entry
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
            "records": [asdict(one) for one in places.records] or None,
            "looked": list(places.looked) or None,
            "signed_by": self.signed[0],
            "why": self.signed[1],
        }
        told |= {"task": places.task, "run": self.run.name, "by": self.signed[0], "why": self.signed[1]}
        return withdrawals.enter(self.home, self.connection, told, row)

    def settle(self, entry: int) -> Taken:
        """Subtract it, forget what is held of it, and certify; what goes wrong is told, and keeps nobody waiting."""
        task, region = self.places.task, self.places.region
        if task is None or region is None:
            return Taken(self.places, entry, "absent", None, None, None, _NEVER)
        serves = None
        try:
            with postgres.alone(self.home, task=task, region=region, who=f"withdraw {self.run.name}"):
                serves = serving(self.home, self.connection, self.name)
                # What the lake tells of the version decides what is left to subtract.
                require_minded(self.home, self.connection)
                return self._settle(entry, serves)
        except HeadwaterError as error:
            why = error
        # A registry that does not answer, or a race that was lost, is no reason to leave other regions alone.
        except Exception as error:  # noqa: BLE001
            why = _failed(self.name, error)
        label = serves.label if serves else None
        return Taken(self.places, entry, "failed", label, label, None, why.reason, why.remedy, code=why.code)

    def _settle(self, entry: int, serves: mlflow.Version | None) -> Taken:
        forgotten = self._forget(serves)
        taken, further = self._take(entry, serves)
        return self._certified(taken, forgotten + further)

    def _take(self, entry: int, serves: mlflow.Version | None) -> tuple[Taken, int]:
        """Subtract what is pending from the version that serves, and tell of how many others something was deleted."""
        if serves is None:
            return Taken(self.places, entry, "none", None, None, None, _NONE), 0
        line = versions.line(self.connection, self.name, serves.number)
        if not versions.withdrawn_from(self.connection, line):
            return Taken(self.places, entry, "absent", line.label, line.label, None, _ABSENT), 0
        with postgres.connect(self.home) as ops:
            kept = held.load(ops, self.name, serves.number)
        if kept is None:
            return self._sums(entry, line), 0
        shrinking, registered = self._shrunk(entry, serves, line, kept)
        told: tuple[Outcome, Message] = ("subtracted", _SUBTRACTED) if shrinking.steps else ("absent", _PROVEN)
        label = registered.version.label
        return Taken(self.places, entry, told[0], line.label, label, None, told[1]), registered.forgotten

    def _shrunk(
        self, entry: int, serves: mlflow.Version, line: versions.Line, kept: held.Held
    ) -> tuple[Shrinking, Registered]:
        """Register the version without all that withdrew, whoever is entered meanwhile."""
        while True:
            shrinking = Shrinking.of(self.home, self.connection, serves, line, kept)
            certificate = {**shrinking.certificate(), "at": self.run.at.isoformat(), "run": self.run.name}
            candidate = shrinking.candidate(certificate, entry=entry)
            try:
                return shrinking, register(self.home, self.connection, candidate, run=self.run)
            except Refusal as refusal:
                # Entered while this was computed: they are subtracted together.
                if refusal.code != "E-REGISTER-WITHDRAWN":
                    raise

    def _sums(self, entry: int, line: versions.Line) -> Taken:
        """Tell that nothing can be subtracted, and what was released for good."""
        members = versions.members(self.connection, line.name, line.version)
        concerned = set(self.places.members)
        released = any(one.epsilon for one in members if one.source in concerned)
        why, remedy = (_purged(line), _LEARN_ANEW) if line.is_held else (_sums(line, released), _JOIN_ANEW)
        return Taken(self.places, entry, "sums", line.label, line.label, None, why, remedy)

    def _forget(self, serves: mlflow.Version | None) -> int:
        """Delete what is held of versions that were withdrawn from; return how many they were.

        What a whole source said to be followed goes as well; of single stays, an answer is asked for anew without them.
        """
        if self.leaving.source is not None:
            key = {"task": self.places.task, "region": self.places.region}
            evolved.unhear(self.connection, key=key, sources=self.places.members)
        return forget(self.home, self.connection, self.name, serves=serves.number if serves else None)

    def _certified(self, taken: Taken, forgotten: int) -> Taken:
        """Enter the certificates that are due, also of a run that broke off before, and tell the one that covers this.

        It may be another's: whoever comes first subtracts all that is entered.
        """
        unread = []
        for line, stored in certificates.pending(self.home, self.connection, self.name):
            if stored is None:
                unread.append(line.label)
                continue
            certificate = {**stored, "version_after": line.label, "statistics_purged": forgotten}
            audit.enter(self.home, "certificate", certificate)
            if certificate["steps"] and certificates.covers(certificate, taken.entry):
                before = certificate["version_before"]
                taken = replace(taken, outcome="subtracted", before=before, after=line.label, why=_SUBTRACTED)
        mine = certificates.of(self.home, self.name, taken.entry)
        return replace(taken, certificate=mine, unread=tuple(unread), closed=self._closed())

    def _closed(self) -> tuple[str, ...]:
        """Return which versions served before and may not again, the oldest first."""
        numbers = sorted({one.version for one in versions.served(self.connection, self.name)})
        lines = [versions.line(self.connection, self.name, number) for number in numbers]
        return tuple(line.label for line in lines if versions.withdrawn_from(self.connection, line))


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


def _failed(name: str, error: Exception) -> HeadwaterError:
    # The text of a foreign exception may quote a record: it goes to the log alone.
    logging.getLogger("headwater").error("withdraw %s", name, exc_info=error)
    told = type(error).__name__
    return HeadwaterError(
        "E-WITHDRAW-FAILED",
        Message(
            f"退出已登记，但从 {name} 减去时出错：{told}。",
            f"The withdrawal is entered, but subtracting it from {name} failed: {told}.",
        ),
        Message("排除原因后，用同一命令重试。", "Mend the cause, then run the same command again."),
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
_PROVEN = Message(
    "现役模型中没有其记录，已经证明；同样的参数作为退出之后的版本现役。",
    "The model that serves had nothing of it, which was proven; the same parameters serve on as a version of after it.",
)
_NEVER = Message(
    "其住院未用于任何学习；退出已登记，今后也不会。",
    "None of their stays is learned from; it is entered, and none ever will be.",
)
_SUBTRACTED = Message(
    "已减去并登记新版本，与不含其记录的重新训练逐位相同。",
    "Subtracted and registered: bit for bit what retraining without them gives.",
)
