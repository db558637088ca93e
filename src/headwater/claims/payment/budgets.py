"""Global budgets: what each hospital was paid in advance, what it used, and what is settled at the end."""

from calendar import monthrange
from collections.abc import Sequence
from datetime import date
from typing import Literal, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headwater.claims.payment.forecasting import Forecast, forecast
from headwater.claims.payment.money import UNIT, Fen, divided, times
from headwater.claims.payment.policy import Budget, Policy
from headwater.claims.payment.pricing import Priced
from headwater.errors import Message, Refusal

__all__ = ["Holder", "budget_months", "budget_status"]

Holder: TypeAlias = Literal["hospital_id", "insutype"]
"""Whose budgets: those of hospitals, or of the funds of insurance types."""

_MONTHS = 12


def budget_status(priced: Priced, policy: Policy, *, on: date, by: Holder = "hospital_id") -> pa.Table:
    """Return where every hospital, or every insurance type's fund, stands against its budget of the calendar year.

    Parameters
    ----------
    priced : stays with ``endtime``, or sums of such (``stays``, how many, and their ``fund_fen``); those discharged
        from 1 January to ``on`` count
    on : the last day; months that have begun are prepaid, and the budget to date is as many twelfths
    by : whose budgets; funds are neither prepaid nor shared: what they use is settled

    Returns
    -------
    pyarrow.Table
        ``hospital_id`` or ``insutype``, ``stays, budget_fen`` (of the year, null where there is none), ``to_date_fen``
        (its twelfths), ``prepaid_fen, used_fen`` (what the fund owes for the stays), ``settled_fen`` (what the fund
        pays by the rules of surplus and excess) and ``difference_fen`` (settled less prepaid). Without a budget what is
        used is settled.

    Raises
    ------
    Refusal
        ``E-POLICY-BUDGET`` when the policy has no budget, ``E-PAYMENT-COLUMN`` when the stays have no ``endtime``
    """
    if policy.budget is None or "endtime" not in priced.totals.column_names:
        raise _refused(policy)
    shared = by == "hospital_id"
    stated = policy.budget.hospitals if shared else policy.budget.pools
    used = _used(priced, on, by)
    names = sorted({*stated, *used})
    has = np.asarray([name in stated for name in names], dtype=np.bool_)
    budget = np.asarray([stated.get(name, 0) for name in names], dtype=np.int64)
    to_date = divided(budget, on.month, _MONTHS)
    spent = np.asarray([used.get(name, (0, 0))[1] for name in names], dtype=np.int64)
    settled = np.where(has & shared, _settled(spent, to_date, policy.budget), spent)
    prepaid = times(to_date, policy.budget.prepaid if shared else 0)
    return pa.table(
        {
            by: pa.array(names, pa.string()),
            "stays": pa.array([used.get(name, (0, 0))[0] for name in names], pa.int64()),
            "budget_fen": pa.array(budget, mask=~has),
            "to_date_fen": to_date,
            "prepaid_fen": prepaid,
            "used_fen": spent,
            "settled_fen": settled,
            "difference_fen": settled - prepaid,
        }
    )


def budget_months(paid: pa.Table, policy: Policy, *, on: date, by: Holder = "hospital_id") -> pa.Table:
    """Return where every budget stood at the end of each month of the year, and what the year was then expected to use.

    Parameters
    ----------
    paid : ``hospital_id, insutype, endtime`` (first day of the month), ``stays`` and ``fund_fen``, of this year up to
        ``on`` and of earlier ones, from which its seasons are known

    Returns
    -------
    pyarrow.Table
        the columns of :func:`budget_status`, ``month`` (its first day), ``month_stays``, ``fund_fen`` (of the month),
        and ``forecast_fen, forecast_low_fen, forecast_high_fen, forecast_method`` of the whole year
    """
    months = sorted({day for day in paid["endtime"].to_pylist() if day.year == on.year})
    since = min(paid["endtime"].to_pylist(), default=on)
    tables = []
    for month in months:
        end = min(on, month.replace(day=monthrange(month.year, month.month)[1]))
        known = paid.filter(pc.less_equal(paid["endtime"], pa.scalar(end)))
        status = budget_status(Priced(policy.version, known, (), ()), policy, on=end, by=by)
        sums = _by_month(known, by)
        holders = status[by].to_pylist()
        mine = [sums.get(holder, {}) for holder in holders]
        rows = [one.get(month, (0, 0)) for one in mine]
        columns = {"month": pa.array([month] * len(holders), pa.date32())}
        for place, name in enumerate(("month_stays", "fund_fen")):
            columns[name] = pa.array([row[place] for row in rows], pa.int64())
        found = [forecast({day: fen for day, (_, fen) in one.items()}, on=end, since=since) for one in mine]
        tables.append(pa.table({**{name: status[name] for name in status.column_names}, **columns, **_told(found)}))
    return pa.concat_tables(tables) if tables else pa.table({})


def _by_month(paid: pa.Table, by: str) -> dict[str, dict[date, tuple[int, int]]]:
    """Return stays and payments of every month by holder."""
    sums = paid.group_by([by, "endtime"]).aggregate([("stays", "sum"), ("fund_fen", "sum")])
    found: dict[str, dict[date, tuple[int, int]]] = {}
    columns = (sums[name].to_pylist() for name in (by, "endtime", "stays_sum", "fund_fen_sum"))
    for holder, month, stays, fen in zip(*columns, strict=True):
        found.setdefault(holder or "", {})[month] = (stays, fen)
    return found


def _told(found: Sequence[Forecast | None]) -> dict[str, pa.Array]:
    names = {"forecast_fen": "expected", "forecast_low_fen": "low", "forecast_high_fen": "high"}
    columns = {
        name: pa.array([one and getattr(one, said) for one in found], pa.int64()) for name, said in names.items()
    }
    return {**columns, "forecast_method": pa.array([one and one.method for one in found], pa.string())}


def _used(priced: Priced, on: date, by: str) -> dict[str, tuple[int, int]]:
    """Return stays and fund payments of the year by a column."""
    totals = priced.totals
    ended = totals["endtime"].cast(pa.date32(), safe=False)
    first = pa.scalar(date(on.year, 1, 1))
    if "stays" not in totals.column_names:
        totals = totals.append_column("stays", pa.array(np.ones(len(totals), np.int64)))
    counted = totals.filter(pc.and_(pc.greater_equal(ended, first), pc.less_equal(ended, pa.scalar(on))))
    sums = counted.group_by(by).aggregate([("stays", "sum"), ("fund_fen", "sum")])
    rows = zip(*(sums[name].to_pylist() for name in (by, "stays_sum", "fund_fen_sum")), strict=True)
    return {name or "": (count, fen) for name, count, fen in rows}


def _settled(used: Fen, budget: Fen, rules: Budget) -> Fen:
    """Return what the fund pays: what was used, the kept part of a surplus, the shared part of an excess."""
    kept = _banded(budget - np.maximum(used, 0), budget, [(_depth(bound), part) for bound, part in rules.surplus])
    shared = _banded(used - budget, budget, [(_height(bound), part) for bound, part in rules.excess])
    return np.minimum(used, budget) + kept + shared


def _depth(bound: int | None) -> int | None:
    return None if bound is None else UNIT - bound


def _height(bound: int | None) -> int | None:
    return None if bound is None else bound - UNIT


def _banded(amount: Fen, budget: Fen, bands: Sequence[tuple[int | None, int]]) -> Fen:
    """Return the parts of an amount: each band reaches to its share of the budget and gives its part to the fen."""
    total = np.zeros(len(amount), np.int64)
    lower = np.zeros(len(amount), np.int64)
    for bound, part in bands:
        upper = np.maximum(amount, lower) if bound is None else np.maximum(times(budget, bound), lower)
        total += times(np.clip(amount, lower, upper) - lower, part)
        lower = upper
    return total


def _refused(policy: Policy) -> Refusal:
    if policy.budget is None:
        return Refusal(
            "E-POLICY-BUDGET",
            Message(f"付费政策 {policy.name} 没有总额预算。", f"The payment policy {policy.name} has no budget."),
            Message("在政策中写明 budget。", "State budget in the policy."),
        )
    return Refusal(
        "E-PAYMENT-COLUMN",
        Message("核对预算需要出院日期列 endtime。", "To hold stays against a budget they need the column endtime."),
        Message("在住院表中提供它。", "Give it in the table of stays."),
    )
