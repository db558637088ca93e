"""Evidence: which charge groups and items lie beyond the usual, worked by hand."""

from decimal import Decimal

import duckdb
import pyarrow as pa
import pytest

from headwater.claims.extremes import evidence

LINE = ("stay_id", "charge_group", "code", "name", "is_national", "cnt", "amount")


@pytest.fixture
def lines():
    """Give a connection with four stays of one DRG, two a hospital, and a maker of their lines."""

    def make(*rows: tuple, side: str = "high"):
        connection = duckdb.connect()
        connection.execute(
            "CREATE TABLE stay AS SELECT * FROM (VALUES ('a1', 'a'), ('a2', 'a'), ('b1', 'b'), ('b2', 'b')) "
            "t (stay_id, source_id), (VALUES ('r', '3', 'CNY', 'D')) u (region, hosp_lv, currency, drg)"
        )
        connection.execute(f"CREATE TABLE judged AS SELECT 'a1' AS stay_id, '{side}' AS side")
        columns = dict(zip(LINE, zip(*rows, strict=True), strict=True))
        for name, kind in (("cnt", pa.decimal128(18, 4)), ("amount", pa.decimal128(18, 2))):
            columns[name] = pa.array([Decimal(one) for one in columns[name]], kind)
        connection.register("line", pa.table(columns))
        return connection

    return make


def test_usual_is_the_mean_over_all_stays_of_the_group(lines):
    found = evidence(
        lines(
            ("a1", "drug", "N1", "药甲", True, "10", "900.00"),
            ("b1", "drug", "N1", "药甲", True, "2", "100.00"),
            ("a1", "consumable", "N2", "支架", True, "1", "50.00"),
            ("b2", "consumable", "N2", "支架", True, "1", "950.00"),
        )
    ).to_pylist()
    assert [(row["part"], row["charge_group"], row["amount"], row["usual"], row["excess"]) for row in found] == [
        ("group", "drug", Decimal("900.00"), Decimal("250.00"), Decimal("650.00")),
        ("item", "drug", Decimal("900.00"), Decimal("250.00"), Decimal("650.00")),
    ]
    assert (found[1]["code"], found[1]["name"], found[1]["cnt"], found[1]["usual_cnt"]) == ("N1", "药甲", 10, 3)


def test_an_item_of_a_hospitals_own_code_is_usual_by_that_hospital(lines):
    found = evidence(
        lines(
            ("a1", "drug", "7", "药甲", False, "4", "400.00"),
            ("a2", "drug", "7", "药甲", False, "1", "100.00"),
            ("b1", "drug", "7", "另一药", False, "9", "9000.00"),
        )
    )
    (item,) = found.filter(pa.compute.equal(found["part"], "item")).to_pylist()
    assert (item["name"], item["usual"], item["excess"]) == ("药甲", Decimal("250.00"), Decimal("150.00"))


def test_a_stay_that_cost_too_little_shows_what_it_lacks(lines):
    found = evidence(
        lines(
            ("a1", "drug", "N1", "药甲", True, "1", "10.00"),
            ("b1", "drug", "N1", "药甲", True, "1", "10.00"),
            ("b2", "service", "N3", "手术", True, "1", "800.00"),
            side="low",
        )
    ).to_pylist()
    assert [(row["part"], row["charge_group"], row["amount"], row["excess"]) for row in found] == [
        ("group", "service", Decimal("0.00"), Decimal("-200.00")),
        ("item", "service", Decimal("0.00"), Decimal("-200.00")),
    ]


def test_only_the_foremost_are_shown(lines):
    rows = [("a1", "drug", f"N{number}", "药", True, "1", f"{number + 1}.00") for number in range(9)]
    found = evidence(lines(*rows))
    items = found.filter(pa.compute.equal(found["part"], "item"))
    assert items["code"].to_pylist() == ["N8", "N7", "N6", "N5", "N4"]
