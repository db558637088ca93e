"""The lake's side of comparison: grouped stays to compare, and the tables of what came out."""

from datetime import datetime

import duckdb
import pyarrow as pa

from headwater.adapters import lake
from headwater.adapters.home import Home

__all__ = ["TABLES", "create_tables", "stays", "write"]

_PEERS = (("region", "VARCHAR"), ("hosp_lv", "VARCHAR"), ("currency", "VARCHAR"))
_HOSPITAL = (("hospital_id", "VARCHAR"), *_PEERS)
_MADE = (("compared_at", "TIMESTAMP"), ("snapshot_id", "BIGINT"))
_MONEY = "DECIMAL(24, 2)"

TABLES = {
    "comparison": (
        *_HOSPITAL,
        *(("measure", "VARCHAR"), ("is_count", "BOOLEAN"), ("stays", "BIGINT"), ("alone", "BIGINT")),
        *(("observed", _MONEY), ("expected", _MONEY)),
        *((name, "DOUBLE") for name in ("ratio", "se", "lower", "upper")),
        *((name, "DOUBLE") for name in ("factor", "factor_lower", "factor_upper")),
        ("hospitals", "BIGINT"),
        *((name, "DOUBLE") for name in ("phi", "tau2", "z", "p", "q")),
        *((name, "DOUBLE") for name in ("low_95", "high_95", "low_998", "high_998")),
        *(("place", "VARCHAR"), ("why_none", "VARCHAR"), *_MADE),
    ),
    "difference": (
        *_HOSPITAL,
        *(("drg", "VARCHAR"), ("charge_group", "VARCHAR")),
        *((name, _MONEY) for name in ("volume", "mix", "price")),
        *_MADE,
    ),
    "cell": (
        *_HOSPITAL,
        *(
            ("drg", "VARCHAR"),
            ("stays", "BIGINT"),
            ("mean_cost", _MONEY),
            ("mean_days", "DOUBLE"),
            ("deaths", "BIGINT"),
        ),
        *(("suppressed", "VARCHAR"), *_MADE),
    ),
}
"""``comparison``: a row a hospital and measure; ``difference``: what a hospital's cost differs by from the average
hospital of its level; ``cell``: a row a hospital and DRG, small ones withheld. Made anew by every comparison."""

_STAYS = """
SELECT stay.stay_id, stay.hospital_id, stay.region, stay.hosp_lv, stay.currency, made.drg, stay.medfee_sumamt,
       CAST(stay.stay_days AS BIGINT) AS stay_days, stay.is_dead, stay.drug_amount, stay.consumable_amount,
       stay.service_amount
FROM lake.marts.fct_stay AS stay
LEFT JOIN lake.grouping.stay AS made ON stay.stay_id = made.stay_id
WHERE stay.is_valid
ORDER BY stay.stay_id
"""


def create_tables(home: Home, connection: duckdb.DuckDBPyConnection) -> None:
    """Create what is missing; many processes may call it at once."""
    lake.create_tables(home, connection, schema="grouping", tables=TABLES)


def stays(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """Return all valid stays in a fixed order, with their group or without."""
    return connection.execute(_STAYS).to_arrow_table()


def write(connection: duckdb.DuckDBPyConnection, found: dict[str, pa.Table], *, at: datetime) -> int:
    """Put tables in the place of those of the comparison before, and return the snapshot that was compared.

    Parameters
    ----------
    found : a table for each of `TABLES`
    at : UTC, without time zone
    """
    snapshot = lake.snapshot(connection)
    with lake.transaction(connection):
        for name, table in found.items():
            connection.register("found", table)
            connection.execute(f"DELETE FROM lake.grouping.{name}")
            connection.execute(
                f"INSERT INTO lake.grouping.{name} BY NAME SELECT *, $1 AS compared_at, $2 AS snapshot_id FROM found",
                [at, snapshot],
            )
            connection.unregister("found")
    return snapshot
