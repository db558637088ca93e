"""Payments follow groups and policies, to the fen: what a policy says of a day holds for the stays of that day."""

import re
from datetime import date, datetime
from decimal import Decimal

import pytest

from headwater.adapters import postgres, stay_reviews
from headwater.errors import Refusal
from headwater.steps.explain import explain
from headwater.steps.price import PAID_AS, price

PAID = "SELECT stay_id, paid_as, payable, weight FROM lake.payment.stay ORDER BY stay_id"


def test_a_package_is_weight_times_rate_and_its_lines_sum_to_it(payer):
    payer.policy()
    payer.stays({"mdtrt_id": "1"}, {"mdtrt_id": "2", "dscg_maindiag_code": "Z99.999X999"})
    report = payer.price()
    assert report.facts.sums["trial"]["payable"] == Decimal("17000.00")
    assert payer.rows(PAID) == [
        ("h1:1", "package", Decimal("8000.00"), Decimal("0.800000")),
        ("h1:2", "ungrouped", Decimal("9000.00"), None),
    ]
    lines = payer.rows("SELECT account, sum(amount) FROM lake.payment.line GROUP BY ALL ORDER BY ALL")
    # The fund pays what is payable less what the patients paid: 2 × 3000.
    assert lines == [("fund", Decimal("11000.00")), ("payable", Decimal("17000.00")), ("self_pay", Decimal("6000.00"))]
    assert set(report.facts.paid_as) <= set(PAID_AS)


def test_stays_without_a_policy_or_a_valid_page_are_counted_and_not_paid(payer):
    payer.policy()
    payer.stays(
        {"mdtrt_id": "1"},
        {"mdtrt_id": "2", "is_valid": False, "invalid_reason": "negative_cost"},
        {"mdtrt_id": "3", "endtime": datetime(2024, 12, 31)},
    )
    facts = payer.price().facts
    assert (facts.stays, facts.priced, facts.unpriced) == (3, 1, {"invalid": 1, "no_policy": 1})
    assert explain(payer.home, "h1:2").paid is None


def test_the_day_of_discharge_says_which_policy_holds(payer):
    payer.policy()
    payer.policy(first="2025-03-08", weight="0.9")
    payer.stays({"mdtrt_id": "1", "endtime": datetime(2025, 3, 7, 23, 59)}, {"mdtrt_id": "2"})
    payer.price()
    assert [row[2] for row in payer.rows(PAID)] == [Decimal("8000.00"), Decimal("9000.00")]


def test_what_is_behind_is_priced_with_the_other_stays_of_the_person(payer):
    payer.policy()
    payer.stays({"mdtrt_id": "1", "psn_no": "p"}, {"mdtrt_id": "2"})
    assert payer.price().asked == 2
    assert payer.price().asked == 0
    again = {"begntime": datetime(2025, 3, 12), "endtime": datetime(2025, 3, 20)}
    payer.stays({"mdtrt_id": "3", "psn_no": "p", **again})
    assert payer.price().asked == 2, "the new stay and the earlier one of the person"
    assert [row[2] for row in payer.rows(PAID)] == [Decimal("8000.00"), Decimal("8000.00"), Decimal("4000.00")]
    payer.lake.execute("DELETE FROM lake.marts.fct_stay WHERE stay_id = 'h1:1'")
    report = payer.price()
    assert (report.asked, report.gone) == (1, 1), "what is left of the person is no readmission any more"
    assert [row[2] for row in payer.rows(PAID)] == [Decimal("8000.00"), Decimal("8000.00")]


def test_another_policy_prices_everything_again(payer):
    payer.policy()
    payer.stays({"mdtrt_id": "1"}, {"mdtrt_id": "2"})
    payer.price()
    payer.policy(weight="0.9")
    report = payer.price()
    assert report.asked == 2
    assert report.facts.sums["trial"]["payable"] == Decimal("18000.00")
    stood = (
        "SELECT month, stays, used, settled, prepaid, difference, forecast, forecast_method FROM lake.payment.budget"
    )
    # 18,000 less the 12,000 of the two bills that the patients pay; 0.9 of three twelfths is prepaid; 12 times March.
    march = (date(2025, 3, 1), 2, *map(Decimal, ("12000.00", "12000.00", "225000.00", "-213000.00", "120000.00")))
    assert payer.rows(stood) == [(*march, "run_rate")]
    pools = payer.rows("SELECT insutype, stays, amount, used, difference FROM lake.payment.pool")
    assert pools == [("310", 2, None, Decimal("12000.00"), Decimal("12000.00"))]


def test_classes_and_high_value_are_read_from_the_lines(payer):
    payer.policy()
    payer.stays({"mdtrt_id": "1"})
    payer.bill("1", "100.10", level="01")
    payer.bill("1", "-0.10", level="01")
    payer.bill("1", "30.00", level="03")
    columns = "jia_amount, yi_amount, bing_amount, consumable_amount, high_value_amount"
    payer.price()
    query = f"SELECT {columns} FROM lake.payment.stay"
    assert payer.rows(query) == [tuple(map(Decimal, ("100.00", "0.00", "30.00", "130.00", "0.00")))]
    payer.lake.execute(
        "INSERT INTO lake.coding.assigned (source_id, kind, medins_list_codg, medins_list_name, valid_from, "
        "is_high_value) VALUES ('h1', 'consumable', '1', 'a', '2025-01-01', true)"
    )
    assert payer.price().asked == 1, "what is of high value has changed"
    assert payer.rows(query)[0][-1] == Decimal("130.00")


def test_groups_of_another_plan_are_not_priced(payer):
    payer.policy()
    payer.stays({"mdtrt_id": "1"})
    payer.price()
    payer.stays({"mdtrt_id": "2"})
    with pytest.raises(Refusal, match="E-PRICE-GROUPS"):
        price(payer.home)


def test_a_line_that_was_altered_is_found(payer):
    payer.policy()
    payer.stays({"mdtrt_id": "1"})
    payer.price()
    payer.lake.execute("UPDATE lake.payment.line SET amount = amount + 0.01 WHERE line_no = 1")
    with pytest.raises(Refusal, match="E-PRICE-BALANCE"):
        payer.price()
    assert payer.price(anew=True).facts.astray == 0


def test_a_payment_is_explained_in_both_languages(payer):
    payer.policy()
    payer.stays({"mdtrt_id": "1"})
    payer.price()
    paid = explain(payer.home, "h1:1").paid
    assert paid is not None
    assert paid.payable == paid.fund + paid.self_pay == Decimal("8000.00")
    assert sum(line.amount for line in paid.lines if line.account == "payable") == paid.payable
    assert all(line.told.zh and line.told.en for line in paid.lines)
    with pytest.raises(Refusal, match="E-STAY-UNKNOWN"):
        explain(payer.home, "h1:9")


def ruled(payer, decision: str, *, amount: str = "9000.00", by: str = "李审核"):
    """Put a decision about the first stay down, as the step of extreme stays does."""
    ((drg,),) = payer.rows("SELECT drg FROM lake.grouping.stay WHERE stay_id = 'h1:M1'")
    seen = {"stay_id": "h1:M1", "drg": drg, "side": "high", "amount": amount, "at_stake": "4000.00"}
    with postgres.connect(payer.home) as register:
        earlier = stay_reviews.history(register, "h1:M1")
        stay_reviews.decide(
            register,
            seen,
            decision=decision,
            signed=(by, "x"),
            supersedes=earlier[0].review_id if earlier else None,
            request_key=None,
        )


def test_a_decision_about_a_stay_is_paid_at_the_next_pricing_and_no_other_stay_is_touched(payer):
    payer.policy()
    payer.stays({"mdtrt_id": "M1"}, {"mdtrt_id": "M2"})
    payer.price()
    paid = "SELECT stay_id, payable, paid_as FROM lake.payment.stay ORDER BY ALL"
    assert [row[1] for row in payer.rows(paid)] == [Decimal("8000.00")] * 2
    ruled(payer, "reduce")
    assert payer.price().asked == 1
    assert payer.rows(paid) == [
        ("h1:M1", Decimal("5000.00"), "reviewed"),
        ("h1:M2", Decimal("8000.00"), "package"),
    ]
    ((amount, operands),) = payer.rows("SELECT amount, operands FROM lake.payment.line WHERE step = 'reviewed'")
    assert amount == Decimal("-3000.00")
    assert "李审核" not in operands, "who decided stands there as a token"
    assert re.search(r"by=p[0-9a-f]{4}_[a-z2-7]{26};", operands)
    assert payer.price().asked == 0, "a decision that stands is no news"
    ruled(payer, "accept")
    assert payer.price().asked == 1
    assert payer.rows(paid)[0][1:] == (Decimal("8000.00"), "package")


def test_a_decision_about_another_bill_or_group_is_not_paid(payer):
    payer.policy()
    payer.stays({"mdtrt_id": "M1"})
    payer.price()
    ruled(payer, "return", amount="8999.99")
    assert payer.price().asked == 1
    assert payer.rows("SELECT payable FROM lake.payment.stay") == [(Decimal("8000.00"),)]
