"""Approve: a person decides about what an evolution proposes and may not do by itself."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from headwater.adapters import evolved, lake, postgres
from headwater.adapters.home import Home
from headwater.adapters.knowledge import insert
from headwater.errors import Message, Refusal
from headwater.steps import audit
from headwater.steps.stands import Row
from headwater.types import SourceId

__all__ = ["CHOICES", "Proposal", "approve", "option", "proposals"]

CHOICES: dict[str, Message] = {
    "approve": Message("批准移除", "approve the removal"),
    "leave": Message("维持现状", "leave it as it is"),
}
"""What can be decided, in the words of the form; the last is what holds when nobody answers."""


@dataclass(frozen=True)
class Proposal:
    """A standing that a source gets only if a person approves.

    Parameters
    ----------
    now : its standing until then
    """

    task: str
    region: str
    month: date
    source: SourceId
    standing: str
    now: str
    reason: Message

    def question(self) -> dict[str, str]:
        """Return what the form asks: the proposal's place, ``subject`` and ``body`` (Markdown)."""
        place = {"task": self.task, "region": self.region, "month": f"{self.month:%Y-%m-%d}", "source": self.source}
        name, region = _plain(self.source), _plain(self.region)
        yes, no = option("approve"), option("leave")
        body = (
            f"- **统筹区 / Region**: {region}\n- **月份 / Month**: {self.month:%Y-%m}\n- **来源 / Source**: {name}\n"
            f"- **原因 / Reason**: {_plain(self.reason.zh)} {_plain(self.reason.en)}\n\n"
            f"**{yes}**：今后不再询问该来源，模型中不保留其任何统计量，只有人可以恢复（headwater readmit）。 "
            "It is not asked any more, nothing of it is in the model, and only a person brings it back "
            "(headwater readmit).\n\n"
            f"**{no}**：该来源状态不变；有新内容且有预算时仍被询问，可经试用返回。 "
            "Its standing stays. It is asked when it has something new and there is budget, "
            "and may come back through a trial.\n\n"
            "七天内无人回答则维持现状，之后的月份会再次提议。 "
            "If nobody answers within seven days it stays as it is, and a later month proposes it again."
        )
        return {**place, "subject": f"{region} {name}：移除？ Remove?", "body": body}


def option(choice: str) -> str:
    """Return a choice as the form shows it, e.g. ``维持现状 · Leave it as it is``."""
    words = CHOICES[choice]
    return f"{words.zh} · {words.en[0].upper()}{words.en[1:]}"


def proposals(home: Home, *, task: str = "stay_cost", region: str | None = None) -> list[Proposal]:
    """Return what the newest month of each region, or of one, proposes and nobody has decided about."""
    with lake.connect(home, threads=1) as connection:
        evolved.prepare(home, connection)
        key: Row = {"task": task} if region is None else {"task": task, "region": region}
        lines = evolved.rows(connection, "evolution", key=key)
        decided = {_place(row) for row in evolved.rows(connection, "approval", key=key)}
    # They come by month, so that the newest is the last.
    newest = {row["region"]: row["month"] for row in lines}
    return [
        Proposal(
            task=task,
            region=row["region"],
            month=row["month"],
            source=row["source"],
            standing=row["standing"],
            now=row["unapproved"],
            reason=Message(row["reason_zh"], row["reason_en"]),
        )
        for row in lines
        if row["unapproved"] is not None and row["month"] == newest[row["region"]] and _place(row) not in decided
    ]


def approve(home: Home, place: Row, *, choice: str, by: str, why: str, at: datetime) -> bool:
    """Put a decision down, in lake and audit log; False when this is not proposed (any more).

    An approved standing holds from the next month that is followed.

    Parameters
    ----------
    place : ``task``, ``region``, ``month`` (``2026-01-01``) and ``source`` of the proposal
    choice : one of ``CHOICES``, as it is or as the form shows it

    Raises
    ------
    Refusal
        ``E-UNKNOWN-CHOICE``
    """
    chosen = next((name for name in CHOICES if choice in (name, option(name))), None)
    if chosen is None:
        raise Refusal(
            "E-UNKNOWN-CHOICE",
            Message(f"没有选项“{choice}”。", f"There is no choice {choice!r}."),
            Message(f"可选：{'、'.join(CHOICES)}。", f"Choose one of {', '.join(CHOICES)}."),
        )
    task, region = str(place["task"]), str(place["region"])
    wanted = (place["source"], date.fromisoformat(str(place["month"])))
    # While an evolution goes on, what it proposes changes: a decision would be of a month that nobody reads again.
    with postgres.alone(home, task=task, region=region, who="approve"):
        waiting = proposals(home, task=task, region=region)
        found = next((one for one in waiting if (one.source, one.month) == wanted), None)
        if found is not None:
            _put_down(home, found, approved=chosen == "approve", by=by, why=why, at=at)
    return found is not None


def _put_down(home: Home, found: Proposal, *, approved: bool, by: str, why: str, at: datetime) -> None:
    told: dict[str, Any] = {"task": found.task, "region": found.region, "source": found.source}
    told |= {"standing": found.standing, "approved": approved, "person": by, "why": why}
    audit.enter(home, "evolution_approval", {**told, "month": f"{found.month:%Y-%m-%d}"})
    with lake.connect(home, threads=1) as connection:
        row = {
            **told,
            "month": found.month,
            "as_of": at.astimezone(UTC).replace(tzinfo=None),
            "snapshot": lake.snapshot(connection),
        }
        insert(connection, "approval", [row], columns=evolved.TABLES["approval"])


def _place(row: Row) -> tuple[object, ...]:
    return row["region"], row["month"], row["source"]


def _plain(text: str) -> str:
    """Return text that cannot act as Markdown or as a template."""
    return "".join("_" if letter in "`*[]<>{}|\\\n" else letter for letter in text)
