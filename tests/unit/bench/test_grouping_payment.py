from dataclasses import replace

import numpy as np

from headwater.bench.grouping_payment import region, wrong_sums
from headwater.bench.pricing_by_row import price_by_row
from headwater.bench.pricing_cases import policy
from headwater.claims.payment import price


def test_made_up_stays_meet_rules_and_are_paid_as_row_by_row():
    stays, drgs = region(policy(), 800, 3)
    priced = price(stays, drgs, policy())
    by_row = price_by_row(stays.to_pylist(), policy())
    assert priced.totals["payable_fen"].to_pylist() == [int(one.payable * 100) for one in by_row]
    assert {"package", "high_outlier", "ungrouped"} < set(priced.totals["paid_as"].to_pylist())


def test_a_line_that_goes_astray_is_counted():
    stays, drgs = region(policy(), 300, 4)
    priced = price(stays, drgs, policy())
    assert wrong_sums(priced)[0] == 0
    first, *others = priced.blocks
    moved = replace(first, amount=first.amount + np.eye(1, len(first.rows), 0, dtype=np.int64)[0])
    assert wrong_sums(replace(priced, blocks=(moved, *others)))[0] == 2, "its stay, and its account in all"
    assert wrong_sums(replace(priced, blocks=tuple(others)))[0] > len(first.rows)
