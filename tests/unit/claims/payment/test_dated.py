from datetime import date
from pathlib import Path

import pytest

from headwater.bench.pricing_cases import DRGS, TEXT, changed, drawn, policy, table
from headwater.claims.payment import in_force, load_policies, price, price_dated
from headwater.errors import Refusal

OLD = changed(("valid_from: 2025-01-01", "valid_from: 2024-12-11\nvalid_to: 2024-12-31"), ("BB1: 1.0", "BB1: 0.9"))


def test_every_stay_is_priced_by_the_policy_of_its_day():
    stays = table(drawn(300, 8))
    dated = price_dated(stays, DRGS, [OLD, policy()])
    rows = {}
    for priced, rules in zip(dated.priced, (OLD, policy()), strict=True):
        assert priced.policy_version == rules.version
        whole = {row["stay_id"]: row for row in price(stays, DRGS, rules).totals.to_pylist()}
        for row in priced.totals.to_pylist():
            assert rules.holds_on(row["endtime"])
            assert row == whole[row["stay_id"]]
            rows[row["stay_id"]] = row
        lines = {}
        for line in priced.lines().to_pylist():
            lines[line["stay_id"]] = lines.get(line["stay_id"], 0) + line["amount_fen"] * (line["account"] == "payable")
        assert lines == {row["stay_id"]: row["payable_fen"] for row in priced.totals.to_pylist()}
    outside = dated.outside.to_pylist()
    assert outside
    assert all(row["endtime"] < date(2024, 12, 11) for row in outside)
    assert len(rows) + len(outside) == 300


def test_one_policy_holds_on_a_day(tmp_path: Path):
    new = TEXT
    old = TEXT.replace("valid_from: 2025-01-01", "valid_from: 2024-01-01\nvalid_to: 2024-12-31")
    (tmp_path / "2025-01-01.yml").write_text(new, encoding="utf-8")
    (tmp_path / "2024-01-01.yml").write_text(old, encoding="utf-8")
    policies = load_policies(tmp_path)
    assert [one.valid_from.year for one in policies] == [2024, 2025]
    assert in_force(policies, date(2024, 12, 31)) is policies[0]
    assert in_force(policies, date(2030, 1, 1)) is policies[1]
    with pytest.raises(Refusal, match="2023-12-31"):
        in_force(policies, date(2023, 12, 31))
    (tmp_path / "2024-01-01.yml").write_text(old.replace("2024-12-31", "2025-01-01"), encoding="utf-8")
    with pytest.raises(Refusal, match="E-POLICY-DATES"):
        load_policies(tmp_path)
    (tmp_path / "2024-01-01.yml").rename(tmp_path / "2024.yml")
    with pytest.raises(Refusal, match=r"2024\.yml"):
        load_policies(tmp_path)
