"""What if: the stays of a period under two policies, who gains and who loses, and what a change is made of."""

from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from headwater.adapters import marts, priced
from headwater.adapters.home import Home
from headwater.claims.payment import Policy, WhatIf, decompose, summed
from headwater.claims.payment import what_if as compare
from headwater.errors import Message, Refusal
from headwater.steps.holdings import find_plan, known_policies

__all__ = ["BY", "Period", "WhatIfReport", "find_policy", "what_if"]

BY = {
    "hospital_id": Message("医院", "hospital"),
    "hosp_lv": Message("医院级别", "level"),
    "insutype": Message("险种", "insurance"),
    "drg": Message("病组", "DRG"),
}
"""By what gains, losses and effects are told."""

Rows = list[dict[str, Any]]

Period = tuple[date, date]


@dataclass(frozen=True)
class WhatIfReport:
    """Who gains and who loses.

    Parameters
    ----------
    before, after, plan : names and versions of the policies, and of the plan by whose groups they pay
    snapshot_id : of the lake, the published one whose stays were priced
    total : what the stays are paid under both, a row
    by : column to its rows, those with the greatest change first
    effects : what the change of the fund from the base period is made of in the region: volume, mix, price and policy;
        None without a base period
    effects_by : column to the same for each of its values by itself, the greatest change first
    names : of the DRGs, as the plan has them
    """

    before: str
    after: str
    plan: str
    snapshot_id: int
    period: Period
    base: Period | None
    total: dict[str, Any]
    by: dict[str, Rows]
    effects: dict[str, Any] | None
    effects_by: dict[str, Rows]
    names: dict[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as values that JSON has, days and money as they are."""
        return asdict(self)


def what_if(home: Home, before: Policy, after: Policy, *, period: Period, base: Period | None = None) -> WhatIfReport:
    """Price the stays of a period, as they are published, under two policies, whatever days these are in force.

    Parameters
    ----------
    before, after : policies, which need not be among those of the installation; the stays are those that ``after`` pays
    period : first and last day of discharge, both included
    base : a period whose stays, under ``before``, the change is counted from; then it is decomposed

    Raises
    ------
    Refusal
        ``E-WHATIF-PLAN`` when the policies pay by groups of different plans, ``E-WHATIF-NONE`` when no stay of the
        period is priced, ``E-NOT-PUBLISHED`` before payments are published
    """
    if before.plan != after.plan:
        raise _apart(before, after)
    plan = find_plan(home, before.plan)
    asked = (period, base) if base else (period,)
    with marts.reading(home, priced.STAYS) as (snapshot_id, connection):
        stays = priced.read_paid(connection, *asked, plan_version=plan.version, policy=after)
    # Not the stays asked for alone: one may follow an earlier stay, and ceilings count from January.
    both = compare(stays, plan.drgs, before, after, where=stays["is_asked"].combine_chunks())
    compared = both.only(_within(both.before.totals, period)) if base else both
    if not len(compared.before.totals):
        raise _nothing(period)
    by = {name: _rows(compared.by(name)) for name in BY}
    return WhatIfReport(
        before=_named(before),
        after=_named(after),
        plan=f"{after.plan} {plan.version}",
        snapshot_id=snapshot_id,
        period=period,
        base=base,
        total=_rows(compared.by())[0],
        by=by,
        effects=_effects(both, base, period)[0] if base else None,
        effects_by={name: _effects(both, base, period, name) for name in BY} if base else {},
        names={drg: plan.names[drg] for drg in sorted({row["drg"] for row in by["drg"]} & plan.names.keys())},
    )


def find_policy(home: Home, name: str) -> Policy:
    """Return a policy by its version, its name and first day (``name/2025-01-01``), or its name: the newest.

    Raises
    ------
    Refusal
        ``E-POLICY-UNKNOWN`` with what there is
    """
    known = known_policies(home)
    for policy in reversed(known):
        if name in (policy.version, f"{policy.name}/{policy.valid_from}", policy.name):
            return policy
    there = ", ".join(f"{policy.name}/{policy.valid_from}" for policy in known)
    raise Refusal(
        "E-POLICY-UNKNOWN",
        Message(f"没有政策 {name}，现有：{there or '无'}。", f"There is no policy {name}; known: {there or 'none'}."),
        Message("写版本，或 名称/生效日。", "Give a version, or name/first day."),
    )


def _within(stays: pa.Table, period: Period) -> pa.Array:
    ended = stays["endtime"].cast(pa.date32(), safe=False)
    first, last = (pa.scalar(day) for day in period)
    return pc.and_(pc.greater_equal(ended, first), pc.less_equal(ended, last)).combine_chunks()


def _effects(compared: WhatIf, base: Period, period: Period, *keys: str) -> Rows:
    """Return the effects in the region, one row, or for each value of a column by itself."""
    return _rows(summed(decompose(compared, base, period, within=keys), *keys))


def _rows(table: pa.Table) -> Rows:
    """Return rows with money in the currency instead of fen, the greatest change first."""
    rows = sorted(table.to_pylist(), key=lambda row: -abs(row.get("change_fen") or 0))
    return [
        {
            name.removesuffix("_fen"): Decimal(value).scaleb(-2) if name.endswith("_fen") else value
            for name, value in row.items()
        }
        for row in rows
    ]


def _named(policy: Policy) -> str:
    return f"{policy.name}/{policy.valid_from} {policy.version}"


def _apart(before: Policy, after: Policy) -> Refusal:
    return Refusal(
        "E-WHATIF-PLAN",
        Message(
            f"两个政策的分组方案不同：{before.plan}、{after.plan}。",
            f"The policies pay by groups of different plans: {before.plan}, {after.plan}.",
        ),
        Message("比较同一方案下的政策。", "Compare policies of one plan."),
    )


def _nothing(period: Period) -> Refusal:
    return Refusal(
        "E-WHATIF-NONE",
        Message(
            f"{period[0]} 至 {period[1]} 没有按该方案分组并计算的住院。",
            f"No stay from {period[0]} to {period[1]} is grouped by that plan and priced.",
        ),
        Message(
            "核对起止日期；此后才计算的住院须先检查并发布（headwater check、headwater publish）。",
            "Check the days; what was priced since must be published first: headwater check, headwater publish.",
        ),
    )
