"""Pricing: a pure function of stays, plan and policy. Every stay gets a total, and every total its lines."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headwater.claims.payment.cases import Cases, read_cases
from headwater.claims.payment.lines import Block, Operand, block, table_of
from headwater.claims.payment.packages import Packages, price_packages
from headwater.claims.payment.patients import price_patients
from headwater.claims.payment.policy import Policy
from headwater.claims.payment.reasons import REASONS, STEPS
from headwater.claims.payment.reviewed import review
from headwater.errors import Message, Refusal

__all__ = ["Explained", "Priced", "explain", "price", "price_cases"]

_KEPT = ("hospital_id", "hosp_lv", "insutype", "drg", "adrg", "mdc", "endtime")
_LEADING = ("ungrouped", "unrelated", "no_weight", "no_rate", "death", "low_outlier", "high_outlier")


@dataclass(frozen=True, eq=False)
class Priced:
    """Stays with their payments.

    Parameters
    ----------
    policy_version : of the policy that priced them
    totals : one row a stay, in the order of the stays: ``stay_id``, the keys ``hospital_id, hosp_lv, insutype, drg,
        adrg, mdc, endtime`` as far as the stays have them, ``paid_as`` (what decided the payment), and in fen
        ``cost_fen, package_fen, payable_fen, fund_fen, self_pay_fen, settlement_fen`` (fund less what was settled
        already) and ``balance_fen`` (payable less cost)
    blocks : the lines as columns
    missing : optional columns that the stays do not have and that counted as nothing
    """

    policy_version: str
    totals: pa.Table
    blocks: tuple[Block, ...] = field(repr=False)
    missing: tuple[str, ...]

    def lines(self) -> pa.Table:
        """Return all lines: ``stay_id, line_no, account, step, reason, amount_fen, operands``."""
        return table_of(self.blocks, self.totals["stay_id"])

    def only(self, where: pa.Array) -> "Priced":
        """Return the payments of some of the stays, by a flag each."""
        mine = np.asarray(where.to_numpy(zero_copy_only=False), dtype=np.bool_)
        place = np.cumsum(mine) - 1
        blocks = []
        for one in self.blocks:
            kept = mine[one.rows]
            used = tuple(Operand(each.name, each.unit, each.values[kept], each.names) for each in one.operands)
            blocks.append(Block(one.reason, place[one.rows[kept]], one.amount[kept], used))
        found = tuple(one for one in blocks if len(one.rows))
        return Priced(self.policy_version, self.totals.filter(where), found, self.missing)

    def sums(self, *keys: str) -> pa.Table:
        """Return amounts and ``stays`` summed by columns of the totals; without any, one row."""
        amounts = [name for name in self.totals.column_names if name.endswith("_fen")]
        table = self.totals.append_column("stays", pa.array(np.ones(len(self.totals), np.int64)))
        asked: list[tuple[str, str]] = [(name, "sum") for name in ("stays", *amounts)]
        summed = table.group_by(list(keys)).aggregate(asked)
        renamed = summed.rename_columns([name.removesuffix("_sum") for name in summed.column_names])
        return renamed.sort_by([(key, "ascending") for key in keys]) if keys else renamed


@dataclass(frozen=True)
class Explained:
    """One line of a payment in words."""

    account: str
    step: Message
    amount_fen: int
    told: Message


def price(stays: pa.Table, plan_drgs: pa.Table | None, policy: Policy, *, where: pa.Array | None = None) -> Priced:
    """Return the payment of every stay under a policy.

    Parameters
    ----------
    stays : ``stay_id, hospital_id, hosp_lv, insutype, drg, medfee_sumamt`` and, where known, ``psn_no, adrg, mdc,
        status, fund_pay_sumamt, stay_days, dscg_way, begntime, endtime, dscg_maindiag_code, jia_amount, yi_amount,
        bing_amount, consumable_amount, high_value_amount``, and what people decided
        (`reviewed.COLUMNS`). Rules over a person's other stays see those of the table.
    plan_drgs : the plan's groups (``code, name, adrg, mdc``), for ADRG and MDC where the stays have none
    where : which stays to return, e.g. those of the policy's days; the others are still seen by rules over a person's
        other stays. None: all

    Raises
    ------
    Refusal
        ``E-PAYMENT-COLUMN`` when a required column is absent or a column is of a kind that cannot be priced
    """
    return price_cases(read_cases(stays, plan_drgs), stays, policy, where=where)


def price_cases(cases: Cases, stays: pa.Table, policy: Policy, *, where: pa.Array | None = None) -> Priced:
    """Return the payments of stays that are read already; see :func:`price`."""
    packages = price_packages(cases, policy)
    patients = price_patients(cases, policy)
    ledger = packages.ledger
    several = np.bincount(packages.case, minlength=len(cases))[packages.case] > 1
    if policy.floored:
        # A stay whose case is paid with another one is paid nothing by intention.
        used = [Operand("self_pay", "fen", patients.amount), Operand("before", "fen", ledger.amount.copy())]
        ledger.replace("floor", (patients.amount > ledger.amount) & ~several, patients.amount, used)
    own = packages.carrying | ~several
    review(ledger, stays, cases, self_pay=patients.amount, own=own, share=policy.by_cost)
    fund = ledger.amount - patients.amount
    shared = [Operand("payable", "fen", ledger.amount), Operand("self_pay", "fen", patients.amount)]
    paid = block("fund", np.ones(len(cases), np.bool_), fund, shared)
    amounts = {
        "cost_fen": cases.cost,
        "package_fen": np.where(packages.packaged, packages.package, 0),
        "payable_fen": ledger.amount,
        "fund_fen": fund,
        "self_pay_fen": patients.amount,
        "settlement_fen": fund - cases.amounts["fund_pay_sumamt"],
        "balance_fen": ledger.amount - cases.cost,
    }
    totals = _totals(stays, cases, amounts, packages)
    priced = Priced(policy.version, totals, (*ledger.blocks, *patients.blocks, paid), cases.missing)
    return priced if where is None else priced.only(where)


def _totals(stays: pa.Table, cases: Cases, amounts: Mapping[str, object], packages: Packages) -> pa.Table:
    columns = {"stay_id": stays["stay_id"]}
    for name in _KEPT:
        if name in stays.column_names:
            columns[name] = stays[name]
        elif name in cases.codes:
            codes = cases.codes[name]
            columns[name] = pa.array([*codes.names, None], pa.string()).take(
                pa.array(codes.places % (len(codes.names) + 1))
            )
    return pa.table({**columns, "paid_as": _paid_as(packages, len(cases)), **amounts})


def _paid_as(packages: Packages, n: int) -> pa.Array:
    """Return what decided each payment: a leading reason, ``merged``, or ``package``."""
    names = ["package", "merged", *_LEADING, "reviewed"]
    places = np.zeros(n, np.int32)
    places[packages.packaged & ~packages.carrying] = 1
    for one in packages.ledger.blocks:
        if one.reason in _LEADING or one.told.step == "reviewed":
            places[one.rows] = names.index(one.reason if one.reason in _LEADING else "reviewed")
    return pa.array(names).take(pa.array(places))


def explain(priced: Priced, stay_id: str) -> list[Explained]:
    """Return a stay's lines in words, in the order of the steps.

    Raises
    ------
    Refusal
        ``E-PAYMENT-STAY`` when the stay is not among those priced
    """
    row = pc.index(priced.totals["stay_id"], pa.scalar(stay_id)).as_py()
    if row < 0:
        raise Refusal(
            "E-PAYMENT-STAY",
            Message(f"住院 {stay_id} 不在已付费的住院之中。", f"Stay {stay_id} is not among those priced."),
            Message("核对住院编号与期间。", "Check its number and the period."),
        )
    told = []
    for one in priced.blocks:
        place = int(np.searchsorted(one.rows, row))
        if place < len(one.rows) and one.rows[place] == row:
            reason = REASONS[one.reason]
            values = {used.name: used.text(place) for used in one.operands}
            step, sentence = STEPS[reason.step], reason.told.format(**values)
            told.append(Explained(reason.account, step, int(one.amount[place]), sentence))
    return told
