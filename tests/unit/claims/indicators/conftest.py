"""A small lake, and another way to compute a formula over it."""

import random
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from headwater.claims.indicators import Catalogue
from headwater.content.fields import read_fields

PROJECT = Path(__file__).parents[4]
Row = dict[str, Any]


def _stays() -> list[Row]:
    rng = random.Random(5)
    stays = []
    for number in range(60):
        cost = Decimal(rng.randrange(0, 900_000)) / 100
        stays.append(
            {
                "stay_id": f"h:{number}",
                "psn_no": rng.choice([None, "p1", "p2", "p3"]),
                "hospital_id": rng.choice(["h:A", "h:B", "h:C"]),
                "discharge_month": rng.choice([date(2026, 1, 1), date(2026, 2, 1)]),
                "endtime": date(2026, 1, rng.randrange(1, 29)),
                "hosp_lv": rng.choice(["1", "3"]),
                "insutype": rng.choice([None, "310", "390"]),
                "region": "R",
                "currency": "CNY",
                "origin": "synthetic",
                "age_years": rng.choice([None, 0, 30, 65, 90]),
                "stay_days": rng.randrange(1, 40),
                "operation_count": rng.randrange(0, 3),
                "medfee_sumamt": cost,
                "fund_pay_sumamt": rng.choice([None, Decimal(0), (cost * Decimal("0.6")).quantize(Decimal("0.01"))]),
                "drug_amount": (cost * Decimal("0.3")).quantize(Decimal("0.01")),
                "is_dead": rng.random() < 0.2,
                "is_emergency": rng.random() < 0.5,
                "is_valid": rng.random() < 0.9,
            }
        )
    return stays


def _uses(stays: list[Row]) -> list[Row]:
    rng = random.Random(6)
    return [
        {
            "stay_id": stay["stay_id"],
            "charge_group": group,
            "line_count": rng.randrange(1, 9),
            "amount": Decimal(rng.randrange(-500, 9000)) / 100,
        }
        for stay in stays
        for group in rng.sample(["drug", "consumable"], rng.randrange(0, 3))
    ]


_TYPES = {
    **{"discharge_month": "DATE", "endtime": "DATE", "age_years": "BIGINT", "stay_days": "BIGINT"},
    **{"operation_count": "BIGINT", "line_count": "BIGINT"},
    **{"medfee_sumamt": "DECIMAL(18,2)", "fund_pay_sumamt": "DECIMAL(18,2)", "drug_amount": "DECIMAL(38,2)"},
    **{"amount": "DECIMAL(38,2)", "is_dead": "BOOLEAN", "is_emergency": "BOOLEAN", "is_valid": "BOOLEAN"},
}
STAYS = _stays()
USES = _uses(STAYS)


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    """Give what the project publishes."""
    return read_fields(PROJECT)


@pytest.fixture(scope="session")
def rows() -> dict[str, list[Row]]:
    """Give the rows of the small lake, each with those of its stay."""
    held = {stay["stay_id"]: stay for stay in STAYS if stay["is_valid"]}
    uses = [
        {**{f"stay.{key}": value for key, value in held[use["stay_id"]].items()}, **use}
        for use in USES
        if use["stay_id"] in held
    ]
    return {"stay": list(held.values()), "item_use": uses}


@pytest.fixture(scope="session")
def small() -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a connection to the small lake."""
    with duckdb.connect(":memory:") as connection:
        connection.execute("ATTACH ':memory:' AS lake; CREATE SCHEMA lake.marts")
        for table, held in (("fct_stay", STAYS), ("fct_item_use", USES)):
            columns = ", ".join(f"{name} {_TYPES.get(name, 'VARCHAR')}" for name in held[0])
            connection.execute(f"CREATE TABLE lake.marts.{table} ({columns})")
            marks = ", ".join("?" * len(held[0]))
            connection.executemany(
                f"INSERT INTO lake.marts.{table} VALUES ({marks})", [list(row.values()) for row in held]
            )
        yield connection


class Lab:
    """What a drawn formula is tried on; hypothesis shows its arguments, and this one is short to show."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, catalogue: Catalogue, rows: dict[str, list[Row]]) -> None:
        self.connection = connection
        self.catalogue = catalogue
        self.rows = rows


@pytest.fixture(scope="session")
def lab(small: duckdb.DuckDBPyConnection, catalogue: Catalogue, rows: dict[str, list[Row]]) -> Lab:
    """Give the small lake with its catalogue and its rows."""
    return Lab(small, catalogue, rows)
