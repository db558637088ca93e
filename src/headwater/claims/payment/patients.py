"""What the patient pays of a bill: own shares of item classes, deductible, the part beside the ratios, the ceiling."""

from collections.abc import Sequence

import numpy as np

from headwater.claims.payment.cases import Cases, Mask
from headwater.claims.payment.ledger import Ledger
from headwater.claims.payment.lines import Operand, operand
from headwater.claims.payment.money import Fen, times
from headwater.claims.payment.policy import Benefit, Policy
from headwater.claims.payment.repeats import in_order
from headwater.claims.payment.sections import CLASSES

__all__ = ["price_patients"]

_OPEN = 2**62


def price_patients(cases: Cases, policy: Policy) -> Ledger:
    """Return the self-pay lines of every stay."""
    ledger, n = Ledger(len(cases)), len(cases)
    cost = Operand("cost", "fen", cases.cost)
    if policy.benefits is None:
        paid = cases.amounts["fund_pay_sumamt"]
        ledger.add("as_billed", np.ones(n, np.bool_), cases.cost - paid, [cost, Operand("fund_paid", "fen", paid)])
        return ledger
    benefit, benefits = _benefits(cases, policy)
    covered = benefit >= 0
    where = [operand(name, "code", cases.codes[name], n) for name in ("insutype", "hosp_lv")]
    ledger.add("not_covered", ~covered, cases.cost, [cost, *where])
    if not benefits:
        return ledger
    eligible = _own_shares(ledger, cases, policy, (benefit, covered), benefits)
    first = _deductibles(ledger, cases, eligible, (benefit, covered), benefits)
    listed = _tiers(ledger, np.where(covered, eligible - first, 0), (benefit, covered), benefits)
    _ceilings(ledger, cases, listed, (benefit, covered), benefits)
    return ledger


def _benefits(cases: Cases, policy: Policy) -> tuple[Fen, list[Benefit]]:
    """Return each stay's place in the list of benefits that occur, -1 where the policy has none."""
    insured, level = cases.codes["insutype"], cases.codes["hosp_lv"]
    places = np.full((len(insured.names) + 1, len(level.names) + 1), -1, np.int64)
    found: list[Benefit] = []
    for row, name in enumerate(insured.names):
        for column, other in enumerate(level.names):
            benefit = (policy.benefits or {}).get((name, other))
            if benefit is not None:
                places[row, column] = len(found)
                found.append(benefit)
    return np.asarray(places[insured.places, level.places], dtype=np.int64), found


def _own_shares(
    ledger: Ledger, cases: Cases, policy: Policy, who: tuple[Fen, Mask], benefits: Sequence[Benefit]
) -> Fen:
    """Add what of each item class does not count; return what does, fen."""
    benefit, covered = who
    parts = {name: np.maximum(cases.amounts[f"{name}_amount"], 0) for name in CLASSES}
    # Lines that sum to more than the bill do not tell what it is made of.
    known = sum(parts.values()) <= np.maximum(cases.cost, 0)
    amounts = {name: np.where(known, amount, 0) for name, amount in parts.items()}
    amounts["unclassed"] = cases.cost - sum(amounts.values())
    total = np.zeros(len(cases), np.int64)
    for name, amount in amounts.items():
        key = policy.unclassed if name == "unclassed" else name
        share = np.asarray([one.eligible[key] for one in benefits], dtype=np.int64)[benefit]
        eligible = times(amount, share)
        used = [Operand("amount", "fen", amount), Operand("eligible", "factor", share)]
        ledger.add(f"own_{name}", covered & (amount != eligible), amount - eligible, used)
        total += np.where(covered, eligible, 0)
    return total


def _deductibles(
    ledger: Ledger, cases: Cases, eligible: Fen, who: tuple[Fen, Mask], benefits: Sequence[Benefit]
) -> Fen:
    """Add and return the part of what is eligible that the patient pays first, fen."""
    benefit, covered = who
    varies = np.asarray([bool(one.further) for one in benefits], dtype=np.bool_)[benefit] & covered
    stay_no = _places(cases, covered) + 1 if bool(varies.any()) else np.ones(len(cases), np.int64)
    longest = max(len(one.deductibles) for one in benefits)
    # One column a stay of the year: a shorter list goes on with its last.
    table = [(*one.deductibles, *one.deductibles[-1:] * (longest - len(one.deductibles))) for one in benefits]
    deductible = np.asarray(table, dtype=np.int64)[benefit, np.minimum(stay_no, longest) - 1]
    first = np.minimum(eligible, deductible)
    used = [Operand("eligible", "fen", eligible), Operand("deductible", "fen", deductible)]
    paid = covered & (first != 0)
    ledger.add("deductible", paid & ~varies, first, used)
    ledger.add("deductible_of_stay", paid & varies, first, [Operand("stay_no", "count", stay_no), *used])
    return np.asarray(first, dtype=np.int64)


def _tiers(ledger: Ledger, base: Fen, who: tuple[Fen, Mask], benefits: Sequence[Benefit]) -> Fen:
    """Add what the ratios leave to the patient; return what they give to the fund, fen."""
    benefit, covered = who
    listed = np.zeros(len(base), np.int64)
    lower = np.zeros(len(base), np.int64)
    for place in range(max(len(one.tiers) for one in benefits)):
        bounds = [_bound(one, place) for one in benefits]
        upper = np.asarray([bound for bound, _ in bounds], dtype=np.int64)[benefit]
        ratio = np.asarray([part for _, part in bounds], dtype=np.int64)[benefit]
        portion = np.where(covered, np.maximum(np.minimum(base, upper) - lower, 0), 0)
        paid = times(portion, ratio)
        used = [
            operand("tier", "count", place + 1, len(base)),
            Operand("portion", "fen", portion),
            Operand("ratio", "factor", ratio),
        ]
        ledger.add("ratio", portion != paid, portion - paid, used)
        listed += paid
        lower = np.maximum(lower, upper)
    return listed


def _bound(benefit: Benefit, place: int) -> tuple[int, int]:
    """Return a tier's upper bound and ratio; tiers beyond the last are empty."""
    tier = benefit.tiers[min(place, len(benefit.tiers) - 1)]
    return (_OPEN if tier.up_to is None else tier.up_to, tier.ratio)


def _ceilings(ledger: Ledger, cases: Cases, listed: Fen, who: tuple[Fen, Mask], benefits: Sequence[Benefit]) -> None:
    benefit, covered = who
    ceiling = np.asarray([_OPEN if one.ceiling is None else one.ceiling for one in benefits], dtype=np.int64)[benefit]
    yearly = covered & np.asarray([one.yearly for one in benefits], dtype=np.bool_)[benefit]
    before = np.zeros(len(cases), np.int64)
    if bool(yearly.any()):
        before = _earlier(cases, listed, yearly)
    paid = np.minimum(before + listed, ceiling) - np.minimum(before, ceiling)
    used = [Operand("before", "fen", before + listed), Operand("ceiling", "fen", ceiling)]
    ledger.add("ceiling", covered & (paid != listed), listed - paid, used)


def _earlier(cases: Cases, listed: Fen, where: Mask) -> Fen:
    """Return what the ratios gave a person for stays that ended earlier in the same calendar year."""
    earlier = np.zeros(len(cases), np.int64)
    rows, start = _years(cases, where)
    before = np.cumsum(listed[rows]) - listed[rows]
    # The sum so far where the year began; what the ratios give is never negative, so it only grows.
    earlier[rows] = before - np.maximum.accumulate(np.where(start, before, 0))
    return earlier


def _places(cases: Cases, where: Mask) -> Fen:
    """Return how many stays of its person ended earlier in the same calendar year, 0 where that is not known."""
    places = np.zeros(len(cases), np.int64)
    rows, start = _years(cases, where)
    number = np.arange(len(rows))
    places[rows] = number - np.maximum.accumulate(np.where(start, number, 0))
    return places


def _years(cases: Cases, where: Mask) -> tuple[Fen, Mask]:
    """Return rows of known persons and days, by person, calendar year and end, and where such a year begins."""
    person = cases.codes["psn_no"].places
    rows = np.flatnonzero(where & cases.dated & (person >= 0))
    start = np.ones(len(rows), np.bool_)
    if not len(rows):
        return rows, start
    year = cases.end[rows].astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64)
    key = person[rows] * 10_000 + (year - year.min())
    order = in_order(key, cases.end[rows], cases.begin[rows])
    key = key[order]
    start[1:] = key[1:] != key[:-1]
    return rows[order], start
