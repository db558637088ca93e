"""What if another policy held: changes are to the fen, add up by every column, and are decomposed without rest."""

import re
from dataclasses import fields
from datetime import date, datetime
from decimal import Decimal

import pytest
from typer.testing import CliRunner

from headwater.adapters import lake, priced
from headwater.claims.payment import EFFECTS, Policy, decompose, load_policy, summed
from headwater.claims.payment import what_if as compare_stays
from headwater.cli.main import app
from headwater.errors import Refusal
from headwater.steps.budget import budget, find_budget
from headwater.steps.holdings import find_plan
from headwater.steps.what_if import BY, find_policy, what_if

MARCH = (date(2025, 3, 1), date(2025, 3, 31))
APRIL = (date(2025, 4, 1), date(2025, 4, 30))
IN_APRIL = {"begntime": datetime(2025, 4, 1), "endtime": datetime(2025, 4, 9)}


@pytest.fixture
def paid(payer):
    """Give two policies of one plan and five paid stays, two in March and three in April."""
    payer.policy()
    payer.policy(first="2026-01-01", weight="0.9")
    payer.stays(
        {"mdtrt_id": "1"},
        {"mdtrt_id": "2", "hospital_id": "h1:B"},
        *({"mdtrt_id": str(number), **IN_APRIL} for number in (3, 4)),
        {"mdtrt_id": "5", **IN_APRIL, "dscg_maindiag_code": "Z99.999X999"},
    )
    payer.price()
    payer.publish()
    return payer


def sides(home):
    return find_policy(home, "trial/2025-01-01"), find_policy(home, "trial")


def test_changes_add_up_by_every_column(paid):
    report = what_if(paid.home, *sides(paid.home), period=MARCH)
    # Two packages of 0.1 × 10000 more.
    assert report.total["change"] == Decimal("2000.00")
    assert report.total["payable_before"] == Decimal("16000.00")
    for name in BY:
        assert sum(row["change"] for row in report.by[name]) == Decimal("2000.00"), name
        assert sum(row["stays"] for row in report.by[name]) == 2
    names = find_plan(paid.home, "headwater_demo").names
    assert report.names == {row["drg"]: names[row["drg"]] for row in report.by["drg"]}
    assert {row["hospital_id"]: row["outcome"] for row in report.by["hospital_id"]} == {
        "h1:A": "gains",
        "h1:B": "gains",
    }


def test_a_stay_of_the_period_follows_one_before_it(paid):
    # Discharged on 28 March, again on 9 April for the same disease: half the package, whatever period is asked for.
    paid.stays(
        {"mdtrt_id": "8", "psn_no": "p8", "begntime": datetime(2025, 3, 20), "endtime": datetime(2025, 3, 28)},
        {"mdtrt_id": "9", "psn_no": "p8", **IN_APRIL},
    )
    paid.price()
    paid.publish()
    before, _ = sides(paid.home)
    ((april, readmitted),) = paid.rows(
        "SELECT sum(payable), any_value(payable) FILTER (stay_id = 'h1:9') FROM lake.payment.stay AS paid "
        "JOIN lake.marts.fct_stay USING (stay_id) WHERE endtime >= DATE '2025-04-01'"
    )
    assert readmitted == Decimal("4000.00")
    report = what_if(paid.home, before, before, period=APRIL, base=MARCH)
    assert (report.total["stays"], report.total["payable_before"], report.total["change"]) == (4, april, 0)
    assert (report.effects["stays_before"], report.effects["stays_after"]) == (3, 4)


def test_what_is_compared_is_what_is_published(paid):
    before, after = sides(paid.home)
    seen = what_if(paid.home, before, after, period=APRIL, base=MARCH).to_dict()
    # Priced since, but not yet published: no answer changes until it is.
    paid.stays({"mdtrt_id": "6"}, {"mdtrt_id": "7", **IN_APRIL})
    paid.price()
    assert what_if(paid.home, before, after, period=APRIL, base=MARCH).to_dict() == seen
    snapshot = paid.publish()
    now = what_if(paid.home, before, after, period=APRIL, base=MARCH)
    assert seen["snapshot_id"] < now.snapshot_id == snapshot
    assert (now.effects["stays_before"], now.effects["stays_after"]) == (3, 4)


def test_effects_are_those_of_the_function_for_every_value_by_itself(paid):
    before, after = sides(paid.home)
    report = what_if(paid.home, before, after, period=APRIL, base=MARCH)
    with lake.connect(paid.home, threads=1) as connection:
        version = find_plan(paid.home, before.plan).version
        stays = priced.read_paid(connection, MARCH, APRIL, plan_version=version, policy=after)
    compared = compare_stays(stays, None, before, after)
    for name, rows in (("", [report.effects]), *report.effects_by.items()):
        keys = (name,) if name else ()
        expected = summed(decompose(compared, MARCH, APRIL, within=keys), *keys).to_pylist()
        assert len(rows) == len(expected) > 0
        for row in rows:
            (mine,) = (one for one in expected if all(one[key] == row[key] for key in keys))
            for effect in (*EFFECTS, "before", "after", "change"):
                assert row[effect] * 100 == mine[f"{effect}_fen"], (name, effect)
    assert sum(row["change"] for row in report.effects_by["drg"]) == report.effects["change"]


class Counted(Policy):
    """A policy that counts how often stays were priced by it: once a pricing it says who pays what of a bill."""

    @property
    def benefits(self):
        self.__dict__["priced"] = self.__dict__.get("priced", 0) + 1
        return None

    @benefits.setter
    def benefits(self, value):
        assert value is None


def test_both_periods_are_priced_once_a_policy(paid):
    before, after = (
        Counted(**{field.name: getattr(one, field.name) for field in fields(Policy)}) for one in sides(paid.home)
    )
    assert what_if(paid.home, before, after, period=APRIL, base=MARCH).effects
    assert (before.__dict__["priced"], after.__dict__["priced"]) == (1, 1)


def test_a_change_is_made_of_volume_mix_price_and_policy(paid):
    effects = what_if(paid.home, *sides(paid.home), period=APRIL, base=MARCH).effects
    assert effects is not None
    parts = [effects[name] for name in ("volume", "mix", "price", "policy")]
    assert sum(parts) == effects["change"] == effects["after"] - effects["before"]
    assert (effects["stays_before"], effects["stays_after"]) == (2, 3)


def test_what_cannot_be_compared_is_refused(paid):
    before, after = sides(paid.home)
    with pytest.raises(Refusal, match="E-POLICY-UNKNOWN.*trial/2025-01-01"):
        find_policy(paid.home, "absent")
    with pytest.raises(Refusal, match="E-WHATIF-NONE"):
        what_if(paid.home, before, after, period=(date(2030, 1, 1), date(2030, 1, 2)))
    other = paid.home.root / "policies" / "trial" / "2026-01-01.yml"
    other.write_text(
        other.read_text(encoding="utf-8").replace("plan: headwater_demo", "plan: another"), encoding="utf-8"
    )
    with pytest.raises(Refusal, match="E-WHATIF-PLAN"):
        what_if(paid.home, before, find_policy(paid.home, "trial"), period=MARCH)


def test_stays_of_other_regions_and_moneys_are_not_compared(paid):
    paid.stays({"mdtrt_id": "6", "region": "别省"}, {"mdtrt_id": "7", "currency": "USD"})
    paid.price()
    paid.publish()
    assert what_if(paid.home, *sides(paid.home), period=MARCH).total["stays"] == 2


def test_a_policy_is_estimated_anew_and_can_be_compared(paid, tmp_path, monkeypatch):
    monkeypatch.setenv("HEADWATER_HOME", str(paid.home.root))
    monkeypatch.setenv("HEADWATER_PROJECT", str(paid.home.project))
    draft = tmp_path / "draft.yml"
    words = ["policy", "estimate", "trial/2025-01-01", "--from", "2025-06-01", "--out", str(draft)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    # Four pneumonias of 9000 each were paid 8000, one stay without a group its cost; rates are told to six digits.
    assert "41,000.00 → 41,000.08" in done.output
    assert "ES1" in done.output
    # What a bureau agrees on: the rate of weight one, before and after, and the factor that keeps the sum.
    assert re.search(r"3 +310 +10,000\.00 +[\d,]+\.\d\d", done.output), done.output
    assert re.search(r"neutral factor 中性系数 \d", done.output), done.output
    new = load_policy(draft)
    assert (new.valid_from, new.plan) == (date(2025, 6, 1), "headwater_demo")
    assert what_if(paid.home, sides(paid.home)[0], new, period=MARCH).total["change"] == Decimal("0.04")
    again = CliRunner().invoke(app, words)
    assert (again.exit_code, "E-POLICY-OUT" in again.output) == (2, True)
    early = CliRunner().invoke(app, [*words[:3], "--from", "2020-01-01", "--out", str(tmp_path / "x.yml")])
    assert (early.exit_code, "E-POLICY-ESTIMATE" in early.output) == (2, True)


def test_a_budget_is_prepaid_used_and_settled(paid, monkeypatch):
    monkeypatch.setenv("HEADWATER_HOME", str(paid.home.root))
    monkeypatch.setenv("HEADWATER_PROJECT", str(paid.home.project))
    # A million a year for A: a third of it to April, 90 % prepaid; a surplus is nobody's unless the policy says so.
    row = next(
        row for row in budget(paid.home, sides(paid.home)[0], on=APRIL[1]).hospitals if row["hospital_id"] == "h1:A"
    )
    used = sum(
        (
            fund
            for (fund,) in paid.rows(
                "SELECT fund FROM lake.payment.stay JOIN lake.marts.fct_stay USING (stay_id) "
                "WHERE hospital_id = 'h1:A' AND endtime < DATE '2025-05-01'"
            )
        ),
        Decimal(0),
    )
    assert (row["to_date"], row["prepaid"]) == (Decimal("333333.33"), Decimal("300000.00"))
    assert row["used"] == row["settled"] == used > 0
    assert row["difference"] == used - Decimal("300000.00")
    done = CliRunner().invoke(app, ["policy", "budget", "trial/2025-01-01", "--on", "2025-04-30"])
    assert done.exit_code == 0, done.output
    assert "300,000" in done.output
    assert "清算" in done.output
    # March and April were alike but for a stay: five months' worth of it, and more, are expected of the year.
    assert row["forecast_method"] == "run_rate"
    assert row["forecast_low"] < row["forecast"] == used * 5 < row["forecast_high"]
    assert f"{row['forecast']:,.0f}" in done.output


def test_a_year_is_held_against_the_budget_under_which_it_was_paid(paid, monkeypatch):
    monkeypatch.setenv("HEADWATER_HOME", str(paid.home.root))
    monkeypatch.setenv("HEADWATER_PROJECT", str(paid.home.project))
    older, newer = sides(paid.home)
    assert [find_budget(paid.home, "trial", on=date(year, 4, 30)) for year in (2025, 2026)] == [older, newer]
    assert find_budget(paid.home, "trial/2026-01-01", on=APRIL[1]) == newer
    done = CliRunner().invoke(app, ["policy", "budget", "trial", "--on", "2025-04-30"])
    assert f"trial/2025-01-01 {older.version}" in done.output


def test_commands_tell_it_in_both_languages(paid, monkeypatch):
    monkeypatch.setenv("HEADWATER_HOME", str(paid.home.root))
    monkeypatch.setenv("HEADWATER_PROJECT", str(paid.home.project))
    said = {}
    for words in (
        ["group"],
        ["price"],
        ["explain", "h1:1"],
        ["near", "h1:1"],
        ["policy", "list"],
        ["policy", "check"],
        ["grouper", "list"],
        ["what-if", "--before", "trial/2025-01-01", "--after", "trial", "--from", "2025-03-01", "--to", "2025-03-31"],
    ):
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0, (words, done.output)
        said[words[0]] = done.output
        assert max(map(len, done.output.splitlines())) <= 80 or words[0] == "policy"
    assert "入组" in said["group"]
    assert "grouped" in said["group"]
    assert "8,000.00" in said["explain"]
    assert "+2,000.00" in said["what-if"]
    # The fund, too, and what stays with the patient.
    assert "self-pay 个人" in said["what-if"]
    lines = CliRunner().invoke(app, ["explain", "h1:1", "--json"]).output.splitlines()
    assert '"payable": "8000.00"' in lines[-1]
    assert CliRunner().invoke(app, ["explain", "h9:9"]).exit_code == 2
