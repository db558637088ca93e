"""Revoke: a withdrawal that was a mistake counts no more; what was made without them stays as it is."""

from dataclasses import dataclass

from headwater.adapters import knowledge, lake, postgres, withdrawals
from headwater.adapters.home import Home
from headwater.adapters.knowledge import Run
from headwater.claims.signing import signed as by_whom
from headwater.errors import Message, Refusal
from headwater.steps.leaving import Leaving

__all__ = ["Revoked", "revoke"]


@dataclass(frozen=True)
class Revoked:
    """A withdrawal that counts no more.

    Parameters
    ----------
    task, region : None where the person has no stays to learn from
    entry : of the revocation in the audit log
    revokes : the entry of the withdrawal
    """

    task: str | None
    region: str | None
    entry: int
    revokes: int


def revoke(home: Home, *, run: Run, leaving: Leaving, signed: tuple[str, str]) -> tuple[Revoked, ...]:
    """Let every withdrawal of a source, person or stay count no more, of whatever task and region.

    Whatever reads features next reads their records again, and versions made with them may serve again. No model
    changes, no certificate is taken back, and what was deleted of their statistics stays so.

    Parameters
    ----------
    signed : who revokes, and why; both are kept in lake and audit log

    Raises
    ------
    Refusal
        ``E-WITHDRAW-WHY``; ``E-WITHDRAW-NONE`` where they did not withdraw; a stay that withdrew with its person does
        so with that person
    """
    by, why = by_whom(signed, code="E-WITHDRAW-WHY")
    with lake.connect(home) as connection:
        knowledge.prepare(home, connection)
        known = withdrawals.in_force(connection, source=leaving.source, person=leaving.person, stay=leaving.stay)
        if not known:
            raise _none()
        found = []
        for one in known:
            row: dict[str, object] = {
                "run": run.name,
                "task": one.task,
                "region": one.region,
                "as_of": run.as_of,
                "snapshot": lake.snapshot(connection),
                "source": leaving.source,
                "person": leaving.person,
                "stays": [],
                "members": [],
                "revokes": one.entry,
                "signed_by": by,
                "why": why,
            }
            told = {"region": one.region, "task": one.task, "run": run.name, "revokes": one.entry}
            with postgres.alone(home, task=one.task or "", region=one.region or "", who=f"revoke {run.name}"):
                entry = withdrawals.enter(home, connection, {**leaving.told, **told, "by": by, "why": why}, row)
            found.append(Revoked(one.task, one.region, entry, one.entry))
    return tuple(found)


def _none() -> Refusal:
    return Refusal(
        "E-WITHDRAW-NONE",
        Message("没有它的有效退出，未作任何改动。", "No withdrawal of it is in force; nothing was changed."),
        Message(
            "请用退出时所用的来源、个人标识或住院号。",
            "Name the source, the person's token or the stay as it was named when it withdrew.",
        ),
    )
