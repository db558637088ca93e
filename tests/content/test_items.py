"""Items and their prices on a simulated region, against prices that were counted from the region's own truth."""

import re
from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from headwater.adapters import coding, lake
from headwater.adapters.home import Home
from headwater.simulation import simulate
from headwater.simulation.reference import items
from headwater.steps.build import build
from headwater.steps.land import land

PIECES = {item.code: int(re.search(r"\*(\d+)", item.spec)[1]) for item in items() if item.kind == "drug"}  # type: ignore[index]


@pytest.fixture
def region(home: Home, tmp_path: Path) -> duckdb.DuckDBPyConnection:
    """Land three hospitals for two months, and settle every listed item's code as the truth says."""
    simulate(home.deliveries, hospitals=3, months=2, stays=200, truth=tmp_path / "truth")
    report = land(home, deliveries=home.deliveries)
    assert report.references is not None
    assert [one.state for one in report.references.files] == ["loaded"] * 11
    connection = lake.connect(home)
    coding.create_tables(home, connection)
    connection.register("truth", pq.read_table(tmp_path / "truth" / "items.parquet"))
    listed = " UNION ALL BY NAME ".join(
        f"SELECT source_id, '{kind}' AS kind, medins_list_codg, medins_list_name, {columns}, unit, pric "
        f"FROM lake.raw.{table}"
        for kind, table, columns in (
            ("drug", "drug", "spec, dosform_name"),
            ("consumable", "consumable", "spec"),
            ("service", "service_item", "NULL AS spec"),
        )
    )
    connection.execute(
        "INSERT INTO lake.coding.item BY NAME SELECT listed.*, true AS is_listed, truth.national_code AS code, "
        f"'auto' AS decision, 1.0 AS confidence FROM ({listed}) AS listed JOIN truth "
        "ON truth.source = listed.source_id AND truth.local_code = listed.medins_list_codg"
    )
    return connection


def test_prices_are_those_of_the_truth_and_follow_decisions(home: Home, region: duckdb.DuckDBPyConnection):
    rows = dict(build(home).rows)
    (held,) = region.execute("SELECT count(*) FROM lake.coding.item").fetchone() or (0,)
    assert rows["dim_item"] == held > 1000
    assert rows["ind_item_price"] > 1000
    _most_items_are_priced_and_classed(region)
    _medians_are_those_of_the_lines(region)
    _a_month_has_the_reference_of_its_first_day(region)
    # Nothing is landed, and yet the prices of all months follow.
    query = "SELECT count(*), sum(amount) FROM lake.marts.ind_item_price WHERE code = $1"
    (code,) = region.execute(
        "SELECT code FROM lake.marts.ind_item_price WHERE kind = 'drug' GROUP BY code ORDER BY sum(amount) DESC LIMIT 1"
    ).fetchone() or ("",)
    assert (region.execute(query, [code]).fetchone() or (0,))[0] > 0
    region.execute("UPDATE lake.coding.item SET decision = 'review' WHERE code = $1", [code])
    build(home)
    assert region.execute(query, [code]).fetchone() == (0, None)
    assert region.execute(
        "SELECT DISTINCT code, proposed_code FROM lake.marts.dim_item WHERE proposed_code = $1", [code]
    ).fetchall() == [(None, code)]


def _most_items_are_priced_and_classed(connection: duckdb.DuckDBPyConnection) -> None:
    unread = connection.execute(
        "SELECT kind, count(*) FILTER (price_per_piece IS NULL), count(*), count(*) FILTER (class_path IS NULL) "
        "FROM lake.marts.dim_item GROUP BY kind ORDER BY kind"
    ).fetchall()
    assert len(unread) == 3
    assert all(unpriced <= 0.05 * number and unclassed == 0 for _, unpriced, number, unclassed in unread), unread


def _medians_are_those_of_the_lines(connection: duckdb.DuckDBPyConnection) -> None:
    found = connection.execute(
        "SELECT discharge_month, hospital_id, code, median_price FROM lake.marts.ind_item_price "
        "WHERE kind = 'drug' AND comparable_unit = 'piece'"
    ).fetchall()
    assert len(found) > 300
    assert {row[:3]: row[3] for row in found} == _prices(connection)


def _a_month_has_the_reference_of_its_first_day(connection: duckdb.DuckDBPyConnection) -> None:
    # The region's bureau buys drugs centrally, and calls 500 yuan high, from the second month on.
    central = connection.execute(
        "SELECT valid_from, bool_or(is_central) FROM lake.coding.assigned WHERE kind = 'drug' GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    assert [told for _, told in central] == [None, False, True]
    high = connection.execute(
        "SELECT count(DISTINCT medins_list_codg) FILTER (is_high_value) FROM lake.coding.assigned "
        "WHERE kind = 'consumable' AND high_value_by = 'price' GROUP BY valid_from ORDER BY valid_from"
    ).fetchall()
    assert high[0][0] < high[1][0]


def _prices(connection: duckdb.DuckDBPyConnection) -> dict[tuple[object, ...], Decimal]:
    """Return the median price a piece by month, hospital and code, weighted by quantity, from the fee lines."""
    lines = connection.execute(
        "SELECT stay.discharge_month, stay.hospital_id, item.code, line.pric, sum(line.cnt) "
        "FROM lake.marts.fct_fee_line AS line JOIN lake.marts.fct_stay AS stay USING (stay_id) "
        "JOIN lake.coding.item AS item ON item.source_id = line.source_id AND item.kind = 'drug' "
        "AND item.medins_list_codg = line.medins_list_codg AND item.medins_list_name = line.medins_list_name "
        "WHERE stay.is_valid AND line.charge_group = 'drug' GROUP BY ALL"
    ).fetchall()
    cells: dict[tuple[object, ...], list[tuple[Decimal, Decimal]]] = defaultdict(list)
    for month, hospital, code, price, quantity in lines:
        if quantity > 0 and price > 0:
            each = (price / PIECES[code]).quantize(Decimal("0.000001"), ROUND_HALF_UP)
            cells[month, hospital, code].append((each, quantity))
    return {cell: _median(priced) for cell, priced in cells.items()}


def _median(priced: list[tuple[Decimal, Decimal]]) -> Decimal:
    total, seen = sum(quantity for _, quantity in priced), Decimal(0)
    for price, quantity in sorted(priced):
        seen += quantity
        if 2 * seen >= total:
            return price
    raise AssertionError("weights sum to the total")
