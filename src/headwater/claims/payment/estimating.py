"""New weights and base rates from what stays cost, and the factor that leaves the region's payments as they were.

Means are trimmed: within a DRG the logarithms of cost beyond the quartiles by 1.5 interquartile ranges (or beyond three
standard deviations) are left out, as a mean of skewed costs belongs to its tail. Small groups are drawn to what is
known of their kind by credibility n / (n + k): a DRG to its ADRG, an ADRG to the mean of all stays, a base rate to that
of its level and that to the region's (Bühlmann 1967). Floating point decides only which stays are left out; means,
weights and rates are rationals.

References
----------
Bühlmann, H. (1967). Experience rating and credibility. ASTIN Bulletin 4(3), 199–207.
Tukey, J. W. (1977). Exploratory Data Analysis. Addison-Wesley: fences of 1.5 interquartile ranges.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import yaml

from headwater.claims.payment.cases import Cases, Codes, Mask, read_cases
from headwater.claims.payment.checking import tested
from headwater.claims.payment.loading import parse_policy
from headwater.claims.payment.money import UNIT, Fen, shown
from headwater.claims.payment.policy import Policy
from headwater.claims.payment.pricing import price_cases
from headwater.errors import Message, Refusal

__all__ = ["Estimate", "Settings", "estimate", "trim_points"]

_WEIGHT_DECIMALS = 4
_ROUNDS = 8


@dataclass(frozen=True)
class Settings:
    """How weights and rates are estimated.

    Parameters
    ----------
    months : length of the window
    trim : of logarithms, ``iqr``: 1.5 interquartile ranges beyond the quartiles; ``sigma``: three standard deviations
    credible : number k of stays at which a group's own mean has half the say
    points : whether trim points are written beside the weights, in place of the policy's ratios
    neutral : whether the budget-neutral factor is sought; else it is 1
    """

    months: int = 36
    trim: Literal["iqr", "sigma"] = "iqr"
    credible: int = 30
    points: bool = False
    neutral: bool = True


@dataclass(frozen=True, eq=False)
class Estimate:
    """A new policy from cost data.

    Parameters
    ----------
    text : the new policy's file; its tests are the old ones with what the new policy pays: look them through
    policy : the same, read
    groups : one row a DRG: ``drg, adrg, n, n_kept, mean_fen, weight, weight_before, mean_days, low_fen, high_fen``
    payable_before_fen, payable_after_fen : of the window's stays under the old and the new policy
    """

    text: str = field(repr=False)
    policy: Policy
    groups: pa.Table = field(repr=False)
    payable_before_fen: int
    payable_after_fen: int


@dataclass(frozen=True)
class _Group:
    """What a DRG's stays cost."""

    adrg: str
    n: int = 0
    kept: int = 0
    cost: int = 0
    days: int = 0
    low: int | None = None
    high: int | None = None


def trim_points(stays: pa.Table, *, trim: Literal["iqr", "sigma"] = "iqr") -> pa.Table:
    """Return the trim points of every DRG that has stays: ``drg, n, n_kept, mean_fen, low_fen, high_fen``."""
    cases = read_cases(stays, None)
    groups = _groups(cases, _usual(cases, None), cases.cost, trim)[0]
    rows = [
        {"drg": drg, "n": one.n, "n_kept": one.kept, "mean_fen": _half_up(Fraction(one.cost, max(one.kept, 1)))}
        | {"low_fen": one.low, "high_fen": one.high}
        for drg, one in sorted(groups.items())
    ]
    names = ("n", "n_kept", "mean_fen", "low_fen", "high_fen")
    return pa.Table.from_pylist(rows, pa.schema([("drg", pa.string()), *((name, pa.int64()) for name in names)]))


def estimate(
    stays: pa.Table, plan_drgs: pa.Table, policy: Policy, *, valid_from: date, settings: Settings | None = None
) -> Estimate:
    """Return the policy with weights and rates estimated anew from the stays of the months before a day.

    Parameters
    ----------
    stays : as for :func:`headwater.claims.payment.price`, with ``endtime``
    plan_drgs : the plan's groups; those without stays take their ADRG's weight
    policy : whose rules stay as they are, and whose total is kept where ``settings.neutral``
    valid_from : first day of the new policy; the window ends the day before

    Raises
    ------
    Refusal
        ``E-POLICY-ESTIMATE`` when the window holds no stay that was grouped and has a cost
    """
    chosen = settings or Settings()
    ended = _window(stays, valid_from, chosen.months)
    window = read_cases(ended, plan_drgs)
    inside = _inside(window, policy)
    groups, kept = _groups(window, _usual(window, policy), inside, chosen.trim)
    if not kept.any():
        raise Refusal(
            "E-POLICY-ESTIMATE",
            Message("窗口内没有可用于测算的住院。", "The window holds no stay to estimate from."),
            Message("核对 valid_from、月数与分组结果。", "Check valid_from, the months and the grouping."),
        )
    for code, adrg in zip(plan_drgs["code"].to_pylist(), plan_drgs["adrg"].to_pylist(), strict=True):
        groups.setdefault(code, _Group(adrg))
    weights = _weights(groups, policy, chosen.credible)
    content = dict(policy.content)
    content["weights"] = {"drg": {drg: _entry(weights[drg], groups[drg], chosen) for drg in sorted(weights)}}
    content["rates"] = _rates(window, (inside, kept), weights, policy, chosen.credible)
    content["valid_from"] = valid_from.isoformat()
    content.pop("valid_to", None)

    def payable(under: Policy) -> int:
        return int(price_cases(window, ended, under).totals["payable_fen"].to_numpy().sum())

    before = payable(policy)
    text, after = _balanced(content, payable, before, chosen.neutral)
    new = parse_policy(text, file=f"{policy.name}/{valid_from}.yml")
    return Estimate(text, new, _table(groups, weights, policy), before, after)


def _window(stays: pa.Table, until: date, months: int) -> pa.Table:
    first = until.year * 12 + until.month - 1 - months
    begin = date(first // 12, first % 12 + 1, 1)
    ended = stays["endtime"].cast(pa.date32(), safe=False).to_numpy()
    return stays.filter(pa.array((ended >= np.datetime64(begin)) & (ended < np.datetime64(until))))


def _inside(cases: Cases, policy: Policy) -> Fen:
    """Return cost without what the policy pays outside the package."""
    rule = policy.outside
    if rule is None:
        return cases.cost
    chosen = cases.codes["adrg"].among(rule.adrgs) if rule.adrgs else np.ones(len(cases), np.bool_)
    return cases.cost - np.where(chosen, cases.part(rule.amount), 0)


def _usual(cases: Cases, policy: Policy | None) -> Mask:
    """Return the stays that tell what a group costs: grouped, with a cost, neither moved on nor dead early."""
    codes = cases.codes
    usual = cases.costed & (cases.cost > 0) & (codes["drg"].places >= 0)
    if "status" not in cases.missing:
        usual &= codes["status"].among(frozenset({"grouped"}))
    if policy is not None and policy.transfer is not None:
        usual &= ~codes["dscg_way"].among(policy.transfer.ways)
    if policy is not None and policy.death is not None:
        usual &= ~(codes["dscg_way"].among(frozenset({"5"})) & (cases.days <= policy.death.within_days))
    return np.asarray(usual, dtype=np.bool_)


def _groups(cases: Cases, usual: Mask, cost: Fen, trim: str) -> tuple[dict[str, _Group], Mask]:
    """Return what the stays of each DRG cost, and which stays were kept."""
    drg, adrg = cases.codes["drg"], cases.codes["adrg"]
    rows = np.flatnonzero(usual & (cost > 0))
    rows = rows[np.argsort(drg.places[rows], kind="stable")]
    ends = np.flatnonzero(np.diff(drg.places[rows])) + 1
    groups: dict[str, _Group] = {}
    kept = np.zeros(len(cases), np.bool_)
    for mine in np.split(rows, ends) if len(rows) else ():
        low, high = _fences(cost[mine], trim)
        inside = mine[(cost[mine] >= low) & (cost[mine] <= high)]
        kept[inside] = True
        groups[drg.name(int(mine[0]))] = _Group(
            adrg=adrg.name(int(mine[0])),
            n=len(mine),
            kept=len(inside),
            cost=int(cost[inside].sum()),
            days=int(np.maximum(cases.days[inside], 0).sum()),
            low=low,
            high=high,
        )
    return groups, kept


def _fences(cost: Fen, trim: str) -> tuple[int, int]:
    """Return the lowest and the highest cost that is kept, fen."""
    logs = np.log(cost)
    if trim == "sigma":
        middle, spread = float(logs.mean()), 3 * float(logs.std())
        low, high = middle - spread, middle + spread
    else:
        first, third = np.quantile(logs, [0.25, 0.75])
        low, high = first - 1.5 * (third - first), third + 1.5 * (third - first)
    # Widened by rounding, so that stays of one cost are never all left out.
    return int(np.floor(np.exp(low) * (1 - 1e-12))), int(np.ceil(np.exp(high) * (1 + 1e-12)))


def _weights(groups: Mapping[str, _Group], policy: Policy, k: int) -> dict[str, int]:
    """Return weights in millionths, at four decimals: credible means of DRGs, ADRGs and all stays."""
    n, cost = sum(one.kept for one in groups.values()), sum(one.cost for one in groups.values())
    overall = Fraction(cost, n)
    adrgs: dict[str, tuple[int, int]] = {}
    for one in groups.values():
        count, total = adrgs.get(one.adrg, (0, 0))
        adrgs[one.adrg] = (count + one.kept, total + one.cost)
    family = {adrg: _credible(total, count, overall, k) for adrg, (count, total) in adrgs.items()}
    weights = {}
    for drg, one in groups.items():
        old, _ = policy.weight(drg, one.adrg)
        if adrgs[one.adrg][0] == 0:
            # Nothing is known of its kind: the old weight stands, and where there is none its stays go by cost.
            if old is not None:
                weights[drg] = old.weight
            continue
        mean = _credible(one.cost, one.kept, family[one.adrg], k) / overall
        weights[drg] = max(_half_up(mean * 10**_WEIGHT_DECIMALS), 1) * UNIT // 10**_WEIGHT_DECIMALS
    return weights


def _credible(total: int, n: int, prior: Fraction, k: int) -> Fraction:
    """Return n/(n+k) of the own mean and k/(n+k) of the prior's."""
    return _drawn(Fraction(total, n) if n else Fraction(0), n, prior, k)


def _drawn(own: Fraction, n: int, prior: Fraction, k: int) -> Fraction:
    return (n * own + k * prior) / (n + k) if n else prior


def _rates(
    cases: Cases, known: tuple[Fen, Mask], weights: Mapping[str, int], policy: Policy, k: int
) -> list[dict[str, str]]:
    """Return cost a weight for every level and insurance type; small ones are drawn to their level's, that to all."""
    cost, kept = known
    drg = cases.codes["drg"]
    weight = drg.valued([weights.get(name, 0) for name in drg.names], 0)
    region = _ratio(cost, weight, kept)
    rates = []
    for level, insured in policy.rates:
        here = kept & _is(cases.codes["hosp_lv"], level)
        prior = _drawn(_ratio(cost, weight, here), int(here.sum()), region, k)
        mine = here & _is(cases.codes["insutype"], insured)
        rate = _drawn(_ratio(cost, weight, mine), int(mine.sum()), prior, k)
        rates.append({"hosp_lv": level, "insutype": insured, "amount": shown(_half_up(rate), 2)})
    return rates


def _ratio(cost: Fen, weight: Fen, where: Mask) -> Fraction:
    total = int(weight[where].sum())
    return Fraction(int(cost[where].sum()) * UNIT, total) if total else Fraction(0)


def _is(codes: Codes, name: str) -> Mask:
    return codes.among(frozenset({name}))


def _balanced(content: dict[str, Any], payable: Callable[[Policy], int], target: int, neutral: bool) -> tuple[str, int]:
    """Return the policy's text with the factor at which the window is paid what it was, and what it is paid."""
    best: tuple[int, str, int] | None = None
    factor = Fraction(1)
    for _ in range(_ROUNDS if neutral else 1):
        content["neutral_factor"] = shown(_half_up(factor * UNIT), 6)
        policy = parse_policy(_dumped(content), file="estimate")
        total = payable(policy)
        if best is None or abs(total - target) < best[0]:
            best = (abs(total - target), _dumped(_retested(content, policy)), total)
        if total <= 0 or best[0] == 0:
            break
        factor = min(Fraction(policy.neutral * target, total * UNIT), Fraction(10))
    assert best is not None
    return best[1], best[2]


def _retested(content: Mapping[str, Any], policy: Policy) -> dict[str, Any]:
    """Return the content with its tests expecting what the policy pays."""
    tests = []
    for written, case in zip(content["tests"], policy.tests, strict=True):
        totals = tested(policy, case).totals
        stays = [
            {**stay, "pays": {name: shown(totals[f"{name}_fen"][place].as_py(), 2) for name in stay["pays"]}}
            for place, stay in enumerate(written["stays"])
        ]
        tests.append({**written, "stays": stays})
    return {**content, "tests": tests}


def _dumped(content: Mapping[str, Any]) -> str:
    return str(yaml.safe_dump(dict(content), allow_unicode=True, sort_keys=False, width=120))


def _entry(weight: int, group: _Group, settings: Settings) -> dict[str, str]:
    entry = {"weight": shown(weight, 6)}
    if group.kept and group.days:
        entry["mean_days"] = shown(_half_up(Fraction(group.days * 100, group.kept)), 2)
    if settings.points and group.low is not None and group.high is not None:
        entry |= {"low": shown(group.low, 2), "high": shown(group.high, 2)}
    return entry


def _table(groups: Mapping[str, _Group], weights: Mapping[str, int], policy: Policy) -> pa.Table:
    rows = []
    for drg, one in sorted(groups.items()):
        old, _ = policy.weight(drg, one.adrg)
        new = weights.get(drg)
        days = _half_up(Fraction(one.days * 100, one.kept)) if one.kept else None
        rows.append(
            {"drg": drg, "adrg": one.adrg, "n": one.n, "n_kept": one.kept}
            | {"mean_fen": _half_up(Fraction(one.cost, one.kept)) if one.kept else None}
            | {"weight": None if new is None else shown(new, 6)}
            | {"weight_before": None if old is None else shown(old.weight, 6)}
            | {"mean_days": None if days is None else shown(days, 2), "low_fen": one.low, "high_fen": one.high}
        )
    return pa.Table.from_pylist(rows)


def _half_up(value: Fraction) -> int:
    return int((2 * value + 1) // 2)
