"""The register of questions and decisions about codes in PostgreSQL: what waits, who decided what, who confirmed it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import psycopg
from psycopg import errors
from psycopg.rows import class_row

from headwater.adapters import deciding
from headwater.adapters.deciding import Conflict
from headwater.claims.signing import signature

__all__ = [
    "Conflict",
    "Question",
    "Ruling",
    "SamePerson",
    "Wanted",
    "ask",
    "confirm",
    "confirmed_before",
    "decide",
    "decided_before",
    "drop_question",
    "history",
    "lock",
    "proposals",
    "queue",
    "reopen",
    "ruling",
    "rulings",
]


class SamePerson(Exception):
    """Whoever decided wants to confirm the decision too."""


@dataclass(frozen=True)
class Question:
    """What waits for a person: one for all like items.

    Parameters
    ----------
    state : review, what must be decided; none, what honestly has no code, and may be given one
    attributes : column name to text, what is known beside the name
    items, sources : how many local items ask it, of how many sources
    at_risk : money billed under these items, in ``currency``; where several have been used, that of the largest sum
    highest_price : per unit, listed or billed
    reported : national codes that the hospitals report themselves
    alternatives : the best candidates, each ``code``, ``name``, ``confidence``, and as ``attributes`` what else the
        reference says
    """

    like_id: str
    state: str
    kind: str
    name: str
    attributes: Mapping[str, str]
    items: int
    sources: int
    at_risk: Decimal
    currency: str | None
    highest_price: Decimal | None
    is_high_value: bool
    reason: str
    reported: Sequence[str]
    alternatives: Sequence[Mapping[str, Any]]
    reference_version: str | None

    @property
    def candidates(self) -> list[str]:
        """Every code that stands to choose."""
        return list(dict.fromkeys([*(str(one["code"]) for one in self.alternatives), *self.reported]))


@dataclass(frozen=True)
class Wanted:
    """A decision on its way into the register.

    Parameters
    ----------
    code : the chosen code, None where the reference has none
    candidates : the codes it was chosen among
    supersedes : the decision that it takes the place of
    request_key : the same key of the same person is the same decision
    """

    question: Question
    code: str | None
    candidates: Sequence[str]
    reference_version: str
    needs_confirmation: bool
    by: str
    why: str
    supersedes: int | None = None
    request_key: str | None = None


@dataclass(frozen=True)
class Ruling:
    """A decision and what became of it; ``state`` is in force, proposed, reopened or superseded."""

    decision_id: int
    like_id: str
    kind: str
    name: str
    attributes: Mapping[str, str]
    code: str | None
    candidates: Sequence[str]
    reference_version: str
    decided_by: str
    why: str
    decided_at: datetime
    supersedes: int | None
    confirmed_by: str | None
    confirmed_at: datetime | None
    state: str

    @property
    def signed(self) -> str:
        """Everybody who stands for it."""
        return self.decided_by if self.confirmed_by is None else f"{self.decided_by}, {self.confirmed_by}"


_RULING = (
    "decision_id, like_id, kind, name, attributes, code, candidates, reference_version, decided_by, why, decided_at, "
    "supersedes, confirmed_by, confirmed_at, state"
)
_QUESTION = (
    "like_id, state, kind, name, attributes, items, sources, at_risk, currency, highest_price, is_high_value, reason, "
    "reported, alternatives, reference_version"
)


def lock(connection: psycopg.Connection, like_id: str) -> None:
    """Wait until nobody else decides about these items; released when the transaction ends."""
    deciding.lock(connection, "coding.decide", like_id)


def ask(connection: psycopg.Connection, questions: Sequence[Question], *, kinds: Sequence[str]) -> None:
    """Put these questions in the place of all that are asked about these kinds; one asked before keeps its day."""
    kept = [question.like_id for question in questions]
    connection.execute(
        "delete from ops.coding_question where kind = any(%s) and not like_id = any(%s)", (list(kinds), kept)
    )
    deciding.renew(connection, "ops.coding_question", questions, columns=_QUESTION, json=("attributes", "alternatives"))


def queue(
    connection: psycopg.Connection,
    *,
    state: str = "review",
    kind: str | None = None,
    after: tuple[Decimal, str] | None = None,
    limit: int = 100,
) -> list[Question]:
    """Return what waits in one state, the most money first.

    Parameters
    ----------
    after : money and identifier of the last question of the page before
    """
    risk, like_id = after or (None, None)
    with connection.cursor(row_factory=class_row(Question)) as cursor:
        cursor.execute(
            f"select {_QUESTION} from ops.coding_question where state = %(state)s "
            "and (%(kind)s::text is null or kind = %(kind)s) "
            "and (%(risk)s::numeric is null or at_risk < %(risk)s or (at_risk = %(risk)s and like_id > %(like)s)) "
            "order by at_risk desc, like_id limit %(limit)s",
            {"state": state, "kind": kind, "risk": risk, "like": like_id, "limit": limit},
        )
        return cursor.fetchall()


def drop_question(connection: psycopg.Connection, like_id: str) -> None:
    """Ask no longer about these items."""
    connection.execute("delete from ops.coding_question where like_id = %s", (like_id,))


def history(connection: psycopg.Connection, like_id: str) -> list[Ruling]:
    """Return every decision about these items, the newest first."""
    with connection.cursor(row_factory=class_row(Ruling)) as cursor:
        cursor.execute(
            f"select {_RULING} from ops.coding_ruling where like_id = %s order by decision_id desc", (like_id,)
        )
        return cursor.fetchall()


def ruling(connection: psycopg.Connection, decision_id: int) -> Ruling | None:
    """Return one decision."""
    with connection.cursor(row_factory=class_row(Ruling)) as cursor:
        # By its items first: the state of a decision follows from all decisions about them.
        cursor.execute(
            f"select {_RULING} from ops.coding_ruling where decision_id = %(number)s and like_id = "
            "(select like_id from ops.coding_decision where decision_id = %(number)s)",
            {"number": decision_id},
        )
        return cursor.fetchone()


def rulings(connection: psycopg.Connection, *states: str) -> list[Ruling]:
    """Return the newest decisions that are in one of these states, in the order in which they were made."""
    with connection.cursor(row_factory=class_row(Ruling)) as cursor:
        cursor.execute(
            f"select {_RULING} from ops.coding_ruling where state = any(%s) and (state <> 'reopened' or is_newest) "
            "order by decision_id",
            (list(states),),
        )
        return cursor.fetchall()


def decide(connection: psycopg.Connection, wanted: Wanted) -> int:
    """Put a decision down and return its number.

    Raises
    ------
    Conflict
        when another decision stands at this place
    """
    asked = wanted.question
    values = {
        **{name: getattr(asked, name) for name in ("like_id", "kind", "name", "attributes")},
        "code": wanted.code,
        "candidates": list(wanted.candidates),
        "reference_version": wanted.reference_version,
        "needs_confirmation": wanted.needs_confirmation,
        "decided_by": wanted.by,
        "why": wanted.why,
        "supersedes": wanted.supersedes,
        "request_key": wanted.request_key,
        "signature": signature(wanted.by),
    }
    return deciding.put_down(connection, "ops.coding_decision", values, number="decision_id")


def confirm(
    connection: psycopg.Connection, decision_id: int, *, by: str, why: str, request_key: str | None = None
) -> None:
    """Put a confirmation down; the database itself refuses the person who decided.

    Raises
    ------
    SamePerson, Conflict
        when the person decided it, when it does not wait for confirmation
    """
    try:
        connection.execute(
            "insert into ops.coding_confirmation (decision_id, confirmed_by, why, request_key, signature) "
            "values (%s, %s, %s, %s, %s)",
            (decision_id, by, why, request_key, signature(by)),
        )
    except psycopg.Error as error:
        if error.sqlstate == "HW002":
            raise SamePerson from error
        if error.sqlstate == "HW003" or isinstance(error, errors.UniqueViolation | errors.ForeignKeyViolation):
            raise Conflict from error
        raise


def decided_before(connection: psycopg.Connection, *, by: str, request_key: str) -> tuple[int, str, str | None] | None:
    """Return what a person's request put down when it came first: decision, like and code."""
    row = connection.execute(
        "select decision_id, like_id, code from ops.coding_decision where decided_by = %s and request_key = %s",
        (by, request_key),
    ).fetchone()
    return (int(row[0]), row[1], row[2]) if row else None


def confirmed_before(connection: psycopg.Connection, *, by: str, request_key: str) -> int | None:
    """Return the decision that a person's request confirmed when it came first."""
    row = connection.execute(
        "select decision_id from ops.coding_confirmation where confirmed_by = %s and request_key = %s",
        (by, request_key),
    ).fetchone()
    return int(row[0]) if row else None


def proposals(connection: psycopg.Connection, like_ids: Sequence[str] | None = None) -> dict[str, Ruling]:
    """Return the proposals about these items, or about any, that wait for confirmation."""
    with connection.cursor(row_factory=class_row(Ruling)) as cursor:
        cursor.execute(
            f"select {_RULING} from ops.coding_ruling where state = 'proposed' "
            "and (%(likes)s::text[] is null or like_id = any(%(likes)s))",
            {"likes": None if like_ids is None else list(like_ids)},
        )
        return {one.like_id: one for one in cursor.fetchall()}


def reopen(connection: psycopg.Connection, decision_ids: Sequence[int], *, reference_version: str) -> None:
    """Say that a version of the reference took the ground from under these decisions."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into ops.coding_reopening (decision_id, reference_version) values (%s, %s) on conflict do nothing",
            [(number, reference_version) for number in decision_ids],
        )
