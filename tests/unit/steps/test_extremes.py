"""Extreme stays on a real lake and register: found with reasons and lines, decided once, never changed."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from threading import Barrier

import numpy as np
import psycopg
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from headwater.adapters import assigned, coding, extremes, grouped, lake, postgres, raw
from headwater.adapters.home import Home
from headwater.claims.extremes import Rule
from headwater.cli.main import app
from headwater.errors import Refusal
from headwater.steps.extremes import decide, find, show, waiting

LI, WANG = ("li", "用药与病情相符"), ("wang", "明细有误")
NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)
RULE = Rule("log_iqr", 3.0, 3.0, least=20)
DEAR, CHEAP = "h1:7", "h0:4"


def refused(code: str):
    return pytest.raises(Refusal, match=f"^{code}:")


def table(size: int = 300) -> pa.Table:
    """Give stays of one group in two hospitals; one is far too dear and long, another far too cheap."""
    rng = np.random.default_rng(2)
    ids = [f"h{number % 2}:{number}" for number in range(size)]
    cost = np.exp(8 + 0.2 * rng.standard_normal(size))
    cost[ids.index(DEAR)], cost[ids.index(CHEAP)] = 60_000, 120
    days = [40 if one == DEAR else 7 for one in ids]
    many = [None] * size
    return pa.table(
        {
            "stay_id": ids,
            "source_id": [one[:2] for one in ids],
            "hospital_id": [one[:2] for one in ids],
            "region": ["楚源省"] * size,
            "hosp_lv": ["3"] * size,
            "currency": ["CNY"] * size,
            "psn_no": ids,
            "medfee_sumamt": pa.array([Decimal(f"{one:.2f}") for one in cost], pa.decimal128(18, 2)),
            "stay_days": pa.array(days, pa.int64()),
            "age_years": pa.array(rng.integers(20, 90, size)),
            "gend": ["1"] * size,
            "dscg_dept_name": pa.array(many, pa.string()),
            "is_emergency": [False] * size,
            "diagnosis_count": pa.array(rng.integers(1, 5, size)),
            "dscg_maindiag_code": ["J18.900"] * size,
            "begntime": pa.array([datetime(2025, 3, 1)] * size),
            "endtime": pa.array([datetime(2025, 3, 8)] * size),
            "is_valid": [True] * size,
        }
    )


@pytest.fixture
def region(home: Home) -> Home:
    """Give an installation with marts and groups: every stay is billed half in a drug, half in a service."""
    with lake.connect(home, threads=1) as connection:
        for adapter in (coding, grouped, extremes):
            adapter.create_tables(home, connection)
        connection.register("stays", table())
        connection.execute("CREATE TABLE lake.marts.fct_stay AS SELECT * FROM stays")
        connection.execute(
            "INSERT INTO lake.grouping.stay BY NAME "
            "SELECT source_id, stay_id, 'M' AS mdc, 'MA1' AS adrg, 'MA11' AS drg, 'grouped' AS status FROM stays"
        )
        connection.execute(
            "CREATE TABLE lake.marts.fct_fee_line AS "
            "SELECT stay_id, source_id, part AS charge_group, 'L-' || part AS medins_list_codg, "
            "'项目' || part AS medins_list_name, CAST(1 AS DECIMAL(18, 4)) AS cnt, "
            "CAST(medfee_sumamt * share AS DECIMAL(18, 2)) AS det_item_fee_sumamt "
            "FROM stays, (VALUES ('drug', 0.7), ('service', 0.3)) AS parts (part, share)"
        )
    return home


def test_what_is_extreme_waits_with_reasons_and_lines_the_most_money_first(region):
    found = find(region, rule=RULE, now=NOW)
    assert (found.stays, found.by_rule, found.waiting) == (300, 2, 2 + found.by_model - found.by_both)
    assert found.by_both == 2
    first, *_ = waiting(region)
    assert (first.stay_id, first.side, first.drg, set(first.methods)) == (DEAR, "high", "MA11", {"rule", "model"})
    assert found.at_stake["CNY"] == sum(one.at_stake for one in waiting(region))
    assert {one["code"] for one in first.reasons} == {"rule_high", "model_high", "stay_long"}
    assert all("{" not in one["zh"] + one["en"] for one in first.reasons)
    group, *_ = first.evidence
    assert (group["part"], group["charge_group"], group["amount"]) == ("group", "drug", "42000.00")
    (low,) = [one for one in waiting(region) if one.stay_id == CHEAP]
    assert (low.side, {row["excess"][0] for row in low.evidence}) == ("low", {"-"})
    assert [one.stay_id for one in waiting(region, after=(first.at_stake, first.stay_id))][0] != DEAR


def test_all_that_was_found_stands_in_the_lake_with_what_found_it(region):
    found = find(region, rule=RULE, now=NOW)
    again = find(region, rule=RULE, now=NOW)
    with lake.connect(region, threads=1) as connection:
        rows = connection.execute("SELECT count(*), count(DISTINCT stay_id) FROM lake.grouping.extreme").fetchone()
        names = connection.execute("SELECT DISTINCT found_by, found_at FROM lake.grouping.extreme").fetchall()
    assert rows == (found.by_rule + found.by_model, found.waiting)
    assert names == [("log_iqr 3 3 least 20; gradient boosting, z 3", NOW.replace(tzinfo=None))]
    assert (again.waiting, again.at_stake) == (found.waiting, found.at_stake)


def test_a_decision_stands_until_the_stay_is_another_one(region):
    find(region, rule=RULE, now=NOW)
    done = decide(region, DEAR, decision="special", signed=LI)
    find(region, rule=RULE, now=NOW)
    assert DEAR not in [one.stay_id for one in waiting(region)]
    shown = show(region, DEAR)
    assert (shown.is_waiting, shown.question["amount"]) == (False, "60000.00")
    assert [(one.review_id, one.decision, one.decided_by, one.why) for one in shown.rulings] == [
        (done.review_id, "special", *LI)
    ]
    with lake.connect(region, threads=1) as connection:
        connection.execute("UPDATE lake.marts.fct_stay SET medfee_sumamt = 70000 WHERE stay_id = ?", [DEAR])
    find(region, rule=RULE, now=NOW)
    assert waiting(region)[0].stay_id == DEAR
    # It waits again, so whoever answers need not name the decision about another amount.
    decide(region, DEAR, decision="reduce", signed=WANG)
    assert [one.decision for one in show(region, DEAR).rulings] == ["reduce", "special"]


def test_a_later_decision_supersedes_what_its_author_has_seen_and_nothing_else(region):
    find(region, rule=RULE, now=NOW)
    first = decide(region, DEAR, decision="accept", signed=LI, request_key="k1")
    assert decide(region, DEAR, decision="accept", signed=LI, request_key="k1") == first
    with refused("E-EXTREME-REPEATED"):
        decide(region, DEAR, decision="reduce", signed=LI, request_key="k1")
    with refused("E-EXTREME-DECIDED"):
        decide(region, DEAR, decision="reduce", signed=WANG)
    second = decide(region, DEAR, decision="reduce", signed=WANG, over=first.review_id)
    with refused("E-EXTREME-DECIDED"):
        decide(region, DEAR, decision="accept", signed=LI, over=first.review_id)
    assert show(region, DEAR).rulings[0].supersedes == first.review_id != second.review_id


def test_what_cannot_be_decided_is_refused(region):
    find(region, rule=RULE, now=NOW)
    with refused("E-EXTREME-CHOICE"):
        decide(region, DEAR, decision="pay", signed=LI)
    with refused("E-EXTREME-WHO"):
        decide(region, DEAR, decision="accept", signed=("li", " "))
    with refused("E-EXTREME-UNKNOWN"):
        decide(region, "h0:none", decision="accept", signed=LI)
    with refused("E-EXTREME-DECIDED"):
        decide(region, CHEAP, decision="accept", signed=LI, over=99)


def test_complications_are_counted_and_other_diagnoses_are_not(region):
    told = [("7", "J18.900"), ("7", "A41.900"), ("7", "a41900"), ("7", "I21.900"), ("7", "Z99.900"), ("4", "Z99.900")]
    with lake.connect(region, threads=1) as connection:
        for adapter in (raw, assigned):
            adapter.create_tables(region, connection)
        grouped.settled(connection)
        for place, (stay, code) in enumerate(told):
            connection.execute(
                "INSERT INTO lake.raw.diagnosis (source_id, batch_id, row_no, mdtrt_id, diag_srt, diag_code) "
                "VALUES (?, 'b', ?, ?, ?, ?)",
                ["h1" if stay == "7" else "h0", place, stay, place, code],
            )
        connection.execute("UPDATE lake.grouping.stay SET plan_version = 'w'")
        listed = pa.table({"plan_version": ["w", "w", "other"], "code": ["A41900", "I21900", "Z99900"]})
        assert extremes.read(connection, listed) == [("楚源省", "CNY")]
        counts = dict(connection.execute("SELECT stay_id, cc_count FROM grouped_stay WHERE cc_count > 0").fetchall())
        whole = extremes.stays(connection, "楚源省", "CNY")
    assert counts == {DEAR: 2}
    assert len(whole) == 300


def test_other_stays_of_the_person_in_any_hospital_of_the_region_are_told(region):
    with lake.connect(region, threads=1) as connection:
        # Another hospital of the region eight days later, another region, and thirty-two days later.
        for stay, area, day in (("h0:8", "楚源省", 16), ("h0:10", "它省", 16), ("h0:12", "楚源省", 40)):
            connection.execute(
                "UPDATE lake.marts.fct_stay SET psn_no = ?, region = ?, "
                "begntime = DATE '2025-03-01' + to_days(?), endtime = DATE '2025-03-03' + to_days(?) WHERE stay_id = ?",
                [DEAR, area, day - 1, day - 1, stay],
            )
    find(region, rule=RULE, now=NOW)
    (told,) = [one for one in show(region, DEAR).question["reasons"] if one["code"].startswith(("after", "before"))]
    assert told["code"] == "after_elsewhere"
    assert "8 天" in told["zh"]
    assert "h0:8" in told["en"]
    assert DEAR not in told["en"], "the token of the person is nowhere told"


def test_nobody_changes_a_decision_afterwards(region):
    find(region, rule=RULE, now=NOW)
    decide(region, DEAR, decision="accept", signed=LI)
    for statement in (
        "update ops.stay_review set why = 'x'",
        "delete from ops.stay_review",
        "truncate ops.stay_review",
    ):
        with postgres.connect(region) as register, pytest.raises(psycopg.Error) as raised:
            register.execute(statement)
        assert raised.value.sqlstate == "HW001"


def test_of_two_who_decide_at_once_one_is_refused(region):
    find(region, rule=RULE, now=NOW)
    start = Barrier(2)

    def attempt(by: str) -> str:
        start.wait()
        try:
            return decide(region, DEAR, decision="accept", signed=(by, "x")).decision
        except Refusal as refusal:
            return refusal.code

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(attempt, ("li", "wang"))) == ["E-EXTREME-DECIDED", "accept"]


def test_before_the_marts_are_built_nothing_is_judged(home):
    with refused("E-GROUP-MART"):
        find(home)
    assert waiting(home) == []


def test_the_commands_find_list_show_and_decide(region):
    run = CliRunner().invoke
    for arguments, word in {
        ("extreme", "find"): "待审",
        ("extreme", "list"): DEAR,
        ("extreme", "show", DEAR): "70.0",
        ("extreme", "decide", DEAR, "special", "--why", "x"): "特例单议",
        ("extreme", "show", CHEAP): "通常",
    }.items():
        done = run(app, list(arguments))
        assert done.exit_code == 0, done.output
        assert word in done.output or word == "70.0"
    told = run(app, ["extreme", "show", CHEAP])
    assert "all 合计" in told.output
    assert max(map(len, told.output.splitlines())) <= 80
    listed = run(app, ["extreme", "list", "--json"])
    assert DEAR not in listed.output
    assert CHEAP in listed.output
    assert run(app, ["extreme", "decide", DEAR, "pay", "--why", "x"]).exit_code == 2
