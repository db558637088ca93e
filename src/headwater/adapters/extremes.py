"""The lake's side of extreme stays: which stays are judged, what they were billed, and the table of what was found."""

from datetime import datetime

import duckdb
import pyarrow as pa

from headwater.adapters import lake
from headwater.adapters.home import Home

__all__ = ["TABLES", "create_tables", "judge_with", "stays", "write"]

TABLES = {
    "extreme": (
        *(
            ("stay_id", "VARCHAR"),
            ("method", "VARCHAR"),
            ("side", "VARCHAR"),
            ("basis", "VARCHAR"),
            ("cases", "BIGINT"),
        ),
        *(("amount", "DECIMAL(24, 2)"), ("usual", "DECIMAL(24, 2)"), ("bound", "DECIMAL(24, 2)")),
        *(("at_stake", "DECIMAL(24, 2)"), ("score", "DOUBLE"), ("found_by", "VARCHAR")),
        *(("found_at", "TIMESTAMP"), ("snapshot_id", "BIGINT")),
    ),
}
"""A row a stay and method that calls it extreme, decided or not; made anew by every search."""

_STAYS = """
SELECT stay.stay_id, stay.source_id, stay.hospital_id, stay.region, stay.hosp_lv, stay.currency, stay.psn_no,
       made.mdc, made.adrg, made.drg, stay.medfee_sumamt, stay.stay_days,
       CAST(stay.age_years AS DOUBLE) AS age_years, stay.gend, stay.dscg_dept_name AS dept,
       CAST(stay.is_emergency AS INTEGER) AS is_emergency, CAST(stay.diagnosis_count AS BIGINT) AS cc_count,
       CAST(median(stay.stay_days) OVER (PARTITION BY stay.region, stay.hosp_lv, stay.currency, made.drg) AS DOUBLE)
           AS usual_days
FROM lake.marts.fct_stay AS stay
INNER JOIN lake.grouping.stay AS made ON stay.stay_id = made.stay_id
WHERE stay.is_valid AND made.drg IS NOT NULL
ORDER BY stay.stay_id
"""

_LINES = """
CREATE OR REPLACE TEMP VIEW line AS
SELECT fee.stay_id, fee.charge_group,
       coalesce(item.code, fee.medins_list_codg, fee.medins_list_name) AS code,
       fee.medins_list_name AS name, item.code IS NOT NULL AS is_national, fee.cnt, fee.det_item_fee_sumamt AS amount
FROM lake.marts.fct_fee_line AS fee
SEMI JOIN stay ON fee.stay_id = stay.stay_id
LEFT JOIN lake.coding.item AS item
    ON item.source_id = fee.source_id AND item.kind = fee.charge_group AND item.decision IN ('auto', 'decided')
    AND item.medins_list_codg IS NOT DISTINCT FROM fee.medins_list_codg
    AND item.medins_list_name IS NOT DISTINCT FROM fee.medins_list_name
"""


def create_tables(home: Home, connection: duckdb.DuckDBPyConnection) -> None:
    """Create what is missing; many processes may call it at once."""
    lake.create_tables(home, connection, schema="grouping", tables=TABLES)


def stays(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """Return the valid stays that have a group, in a fixed order.

    ``cc_count`` counts all diagnoses on record; ``usual_days`` is the median among the stays of the same group.
    """
    return connection.execute(_STAYS).to_arrow_table()


def judge_with(connection: duckdb.DuckDBPyConnection, found: pa.Table, judged: pa.Table) -> None:
    """Make the relations ``judged``, ``stay`` and ``line`` on which evidence is sought.

    Parameters
    ----------
    found : as `stays` returns
    judged : stay_id and side
    """
    connection.register("all_stays", found)
    connection.register("all_judged", judged)
    connection.execute("CREATE OR REPLACE TEMP TABLE judged AS SELECT stay_id, side FROM all_judged")
    # Only groups in which a stay is extreme are read line by line.
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE stay AS "
        "SELECT stay_id, source_id, region, hosp_lv, currency, drg FROM all_stays SEMI JOIN "
        "(SELECT DISTINCT region, hosp_lv, currency, drg FROM all_stays SEMI JOIN judged USING (stay_id)) "
        "USING (region, hosp_lv, currency, drg)"
    )
    connection.execute(_LINES)


def write(connection: duckdb.DuckDBPyConnection, judged: pa.Table, *, found_by: str, at: datetime) -> int:
    """Put what was found in the place of what was found before, and return the snapshot that was judged.

    Parameters
    ----------
    at : UTC, without time zone
    """
    snapshot = lake.snapshot(connection)
    connection.register("found", judged)
    with lake.transaction(connection):
        connection.execute("DELETE FROM lake.grouping.extreme")
        connection.execute(
            "INSERT INTO lake.grouping.extreme BY NAME "
            "SELECT *, $1 AS found_by, $2 AS found_at, $3 AS snapshot_id FROM found ORDER BY stay_id, method",
            [found_by, at, snapshot],
        )
    connection.unregister("found")
    return snapshot
