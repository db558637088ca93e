"""Policies by date: the versions of a folder, which of them holds on a day, and stays priced under theirs."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headwater.claims.payment.cases import read_cases
from headwater.claims.payment.checking import load_policy
from headwater.claims.payment.lines import Block, Operand
from headwater.claims.payment.policy import Policy
from headwater.claims.payment.pricing import Priced, price_cases
from headwater.errors import Message, Refusal

__all__ = ["Dated", "in_force", "load_policies", "price_dated"]


@dataclass(frozen=True, eq=False)
class Dated:
    """Stays priced under the policies that held when they ended.

    Parameters
    ----------
    priced : one for each policy that priced any stay, by the first of its days
    outside : stays on whose day of discharge no policy holds, or whose day is not known: ``stay_id, endtime``
    """

    priced: tuple[Priced, ...]
    outside: pa.Table = field(repr=False)


def load_policies(folder: Path) -> tuple[Policy, ...]:
    """Return the policies of ``<folder>/<valid_from>.yml`` by their first day, each tested.

    Raises
    ------
    Refusal
        as :func:`load_policy`; ``E-POLICY-DATES`` when a file is not called as its first day, or two hold on one day
    """
    policies = []
    for file in sorted(folder.glob("*.yml")):
        policy = load_policy(file)
        if file.stem != policy.valid_from.isoformat():
            raise _wrong(f"{file.name} ≠ {policy.valid_from.isoformat()}.yml")
        policies.append(policy)
    for one, other in zip(policies, policies[1:], strict=False):
        if one.valid_to is None or one.valid_to >= other.valid_from:
            raise _wrong(f"{one.valid_from}.yml: valid_to ≥ {other.valid_from}")
    return tuple(policies)


def in_force(policies: Sequence[Policy], day: date) -> Policy:
    """Return the policy that holds on a day.

    Raises
    ------
    Refusal
        ``E-POLICY-DATES`` when none does
    """
    for policy in policies:
        if policy.holds_on(day):
            return policy
    raise _wrong(f"{day}: —")


def price_dated(stays: pa.Table, plan_drgs: pa.Table | None, policies: Sequence[Policy]) -> Dated:
    """Return every stay priced under the policy in force on its day of discharge.

    Each policy sees all stays, also those of other policies' days: a readmission in January follows a stay of December.

    Raises
    ------
    Refusal
        ``E-PAYMENT-COLUMN`` when the stays cannot be priced or have no ``endtime``
    """
    if "endtime" not in stays.column_names:
        raise Refusal(
            "E-PAYMENT-COLUMN",
            Message("按生效日期付费需要出院日期列 endtime。", "Pricing by date needs the column endtime."),
            Message("在住院表中提供它。", "Give it in the table of stays."),
        )
    cases = read_cases(stays, plan_drgs)
    ended = stays["endtime"].cast(pa.date32(), safe=False)
    left = np.ones(len(stays), np.bool_)
    priced = []
    for policy in policies:
        last = policy.valid_to or date.max - timedelta(1)
        holds = pc.and_(pc.greater_equal(ended, pa.scalar(policy.valid_from)), pc.less_equal(ended, pa.scalar(last)))
        mine = pc.fill_null(holds.cast(pa.int8()), 0).to_numpy().astype(np.bool_)
        if mine.any():
            priced.append(_only(price_cases(cases, stays, policy), mine))
        left &= ~mine
    return Dated(tuple(priced), stays.select(["stay_id", "endtime"]).filter(pa.array(left)))


def _only(priced: Priced, mine: np.ndarray) -> Priced:
    """Return the payments of some of the stays."""
    place = np.cumsum(mine) - 1
    blocks = []
    for one in priced.blocks:
        kept = mine[one.rows]
        if kept.any():
            used = tuple(Operand(each.name, each.unit, each.values[kept], each.names) for each in one.operands)
            blocks.append(Block(one.reason, place[one.rows[kept]], one.amount[kept], used))
    return Priced(priced.policy_version, priced.totals.filter(pa.array(mine)), tuple(blocks), priced.missing)


def _wrong(what: str) -> Refusal:
    return Refusal(
        "E-POLICY-DATES",
        Message(f"付费政策的生效日期有误：{what}。", f"The days of payment policies are wrong: {what}."),
        Message(
            "每一天只应有一个政策生效，文件以生效首日命名。",
            "One policy holds on a day, and its file is called as its first day.",
        ),
    )
