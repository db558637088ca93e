"""Extreme stays: found by trim points and by a model, shown with reasons and lines, decided by people."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa

from headwater.adapters import assigned, coding, expected_cost, following, grouped, lake, postgres, raw, stay_reviews
from headwater.adapters import extremes as stored
from headwater.adapters.home import Home
from headwater.adapters.stay_reviews import DECISIONS, Conflict, Question, Ruling
from headwater.claims.extremes import RULE, Rule, by_model, by_rule, evidence, explain, reason
from headwater.claims.extremes.judging import LIMIT
from headwater.claims.signing import repeated
from headwater.claims.signing import signed as by_whom
from headwater.errors import Message, Refusal
from headwater.steps.holdings import in_force

__all__ = ["CHOICES", "Decided", "Found", "Shown", "decide", "find", "show", "waiting"]

CHOICES: Mapping[str, Message] = {
    "accept": Message("认可：按政策支付", "Paid as the policy says"),
    "special": Message("特例单议：按费用支付", "Paid case by case, by cost"),
    "reduce": Message("扣减：超出部分不予支付", "What lies beyond is not paid"),
    "return": Message("退回：由医院核对更正，更正前基金不支付", "Back to the hospital; not paid until it is mended"),
}
"""What a person may decide; what it makes of the payment is said in :mod:`headwater.claims.payment.reviewed`."""

_SEED = 20260101
_CLOSE = 31
"""Days within which another stay of the same person is told beside the money."""
_LONG = 1.5
"""From this multiple of the usual days on, or below its inverse, days are a reason beside the money."""


@dataclass(frozen=True)
class Found:
    """What one search found.

    Parameters
    ----------
    stays : judged
    by_rule, by_model, by_both : extreme stays by each
    waiting : stays in the queue now
    at_stake : money by currency
    """

    stays: int
    by_rule: int
    by_model: int
    by_both: int
    waiting: int
    at_stake: Mapping[str, Decimal]
    found_by: str
    snapshot_id: int
    seconds: float

    def to_dict(self) -> dict[str, object]:
        """Return plain values."""
        return {**asdict(self), "at_stake": {name: str(sum_) for name, sum_ in self.at_stake.items()}}


@dataclass(frozen=True)
class Shown:
    """A stay as it waits or as it was decided about, with every decision, the newest first."""

    question: Mapping[str, Any]
    is_waiting: bool
    rulings: Sequence[Ruling]


@dataclass(frozen=True)
class Decided:
    """What a decision did."""

    review_id: int
    stay_id: str
    decision: str

    def to_dict(self) -> dict[str, object]:
        """Return plain values."""
        return asdict(self)


def find(home: Home, *, rule: Rule = RULE, limit: float = LIMIT, now: datetime | None = None) -> Found:
    """Judge all grouped stays anew, and let the extreme ones wait that nobody has decided about as they are.

    Parameters
    ----------
    rule : the trim points
    limit : standard deviations from what the model expects
    now : with time zone

    Raises
    ------
    Refusal
        ``E-GROUP-MART`` before the warehouse is built
    """
    started = datetime.now(UTC)
    postgres.prepare(home)
    found_by = f"{rule.version}; gradient boosting, z {limit:g}"
    with following.alone(home, "grouping.extreme"), lake.connect(home) as connection:
        for adapter in (raw, coding, assigned, grouped, stored):
            adapter.create_tables(home, connection)
        grouped.built(connection)
        grouped.settled(connection)
        size, judged = _judged(connection, _complications(home), rule, limit)
        both = pa.concat_tables(judged.values())
        at = (now or started).astimezone(UTC).replace(tzinfo=None)
        snapshot = stored.write(connection, both, found_by=found_by, at=at)
        asked = _questions(connection, both, found_by=found_by, snapshot=snapshot)
    with postgres.connect(home) as register:
        waiting_now = stay_reviews.ask(register, asked)
    ids = {name: set(table["stay_id"].to_pylist()) for name, table in judged.items()}
    return Found(
        stays=size,
        by_rule=len(ids["rule"]),
        by_model=len(ids["model"]),
        by_both=len(ids["rule"] & ids["model"]),
        waiting=waiting_now,
        at_stake=_sums(asked),
        found_by=found_by,
        snapshot_id=snapshot,
        seconds=(datetime.now(UTC) - started).total_seconds(),
    )


def _judged(
    connection: duckdb.DuckDBPyConnection, complications: pa.Table, rule: Rule, limit: float
) -> tuple[int, dict[str, pa.Table]]:
    """Return how many stays there are and those that each method calls extreme, judged region by region."""
    size = 0
    found: dict[str, list[pa.Table]] = {"rule": [], "model": []}
    for region, currency in stored.read(connection, complications):
        stays = stored.stays(connection, region, currency)
        size += len(stays)
        found["rule"].append(by_rule(stays, rule))
        found["model"].append(by_model(_expected(stays), limit=limit))
    # Nothing to judge is judged too, for its columns.
    empty = by_rule(stored.stays(connection, None, ""), rule)
    return size, {name: pa.concat_tables([empty, *parts]) for name, parts in found.items()}


def _complications(home: Home) -> pa.Table:
    """Return the codes of complications of every plan in force, letters and digits alone."""
    pairs = [
        (plan.version, "".join(sign for sign in code.upper() if sign.isalnum()))
        for plan in in_force(home).plans.values()
        for code, _, _ in plan.tables.complications
    ]
    columns = zip(*pairs, strict=True) if pairs else ((), ())
    return pa.table(
        {name: pa.array(one, pa.string()) for name, one in zip(("plan_version", "code"), columns, strict=True)}
    )


def _expected(stays: pa.Table) -> pa.Table:
    # Trees take a second to import; who only decides does not wait for them.
    return expected_cost.expect(stays, seed=_SEED)


def _sums(asked: Sequence[Question]) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = {}
    for one in asked:
        sums[one.currency] = sums.get(one.currency, Decimal(0)) + one.at_stake
    return sums


def _questions(
    connection: duckdb.DuckDBPyConnection, judged: pa.Table, *, found_by: str, snapshot: int
) -> list[Question]:
    """Return one question a stay, whatever the number of its judgements."""
    by_stay: dict[str, list[dict[str, Any]]] = {}
    for row in judged.sort_by([("at_stake", "descending"), ("stay_id", "ascending")]).to_pylist():
        by_stay.setdefault(row["stay_id"], []).append(row)
    firsts = [rows[0] for rows in by_stay.values()]
    sides = pa.table({name: pa.array([row[name] for row in firsts], pa.string()) for name in ("stay_id", "side")})
    known = stored.judge_with(connection, sides).to_pylist()
    beside: dict[str, list[dict[str, Any]]] = {}
    for row in stored.beside(connection, within_days=_CLOSE).to_pylist():
        beside.setdefault(row["stay_id"], []).append(row)
    lines: dict[str, list[dict[str, Any]]] = {}
    for row in evidence(connection).to_pylist():
        lines.setdefault(row.pop("stay_id"), []).append(
            {name: str(value) if isinstance(value, Decimal) else value for name, value in row.items()}
        )
    return [
        _question(
            {**stay, "beside": beside.get(stay["stay_id"], [])},
            by_stay[stay["stay_id"]],
            lines.get(stay["stay_id"], []),
            found_by=(found_by, snapshot),
        )
        for stay in known
    ]


def _question(
    stay: Mapping[str, Any],
    judged: Sequence[Mapping[str, Any]],
    lines: Sequence[Mapping[str, Any]],
    *,
    found_by: tuple[str, int],
) -> Question:
    first = judged[0]
    told = [(reason(row), explain(reason(row), row)) for row in judged]
    days, usual = stay["stay_days"], stay["usual_days"]
    code = "stay_long" if first["side"] == "high" else "stay_short"
    if usual and (days > _LONG * usual if code == "stay_long" else days * _LONG < usual):
        told.append((code, explain(code, {"days": days, "usual_days": usual})))
    for other in stay["beside"]:
        code = f"{other['side']}_{'elsewhere' if other['is_elsewhere'] else 'here'}"
        told.append((code, explain(code, {"gap": other["gap"], "other": other["other_stay"]})))
    return Question(
        **{name: stay[name] for name in ("stay_id", "hospital_id", "region", "currency", "hosp_lv", "drg")},
        side=first["side"],
        methods=[row["method"] for row in judged],
        amount=first["amount"],
        at_stake=first["at_stake"],
        reasons=[{"code": code, "zh": message.zh, "en": message.en} for code, message in told],
        evidence=lines,
        found_by=found_by[0],
        snapshot_id=found_by[1],
    )


def waiting(
    home: Home, *, hospital: str | None = None, after: tuple[Decimal, str] | None = None, limit: int = 50
) -> list[Question]:
    """Return what waits, the most money at stake first.

    Parameters
    ----------
    after : money and stay of the last one of the page before
    """
    postgres.prepare(home)
    with postgres.connect(home) as register:
        return stay_reviews.queue(register, hospital=hospital, after=after, limit=limit)


def show(home: Home, stay_id: str) -> Shown:
    """Return one stay, whether it waits or was decided about.

    Raises
    ------
    Refusal
        ``E-EXTREME-UNKNOWN`` when it neither waits nor was decided about
    """
    postgres.prepare(home)
    with postgres.connect(home) as register:
        asked, rulings = stay_reviews.question(register, stay_id), stay_reviews.history(register, stay_id)
    return Shown(_seen(stay_id, asked, rulings), asked is not None, rulings)


def decide(
    home: Home,
    stay_id: str,
    *,
    decision: str,
    signed: tuple[str, str],
    over: int | None = None,
    request_key: str | None = None,
) -> Decided:
    """Put a decision about a stay down.

    Parameters
    ----------
    signed : who decides, and why
    over : the decision that stands and is to be superseded
    request_key : a request that comes again with its key changes nothing again

    Raises
    ------
    Refusal
        ``E-EXTREME-CHOICE``, ``E-EXTREME-WHO``, ``E-EXTREME-UNKNOWN``, ``E-EXTREME-REPEATED``, or ``E-EXTREME-DECIDED``
        when another decision stands
    """
    by, why = by_whom(signed, code="E-EXTREME-WHO")
    if decision not in DECISIONS:
        raise Refusal(
            "E-EXTREME-CHOICE",
            Message(f"没有决定“{decision}”。", f"There is no decision {decision!r}."),
            Message(f"可选：{'、'.join(DECISIONS)}。", f"Choose one of {', '.join(DECISIONS)}."),
        )
    postgres.prepare(home)
    with postgres.connect(home) as register:
        stay_reviews.lock(register, stay_id)
        again = request_key and stay_reviews.decided_before(register, by=by, request_key=request_key)
        if again:
            if again[1:] != (stay_id, decision):
                raise repeated("E-EXTREME-REPEATED")
            return Decided(*again)
        asked, rulings = stay_reviews.question(register, stay_id), stay_reviews.history(register, stay_id)
        seen = _seen(stay_id, asked, rulings)
        newest = rulings[0] if rulings else None
        # What was decided about another amount or group, and waits again, is open to whoever answers it.
        if over != (newest.review_id if newest else None) and not (over is None and asked is not None):
            raise _decided(newest)
        try:
            number = stay_reviews.decide(
                register,
                seen,
                decision=decision,
                signed=(by, why),
                supersedes=newest.review_id if newest else None,
                request_key=request_key,
            )
        except Conflict:
            # Nobody else decides about this stay meanwhile, so the key came at the same moment for another one.
            raise repeated("E-EXTREME-REPEATED") from None
    return Decided(number, stay_id, decision)


def _seen(stay_id: str, asked: Question | None, rulings: Sequence[Ruling]) -> Mapping[str, Any]:
    """Return what a person sees: the question that waits, or the one that was answered last."""
    if asked is not None:
        return asked.to_dict()
    if rulings:
        return rulings[0].seen
    raise Refusal(
        "E-EXTREME-UNKNOWN",
        Message(f"住院 {stay_id} 不在待审之列。", f"No extreme stay {stay_id} waits or was decided about."),
        Message("用 headwater extreme list 查看。", "See headwater extreme list."),
    )


def _decided(standing: Ruling | None) -> Refusal:
    if standing is None:
        return Refusal(
            "E-EXTREME-DECIDED",
            Message("没有可取代的决定。", "There is no decision to supersede."),
            Message("去掉 --over（over）再提交。", "Decide without --over (over)."),
        )
    by, number = standing.decided_by, standing.review_id
    return Refusal(
        "E-EXTREME-DECIDED",
        Message(f"{by} 已作决定 {number}。", f"{by} has decided already, number {number}."),
        Message("若要取代，用 --over 指明它。", "To supersede it, name it (--over)."),
    )
