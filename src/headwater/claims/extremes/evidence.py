"""What makes a stay extreme: the charge groups and items that it was billed beyond what its group is usually billed.

Works on relations of a connection, so that DuckDB sees to memory; ``judged`` (stay_id, side), ``stay`` (stay_id,
source_id, region, hosp_lv, currency, drg) with all stays of the groups concerned, and ``line`` (stay_id, charge_group,
code, name, is_national, cnt, amount). Usual is the mean over all stays of the region, level and DRG, billed or not; of
an item that has its hospital's own code only, over those of the hospital.
"""

import duckdb
import pyarrow as pa

__all__ = ["ITEMS", "PARTS", "evidence"]

PARTS, ITEMS = 3, 5
"""Most charge groups and items that are shown of a stay."""

_USUAL = """
WITH extreme AS (
    SELECT stay.*, judged.side FROM stay INNER JOIN judged USING (stay_id)
),
cell AS (
    SELECT region, hosp_lv, currency, drg, scope, count(*) AS stays
    FROM (SELECT *, NULL AS scope FROM stay UNION ALL SELECT *, source_id AS scope FROM stay)
    SEMI JOIN extreme USING (region, hosp_lv, currency, drg)
    GROUP BY ALL
),
billed AS (
    SELECT stay.stay_id, stay.region, stay.hosp_lv, stay.currency, stay.drg,
           CASE WHEN {is_item} AND NOT line.is_national THEN stay.source_id END AS scope,
           line.charge_group, {key} AS code, any_value({name}) AS name,
           sum(line.cnt) AS cnt, sum(line.amount) AS amount
    FROM line INNER JOIN stay USING (stay_id)
    GROUP BY ALL
),
usual AS (
    SELECT billed.region, billed.hosp_lv, billed.currency, billed.drg, billed.scope, billed.charge_group, billed.code,
           any_value(billed.name) AS name,
           sum(billed.amount) / any_value(cell.stays) AS usual, sum(billed.cnt) / any_value(cell.stays) AS usual_cnt
    FROM billed INNER JOIN cell
        ON billed.region IS NOT DISTINCT FROM cell.region AND billed.hosp_lv IS NOT DISTINCT FROM cell.hosp_lv
        AND billed.currency IS NOT DISTINCT FROM cell.currency AND billed.drg = cell.drg
        AND billed.scope IS NOT DISTINCT FROM cell.scope
    GROUP BY ALL
)
SELECT extreme.stay_id, '{part}' AS part, usual.charge_group, usual.code, coalesce(billed.name, usual.name) AS name,
       CAST(coalesce(billed.cnt, 0) AS DECIMAL(18, 4)) AS cnt, CAST(usual.usual_cnt AS DECIMAL(18, 4)) AS usual_cnt,
       CAST(coalesce(billed.amount, 0) AS DECIMAL(18, 2)) AS amount, CAST(usual.usual AS DECIMAL(18, 2)) AS usual,
       CAST(coalesce(billed.amount, 0) - usual.usual AS DECIMAL(18, 2)) AS excess
FROM extreme
INNER JOIN usual
    ON usual.region IS NOT DISTINCT FROM extreme.region AND usual.hosp_lv IS NOT DISTINCT FROM extreme.hosp_lv
    AND usual.currency IS NOT DISTINCT FROM extreme.currency AND usual.drg = extreme.drg
    AND (usual.scope IS NULL OR usual.scope = extreme.source_id)
LEFT JOIN billed
    ON billed.stay_id = extreme.stay_id AND billed.charge_group = usual.charge_group
    AND billed.code IS NOT DISTINCT FROM usual.code AND billed.scope IS NOT DISTINCT FROM usual.scope
WHERE CASE extreme.side WHEN 'high' THEN coalesce(billed.amount, 0) > usual.usual
      ELSE coalesce(billed.amount, 0) < usual.usual END
QUALIFY row_number() OVER (
    PARTITION BY extreme.stay_id
    ORDER BY abs(coalesce(billed.amount, 0) - usual.usual) DESC, usual.charge_group, usual.code
) <= {most}
"""


def evidence(connection: duckdb.DuckDBPyConnection, *, parts: int = PARTS, items: int = ITEMS) -> pa.Table:
    """Return what each judged stay was billed beyond (or, on the low side, below) the usual, the most first.

    Returns
    -------
    pyarrow.Table
        stay_id, part (``group`` or ``item``), charge_group, code and name (of items), cnt, usual_cnt, amount, usual,
        excess (decimals, negative on the low side); groups before items
    """
    groups = _USUAL.format(
        is_item="false", key="CAST(NULL AS VARCHAR)", name="CAST(NULL AS VARCHAR)", part="group", most=parts
    )
    single = _USUAL.format(is_item="true", key="line.code", name="line.name", part="item", most=items)
    query = f"SELECT * FROM (({groups}) UNION ALL ({single})) ORDER BY stay_id, part, abs(excess) DESC, code"
    return connection.execute(query).to_arrow_table()
