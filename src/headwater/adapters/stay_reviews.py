"""The register of extreme stays in PostgreSQL: which wait for a person, who decided what about them and why."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import psycopg
from psycopg.rows import class_row

from headwater.adapters import deciding
from headwater.adapters.deciding import Conflict

__all__ = [
    "DECISIONS",
    "Conflict",
    "Question",
    "Ruling",
    "ask",
    "decide",
    "decided_before",
    "history",
    "lock",
    "question",
    "queue",
    "standing",
]

DECISIONS = ("accept", "special", "reduce", "return")
"""Paid as it is; paid case by case; what lies beyond is not paid; back to the hospital."""


@dataclass(frozen=True)
class Question:
    """An extreme stay that waits.

    Parameters
    ----------
    methods : rule, model or both
    at_stake : what lies beyond the bound, of the method that finds more
    reasons : each ``code``, ``zh`` and ``en``
    evidence : charge groups and items beyond the usual, money as decimal text
    found_by : versions of the rule and the model
    """

    stay_id: str
    hospital_id: str
    region: str | None
    currency: str
    hosp_lv: str | None
    drg: str
    side: str
    methods: Sequence[str]
    amount: Decimal
    at_stake: Decimal
    reasons: Sequence[Mapping[str, Any]]
    evidence: Sequence[Mapping[str, Any]]
    found_by: str
    snapshot_id: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, money as text."""
        return {**asdict(self), "amount": str(self.amount), "at_stake": str(self.at_stake)}


@dataclass(frozen=True)
class Ruling:
    """A decision about a stay; ``seen`` is the question that it answered."""

    review_id: int
    stay_id: str
    drg: str
    side: str
    amount: Decimal
    seen: Mapping[str, Any]
    decision: str
    decided_by: str
    why: str
    decided_at: datetime
    supersedes: int | None


_QUESTION = (
    "stay_id, hospital_id, region, currency, hosp_lv, drg, side, methods, amount, at_stake, reasons, evidence, "
    "found_by, snapshot_id"
)
_RULING = "review_id, stay_id, drg, side, amount, seen, decision, decided_by, why, decided_at, supersedes"


def lock(connection: psycopg.Connection, stay_id: str) -> None:
    """Wait until nobody else decides about this stay; released when the transaction ends."""
    deciding.lock(connection, "stay.decide", stay_id)


def ask(connection: psycopg.Connection, questions: Sequence[Question]) -> int:
    """Put these questions in the place of all that wait, and return how many wait.

    A stay about whose group, side and amount somebody has decided does not wait again; one asked before keeps its day.
    """
    connection.execute(
        "delete from ops.stay_question where not stay_id = any(%s)", ([one.stay_id for one in questions],)
    )
    deciding.renew(connection, "ops.stay_question", questions, columns=_QUESTION, json=("reasons", "evidence"))
    connection.execute(
        "delete from ops.stay_question as asked using ops.stay_review as made where made.stay_id = asked.stay_id "
        "and made.drg = asked.drg and made.side = asked.side and made.amount = asked.amount "
        "and not exists (select 1 from ops.stay_review as later where later.supersedes = made.review_id)"
    )
    row = connection.execute("select count(*) from ops.stay_question").fetchone()
    return int(row[0]) if row else 0


def queue(
    connection: psycopg.Connection,
    *,
    hospital: str | None = None,
    after: tuple[Decimal, str] | None = None,
    limit: int = 100,
) -> list[Question]:
    """Return what waits, the most money at stake first.

    Parameters
    ----------
    after : money and identifier of the last stay of the page before
    """
    stake, stay_id = after or (None, None)
    with connection.cursor(row_factory=class_row(Question)) as cursor:
        cursor.execute(
            f"select {_QUESTION} from ops.stay_question "
            "where (%(hospital)s::text is null or hospital_id = %(hospital)s) "
            "and (%(stake)s::numeric is null or at_stake < %(stake)s or (at_stake = %(stake)s and stay_id > %(stay)s)) "
            "order by at_stake desc, stay_id limit %(limit)s",
            {"hospital": hospital, "stake": stake, "stay": stay_id, "limit": limit},
        )
        return cursor.fetchall()


def question(connection: psycopg.Connection, stay_id: str) -> Question | None:
    """Return the stay if it waits."""
    with connection.cursor(row_factory=class_row(Question)) as cursor:
        cursor.execute(f"select {_QUESTION} from ops.stay_question where stay_id = %s", (stay_id,))
        return cursor.fetchone()


def history(connection: psycopg.Connection, stay_id: str) -> list[Ruling]:
    """Return every decision about this stay, the newest first; the newest is in force."""
    with connection.cursor(row_factory=class_row(Ruling)) as cursor:
        cursor.execute(f"select {_RULING} from ops.stay_review where stay_id = %s order by review_id desc", (stay_id,))
        return cursor.fetchall()


def standing(connection: psycopg.Connection) -> list[Ruling]:
    """Return the decisions in force, one a stay, in the order in which they were made."""
    with connection.cursor(row_factory=class_row(Ruling)) as cursor:
        cursor.execute(
            f"select {_RULING} from ops.stay_review as made where not exists "
            "(select 1 from ops.stay_review as later where later.supersedes = made.review_id) order by review_id"
        )
        return cursor.fetchall()


def decide(
    connection: psycopg.Connection,
    seen: Mapping[str, Any],
    *,
    decision: str,
    signed: tuple[str, str],
    supersedes: int | None,
    request_key: str | None,
) -> int:
    """Put a decision down, let the stay wait no longer, and return the decision's number.

    Raises
    ------
    Conflict
        when another decision stands at this place
    """
    values = {
        **{name: seen[name] for name in ("stay_id", "drg", "side")},
        "amount": Decimal(seen["amount"]),
        "seen": seen,
        "decision": decision,
        "decided_by": signed[0],
        "why": signed[1],
        "supersedes": supersedes,
        "request_key": request_key,
    }
    number = deciding.put_down(connection, "ops.stay_review", values, number="review_id")
    connection.execute("delete from ops.stay_question where stay_id = %s", (seen["stay_id"],))
    return number


def decided_before(connection: psycopg.Connection, *, by: str, request_key: str) -> tuple[int, str, str] | None:
    """Return what a person's request put down when it came first: decision's number, stay and decision."""
    row = connection.execute(
        "select review_id, stay_id, decision from ops.stay_review where decided_by = %s and request_key = %s",
        (by, request_key),
    ).fetchone()
    return (int(row[0]), row[1], row[2]) if row else None
