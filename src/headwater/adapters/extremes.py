"""The lake's side of extreme stays: which stays are judged, what they were billed, and the table of what was found."""

from datetime import datetime

import duckdb
import pyarrow as pa

from headwater.adapters import lake
from headwater.adapters.home import Home

__all__ = ["TABLES", "beside", "create_tables", "judge_with", "read", "stays", "write"]

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
CREATE OR REPLACE TEMP TABLE grouped_stay AS
WITH complicated AS (
    SELECT row.source_id || ':' || row.mdtrt_id AS stay_id, made.plan_version,
           regexp_replace(upper(coalesce(settled.code, row.diag_code)), '[^A-Z0-9]', '', 'g') AS code
    FROM lake.raw.diagnosis AS row
    INNER JOIN lake.marts.fct_stay AS stay ON stay.stay_id = row.source_id || ':' || row.mdtrt_id
    INNER JOIN lake.grouping.stay AS made ON made.stay_id = stay.stay_id
    LEFT JOIN settled
        ON settled.kind = 'diagnosis' AND settled.source_id = row.source_id
        AND settled.medins_list_codg IS NOT DISTINCT FROM row.diag_code
        AND settled.medins_list_name IS NOT DISTINCT FROM row.diag_name
        AND settled.valid_from <= CAST(stay.endtime AS DATE)
        AND CAST(stay.endtime AS DATE) < coalesce(settled.valid_to, DATE 'infinity')
    WHERE row.diag_code IS DISTINCT FROM stay.dscg_maindiag_code
),
counted AS (
    SELECT stay_id, count(DISTINCT code) AS cc_count
    FROM complicated SEMI JOIN complication USING (plan_version, code)
    GROUP BY stay_id
)
SELECT stay.stay_id, stay.source_id, stay.hospital_id, stay.region, stay.hosp_lv, stay.currency, stay.psn_no,
       made.mdc, made.adrg, made.drg, stay.medfee_sumamt, stay.stay_days,
       CAST(stay.age_years AS DOUBLE) AS age_years, stay.gend, stay.dscg_dept_name AS dept,
       CAST(stay.is_emergency AS INTEGER) AS is_emergency, coalesce(counted.cc_count, 0) AS cc_count,
       CAST(median(stay.stay_days) OVER (PARTITION BY stay.region, stay.hosp_lv, stay.currency, made.drg) AS DOUBLE)
           AS usual_days, stay.begntime, stay.endtime
FROM lake.marts.fct_stay AS stay
INNER JOIN lake.grouping.stay AS made ON stay.stay_id = made.stay_id
LEFT JOIN counted ON counted.stay_id = stay.stay_id
WHERE stay.is_valid AND made.drg IS NOT NULL
"""

_BESIDE = """
SELECT stay.stay_id,
       CASE WHEN other.begntime >= stay.endtime THEN 'after' ELSE 'before' END AS side,
       other.hospital_id <> stay.hospital_id AS is_elsewhere,
       min(CASE WHEN other.begntime >= stay.endtime THEN date_diff('day', stay.endtime, other.begntime)
           ELSE date_diff('day', other.endtime, stay.begntime) END) AS gap,
       arg_min(other.stay_id, (abs(date_diff('day', stay.endtime, other.begntime)), other.stay_id)) AS other_stay
FROM grouped_stay AS stay
SEMI JOIN judged USING (stay_id)
INNER JOIN lake.marts.fct_stay AS other
    ON other.is_valid AND other.psn_no = stay.psn_no AND other.stay_id <> stay.stay_id
    AND other.region IS NOT DISTINCT FROM stay.region
    AND (other.begntime BETWEEN stay.endtime AND stay.endtime + to_days($1)
        OR other.endtime BETWEEN stay.begntime - to_days($1) AND stay.begntime)
GROUP BY ALL
ORDER BY ALL
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


def read(connection: duckdb.DuckDBPyConnection, complications: pa.Table) -> list[tuple[str | None, str]]:
    """Make the table ``grouped_stay``: valid stays that have a group. Return their regions with currency, in order.

    ``cc_count`` counts the secondary diagnoses that are on the plan's lists of complications, each code once and
    whatever the principal diagnosis; ``usual_days`` is the median among the stays of the same group.

    Parameters
    ----------
    complications : ``plan_version, code``; codes are letters and digits alone
    """
    connection.register("complication", complications)
    connection.execute(_STAYS)
    connection.unregister("complication")
    return connection.execute("SELECT DISTINCT region, currency FROM grouped_stay ORDER BY ALL").fetchall()


def stays(connection: duckdb.DuckDBPyConnection, region: str | None, currency: str) -> pa.Table:
    """Return the stays of one region in a fixed order: nobody else is like them, and they alone are held in memory."""
    return connection.execute(
        "SELECT * FROM grouped_stay WHERE region IS NOT DISTINCT FROM $1 AND currency = $2 ORDER BY stay_id",
        [region, currency],
    ).to_arrow_table()


def judge_with(connection: duckdb.DuckDBPyConnection, judged: pa.Table) -> pa.Table:
    """Make the relations ``judged``, ``stay`` and ``line`` on which evidence is sought; return the judged stays.

    Parameters
    ----------
    judged : stay_id and side
    """
    connection.register("all_judged", judged)
    connection.execute("CREATE OR REPLACE TEMP TABLE judged AS SELECT stay_id, side FROM all_judged")
    connection.unregister("all_judged")
    # Only groups in which a stay is extreme are read line by line.
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE stay AS "
        "SELECT stay_id, source_id, region, hosp_lv, currency, drg FROM grouped_stay SEMI JOIN "
        "(SELECT DISTINCT region, hosp_lv, currency, drg FROM grouped_stay SEMI JOIN judged USING (stay_id)) "
        "USING (region, hosp_lv, currency, drg)"
    )
    connection.execute(_LINES)
    return connection.execute("FROM grouped_stay SEMI JOIN judged USING (stay_id) ORDER BY stay_id").to_arrow_table()


def beside(connection: duckdb.DuckDBPyConnection, *, within_days: int) -> pa.Table:
    """Return the stays of the same person shortly before or after a judged one, in any hospital of the region.

    Persons are known by their tokens, which are the same in every hospital.

    Returns
    -------
    pyarrow.Table
        stay_id, side (before, after), is_elsewhere (another hospital), gap (days, the shortest), other_stay
    """
    return connection.execute(_BESIDE, [within_days]).to_arrow_table()


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
