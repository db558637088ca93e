"""Review: people decide what coding leaves open; a decision serves all like items and is kept for later runs."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal

import duckdb

from headwater.adapters import coding, lake, postgres, raw, references, reviews
from headwater.adapters.home import Home
from headwater.adapters.reviews import Conflict, Question, Ruling, SamePerson, Wanted
from headwater.claims.likeness import KINDS
from headwater.claims.signing import repeated
from headwater.claims.signing import signed as by_whom
from headwater.errors import Message, Refusal
from headwater.steps.questions import is_high_value, questions

__all__ = ["Decided", "Shown", "confirm", "decide", "show", "waiting"]


@dataclass(frozen=True)
class Decided:
    """What a decision or confirmation did.

    Parameters
    ----------
    state : in force, or proposed until somebody else confirms it
    items : how many local items have its code now; 0 for a proposal
    """

    decision_id: int
    like_id: str
    code: str | None
    state: str
    items: int

    def to_dict(self) -> dict[str, object]:
        """Return plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Shown:
    """A question with its local items and everything that was decided about it, the newest first."""

    question: Question
    items: Sequence[dict[str, object]]
    rulings: Sequence[Ruling]


def waiting(
    home: Home,
    *,
    state: str = "review",
    kind: str | None = None,
    after: tuple[Decimal, str] | None = None,
    limit: int = 50,
) -> list[tuple[Question, Ruling | None]]:
    """Return what waits, the most money first, each with the proposal that waits for confirmation, if any.

    Parameters
    ----------
    state : review, or none: what was used and honestly has no code
    after : money and identifier of the last question of the page before

    Raises
    ------
    Refusal
        ``E-CODING-KIND`` for a kind that nothing is coded as
    """
    if kind is not None and kind not in KINDS:
        raise Refusal(
            "E-CODING-KIND",
            Message(f"没有类别“{kind}”。", f"There is no kind {kind!r}."),
            Message(f"可选：{'、'.join(KINDS)}。", f"Choose one of {', '.join(KINDS)}."),
        )
    postgres.prepare(home)
    with postgres.connect(home) as register:
        found = reviews.queue(register, state=state, kind=kind, after=after, limit=limit)
        proposed = reviews.proposals(register, [question.like_id for question in found])
    return [(question, proposed.get(question.like_id)) for question in found]


def show(home: Home, like_id: str, *, limit: int = 100, now: datetime | None = None) -> Shown:
    """Return one group of like items, whether it waits or not.

    Raises
    ------
    Refusal
        ``E-CODING-UNKNOWN`` when no local item has this identifier
    """
    postgres.prepare(home)
    with _coded(home) as connection:
        question = _question(connection, like_id, now or datetime.now(UTC))
        items = coding.items(connection, like_id, limit=limit)
    with postgres.connect(home) as register:
        return Shown(question, items, reviews.history(register, like_id))


def decide(
    home: Home,
    like_id: str,
    *,
    code: str | None,
    signed: tuple[str, str],
    over: int | None = None,
    request_key: str | None = None,
) -> Decided:
    """Put a decision down and apply it to all like items; of a high-value item it is a proposal.

    Parameters
    ----------
    code : of the reference; None where it has none for these items
    signed : who decides, and why
    over : the decision that stands and is to be superseded
    request_key : a request that comes again with its key changes nothing again

    Raises
    ------
    Refusal
        ``E-CODING-UNKNOWN``, ``E-CODING-WHO``, ``E-CODING-CODE``, ``E-CODING-REPEATED``, or ``E-CODING-DECIDED`` when
        another decision stands
    """
    by, why = by_whom(signed, code="E-CODING-WHO")
    postgres.prepare(home)
    with _coded(home) as connection:
        question = _question(connection, like_id, datetime.now(UTC))
        wanted = _wanted(connection, question, code, (by, why), request_key)
    with postgres.connect(home) as register:
        reviews.lock(register, like_id)
        again = request_key and reviews.decided_before(register, by=by, request_key=request_key)
        if again:
            if again[1:] != (like_id, code):
                raise repeated("E-CODING-REPEATED")
            number = again[0]
        else:
            number = _put_down(register, wanted, over=over)
        found = reviews.ruling(register, number)
    return _applied(home, found)


def confirm(home: Home, decision_id: int, *, signed: tuple[str, str], request_key: str | None = None) -> Decided:
    """Confirm what somebody else proposed, and apply it.

    Raises
    ------
    Refusal
        ``E-CODING-WHO``, ``E-CODING-SAME-PERSON``, ``E-CODING-NOT-WAITING``, ``E-CODING-REPEATED``; ``E-CODING-CODE``
        when the reference lost the code since it was proposed
    """
    by, why = by_whom(signed, code="E-CODING-WHO")
    postgres.prepare(home)
    with postgres.connect(home) as register:
        proposal = reviews.ruling(register, decision_id)
    if proposal is None:
        raise _not_waiting(decision_id)
    if proposal.state == "proposed":
        with _coded(home) as connection:
            _checked(connection, proposal.kind, proposal.code)
    with postgres.connect(home) as register:
        reviews.lock(register, proposal.like_id)
        again = request_key and reviews.confirmed_before(register, by=by, request_key=request_key)
        if again and again != decision_id:
            raise repeated("E-CODING-REPEATED")
        if not again:
            try:
                reviews.confirm(register, decision_id, by=by, why=why, request_key=request_key)
            except SamePerson:
                raise _same_person(by) from None
            except Conflict:
                raise _not_waiting(decision_id) from None
            reviews.drop_question(register, proposal.like_id)
        found = reviews.ruling(register, decision_id)
    return _applied(home, found)


@contextmanager
def _coded(home: Home) -> Iterator[duckdb.DuckDBPyConnection]:
    with lake.connect(home, threads=1) as connection:
        raw.create_tables(home, connection)
        references.create_tables(home, connection)
        coding.create_tables(home, connection)
        yield connection


def _question(connection: duckdb.DuckDBPyConnection, like_id: str, now: datetime) -> Question:
    found = questions(connection, on=now.date(), like_id=like_id)
    if not found:
        raise Refusal(
            "E-CODING-UNKNOWN",
            Message(f"没有编号为 {like_id} 的本地项目。", f"No local item has the identifier {like_id}."),
            Message("用 headwater review list 查看。", "See headwater review list."),
        )
    return found[0]


def _wanted(
    connection: duckdb.DuckDBPyConnection,
    question: Question,
    code: str | None,
    signed: tuple[str, str],
    key: str | None,
) -> Wanted:
    reference = _checked(connection, question.kind, code)
    return Wanted(
        question=question,
        code=code,
        candidates=question.candidates,
        reference_version=reference.version,
        needs_confirmation=question.is_high_value or is_high_value(reference, [code]),
        by=signed[0],
        why=signed[1],
        request_key=key,
    )


def _checked(connection: duckdb.DuckDBPyConnection, kind: str, code: str | None) -> references.Reference:
    """Return the reference in force, which has the code."""
    reference = references.in_force(connection, kind, on=datetime.now(UTC).date())
    if reference is None:
        raise Refusal(
            "E-CODING-NO-REFERENCE",
            Message(f"没有 {kind} 的参考表。", f"There is no reference of {kind}."),
            Message("先用 headwater reference load 载入。", "Load one first: headwater reference load."),
        )
    if code is not None and code not in set(reference.table.column("code").to_pylist()):
        raise Refusal(
            "E-CODING-CODE",
            Message(f"参考表中没有编码 {code}。", f"The reference has no code {code}."),
            Message("选择参考表中的编码，或 none。", "Choose a code of the reference, or none."),
        )
    return reference


def _put_down(register: postgres.Connection, wanted: Wanted, *, over: int | None) -> int:
    """Put a decision at the end of its chain; only what the person has seen is superseded."""
    chain = reviews.history(register, wanted.question.like_id)
    newest = chain[0] if chain else None
    if newest is not None and newest.state != "reopened" and newest.decision_id != over:
        raise _decided(newest)
    if over is not None and (newest is None or newest.decision_id != over):
        raise _not_waiting(over)
    try:
        number = reviews.decide(register, replace(wanted, supersedes=newest.decision_id if newest else None))
    except Conflict:
        raise _decided(newest) from None
    if wanted.needs_confirmation:
        # What was answered without asking may be overruled too; whoever confirms finds it in the queue.
        reviews.ask(register, [replace(wanted.question, state="review")], kinds=[])
    else:
        reviews.drop_question(register, wanted.question.like_id)
    return number


def _applied(home: Home, ruling: Ruling | None) -> Decided:
    """Give all like items what was decided; a run of coding that comes later would do the same."""
    if ruling is None:
        raise AssertionError("a decision that was put down is there")
    items = 0
    if ruling.state == "in force":
        with coding.alone(home), lake.connect(home, threads=1) as connection:
            items = coding.apply(
                connection,
                like_id=ruling.like_id,
                answer={"code": ruling.code, "reason": ruling.why, "decided_by": ruling.signed},
                at=ruling.confirmed_at or ruling.decided_at,
            )
    return Decided(ruling.decision_id, ruling.like_id, ruling.code, ruling.state, items)


def _decided(standing: Ruling | None) -> Refusal:
    by, number = (standing.decided_by, standing.decision_id) if standing else ("?", 0)
    return Refusal(
        "E-CODING-DECIDED",
        Message(f"{by} 已作决定 {number}。", f"{by} has decided already, number {number}."),
        Message("确认它，或指明取代它（--over）。", "Confirm it, or say that yours supersedes it (--over)."),
    )


def _same_person(by: str) -> Refusal:
    return Refusal(
        "E-CODING-SAME-PERSON",
        Message(f"{by} 不能确认自己的决定。", f"{by} cannot confirm a decision of their own."),
        Message("请另一人确认。", "Let somebody else confirm it."),
    )


def _not_waiting(number: int) -> Refusal:
    return Refusal(
        "E-CODING-NOT-WAITING",
        Message(f"决定 {number} 不在等待。", f"Decision {number} does not wait."),
        Message("用 headwater review show 查看当前状态。", "See how it stands: headwater review show."),
    )
