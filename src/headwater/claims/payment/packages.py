"""What a stay is payable: its package step by step, what takes the package's place, and what comes on top."""

from dataclasses import dataclass

import numpy as np

from headwater.claims.payment.cases import Cases, Codes, Mask
from headwater.claims.payment.ledger import Ledger
from headwater.claims.payment.lines import Operand, operand
from headwater.claims.payment.money import UNIT, Fen, divided, times
from headwater.claims.payment.policy import Policy, Weight
from headwater.claims.payment.repeats import Repeats, carriers, find_repeats, group_sums

__all__ = ["Packages", "price_packages"]

_NO_WEIGHT = Weight(0)


@dataclass(frozen=True)
class Packages:
    """What the payable lines rest on.

    Parameters
    ----------
    packaged : stays that have a package
    package : fen before what happened to the stay (repeated, transfer, death, outliers)
    carrying : packaged stays that are paid; the others are part of another stay's case
    case : number of the case
    """

    ledger: Ledger
    packaged: Mask
    package: Fen
    carrying: Mask
    case: Fen


@dataclass(frozen=True)
class _Groups:
    """What the policy knows of each stay's group."""

    known: Mask
    own: Mask
    weight: Fen
    mean_days: Fen
    low: Fen
    high: Fen


def price_packages(cases: Cases, policy: Policy) -> Packages:
    """Return the payable lines of every stay; no stay is left without one."""
    ledger = Ledger(len(cases))
    groups = _groups(cases, policy)
    packaged = _base(ledger, cases, policy, groups)
    _factors(ledger, cases, policy, packaged)
    package = ledger.amount.copy()
    repeats = find_repeats(cases, policy.repeated, packaged)
    carrying = _repeated(ledger, cases, policy, packaged, repeats)
    _transfers(ledger, cases, policy, groups, carrying)
    outside = _outside(cases, policy, packaged)
    cost = np.where(packaged, group_sums(repeats.case, np.where(packaged, cases.cost - outside, 0)), cases.cost)
    several = np.bincount(repeats.case, minlength=len(cases))[repeats.case]
    used = [operand("stays", "count", several, len(cases)), _fen("cost", cost)]
    ledger.add("carrying", carrying & (several > 1), np.zeros(len(cases), np.int64), used)
    usual = _deaths(ledger, cases, policy, carrying, cost)
    _outliers(ledger, policy, groups, (package, cost), (carrying & cases.costed, usual))
    if policy.outside is not None:
        paid = [_fen("outside", outside), _factor("share", policy.outside.share, len(cases))]
        ledger.add("consumables", outside != 0, times(outside, policy.outside.share), paid)
    return Packages(ledger, packaged, package, carrying, repeats.case)


def _groups(cases: Cases, policy: Policy) -> _Groups:
    """Look the weights up: once a pair of DRG and ADRG, not once a stay."""
    drg, adrg = cases.codes["drg"], cases.codes["adrg"]
    pair = (drg.places + 1) * (len(adrg.names) + 1) + adrg.places + 1
    pairs = np.flatnonzero(np.bincount(pair))
    place_of = np.zeros(int(pair.max(initial=0)) + 1, np.int64)
    place_of[pairs] = np.arange(len(pairs))
    places = place_of[pair]
    found = [
        policy.weight(_name(drg, int(one) // (len(adrg.names) + 1)), _name(adrg, int(one) % (len(adrg.names) + 1)))
        for one in pairs
    ]
    weights = [weight or _NO_WEIGHT for weight, _ in found]

    def column(values: list[int | None]) -> Fen:
        filled = np.asarray([-1 if value is None else value for value in values], dtype=np.int64)
        return np.asarray(filled[places], dtype=np.int64)

    return _Groups(
        known=np.asarray([weight is not None for weight, _ in found], dtype=np.bool_)[places],
        own=np.asarray([own for _, own in found], dtype=np.bool_)[places],
        weight=column([weight.weight for weight in weights]),
        mean_days=column([weight.mean_days or None for weight in weights]),
        low=column([weight.low for weight in weights]),
        high=column([weight.high for weight in weights]),
    )


def _name(codes: Codes, place: int) -> str | None:
    return codes.names[place - 1] if place else None


def _base(ledger: Ledger, cases: Cases, policy: Policy, groups: _Groups) -> Mask:
    """Pay weight × rate where there are both, and the stated share of the bill where there are not."""
    n, codes = len(cases), cases.codes
    disease = _disease(cases, policy)
    own_rates = [-1 if one.rate is None else one.rate for one in policy.common]
    own_rate = np.asarray([*own_rates, -1], dtype=np.int64)[disease]
    rate = np.where(own_rate >= 0, own_rate, _rates(cases, policy))
    # Where no status is given, a DRG is what says that a stay was grouped.
    said = codes["status"].among(frozenset({"grouped"})) if "status" not in cases.missing else codes["drg"].places >= 0
    grouped = said & (codes["drg"].places >= 0)
    packaged = grouped & groups.known & (rate >= 0)
    base = times(np.where(packaged, rate, 0), groups.weight)
    drg, weight = operand("drg", "code", codes["drg"], n), _factors_of("weight", groups.weight)
    used = [drg, weight, _fen("rate", rate)]
    common = packaged & (own_rate >= 0)
    named = Operand("disease", "code", disease, tuple(one.name for one in policy.common))
    ledger.add("common_rate", common, base, [*used, named])
    ledger.add("weight_drg", packaged & groups.own & ~common, base, used)
    ledger.add(
        "weight_adrg", packaged & ~groups.own & ~common, base, [*used, operand("adrg", "code", codes["adrg"], n)]
    )
    share = [_fen("cost", cases.cost), _factor("share", policy.by_cost, n)]
    by_cost = times(cases.cost, policy.by_cost)
    unrelated = ~grouped & codes["status"].among(frozenset({"unrelated"}))
    ledger.add("ungrouped", ~grouped & ~unrelated, by_cost, share)
    ledger.add("unrelated", unrelated, by_cost, [*share, drg])
    ledger.add("no_weight", grouped & ~groups.known, by_cost, [*share, drg])
    where = [operand(name, "code", codes[name], n) for name in ("hosp_lv", "insutype")]
    ledger.add("no_rate", grouped & groups.known & (rate < 0), by_cost, [*share, *where])
    return np.asarray(packaged, dtype=np.bool_)


def _rates(cases: Cases, policy: Policy) -> Fen:
    level, insured = cases.codes["hosp_lv"], cases.codes["insutype"]
    rates = np.full((len(level.names) + 1, len(insured.names) + 1), -1, np.int64)
    for row, name in enumerate(level.names):
        for column, other in enumerate(insured.names):
            rates[row, column] = policy.rates.get((name, other), -1)
    return np.asarray(rates[level.places, insured.places], dtype=np.int64)


def _disease(cases: Cases, policy: Policy) -> Fen:
    """Return the place of the first common disease that fits a stay, -1 where none does."""
    disease = np.full(len(cases), -1, np.int64)
    codes = cases.codes
    for place in reversed(range(len(policy.common))):
        one = policy.common[place]
        fits = codes["drg"].among(one.drgs) | codes["adrg"].among(one.adrgs)
        if one.diagnoses:
            fits |= codes["dscg_maindiag_code"].beginning(one.diagnoses)
        for name, allowed in (("hosp_lv", one.hosp_lv), ("insutype", one.insutype)):
            fits &= codes[name].among(allowed) if allowed else True
        disease[fits] = place
    return disease


def _factors(ledger: Ledger, cases: Cases, policy: Policy, packaged: Mask) -> None:
    """Multiply the package by the hospital's coefficient, the common disease's factor and the neutral one."""
    hospital, disease = cases.codes["hospital_id"], _disease(cases, policy)
    coefficient = hospital.valued([policy.coefficients.get(name, UNIT) for name in hospital.names], UNIT)
    before = ledger.amount.copy()
    used = [_fen("before", before), _factors_of("coefficient", coefficient)]
    ledger.replace("hospital", packaged & (coefficient != UNIT), times(before, coefficient), used)
    factor = np.asarray([*(one.factor for one in policy.common), UNIT], dtype=np.int64)[disease]
    before = ledger.amount.copy()
    named = Operand("disease", "code", disease, tuple(one.name for one in policy.common))
    used = [_fen("before", before), _factors_of("factor", factor), named]
    ledger.replace("common_factor", packaged & (factor != UNIT), times(before, factor), used)
    if policy.neutral != UNIT:
        before = ledger.amount.copy()
        used = [_fen("before", before), _factor("factor", policy.neutral, len(cases))]
        ledger.replace("neutral", packaged, times(before, policy.neutral), used)


def _repeated(ledger: Ledger, cases: Cases, policy: Policy, packaged: Mask, repeats: Repeats) -> Mask:
    """Reduce further stays, then let one stay of each case carry its payment; return which those are."""
    before = ledger.amount.copy()
    used = [_fen("before", before), operand("gap", "count", repeats.gap, len(cases))]
    for place, rule in enumerate(policy.repeated):
        if rule.share is not None:
            share = _factor("share", rule.share, len(cases))
            new = times(before, rule.share)
            ledger.replace(f"{rule.name}_reduced", repeats.rule == place, new, [*used, share])
    before = ledger.amount.copy()
    carrying = carriers(repeats.case, before, packaged)
    used[0] = _fen("before", before)
    merged = packaged & ~carrying
    linked = np.zeros(len(cases), np.bool_)
    for place, rule in enumerate(policy.repeated):
        if rule.share is None:
            here = merged & (repeats.rule == place)
            ledger.add(f"{rule.name}_merged", here, -before, used)
            linked |= here
    ledger.add("carried", merged & ~linked, -before, used[:1])
    return carrying


def _transfers(ledger: Ledger, cases: Cases, policy: Policy, groups: _Groups, carrying: Mask) -> None:
    rule = policy.transfer
    if rule is None:
        return
    gone = carrying & cases.codes["dscg_way"].among(rule.ways)
    before = ledger.amount.copy()
    if rule.share is not None:
        used = [_fen("before", before), _factor("share", rule.share, len(cases))]
        ledger.replace("transfer_share", gone, times(before, rule.share), used)
        return
    days = np.where(cases.days >= 0, cases.days, 0)
    # The first day costs most, so it counts twice: (days + 1) / mean, as Medicare pays its transfers.
    short = gone & (cases.days >= 0) & (groups.mean_days > 0) & ((days + 1) * UNIT < groups.mean_days)
    new = divided(before, np.where(short, (days + 1) * UNIT, 0), np.where(short, groups.mean_days, 1))
    used = [_fen("before", before), operand("days", "count", days, len(cases))]
    ledger.replace("transfer_by_day", short, new, [*used, _factors_of("mean_days", groups.mean_days)])


def _outside(cases: Cases, policy: Policy, packaged: Mask) -> Fen:
    """Return the amount of consumables outside the package."""
    if policy.outside is None:
        return np.zeros(len(cases), np.int64)
    chosen = cases.codes["adrg"].among(policy.outside.adrgs) if policy.outside.adrgs else packaged
    return np.where(packaged & chosen, cases.part(policy.outside.amount), 0)


def _deaths(ledger: Ledger, cases: Cases, policy: Policy, carrying: Mask, cost: Fen) -> Mask:
    """Pay early deaths by cost; return the stays to which the rules of outliers apply in the usual way."""
    rule = policy.death
    if rule is None:
        return np.ones(len(cases), np.bool_)
    dead = cases.codes["dscg_way"].among(frozenset({"5"}))
    early = carrying & dead & (cases.days >= 0) & (cases.days <= rule.within_days)
    if rule.pay == "cost":
        early &= cases.costed
        used = [_fen("cost", cost), _fen("before", ledger.amount.copy())]
        ledger.replace("death", early, cost, [*used, operand("days", "count", rule.within_days, len(cases))])
    return ~early


def _outliers(
    ledger: Ledger, policy: Policy, groups: _Groups, compared: tuple[Fen, Fen], where: tuple[Mask, Mask]
) -> None:
    """Pay low outliers by cost and a share of what high outliers cost above their trim point."""
    (package, cost), (costed, usual) = compared, where
    n, low_paid = len(cost), np.zeros(len(cost), np.bool_)
    if policy.low is not None:
        trim = np.where(groups.low >= 0, groups.low, times(package, policy.low))
        before = ledger.amount.copy()
        # What a repeated or transferred stay is paid is never raised by being cheap.
        low_paid = costed & usual & (cost < trim) & (cost < before)
        used = [_fen("cost", cost), _fen("trim", trim), _fen("before", before)]
        ledger.replace("low_outlier", low_paid, cost, used)
    if policy.high is not None:
        trim = np.where(groups.high >= 0, groups.high, times(package, _above(policy, groups.weight)))
        high = costed & usual & ~low_paid & (cost > trim)
        used = [_fen("cost", cost), _fen("trim", trim), _factor("share", policy.high.share, n)]
        ledger.add("high_outlier", high, times(np.where(high, cost - trim, 0), policy.high.share), used)


def _above(policy: Policy, weight: Fen) -> Fen:
    """Return the trim ratio of each stay: that of the first tier its weight is below."""
    tiers = policy.high.tiers if policy.high else ()
    bounds = np.asarray([below for below, _ in tiers[:-1]], dtype=np.int64)
    ratios = np.asarray([above for _, above in tiers], dtype=np.int64)
    return np.asarray(ratios[np.searchsorted(bounds, weight, side="right")], dtype=np.int64)


def _fen(name: str, values: Fen) -> Operand:
    return Operand(name, "fen", values)


def _factors_of(name: str, values: Fen) -> Operand:
    return Operand(name, "factor", values)


def _factor(name: str, value: int, n: int) -> Operand:
    return operand(name, "factor", value, n)
