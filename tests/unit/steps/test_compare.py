"""Comparison on a real lake: every hospital and measure has its row, money balances, small cells are withheld."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from headwater.adapters import assigned, compared, grouped, lake
from headwater.adapters.home import Home
from headwater.cli.main import app
from headwater.errors import Refusal
from headwater.steps.compare import MEASURES, compare

NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)
DEAR = "h3"


def table(size: int = 600) -> pa.Table:
    """Give stays of six hospitals and four DRGs; one hospital is half as dear again, every tenth stay has no group."""
    rng = np.random.default_rng(3)
    hospital, drg = rng.integers(0, 6, size), rng.choice(4, size, p=[0.5, 0.3, 0.17, 0.03])
    cost = np.exp(8 + 0.5 * drg + 0.4 * (hospital == 3) + 0.3 * rng.standard_normal(size))
    fen = np.rint(cost * 100).astype(int)
    names = ("medfee_sumamt", "drug_amount", "consumable_amount", "service_amount")
    parts = (fen, fen // 2, fen // 5, fen - fen // 2 - fen // 5)
    money = {
        name: pa.array([Decimal(int(one)).scaleb(-2) for one in part], pa.decimal128(18, 2))
        for name, part in zip(names, parts, strict=True)
    }
    return pa.table(
        {
            "stay_id": [f"s{number}" for number in range(size)],
            "hospital_id": [f"h{one}" for one in hospital],
            "region": ["楚源省"] * size,
            "hosp_lv": ["3"] * size,
            "currency": ["CNY"] * size,
            "stay_days": pa.array(1 + rng.poisson(6, size)),
            "is_dead": pa.array(rng.random(size) < 0.04),
            "is_valid": [True] * size,
            "drg": pa.array([None if n % 10 == 0 else f"D{one}" for n, one in enumerate(drg)], pa.string()),
            **money,
        }
    )


@pytest.fixture
def region(home: Home) -> Home:
    with lake.connect(home, threads=1) as connection:
        grouped.create_tables(home, connection)
        connection.register("stays", table())
        connection.execute("CREATE TABLE lake.marts.fct_stay AS SELECT * EXCLUDE (drg) FROM stays")
        connection.execute("INSERT INTO lake.grouping.stay BY NAME SELECT stay_id, drg FROM stays")
        # Every stay is billed its drugs in one line, at two units; those of all hospitals but one are coded.
        connection.execute(
            "CREATE TABLE lake.marts.fct_fee_line AS SELECT stay_id, hospital_id AS source_id, 'drug' AS charge_group, "
            "'0901' AS med_chrgitm_type, 'A' AS medins_list_codg, 'a' AS medins_list_name, 2.0 AS cnt, "
            "TIMESTAMP '2025-03-01' AS fee_ocur_time, drug_amount AS det_item_fee_sumamt FROM stays"
        )
        assigned.create_tables(home, connection)
        connection.execute(
            "INSERT INTO lake.coding.assigned BY NAME SELECT DISTINCT hospital_id AS source_id, 'drug' AS kind, "
            "'A' AS medins_list_codg, 'a' AS medins_list_name, 'X1' AS code, 10 AS pieces, "
            "DATE '2020-01-01' AS valid_from FROM stays WHERE hospital_id <> 'h5'"
        )
    return home


def test_every_hospital_and_measure_is_compared_and_money_balances(region):
    found = compare(region, now=NOW)
    again = compare(region, now=NOW)
    assert (found.stays, found.left_out, found.hospitals) == (600, 60, 6)
    assert again.rows == found.rows
    dearest = max((row for row in found.rows if row["measure"] == "medfee_sumamt"), key=lambda row: row["ratio"])
    assert dearest["hospital_id"] == DEAR
    assert sum(found.places["medfee_sumamt"].values()) == 6
    with lake.connect(region, threads=1) as connection:
        rows = connection.execute("SELECT count(*), count(DISTINCT measure) FROM lake.grouping.comparison").fetchone()
        assert rows == (36, len(MEASURES))
        (factor,) = connection.execute(
            "SELECT factor FROM lake.grouping.comparison WHERE hospital_id = ? AND measure = 'medfee_sumamt'",
            [DEAR],
        ).fetchone()
        balance = connection.execute(
            "SELECT hospital_id, sum(volume + mix + price) FROM lake.grouping.difference GROUP BY ALL ORDER BY ALL"
        ).fetchall()
    assert 1.2 < factor < 1.6
    stays = table()
    costs = [
        (h, c)
        for h, c, d in zip(*(stays[n].to_pylist() for n in ("hospital_id", "medfee_sumamt", "drg")), strict=True)
        if d
    ]
    mean = sum(cost for _, cost in costs) / 6
    for hospital, difference in balance:
        assert abs(difference - (sum(cost for name, cost in costs if name == hospital) - mean)) <= Decimal("0.01")


def test_cells_are_withheld_where_they_are_small(region):
    compare(region, now=NOW)
    with lake.connect(region, threads=1) as connection:
        cells = connection.execute("SELECT * FROM lake.grouping.cell").to_arrow_table().to_pylist()
    assert len({(row["hospital_id"], row["drg"]) for row in cells}) == len(cells)
    withheld = [row for row in cells if row["suppressed"]]
    assert {row["suppressed"] for row in withheld} >= {"small"}
    assert all(row["stays"] is row["mean_cost"] is row["deaths"] is None for row in withheld)
    assert all(row["stays"] >= 10 for row in cells if not row["suppressed"])


def test_what_is_withheld_of_cells_is_marked_in_differences(region):
    compare(region, now=NOW)
    with lake.connect(region, threads=1) as connection:
        cells = {
            (row["hospital_id"], row["drg"]): row["suppressed"]
            for row in connection.execute("SELECT * FROM lake.grouping.cell").to_arrow_table().to_pylist()
        }
        rows = connection.execute("SELECT * FROM lake.grouping.difference").to_arrow_table().to_pylist()
        items = connection.execute("SELECT * FROM lake.grouping.price_difference").to_arrow_table().to_pylist()
    assert {row["suppressed"] for row in rows} > {None}
    for row in (*rows, *items):
        assert row["suppressed"] or not cells.get((row["hospital_id"], row["drg"]))
    assert {row["item"] for row in items} == {"X1", "drug:09"}
    stays, pieces = table(), {}
    for hospital, drg, cost in zip(*(stays[n].to_pylist() for n in ("hospital_id", "drg", "drug_amount")), strict=True):
        if drg:
            pieces.setdefault((drg, hospital), []).append(cost)
    for (drg, hospital), mine in pieces.items():
        peers = [cost for (other, _), costs in pieces.items() if other == drg for cost in costs]
        found = [row for row in items if (row["hospital_id"], row["drg"]) == (hospital, drg)]
        expected = sum(mine) - len(mine) * sum(peers) / len(peers)
        assert abs(sum(row["use"] + row["price"] for row in found) - expected) < Decimal("0.05")
        assert sum(row["bills"] for row in found) == len(mine)
        assert sum(row["peers_bills"] for row in found) == len(peers)


def test_a_hospital_without_peers_has_no_ratio_and_says_why(region):
    with lake.connect(region, threads=1) as connection:
        connection.execute("UPDATE lake.marts.fct_stay SET hosp_lv = '2' WHERE hospital_id = 'h0'")
    found = compare(region, now=NOW)
    for row in found.rows:
        alone = row["hospital_id"] == "h0"
        assert (row["why_none"] == "no_peers") == alone
        assert (row["ratio"] is None and row["expected"] is None and row["factor"] is None) == alone
        assert row["observed"] is not None
    told = CliRunner().invoke(app, ["compare"]).output
    assert "无同级医院可比" in told
    assert "1.00" not in next(line for line in told.splitlines() if "h0" in line)


def test_lines_find_their_items_without_trying_every_pair(region):
    with lake.connect(region) as connection:
        assigned.create_tables(region, connection)
        (plan,) = (row[1] for row in connection.execute(f"EXPLAIN {compared._LINES}").fetchall())
    assert "HASH_JOIN" in plan
    assert "NL_JOIN" not in plan


def test_before_the_marts_are_built_nothing_is_compared(home):
    with pytest.raises(Refusal, match="^E-GROUP-MART:"):
        compare(home)


def test_the_command_shows_one_measure_and_prints_them_all(region):
    done = CliRunner().invoke(app, ["compare", "--measure", "stay_days"])
    assert done.exit_code == 0, done.output
    assert DEAR in done.output
    assert "住院日" in done.output
    printed = json.loads(CliRunner().invoke(app, ["compare", "--json"]).output)
    assert len(printed["comparison"]) == 36
    for row in printed["differences"]:
        assert sum(Decimal(row[name]) for name in ("volume", "mix", "price")) == Decimal(row["difference"])
    # The average hospital of a level is no better than the level: differences cancel but for fen.
    assert printed["differences"]
    assert abs(sum(Decimal(row["difference"]) for row in printed["differences"])) < 1
    told = CliRunner().invoke(app, ["compare"])
    assert "mix" in told.output
    assert CliRunner().invoke(app, ["compare", "--measure", "nothing"]).exit_code == 2
