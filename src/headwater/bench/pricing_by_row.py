"""Pricing row by row in decimal, written from docs/payment.md alone: the oracle of the vectorised engine, and slow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_FLOOR, Decimal, localcontext
from fractions import Fraction
from typing import Any

from headwater.claims.payment.policy import Benefit, Common, Policy, Repeated, Weight

__all__ = ["Paid", "price_by_row"]

Stay = Mapping[str, Any]
_CLASSES = ("jia", "yi", "bing")


@dataclass
class Paid:
    """What one stay is paid, in the currency."""

    payable: Decimal
    self_pay: Decimal
    package: Decimal | None = None

    @property
    def fund(self) -> Decimal:
        """What the fund pays."""
        return self.payable - self.self_pay


@dataclass
class _Open:
    """A stay on its way through the rules."""

    stay: Stay
    weight: Weight | None
    package: Decimal | None
    paid: Decimal
    rule: Repeated | None = None
    case: int = -1
    merged: bool = False


def price_by_row(stays: Sequence[Stay], policy: Policy) -> list[Paid]:
    """Return the payment of each stay (a row as ``Table.to_pylist`` gives it)."""
    with localcontext() as context:
        context.prec = 50
        opened = [_open(stay, policy) for stay in stays]
        cases = _repeat(opened, policy)
        listed: dict[tuple[str, int], Decimal] = {}
        counted: dict[tuple[str, int], int] = {}
        selves = {}
        order = sorted(
            range(len(stays)), key=lambda row: (_day(stays[row], "endtime"), _day(stays[row], "begntime"), row)
        )
        for row in order:
            selves[row] = _self_pay(stays[row], policy, listed, counted)
        return [_close(one, cases[one.case], policy, selves[row]) for row, one in enumerate(opened)]


def _round(value: Decimal | Fraction) -> Decimal:
    """Return the nearest hundredth, halves up."""
    if isinstance(value, Fraction):
        return Decimal((value * 200 + 1) // 2) / 100
    return (value + Decimal("0.005")).quantize(Decimal("0.01"), rounding=ROUND_FLOOR)


def _unit(millionths: int) -> Decimal:
    return Decimal(millionths) / 10**6


def _money(fen: int) -> Decimal:
    return Decimal(fen) / 100


def _amount(stay: Stay, name: str) -> Decimal:
    return stay.get(name) or Decimal(0)


def _day(stay: Stay, name: str) -> date:
    value = stay.get(name)
    return date.min if value is None else value.date() if hasattr(value, "date") else value


def _open(stay: Stay, policy: Policy) -> _Open:
    drg, level, insured = stay.get("drg"), stay.get("hosp_lv"), stay.get("insutype")
    weight, _ = policy.weight(drg, stay.get("adrg"))
    disease = _disease(stay, policy)
    rate = policy.rates.get((level or "", insured or ""))
    if disease is not None and disease.rate is not None:
        rate = disease.rate
    grouped = drg is not None and stay.get("status", "grouped") == "grouped"
    if not grouped or weight is None or rate is None:
        return _Open(stay, None, None, _round(_amount(stay, "medfee_sumamt") * _unit(policy.by_cost)))
    package = _round(_unit(weight.weight) * _money(rate))
    package = _round(package * _unit(policy.coefficients.get(stay.get("hospital_id") or "", 10**6)))
    if disease is not None:
        package = _round(package * _unit(disease.factor))
    package = _round(package * _unit(policy.neutral))
    return _Open(stay, weight, package, package)


def _disease(stay: Stay, policy: Policy) -> Common | None:
    for one in policy.common:
        fits = stay.get("drg") in one.drgs or stay.get("adrg") in one.adrgs
        fits = fits or any((stay.get("dscg_maindiag_code") or "").startswith(begin) for begin in one.diagnoses)
        here = not one.hosp_lv or stay.get("hosp_lv") in one.hosp_lv
        if fits and here and (not one.insutype or stay.get("insutype") in one.insutype):
            return one
    return None


def _repeat(opened: list[_Open], policy: Policy) -> dict[int, list[_Open]]:
    """Find further stays, reduce them, and let one stay of each case carry it; return the stays of each case."""
    beds: dict[tuple[str, str], list[int]] = {}
    for row, one in enumerate(opened):
        one.case = row
        stay = one.stay
        known = all(stay.get(name) is not None for name in ("psn_no", "hospital_id", "begntime", "endtime"))
        if one.package is not None and known:
            beds.setdefault((stay["psn_no"], stay["hospital_id"]), []).append(row)
    for rows in beds.values():
        rows.sort(key=lambda row: (_day(opened[row].stay, "begntime"), _day(opened[row].stay, "endtime"), row))
        for before, later in zip(rows, rows[1:], strict=False):
            _link(opened, before, later, policy)
    cases: dict[int, list[_Open]] = {}
    for one in opened:
        if one.rule is not None and one.rule.share is not None:
            one.paid = _round(one.paid * _unit(one.rule.share))
        cases.setdefault(one.case, []).append(one)
    for case in cases.values():
        carrier = max(case, key=lambda one: one.paid)
        for one in case:
            if one is not carrier:
                one.merged, one.paid = True, Decimal(0)
    return cases


def _link(opened: list[_Open], before: int, later: int, policy: Policy) -> None:
    one, other = opened[before].stay, opened[later].stay
    gap = (_day(other, "begntime") - _day(one, "endtime")).days
    for rule in policy.repeated:
        same = rule.same == "any" or (other.get(rule.same) is not None and one.get(rule.same) == other.get(rule.same))
        if gap <= rule.within_days and same and other.get("adrg") not in rule.spared:
            opened[later].rule = rule
            if rule.share is None:
                opened[later].case = opened[before].case
            return


def _outside(one: _Open, policy: Policy) -> Decimal:
    rule = policy.outside
    if rule is None or one.package is None or (rule.adrgs and one.stay.get("adrg") not in rule.adrgs):
        return Decimal(0)
    return _part(one.stay, rule.amount)


def _part(stay: Stay, name: str) -> Decimal:
    """Return an amount as far as it can be part of the bill."""
    amount = max(_amount(stay, name), Decimal(0))
    if stay.get("medfee_sumamt") is None:
        return amount
    return min(amount, max(_amount(stay, "medfee_sumamt"), Decimal(0)))


def _close(one: _Open, case: list[_Open], policy: Policy, self_pay: Decimal) -> Paid:
    if one.package is not None and one.weight is not None:
        cost = sum((_amount(other.stay, "medfee_sumamt") - _outside(other, policy) for other in case), Decimal(0))
        if not one.merged:
            one.paid = _happened(one, policy, (one.weight, one.package, cost))
        if policy.outside is not None:
            one.paid += _round(_outside(one, policy) * _unit(policy.outside.share))
    if policy.floored and len(case) == 1 and self_pay > one.paid:
        one.paid = self_pay
    _review(one, policy, self_pay)
    return Paid(one.paid, self_pay, one.package)


def _review(one: _Open, policy: Policy, self_pay: Decimal) -> None:
    """Do what somebody decided about the stay."""
    said, cost = one.stay.get("reviewed_as"), one.stay.get("medfee_sumamt")
    if said == "special" and not one.merged and cost is not None:
        one.paid = max(_round(cost * _unit(policy.by_cost)), self_pay)
    if said in ("reduce", "return"):
        limit = _amount(one.stay, "reviewed_limit") if said == "reduce" else Decimal(0)
        one.paid = min(one.paid, max(limit, self_pay))


def _happened(one: _Open, policy: Policy, known: tuple[Weight, Decimal, Decimal]) -> Decimal:
    """Return what transfer, death and outliers make of a package."""
    weight, package, cost = known
    stay, way, days = one.stay, one.stay.get("dscg_way"), one.stay.get("stay_days")
    paid = _moved(one.paid, policy, weight, way, days)
    costed = stay.get("medfee_sumamt") is not None
    if policy.death is not None and way == "5" and days is not None and days <= policy.death.within_days:
        if policy.death.pay == "package":
            return paid
        if costed:
            return cost
    return _outlying(paid, policy, weight, package, cost) if costed else paid


def _moved(paid: Decimal, policy: Policy, weight: Weight, way: str | None, days: int | None) -> Decimal:
    if policy.transfer is None or way not in policy.transfer.ways:
        return paid
    if policy.transfer.share is not None:
        return _round(paid * _unit(policy.transfer.share))
    if days is not None and weight.mean_days and (days + 1) * 10**6 < weight.mean_days:
        return _round(Fraction(paid) * (days + 1) * 10**6 / weight.mean_days)
    return paid


def _outlying(paid: Decimal, policy: Policy, weight: Weight, package: Decimal, cost: Decimal) -> Decimal:
    if policy.low is not None:
        trim = _money(weight.low) if weight.low is not None else _round(package * _unit(policy.low))
        if cost < trim and cost < paid:
            return cost
    if policy.high is not None:
        above = next(ratio for below, ratio in policy.high.tiers if below is None or weight.weight < below)
        trim = _money(weight.high) if weight.high is not None else _round(package * _unit(above))
        if cost > trim:
            paid += _round((cost - trim) * _unit(policy.high.share))
    return paid


def _self_pay(
    stay: Stay, policy: Policy, listed: dict[tuple[str, int], Decimal], counted: dict[tuple[str, int], int]
) -> Decimal:
    cost = _amount(stay, "medfee_sumamt")
    if policy.benefits is None:
        return cost - _amount(stay, "fund_pay_sumamt")
    benefit = policy.benefits.get((stay.get("insutype") or "", stay.get("hosp_lv") or ""))
    if benefit is None:
        return cost
    amounts = {name: max(_amount(stay, f"{name}_amount"), Decimal(0)) for name in _CLASSES}
    if sum(amounts.values()) > max(cost, Decimal(0)):
        amounts = dict.fromkeys(_CLASSES, Decimal(0))
    rest = cost - sum(amounts.values())
    eligible = sum((_round(amounts[name] * _unit(benefit.eligible[name])) for name in _CLASSES), Decimal(0))
    eligible += _round(rest * _unit(benefit.eligible[policy.unclassed]))
    deductible = _money(_deductible(stay, benefit, counted))
    return cost - _listed(stay, benefit, max(eligible - deductible, Decimal(0)), listed)


def _deductible(stay: Stay, benefit: Benefit, counted: dict[tuple[str, int], int]) -> int:
    """Return the deductible of a stay, the first, second or a later one of its person's year."""
    if any(stay.get(name) is None for name in ("psn_no", "begntime", "endtime")):
        return benefit.deductible
    key = (stay["psn_no"], _day(stay, "endtime").year)
    place = counted[key] = counted.get(key, 0) + 1
    listed = [benefit.deductible, *benefit.further]
    return listed[place - 1] if place <= len(listed) else listed[-1]


def _listed(stay: Stay, benefit: Benefit, base: Decimal, listed: dict[tuple[str, int], Decimal]) -> Decimal:
    """Return what the ratios give, under the ceiling."""
    given, lower = Decimal(0), Decimal(0)
    for tier in benefit.tiers:
        upper = base if tier.up_to is None else min(base, _money(tier.up_to))
        given += _round(max(upper - lower, Decimal(0)) * _unit(tier.ratio))
        lower = max(lower, upper)
    key = (str(stay.get("psn_no")), _day(stay, "endtime").year)
    counted = benefit.yearly and all(stay.get(name) is not None for name in ("psn_no", "begntime", "endtime"))
    before = listed.get(key, Decimal(0)) if counted else Decimal(0)
    if counted:
        listed[key] = before + given
    if benefit.ceiling is None:
        return given
    ceiling = _money(benefit.ceiling)
    return min(before + given, ceiling) - min(before, ceiling)
