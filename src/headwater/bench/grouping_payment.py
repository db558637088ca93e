"""D3 and D4: a million stays priced anew and a change of policy decomposed, and sums that agree to the fen."""

import time
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headwater.adapters.home import Home
from headwater.bench.figures import Figure, Size
from headwater.bench.pricing_by_row import price_by_row
from headwater.bench.pricing_cases import DRGS, changed, drawn, policy, table
from headwater.claims.payment import EFFECTS, Policy, Priced, decompose, load_policy, price, what_if
from headwater.claims.payment.lines import decimals

__all__ = ["figures", "region", "wrong_sums"]

_STAYS = 1_000_000
_BY_ROW: Mapping[Size, int] = {"ci": 5_000, "full": 50_000}
_REGIONS: Mapping[Size, int] = {"ci": 60, "full": 1_000}
_SEED = 20260705
_GOAL_S, _GOAL_WHAT_IF_S = 3, 10
_REPEATS = 3
_LEVELS = ("3", "3", "2", "1", "3", "2", "3", "3", "2", "2", "2", "1")
_ACCOUNTS = ("payable", "self_pay", "fund")
_FIRST, _SECOND = (date(2024, 1, 1), date(2024, 12, 31)), (date(2025, 1, 1), date(2025, 12, 31))
T = TypeVar("T")


def figures(size: Size, data: Path | None) -> dict[str, Figure]:
    """Return D3 and D4 over made-up stays in the groups of the demonstration policy; ``data`` is not needed."""
    folder = Home.from_environment().project / "dbt_project" / "policies" / "headwater_demo"
    old, new = (load_policy(file) for file in sorted(folder.glob("*.yml"))[:2])
    stays, drgs = region(old, _STAYS, _SEED)
    return {"D3": _speed(size, stays, drgs, (old, new)), "D4": _sums(size, stays, drgs, (old, new))}


def region(rules: Policy, n: int, seed: int) -> tuple[pa.Table, pa.Table]:
    """Return ``n`` made-up stays of two years in the groups of a policy, and its groups as a plan's table."""
    rng = np.random.default_rng(seed)
    codes = np.asarray(sorted(rules.weights))
    drgs = pa.table({"code": codes, "name": codes, "adrg": [c[:3] for c in codes], "mdc": [c[0] for c in codes]})
    hospital, drg = rng.integers(12, size=n), rng.integers(len(codes), size=n)
    insured = rng.choice(["310", "390"], size=n, p=[0.4, 0.6])
    level = np.asarray(_LEVELS)[hospital]
    rate = np.select([level == "3", level == "2"], [11_500, 8_500], 4_300)
    weight = np.asarray([rules.weights[code].weight for code in codes])[drg] / 10**6
    cost = (weight * rate * 100 * rng.lognormal(-0.05, 0.4, size=n)).astype(np.int64)
    days = 1 + rng.poisson(7, size=n)
    begin = np.datetime64("2024-01-01") + rng.integers(720, size=n)
    ungrouped = rng.random(n) < 0.005
    names = [f"h{101 + place:04d}:H{101 + place:04d}" for place in range(12)]
    columns: dict[str, object] = {
        "stay_id": pa.array(np.arange(n)).cast(pa.string()),
        "hospital_id": pa.array(names).take(pa.array(hospital)),
        "hosp_lv": pa.array(list(_LEVELS)).take(pa.array(hospital)),
        "insutype": pa.array(insured),
        "psn_no": pa.array(rng.integers(6 * n // 10 + 1, size=n)).cast(pa.string()),
        "status": pa.array(["grouped", "ungroupable"]).take(pa.array(ungrouped.astype(int))),
        "dscg_way": pa.array(rng.choice(["1", "2", "3", "4", "5"], size=n, p=[0.9, 0.03, 0.02, 0.03, 0.02])),
        "stay_days": pa.array(days),
        "begntime": pa.array(begin.astype("datetime64[D]")),
        "endtime": pa.array((begin + days).astype("datetime64[D]")),
    }
    for name in ("drg", "adrg", "mdc"):
        own = drgs["code" if name == "drg" else name].combine_chunks()
        columns[name] = own.take(pa.array(drg, mask=ungrouped))
    return pa.table(columns | _amounts(rng, cost)), drgs


def _amounts(rng: np.random.Generator, cost: npt.NDArray[np.int64]) -> dict[str, pa.Array]:
    part = rng.dirichlet([5, 3, 1, 0.2], size=len(cost))
    implanted = np.where(rng.random(len(cost)) < 0.1, 0.3, 0.0)
    shares = {"jia_amount": part[:, 0], "yi_amount": part[:, 1], "bing_amount": part[:, 2]}
    shares |= {"high_value_amount": implanted, "fund_pay_sumamt": np.full(len(cost), 0.6)}
    amounts = {name: decimals((cost * share).astype(np.int64), 2) for name, share in shares.items()}
    return {"medfee_sumamt": decimals(cost, 2)} | amounts


def _speed(size: Size, stays: pa.Table, drgs: pa.Table, rules: tuple[Policy, Policy]) -> Figure:
    price(stays.slice(0, 1000), drgs, rules[1])
    seconds, cpu, _ = min(
        (_timed(lambda: price(stays, drgs, rules[1])) for _ in range(_REPEATS)), key=lambda one: one[0]
    )

    def whole() -> pa.Table:
        compared = what_if(stays, drgs, *rules)
        compared.by("hospital_id", "hosp_lv", "insutype", "drg")
        return decompose(compared, _FIRST, _SECOND, within=["hospital_id"])

    what_if_seconds, what_if_cpu, parts = _timed(whole)
    sample = stays.slice(0, _BY_ROW[size])
    rows = sample.to_pylist()
    by_row_seconds, _, by_row = _timed(lambda: price_by_row(rows, rules[1]))
    payable = price(sample, drgs, rules[1]).totals["payable_fen"].to_pylist()
    differ = sum(int(one.payable * 100) != fen for one, fen in zip(by_row, payable, strict=True))
    return Figure(
        value=seconds,
        unit="s",
        goal=f"<= {_GOAL_S} for 1 M stays, <= {_GOAL_WHAT_IF_S} for a what-if with its decomposition",
        holds=seconds <= _GOAL_S and what_if_seconds <= _GOAL_WHAT_IF_S and differ == 0,
        baseline={
            "by_row_seconds_for_1m": by_row_seconds * _STAYS / len(rows),
            "by_row_stays_per_second": len(rows) / by_row_seconds,
        },
        n=len(stays),
        note=f"wall time, the best of {_REPEATS}; made-up stays of two years under the demonstration policies of 2024 "
        "and 2025; the what-if prices both, compares by hospital, level, insurance type and DRG, and decomposes every "
        "hospital's change; the baseline prices a sample row by row in decimal and must agree to the fen",
        also={
            "cpu_seconds": cpu,
            "what_if_seconds": what_if_seconds,
            "what_if_cpu_seconds": what_if_cpu,
            "cells_decomposed": len(parts),
            "stays_by_row": len(rows),
            "differ_from_by_row": differ,
        },
    )


def _sums(size: Size, stays: pa.Table, drgs: pa.Table, rules: tuple[Policy, Policy]) -> Figure:
    compared = what_if(stays, drgs, *rules)
    wrong, checked = np.sum([wrong_sums(one) for one in (compared.before, compared.after)], axis=0)
    parts = decompose(compared, _FIRST, _SECOND, within=["hospital_id"])
    rest = np.asarray(parts["change_fen"]) - np.sum([np.asarray(parts[f"{name}_fen"]) for name in EFFECTS], axis=0)
    wrong, checked = wrong + int(np.count_nonzero(rest)), checked + len(parts)
    variants = (
        policy(),
        changed(("negative_fund: zero", "negative_fund: kept")),
        changed(("pay: by_day", "pay: 0.55")),
    )
    for seed in range(_REGIONS[size]):
        drawn_stays = table(drawn(seed % 90, seed))
        chosen = variants[seed % len(variants)]
        priced = price(drawn_stays, DRGS, chosen)
        found = wrong_sums(priced)
        by_row = price_by_row(drawn_stays.to_pylist(), chosen)
        amounts = zip(
            by_row, priced.totals["payable_fen"].to_pylist(), priced.totals["fund_fen"].to_pylist(), strict=True
        )
        differ = sum((one.payable * 100, one.fund * 100) != (payable, fund) for one, payable, fund in amounts)
        wrong, checked = wrong + found[0] + differ, checked + found[1] + len(by_row)
    return Figure(
        value=float(wrong),
        unit="sums that differ",
        goal="0",
        holds=bool(wrong == 0),
        n=int(checked),
        note="lines by stay and account, stays by hospital, fund and patient against payable, and the parts of every "
        "decomposed cell, over the million stays under two policies; the same, and the payments row by row in decimal, "
        f"over {_REGIONS[size]} drawn regions that meet every rule",
        also={"stays": 2 * len(stays), "regions": _REGIONS[size], "cells": len(parts)},
    )


def wrong_sums(priced: Priced) -> tuple[int, int]:
    """Return how many sums differ, and how many were compared: of lines, stays, hospitals, fund and patients."""
    totals, n = priced.totals, len(priced.totals)
    of = {name: np.asarray(totals[f"{name}_fen"].to_numpy(), dtype=np.int64) for name in _ACCOUNTS}
    wrong = int(np.count_nonzero(of["fund"] + of["self_pay"] - of["payable"]))
    lined = np.zeros(n, np.bool_)
    for account in _ACCOUNTS:
        by_stay = np.zeros(n, np.int64)
        for one in priced.blocks:
            if one.told.account == account:
                np.add.at(by_stay, one.rows, one.amount)
                lined[one.rows] = True
        wrong += int(np.count_nonzero(by_stay != of[account]))
        hospitals = priced.sums("hospital_id")[f"{account}_fen"].to_pylist()
        wrong += sum(hospitals) != sum(by_stay.tolist())
    stays = pc.sum(priced.sums("hospital_id")["stays"]).as_py() or 0
    return wrong + int(np.count_nonzero(~lined)) + (stays != n), 5 * n + len(_ACCOUNTS) + 1


def _timed(work: Callable[[], T]) -> tuple[float, float, T]:
    wall, cpu = time.perf_counter(), time.process_time()
    done = work()
    return time.perf_counter() - wall, time.process_time() - cpu, done
