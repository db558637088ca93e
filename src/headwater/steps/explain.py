"""Explain: why a stay is in its group, step by step, and how its payment came about, to the fen."""

from dataclasses import asdict, dataclass
from decimal import Decimal

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from headwater.adapters import assigned, coding, following, grouped, lake, priced
from headwater.adapters.home import Home
from headwater.claims.grouping import Plan
from headwater.claims.grouping import explain as explain_groups
from headwater.claims.payment import explain as explain_payment
from headwater.claims.payment import price as price_stays
from headwater.errors import Message, Refusal
from headwater.steps.group import answered
from headwater.steps.holdings import InForce, in_force

__all__ = ["ExplainedStay", "Paid", "PaidLine", "explain", "stay_of"]


@dataclass(frozen=True)
class PaidLine:
    """One line of a payment: the account it belongs to, its step, its amount in the currency, and its sentence."""

    account: str
    step: Message
    amount: Decimal
    told: Message


@dataclass(frozen=True)
class Paid:
    """A payment.

    Parameters
    ----------
    missing : columns that the policy asks for and that count as nothing, because no stay has them
    """

    policy: str
    policy_version: str
    paid_as: str
    cost: Decimal
    payable: Decimal
    fund: Decimal
    self_pay: Decimal
    lines: tuple[PaidLine, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True)
class ExplainedStay:
    """What became of a stay and why.

    Parameters
    ----------
    diagnoses, operations : its codes as they were grouped, the principal one first
    told : the grouping in sentences, the status last
    paid : None where no policy holds for it, or the stay is not valid
    """

    stay_id: str
    plan: str | None
    plan_version: str | None
    mdc: str | None
    adrg: str | None
    drg: str | None
    drg_name: str | None
    status: str
    diagnoses: tuple[str, ...]
    operations: tuple[str, ...]
    told: tuple[Message, ...]
    paid: Paid | None

    def to_dict(self) -> dict[str, object]:
        """Return everything as values that JSON has, money as decimal text."""
        return asdict(self)


def explain(home: Home, stay_id: str) -> ExplainedStay:
    """Group and price one stay under what holds for it now, and tell how.

    Raises
    ------
    Refusal
        ``E-STAY-UNKNOWN`` when the front-page mart has no such stay
    """
    rules = in_force(home)
    with lake.connect(home, threads=1) as connection:
        row, plan = stay_of(home, connection, rules, stay_id)
        paid = _paid(connection, rules, stay_id)
    told = _told(row, plan)
    values = row.to_pylist()[0]
    names = plan.names if plan else {}
    return ExplainedStay(
        stay_id=stay_id,
        **{name: values[name] for name in ("plan", "plan_version", "mdc", "adrg", "drg", "status")},
        drg_name=names.get(values["drg"]),
        diagnoses=tuple(values["diagnoses"]),
        operations=tuple(values["operations"]),
        told=told,
        paid=paid,
    )


def stay_of(
    home: Home, connection: duckdb.DuckDBPyConnection, rules: InForce, stay_id: str
) -> tuple[pa.Table, Plan | None]:
    """Return one stay as it is grouped now, one row, and the plan that holds for it.

    Raises
    ------
    Refusal
        ``E-STAY-UNKNOWN`` when the front-page mart has no such stay
    """
    for adapter in (coding, assigned, grouped, priced):
        adapter.create_tables(home, connection)
    until = grouped.built(connection)
    if not connection.execute(f"SELECT 1 FROM lake.{grouped.FOLLOWED} WHERE stay_id = $1", [stay_id]).fetchone():
        raise _unknown(stay_id)
    grouped.hold(connection, rules.holdings)
    grouped.settled(connection)
    following.only(connection, [stay_id])
    (found,) = grouped.stays(connection, until=until)
    row = answered(found, rules.plans)
    name = row["plan"][0].as_py()
    return row, rules.plans[name] if name else None


def _told(row: pa.Table, plan: Plan | None) -> tuple[Message, ...]:
    if not row["is_valid"][0].as_py():
        reason = row["invalid_reason"][0].as_py()
        return (Message(f"病案首页无效：{reason}。", f"The front page is not valid: {reason}."),)
    if plan is None:
        return (Message("出院日没有生效的支付政策。", "No policy holds on the day of discharge."),)
    said = explain_groups(plan, row)
    return tuple(Message(zh, en) for zh, en in zip(said["zh"][0].as_py(), said["en"][0].as_py(), strict=True))


def _paid(connection: duckdb.DuckDBPyConnection, rules: InForce, stay_id: str) -> Paid | None:
    until = lake.snapshot(connection)
    # Other stays of the person count: readmissions and ceilings of a year.
    priced.whole_persons(connection, until=until)
    stays = priced.read(connection, until=until)
    if stay_id not in stays["stay_id"].to_pylist():
        return None
    place = stays["stay_id"].to_pylist().index(stay_id)
    policy = rules.policy(stays["policy_version"][place].as_py())
    where = pc.equal(stays["policy_version"], policy.version).combine_chunks()
    done = price_stays(stays, rules.plans[policy.plan].drgs, policy, where=where)
    totals = done.totals.filter(pc.equal(done.totals["stay_id"], stay_id)).to_pylist()[0]
    return Paid(
        policy=policy.name,
        policy_version=policy.version,
        paid_as=totals["paid_as"],
        **{name: _yuan(totals[f"{name}_fen"]) for name in ("cost", "payable", "fund", "self_pay")},
        lines=tuple(
            PaidLine(one.account, one.step, _yuan(one.amount_fen), one.told) for one in explain_payment(done, stay_id)
        ),
        missing=done.missing,
    )


def _yuan(fen: int) -> Decimal:
    return Decimal(fen).scaleb(-2)


def _unknown(stay_id: str) -> Refusal:
    return Refusal(
        "E-STAY-UNKNOWN",
        Message(f"没有住院 {stay_id}。", f"There is no stay {stay_id}."),
        Message(
            "住院编号为“来源:就诊ID”，如 h0101:ZY202501000001；先运行 headwater build。",
            "A stay is named source:mdtrt_id, such as h0101:ZY202501000001; run headwater build first.",
        ),
    )
