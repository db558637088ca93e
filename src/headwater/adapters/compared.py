"""The lake's side of comparison: grouped stays to compare, and the tables of what came out."""

from datetime import datetime

import duckdb
import pyarrow as pa

from headwater.adapters import lake
from headwater.adapters.home import Home

__all__ = ["TABLES", "create_tables", "lines", "stays", "write"]

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
        *(("suppressed", "VARCHAR"), *_MADE),
    ),
    "price_difference": (
        *_HOSPITAL,
        *(("drg", "VARCHAR"), ("item", "VARCHAR"), ("bills", "BIGINT"), ("peers_bills", "BIGINT")),
        *((name, _MONEY) for name in ("use", "price")),
        *(("suppressed", "VARCHAR"), *_MADE),
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
hospital of its level; ``price_difference``: what its stays were billed of each item beside the same stays at its peers;
``cell``: a row a hospital and DRG, small ones withheld, as all that is ``suppressed`` must be where it is published.
Made anew by every comparison."""

_STAYS = """
SELECT stay.stay_id, stay.hospital_id, stay.region, stay.hosp_lv, stay.currency, made.drg, stay.medfee_sumamt,
       CAST(stay.stay_days AS BIGINT) AS stay_days, stay.is_dead, stay.drug_amount, stay.consumable_amount,
       stay.service_amount
FROM lake.marts.fct_stay AS stay
LEFT JOIN lake.grouping.stay AS made ON stay.stay_id = made.stay_id
WHERE stay.is_valid
ORDER BY stay.stay_id
"""


# Of one hospital and DRG one line an item: which of their stays was billed it plays no part.
_LINES = f"""
WITH stay AS ({_STAYS}),
line AS (
    SELECT stay.hospital_id, stay.drg, line.stay_id,
           coalesce(assigned.code, concat(line.charge_group, ':', left(line.med_chrgitm_type, 2))) AS item,
           line.cnt * coalesce(assigned.pieces, 1) AS cnt, line.det_item_fee_sumamt AS amount
    FROM lake.marts.fct_fee_line AS line
    INNER JOIN stay ON stay.stay_id = line.stay_id AND stay.drg IS NOT NULL
    LEFT JOIN lake.coding.assigned AS assigned
        ON line.source_id = assigned.source_id AND line.charge_group = assigned.kind AND assigned.code IS NOT NULL
        AND line.medins_list_codg IS NOT DISTINCT FROM assigned.medins_list_codg
        AND line.medins_list_name IS NOT DISTINCT FROM assigned.medins_list_name
        AND CAST(line.fee_ocur_time AS DATE) >= assigned.valid_from
        AND CAST(line.fee_ocur_time AS DATE) < coalesce(assigned.valid_to, DATE 'infinity')
)
SELECT min(stay_id) AS stay_id, item, count(DISTINCT stay_id) AS bills, CAST(sum(cnt) AS DOUBLE) AS cnt,
       CAST(sum(amount) AS DECIMAL(24, 2)) AS amount
FROM line GROUP BY hospital_id, drg, item ORDER BY hospital_id, drg, item
"""


def create_tables(home: Home, connection: duckdb.DuckDBPyConnection) -> None:
    """Create what is missing; many processes may call it at once."""
    lake.create_tables(home, connection, schema="grouping", tables=TABLES)


def stays(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """Return all valid stays in a fixed order, with their group or without."""
    return connection.execute(_STAYS).to_arrow_table()


def lines(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """Return what grouped stays were billed, by hospital, DRG and item.

    Returns
    -------
    pyarrow.Table
        stay_id (one of the hospital and DRG), item (its national code, or its charge group and category where it has
        none), bills, cnt (pieces, where it is known how many a billed unit holds) and amount
    """
    return connection.execute(_LINES).to_arrow_table()


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
