"""What the pages ask of the operational tables and the lake."""

from headwater.adapters import knowledge

__all__ = [
    "BATCH_COLUMNS",
    "CHANGES",
    "CHANGES_THEN",
    "CHOICE",
    "EVOLUTIONS",
    "GONE",
    "LANDING",
    "MARTS_AT",
    "QUALITY_RUNS",
    "SOURCES",
    "VALUES",
    "VALUE_MONTHS",
    "VERSIONS",
    "VERSIONS_THEN",
]

MARTS_AT = """
SELECT t.table_name
FROM __ducklake_metadata_lake.public.ducklake_table AS t
JOIN __ducklake_metadata_lake.public.ducklake_schema AS s USING (schema_id)
WHERE s.schema_name = 'marts' AND t.begin_snapshot <= $1 AND coalesce(t.end_snapshot > $1, true)
ORDER BY 1
"""

BATCH_COLUMNS = (
    "batch_id", "source_id", "entity", "file_name", "state", "rows_in", "rows_loaded", "rows_quarantined",
    "rows_duplicate", "money_in", "money_loaded", "money_quarantined", "money_duplicate", "snapshot_id",
    "refusal_code", "refusal_zh", "refusal_en", "landed_at",
)  # fmt: skip

LANDING = """
select
    source_id,
    count(*) filter (where state = 'loaded'),
    count(*) filter (where state = 'refused'),
    count(*) filter (where state = 'held'),
    coalesce(sum(rows_in) filter (where state = 'loaded'), 0)::bigint,
    coalesce(sum(rows_loaded) filter (where state = 'loaded'), 0)::bigint,
    coalesce(sum(rows_quarantined) filter (where state = 'loaded'), 0)::bigint,
    coalesce(sum(rows_duplicate) filter (where state = 'loaded'), 0)::bigint,
    max(loaded_at),
    coalesce(sum(money_in) filter (where state = 'loaded'), 0),
    coalesce(sum(money_loaded) filter (where state = 'loaded'), 0),
    coalesce(sum(money_quarantined) filter (where state = 'loaded'), 0),
    coalesce(sum(money_duplicate) filter (where state = 'loaded'), 0)
from ops.batch
group by source_id
"""

SOURCES = """
SELECT v.region, v.source, coalesce(h.hospital_name, v.source), coalesce(h.hospital_name_en, v.source), v.city, v.stays,
       v.value, v.low, v.high, v.selected, v.method, v.as_of
FROM lake.knowledge.valuation AS v
LEFT JOIN (
    SELECT fixmedins_code, any_value(hospital_name) AS hospital_name, any_value(hospital_name_en) AS hospital_name_en
    FROM lake.raw.hospital GROUP BY ALL
) AS h ON h.fixmedins_code = v.source
QUALIFY dense_rank() OVER (PARTITION BY v.region ORDER BY v.month DESC NULLS LAST, v.as_of DESC, v.run DESC) = 1
ORDER BY v.region, v.value DESC
"""

VALUE_MONTHS = """
SELECT DISTINCT task, region, month FROM lake.knowledge.selection ORDER BY month DESC, task, region
"""

CHOICE = """
SELECT (
           SELECT max(before.month) FROM lake.knowledge.selection AS before
           WHERE before.task = s.task AND before.region = s.region AND before.month < s.month
       ), as_of, snapshot, method, unit, protection, judging_records, evaluations, seconds, chosen, gains, spent,
       budget, budget_unit, bound, share, proof_zh, proof_en, is_conditional, algorithm, ratio, ratio_low, ratio_high,
       diminish, bytes, attributable, rounds, epsilon, leverage, r2_target_only, r2_selected, r2_all, refused, small,
       mlflow_run
FROM lake.knowledge.selection AS s
WHERE task = ? AND region = ? AND month = ?
"""

VALUES = """
SELECT v.source, coalesce(h.hospital_name, v.source), coalesce(h.hospital_name_en, v.source), v.city, v.stays, v.value,
       v.value_low, v.value_high, v.rank, v.rank_low, v.rank_high, v.stability, v.is_selected, v.reason_zh, v.reason_en,
       v.finding_zh, v.finding_en, v.cost, v.value_before, v.rank_before, v.was_selected, v.value_change,
       v.is_place_moved, v.change
FROM lake.marts.fct_source_value AS v
LEFT JOIN (
    SELECT source_id || ':' || fixmedins_code AS hospital_id, any_value(hospital_name) AS hospital_name,
           any_value(hospital_name_en) AS hospital_name_en
    FROM lake.raw.hospital GROUP BY ALL
) AS h ON h.hospital_id = v.hospital_id
WHERE v.task = ? AND v.region = ? AND v.month = ?
ORDER BY v.rank
"""

GONE = """
SELECT source FROM lake.marts.fct_source_value WHERE task = ? AND region = ? AND month = ?
EXCEPT
SELECT source FROM lake.marts.fct_source_value WHERE task = ? AND region = ? AND month = ?
ORDER BY 1
"""

VERSIONS_THEN = """
SELECT region, name, version, model, step, sources, protection, parent, snapshot, is_champion, r2_log,
       r2_log_target_only, r2_log_all_equal, r2_log_pooled, mae, currency, mlflow_run, as_of
FROM lake.knowledge.model_version
ORDER BY version DESC, as_of DESC
"""

VERSIONS = VERSIONS_THEN.replace("is_champion", "coalesce(version = serving, is_champion)").replace(
    "FROM lake.knowledge.model_version",
    "FROM lake.knowledge.model_version LEFT JOIN ("
    "SELECT name, arg_max(version, entry) AS serving FROM lake.knowledge.champion GROUP BY name) USING (name)",
)
"""A version that was champion when it was registered may have been relieved, or be back."""

CHANGES = f"""
WITH told AS (
    SELECT region, month, source, action, reason_zh, reason_en, unapproved IS NOT NULL AND approved IS NULL AS waits
    FROM {knowledge.complete("evolution")}
    LEFT JOIN (SELECT task, region, month, source, approved FROM lake.knowledge.approval)
        USING (task, region, month, source)
    QUALIFY action NOT IN ('keep', 'wait')
        AND coalesce(approved, NOT waits OR month = max(month) OVER (PARTITION BY task, region))
)
SELECT *, count(*) FILTER (NOT waits) OVER (), max(month) FILTER (NOT waits) OVER () FROM told
ORDER BY month DESC, waits DESC, source
LIMIT 12
"""
"""What was done, and what the last month proposes and nobody decided about; how much was done in all, and when last."""

CHANGES_THEN = CHANGES.replace(
    "approved FROM lake.knowledge.approval", "false AS approved FROM lake.knowledge.evolution WHERE false"
)
"""Before the first decision of a person."""

QUALITY_RUNS = """
SELECT run_id, any_value(checked_at), any_value(snapshot_id), count(*),
       count(*) FILTER (NOT success AND (severity = 'error' OR error IS NOT NULL)),
       count(*) FILTER (NOT success AND severity <> 'error' AND error IS NULL)
FROM lake.quality.result
GROUP BY run_id
ORDER BY 2 DESC
LIMIT ?
"""

EVOLUTIONS = """
SELECT DISTINCT region, as_of, run
FROM lake.knowledge.evolution
QUALIFY dense_rank() OVER (PARTITION BY region ORDER BY as_of DESC, run DESC) = 1
ORDER BY region
"""
