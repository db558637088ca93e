"""The tests in a policy's own file, run before the policy pays anything."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path

import pyarrow as pa

from headwater.claims.payment.cases import AMOUNTS
from headwater.claims.payment.loading import read_policy
from headwater.claims.payment.money import shown
from headwater.claims.payment.policy import Case, Policy
from headwater.claims.payment.pricing import Priced, explain, price
from headwater.claims.payment.tree import PolicyRefusal
from headwater.errors import Message, Refusal

__all__ = ["Outcome", "check_policy", "load_policy", "outcomes", "tested"]

_TEXT = ("hospital_id", "hosp_lv", "insutype", "psn_no", "drg", "adrg", "mdc", "status", "dscg_way")
_FIELDS: dict[str, pa.DataType] = {
    **dict.fromkeys((*_TEXT, "dscg_maindiag_code"), pa.string()),
    **dict.fromkeys(AMOUNTS, pa.decimal128(18, 2)),
    **dict.fromkeys(("begntime", "endtime"), pa.date32()),
    "stay_days": pa.int64(),
}
_REQUIRED = ("hosp_lv", "insutype", "medfee_sumamt")


@dataclass(frozen=True)
class Outcome:
    """One test of a policy: its name, and why it does not hold, None where it holds."""

    name: str
    refusal: PolicyRefusal | None


def load_policy(path: Path) -> Policy:
    """Return the policy of a file, read and tested.

    Raises
    ------
    Refusal
        ``E-POLICY`` with file, line and path of what is wrong, ``E-POLICY-TEST`` for a test that does not hold
    """
    policy = read_policy(path)
    check_policy(policy)
    return policy


def check_policy(policy: Policy, plan_drgs: pa.Table | None = None) -> None:
    """Run the tests of a policy; with a plan, also hold the policy's groups against the plan's.

    Raises
    ------
    Refusal
        ``E-POLICY-TEST`` with the line of the first test that does not hold, and how the payment came about;
        ``E-POLICY-GROUP`` for weights of groups that the plan does not have
    """
    for outcome in outcomes(policy):
        if outcome.refusal is not None:
            raise outcome.refusal
    if plan_drgs is not None:
        _known(policy, plan_drgs)


def outcomes(policy: Policy) -> Iterator[Outcome]:
    """Run every test of a policy and yield what became of each."""
    for case in policy.tests:
        try:
            refusal = _difference(case, tested(policy, case))
        except PolicyRefusal as wrong:
            refusal = wrong
        yield Outcome(case.name, refusal)


def _difference(case: Case, priced: Priced) -> PolicyRefusal | None:
    for place, expected in enumerate(case.expected):
        for name, fen in expected.items():
            got = priced.totals[f"{name}_fen"][place].as_py()
            if got != fen:
                return _differs(case, place, (name, fen, got), priced)
    return None


def tested(policy: Policy, case: Case) -> Priced:
    """Return the stays of a test, priced."""
    columns: dict[str, pa.Array] = {"stay_id": pa.array([f"{place + 1}" for place in range(len(case.stays))])}
    for name, kind in _FIELDS.items():
        if name in ("hospital_id", "drg", *_REQUIRED) or any(name in stay for stay in case.stays):
            values = [_value(stay.get(name), kind, (case, name)) for stay in case.stays]
            columns[name] = pa.array(values, kind)
    for stay in case.stays:
        for name in (*stay, *_REQUIRED):
            if name not in _FIELDS or name not in stay:
                raise _wrong((case, name), ", ".join(_FIELDS))
    if "status" not in columns:
        columns["status"] = pa.array(["grouped" if "drg" in stay else "ungroupable" for stay in case.stays])
    return price(pa.table(columns), None, policy)


def _value(text: str | None, kind: pa.DataType, where: tuple[Case, str]) -> object:
    if text is None or pa.types.is_string(kind):
        return text
    try:
        value: object = date.fromisoformat(text) if pa.types.is_date32(kind) else _number(text, kind)
        pa.scalar(value, kind)
        return value
    except (ValueError, OverflowError, InvalidOperation):
        raise _wrong(where, str(kind)) from None


def _number(text: str, kind: pa.DataType) -> int | Decimal:
    if pa.types.is_int64(kind):
        return int(text)
    value = Decimal(text)
    # Rounded in silence, a test would be of another bill than the one that its author wrote.
    if value != value.quantize(Decimal("0.01")):
        raise ValueError(text)
    return value


def _differs(case: Case, place: int, found: tuple[str, int, int], priced: Priced) -> PolicyRefusal:
    name, expected, got = found
    told = explain(priced, f"{place + 1}")
    zh = "；".join(f"{one.step.zh} {shown(one.amount_fen, 2)}（{one.told.zh}）" for one in told)
    en = "; ".join(f"{one.step.en} {shown(one.amount_fen, 2)} ({one.told.en})" for one in told)
    what = f"{case.where}: {case.name} [{place + 1}].{name} {shown(expected, 2)} ≠ {shown(got, 2)}"
    return PolicyRefusal(
        "E-POLICY-TEST",
        Message(f"政策自带的测试不成立：{what}。", f"A test of the policy does not hold: {what}."),
        Message(f"按计算过程修正政策或测试：{zh}。", f"Mend the policy or its test; it came about so: {en}."),
        at=case.at,
    )


def _known(policy: Policy, plan_drgs: pa.Table) -> None:
    for have, plan in (
        (set(policy.weights), set(plan_drgs["code"].to_pylist())),
        (set(policy.adrg_weights), set(plan_drgs["adrg"].to_pylist())),
    ):
        strange: Sequence[str] = sorted(have - plan)
        if strange:
            raise Refusal(
                "E-POLICY-GROUP",
                Message(
                    f"付费政策 {policy.name} 的权重所指病组不在分组方案中：{'、'.join(strange[:5])}。",
                    f"Policy {policy.name} has weights of groups not in its plan: {', '.join(strange[:5])}.",
                ),
                Message("核对 plan 与编码。", "Check its plan and the codes."),
            )


def _wrong(where: tuple[Case, str], must: str) -> PolicyRefusal:
    place = f"{where[0].where} {where[1]}"
    return PolicyRefusal(
        "E-POLICY",
        Message(f"付费政策的测试有误：{place}。", f"A test of the payment policy is wrong at {place}."),
        Message(f"应为：{must}。", f"It must be one of or of the kind: {must}."),
        at=where[0].at,
    )
