from pathlib import Path

import pytest

from headwater.bench.pricing_cases import DRGS, TEXT, changed, policy
from headwater.claims.payment import check_policy, load_policy
from headwater.claims.payment.loading import parse_policy
from headwater.errors import Refusal

BROKEN = {
    "no yaml": ("title: {zh", "title: {{zh", r"every_rule.yml:\d"),
    "alias": ("plan: small", "plan: &a small\nnotes: *a", r"every_rule.yml:4"),
    "ends the process": ("plan: small", "notes: " + "[" * 200_000 + "]" * 200_000, r"every_rule.yml:3"),
    "nested": ("plan: small", "notes: " + "[" * 5000, r"every_rule.yml"),
    "week": ("valid_from: 2025-01-01", "valid_from: 2025-W01-1", r":4 valid_from.*2025-01-31"),
    "unknown key": ("low_outlier: {below: 0.4}", "low_outlier: {under: 0.4}", r"every_rule.yml:20 low_outlier.under"),
    "unknown section": ("plan: small", "plan: small\ncolour: red", r":4 colour"),
    "missing key": ("plan: small\n", "", r":1\..*the key plan"),
    "twice": ("plan: small", "plan: small\nplan: large", r":4 plan.*stands once"),
    "no number": ("neutral_factor: 0.991234", "neutral_factor: 0,99", r":16 neutral_factor.*6 decimals"),
    "too many decimals": ("neutral_factor: 0.991234", "neutral_factor: 0.9912345", r":16 neutral_factor"),
    "parts of a fen": ("amount: 9000.00", "amount: 9000.005", r":13 rates\[1\].amount.*2 decimals"),
    "binary": ("amount: 9000.00", "amount: 9.0e3", r"rates\[1\].amount"),
    "share above one": ("by_cost: 0.8", "by_cost: 1.8", r":34 by_cost.*from 0 to 1"),
    "no weight": ("BB1: 1.0", "BB1: 0", r":9 weights.drg.BB1.*above zero"),
    "rate twice": ("hosp_lv: 3, insutype: 390", "hosp_lv: 3, insutype: 310", r"rates\[1\]"),
    "tiers out of order": ("weight_below: 2", "weight_below: 0.5", r"high_outlier.tiers.*order"),
    "closed last tier": ("- {above: 2}", "- {weight_below: 9, above: 2}", r"high_outlier.tiers"),
    "trim below the package": ("above: 2.5", "above: 0.5", r"tiers\[1\].above.*at least 1"),
    "word": ("pay: cost}", "pay: all}", r"death.pay.*one of cost, package"),
    "day": ("valid_from: 2025-01-01", "valid_from: 2025-13-01", r":4 valid_from.*2025-01-31"),
    "order of days": ("plan: small", "plan: small\nvalid_to: 2024-01-01", r":4 valid_to.*not before"),
    "no rule": ("rate: 7000.07", "hosp_lv: [3]", r"common_diseases\[0\]"),
    "both": ("negative_fund: zero", "negative_fund: zero\n  as_billed: true", r"reimbursement.*either"),
    "classes": ("{jia: 1, yi: 0.9, bing: 0}", "{jia: 1, yi: 0.9}", r"eligible.*bing"),
    "no deductible": (
        "deductible: 700.00",
        "deductible: []",
        r"49 .*ratios\[1\].deductible.*at least one",
    ),
    "currency": ("plan: small", "plan: small\ncurrency: yuan", r":4 currency.*ISO 4217"),
    "regions": ("plan: small", "plan: small\nregions: []", r":4 regions.*at least one"),
    "no test": (TEXT[TEXT.index("- name: 基准") :], "  []\n", r"tests"),
    "no payment": (", pays: {payable: 9912.37}", "", r"tests\[0\].stays\[0\].*pays"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_wrong_is_refused_with_its_place(name: str):
    old, new, told = BROKEN[name]
    with pytest.raises(Refusal, match=told) as refused:
        changed((old, new))
    assert refused.value.code == "E-POLICY"
    assert refused.value.remedy.zh != refused.value.remedy.en


def test_a_test_that_does_not_hold_refuses_the_policy_and_tells_how_it_came_about(tmp_path: Path):
    file = tmp_path / "2025-01-01.yml"
    file.write_text(TEXT, encoding="utf-8")
    assert load_policy(file).version == policy().version
    file.write_text(TEXT.replace("payable: 9912.37", "payable: 9912.36"), encoding="utf-8")
    with pytest.raises(Refusal, match=r"yml:59 tests\[0\].*9912.36 ≠ 9912.37.*weight 1 of DRG BB1") as refused:
        load_policy(file)
    assert refused.value.code == "E-POLICY-TEST"


def test_whose_stays_it_pays_in_which_money():
    assert (policy().regions, policy().currency) == ((), "CNY")
    stated = changed(("plan: small", "plan: small\nregions: [楚源省]\ncurrency: BRL"))
    assert (stated.regions, stated.currency) == (("楚源省",), "BRL")
    assert stated.version != policy().version


def test_tests_are_read_as_strictly():
    for old, new in (("drg: BB1, medfee", "dgr: BB1, medfee"), ("medfee_sumamt: 9000.00", "medfee_sumamt: much")):
        with pytest.raises(Refusal, match=r"tests\[0\]"):
            check_policy(changed((old, new)))


def test_groups_are_held_against_the_plan():
    check_policy(policy(), DRGS)
    with pytest.raises(Refusal, match="XX9"):
        check_policy(changed(("BB1: 1.0", "BB1: 1.0\n    XX9: 1")), DRGS)


def test_the_version_is_what_is_paid():
    same = changed(("0.8333,", "0.833300,"), ("zh: 所有规则", "zh: 全部规则"))
    assert same.version == policy().version
    assert policy("# a word\n" + TEXT).version == policy().version
    assert changed(("0.8333,", "0.8334,")).version != policy().version
    assert changed(("valid_from: 2025-01-01", "valid_from: 2025-01-02")).version != policy().version


def test_weights_may_lie_in_a_csv_beside(tmp_path: Path):
    inline = TEXT[TEXT.index("  drg:\n") : TEXT.index("rates:")]
    text = TEXT.replace(inline, "  file: weights.csv\n")
    rows = ["level,code,weight,mean_days,low,high", "drg,AA1,0.8333,6.5,,", "drg,AA2,2.5001,9,5000.00,30000.01"]
    rows += ["drg,BB1,1.0,,,", "adrg,BB,1.2345,,,"]
    (tmp_path / "weights.csv").write_text("\n".join(rows), encoding="utf-8")
    assert parse_policy(text, file="p.yml", folder=tmp_path).version == policy().version
    (tmp_path / "weights.csv").write_text("\n".join([*rows, "drg,AA1,2,,,"]), encoding="utf-8")
    with pytest.raises(Refusal, match=r"weights.csv:6 code.*stands once"):
        parse_policy(text, file="p.yml", folder=tmp_path)
    (tmp_path / "weights.csv").write_text("\n".join([*rows, "drg,AA9,2x,,,"]), encoding="utf-8")
    with pytest.raises(Refusal, match=r"weights.csv:6 weight"):
        parse_policy(text, file="p.yml", folder=tmp_path)
    with pytest.raises(Refusal, match=r"weights.file"):
        parse_policy(text, file="p.yml")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path):
    with pytest.raises(Refusal, match="E-POLICY"):
        load_policy(tmp_path / "none.yml")


@pytest.mark.parametrize("amount", ["NaN", "1e17", "99999999999999999999", "9000.005"])
def test_a_bill_of_a_test_that_is_no_amount_is_refused(amount: str):
    with pytest.raises(Refusal, match=r"tests\[0\]"):
        check_policy(changed(("medfee_sumamt: 9000.00", f"medfee_sumamt: {amount}")))


CSV = "level,code,weight\ndrg,{code},1\n"


@pytest.mark.parametrize(
    "content",
    [
        CSV.format(code="重症").encode("gbk"),
        CSV.format(code="A" * 200_000).encode(),
        b"level,code,weight,low,low\ndrg,A,1,2,3\n",
    ],
    ids=["another encoding", "an endless cell", "a column twice"],
)
def test_a_csv_of_weights_that_cannot_be_read_is_refused(content: bytes, tmp_path: Path):
    (tmp_path / "w.csv").write_bytes(content)
    start, end = TEXT.index("weights:"), TEXT.index("rates:")
    with pytest.raises(Refusal, match="weights.file.*csv") as refused:
        parse_policy(TEXT[:start] + "weights: {file: w.csv}\n" + TEXT[end:], file="x.yml", folder=tmp_path)
    assert refused.value.code == "E-POLICY"
