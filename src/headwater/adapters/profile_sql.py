"""The SQL that measures deliveries: one scan of an entity for its own columns, one join for what lies across tables.

Every statement is computed inside DuckDB for the deliveries in ``hw_unit`` alone, linear in their rows.
"""

from headwater.claims.canonical import ENTITIES, Entity, Field
from headwater.content.metrics import PAIRS, watched

__all__ = ["DRIFT", "across_sql", "own_sql", "periods_sql", "values_sql"]

_NUMBERS = ("integer", "quantity", "price", "money", "ratio")
_QUANTILES = ("01", "25", "50", "75", "99")
_NAMES = ("code", "text", "person", "identity")
_SEXED = (
    "(gend = '1' AND regexp_matches(dscg_maindiag_code, '^(O|C5[1-8]|D25|D26|D27|N7[0-7]|N8[0-9]|N9[0-8])')) "
    "OR (gend = '2' AND regexp_matches(dscg_maindiag_code, '^(C6[0-3]|D29|N4[0-9]|N5[01])'))"
)

Measures = dict[tuple[str, str], str]
"""(column, metric) → aggregate over the rows of a delivery."""


def periods_sql(entity: Entity) -> str:
    """Return a SELECT of batch_id, rows and the month in which most of a delivery's rows lie."""
    rows = f"lake.raw.{entity.name} r SEMI JOIN hw_unit u USING (batch_id)"
    if entity.period:
        return (
            f"SELECT batch_id, count(*) AS rows, mode(date_trunc('month', \"{entity.period}\")::DATE) AS period "
            f"FROM {rows} GROUP BY 1"
        )
    if entity.key[0] == "mdtrt_id":
        return (
            "SELECT r.batch_id, count(*) AS rows, mode(date_trunc('month', s.endtime)::DATE) AS period "
            f"FROM (SELECT * FROM {rows}) r LEFT JOIN lake.raw.front_page s USING (source_id, mdtrt_id) GROUP BY 1"
        )
    return f"SELECT batch_id, count(*) AS rows, NULL::DATE AS period FROM {rows} GROUP BY 1"


def _select(measures: Measures, relation: str) -> str:
    listed = ", ".join(f'({sql})::DOUBLE AS "{column}|{metric}"' for (column, metric), sql in measures.items())
    return f"SELECT batch_id, {listed} FROM {relation} GROUP BY batch_id"


def own_sql(entity: Entity) -> str:
    """Return a SELECT of batch_id and one column ``<column>|<metric>`` for everything one row can tell."""
    measures: Measures = {}
    for field in entity.fields:
        measures |= {(field.name, metric): sql for metric, sql in _field(field).items()}
    measures |= {("", metric): sql for metric, sql in _OWN.get(entity.name, {}).items()}
    if entity.period:
        day = f'"{entity.period}"::DATE'
        measures[("", "days_missing")] = (
            f"day(last_day(any_value(period))) - count(DISTINCT {day}) FILTER (date_trunc('month', {day}) = period)"
        )
        measures[(entity.period, "month_share")] = f"avg((date_trunc('month', {day}) = period)::INT)"
    relation = f"(SELECT r.*, u.period FROM lake.raw.{entity.name} r JOIN hw_unit u USING (batch_id))"
    return _select(measures, relation)


def _field(field: Field) -> dict[str, str]:
    c = f'"{field.name}"'
    measures = {"null_share": f"avg(({c} IS NULL)::INT)"}
    if field.type in _NAMES:
        measures |= _named(c, field)
    elif field.type in _NUMBERS:
        measures |= _numbered(c, field)
    else:
        measures |= _dated(c, field)
    return measures


def _named(c: str, field: Field) -> dict[str, str]:
    measures = {
        "length_mean": f"avg(length({c}))",
        "length_share": f"list_max(map_values(histogram(length({c})))) / count({c})",
    }
    if field.type in ("person", "identity") or field.name not in watched(_owner(field)):
        measures["distinct_share"] = f"count(DISTINCT {c}) / count({c})"
    if field.type in ("code", "text"):
        measures |= {
            "digits_share": f"avg(regexp_full_match({c}, '[0-9.]+')::INT)",
            "wide_share": f"avg((strlen({c}) > length({c}))::INT)",
            "garbled_share": "avg(regexp_matches("
            f"{c}, '锟斤拷|烫烫|屯屯|\\x{{FFFD}}|Ã.|â€|[\\x{{80}}-\\x{{FF}}]{{2}}|"
            "[\\x{FF01}-\\x{FF5E}]{3}')::INT)",
            "identity_share": f"avg(regexp_matches({c}, '(^|[^0-9])[1-9][0-9]{{16}}[0-9Xx]($|[^0-9])')::INT)",
        }
    return measures


def _owner(field: Field) -> Entity:
    return next(entity for entity in ENTITIES.values() if field in entity.fields)


def _numbered(c: str, field: Field) -> dict[str, str]:
    # Quantiles of a number that takes few values jump from one to the next; its mean does not.
    asked = {"integer": ("50",), "quantity": (), "ratio": ()}.get(field.type, _QUANTILES)
    some = f"quantile_cont({c}::DOUBLE, [{', '.join(f'0.{q}' for q in asked)}])"
    return {
        **{f"p{q}": f"{some}[{place}]" for place, q in enumerate(asked, 1)},
        "mean": f"avg({c})",
        "negative_share": f"avg(({c} < 0)::INT)",
        "zero_share": f"avg(({c} = 0)::INT)",
        "whole_share": f"avg(({c} = floor({c}))::INT)",
    }


def _dated(c: str, field: Field) -> dict[str, str]:
    measures = {
        "late_days_share": f"avg((day({c}) > 12)::INT)",
        "weekend_share": f"avg((isodow({c}) > 5)::INT)",
        "year_p50": f"median(year({c}) + (month({c}) - 1) / 12)",
        "span_days": f"1 + date_diff('day', min({c}), max({c}))",
    }
    if field.type == "time":
        measures["midnight_share"] = f"avg(({c} = date_trunc('day', {c}))::INT)"
    return measures


_OWN: dict[str, dict[str, str]] = {
    "front_page": {
        "repeated_share": "1 - count(DISTINCT hash(psn_no, begntime, endtime, dscg_maindiag_code, medfee_sumamt)) "
        "/ count(*)",
        "fund_share": "sum(fund_pay_sumamt) / nullif(sum(medfee_sumamt), 0)",
        "parts_gap": "avg((abs(medfee_sumamt - fund_pay_sumamt - psn_selfpay) > 0.005)::INT)",
        "amount_per_day": "median(medfee_sumamt / (1 + greatest(date_diff('day', begntime, endtime), 0)))",
        "age_gap": "avg((abs(date_diff('day', brdy, begntime::DATE) / 365.25 - age - 0.5) > 1.51)::INT)",
        "days_gap": "avg((abs(date_diff('day', begntime, endtime) - ipt_days) > 1)::INT)",
        "sex_gap": f"avg(coalesce({_SEXED}, false)::INT)",
        "male_share": "avg((gend = '1')::INT)",
    },
    "fee_line": {
        "repeated_share": "1 - count(DISTINCT hash(mdtrt_id, fee_ocur_time, medins_list_codg, medins_list_name, cnt, "
        "pric)) / count(*)",
        "amount_gap": "avg((abs(cnt * pric - det_item_fee_sumamt) > 0.011)::INT)",
    },
    "settlement": {
        "parts_gap": "avg((abs(medfee_sumamt - fund_pay_sumamt - psn_selfpay) > 0.005)::INT)",
        "sign_gap": "avg((CASE WHEN refd_setl_flag = '1' THEN medfee_sumamt > 0 ELSE medfee_sumamt < 0 END)::INT)",
    },
}


_DRIFT_AFTER = 3
DRIFT = (
    "WITH usable AS (SELECT source_id, entity, batch_id, seq, is_new FROM hw_order "
    "WHERE (is_new OR accepted IS NOT FALSE) AND source_id IN (SELECT source_id FROM hw_unit)), "
    "counted AS (SELECT u.*, c.column_name, c.value, c.n FROM usable u JOIN "
    "(FROM hw_known_value_count WHERE source_id IN (SELECT source_id FROM hw_unit) "
    "UNION ALL FROM hw_count) c USING (source_id, entity, batch_id)), "
    "sums AS (SELECT batch_id, source_id, entity, column_name, seq, sum(n) AS n FROM counted GROUP BY ALL), "
    "totals AS (SELECT batch_id, column_name, n AS own, sum(n) OVER before AS past, count(*) OVER before AS units "
    "FROM sums WINDOW before AS (PARTITION BY source_id, entity, column_name ORDER BY seq "
    "RANGE BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)), "
    "each AS (SELECT batch_id, is_new, column_name, n, coalesce(sum(n) OVER (PARTITION BY source_id, entity, "
    "column_name, value ORDER BY seq RANGE BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before "
    "FROM counted), "
    "told AS (SELECT e.batch_id, e.column_name, count(*)::DOUBLE AS distinct_, max(e.n) / any_value(t.own) AS top, "
    "sum(e.n) FILTER (e.before = 0) / any_value(t.own) AS unseen, "
    "(1 + sum(abs(e.n / t.own - e.before / t.past) - e.before / t.past)) / 2 AS distance, "
    "1 - sum(e.before / t.past) AS absent, "
    "any_value(t.units) AS units, any_value(t.own) AS own FROM each e JOIN totals t USING (batch_id, column_name) "
    "WHERE e.is_new GROUP BY ALL) "
    "FROM told SELECT batch_id, column_name, own, "
    "unnest(['distinct', 'top_share', 'unseen_share', 'mix_distance', 'absent_share']) AS metric, "
    "unnest([distinct_, top, "
    f"CASE WHEN units >= {_DRIFT_AFTER} OR units >= 1 AND "
    "batch_id IN (SELECT batch_id FROM hw_unit WHERE entity IN ('drug', 'consumable', 'service_item')) "
    f"THEN coalesce(unseen, 0) END, CASE WHEN units >= {_DRIFT_AFTER} THEN distance END, "
    f"CASE WHEN units >= {_DRIFT_AFTER} THEN absent END]) AS value"
)
"""A SELECT of batch_id, column_name, own, metric and value: new deliveries' values against all that came before."""


def values_sql(entity: Entity) -> str:
    """Return a SELECT of batch_id, column_name, value (a hash) and n: how often each value was delivered."""
    parts = [*watched(entity), *("+".join(pair) for pair in PAIRS.get(entity.name, ()))]
    hashed = ", ".join(
        'hash({}) AS "{}"'.format(", ".join(f'"{name}"' for name in part.split("+")), part)
        if "+" in part
        else f'CASE WHEN "{part}" IS NOT NULL THEN hash("{part}") END AS "{part}"'
        for part in parts
    )
    sets = ", ".join(f'(batch_id, "{part}")' for part in parts)
    column = "CASE " + " ".join(f"WHEN grouping(\"{part}\") = 0 THEN '{part}'" for part in parts) + " END"
    quoted = ", ".join(f'"{part}"' for part in parts)
    return (
        f"SELECT batch_id, {column} AS column_name, coalesce({quoted}) AS value, "
        f"count(*) AS n FROM (SELECT batch_id, {hashed} "
        f"FROM lake.raw.{entity.name} SEMI JOIN hw_unit USING (batch_id)) "
        f"GROUP BY GROUPING SETS ({sets})"
    )


def across_sql(entity: str) -> str | None:
    """Return a SELECT like :func:`own_sql`'s for what other tables say about a delivery, or None."""
    if entity not in _ACROSS:
        return None
    relation, measures = _ACROSS[entity]
    return _select({("", metric): sql for metric, sql in measures.items()}, relation)


_STAYS = "(SELECT * FROM lake.raw.front_page SEMI JOIN hw_unit USING (batch_id))"


def _by_stay(entity: str, listed: str) -> str:
    return (
        f"(SELECT source_id, mdtrt_id, {listed} FROM lake.raw.{entity} "
        f"WHERE source_id IN (SELECT source_id FROM hw_unit) AND mdtrt_id IN (SELECT mdtrt_id FROM {_STAYS}) "
        "GROUP BY ALL)"
    )


_FRONT = (
    "(SELECT s.*, f.lines, f.amount, d.diagnoses, d.first AS first_diagnosis, o.operations, "
    "o.first AS first_operation, "
    "t.settled, c.persons, p.batch_id IS NOT NULL AS returns, s.psn_no IS NOT NULL AND s.begntime < "
    "lag(s.endtime) OVER (PARTITION BY s.source_id, s.psn_no ORDER BY s.begntime, s.mdtrt_id) AS lies_over "
    f"FROM {_STAYS} s "
    f"LEFT JOIN {_by_stay('fee_line', 'count(*) AS lines, sum(det_item_fee_sumamt) AS amount')} f "
    "USING (source_id, mdtrt_id) "
    f"LEFT JOIN {_by_stay('diagnosis', 'count(*) AS diagnoses, arg_min(diag_code, diag_srt) AS first')} d "
    "USING (source_id, mdtrt_id) "
    f"LEFT JOIN {_by_stay('operation', 'count(*) AS operations, arg_min(oprn_oprt_code, oprn_srt) AS first')} o "
    "USING (source_id, mdtrt_id) "
    f"LEFT JOIN {_by_stay('settlement', 'sum(medfee_sumamt) AS settled')} t USING (source_id, mdtrt_id) "
    # The first delivery in which a person of the source came; deliveries are numbered in hw_order.
    "LEFT JOIN (SELECT r.source_id, r.psn_no, arg_min(r.batch_id, h.seq) AS batch_id, min(h.seq) AS seq "
    "FROM lake.raw.front_page r JOIN hw_order h USING (batch_id) WHERE r.psn_no IS NOT NULL "
    "AND r.source_id IN (SELECT source_id FROM hw_unit) GROUP BY ALL) p "
    "ON p.source_id = s.source_id AND p.psn_no = s.psn_no AND p.batch_id <> s.batch_id "
    "LEFT JOIN (SELECT source_id, certno, count(DISTINCT psn_no) AS persons FROM lake.raw.front_page "
    "WHERE certno IS NOT NULL AND source_id IN (SELECT source_id FROM hw_unit) GROUP BY ALL) c "
    "ON c.source_id = s.source_id AND c.certno = s.certno)"
)
_LISTED = (
    "SELECT source_id, medins_list_codg, any_value(medins_list_name) AS list_name, any_value(pric) AS list_price "
    "FROM (FROM lake.raw.drug SELECT source_id, medins_list_codg, medins_list_name, pric UNION ALL "
    "FROM lake.raw.consumable SELECT source_id, medins_list_codg, medins_list_name, pric UNION ALL "
    "FROM lake.raw.service_item SELECT source_id, medins_list_codg, medins_list_name, pric) "
    "WHERE source_id IN (SELECT source_id FROM hw_unit) AND medins_list_codg IS NOT NULL GROUP BY ALL"
)
_LINES = (
    "(SELECT r.*, s.begntime, s.endtime, s.mdtrt_id IS NULL AS orphan, l.list_price, l.list_name "
    "FROM (SELECT * FROM lake.raw.fee_line SEMI JOIN hw_unit USING (batch_id)) r "
    "LEFT JOIN (SELECT source_id, mdtrt_id, begntime, endtime FROM lake.raw.front_page "
    "WHERE source_id IN (SELECT source_id FROM hw_unit)) s USING (source_id, mdtrt_id) "
    f"LEFT JOIN ({_LISTED}) l USING (source_id, medins_list_codg))"
)


def _with_stays(entity: str) -> str:
    return (
        f"(SELECT r.*, s.mdtrt_id IS NULL AS orphan FROM lake.raw.{entity} r SEMI JOIN hw_unit u USING (batch_id) "
        "LEFT JOIN lake.raw.front_page s USING (source_id, mdtrt_id))"
    )


def _billed(entity: str) -> str:
    return (
        f"(SELECT r.*, b.price, b.name FROM (SELECT * FROM lake.raw.{entity} SEMI JOIN hw_unit USING (batch_id)) r "
        "LEFT JOIN (SELECT source_id, medins_list_codg, median(pric) AS price, mode(medins_list_name) AS name "
        "FROM lake.raw.fee_line WHERE source_id IN (SELECT source_id FROM hw_unit) GROUP BY ALL) b "
        "USING (source_id, medins_list_codg))"
    )


_CATALOGUE = {
    "billed_price_gap": "coalesce(avg((abs(pric / nullif(price, 0) - 1) > 0.005)::INT), 0)",
    "billed_name_gap": "coalesce(avg((name <> medins_list_name)::INT), 0)",
    "billed_share": "avg((price IS NOT NULL)::INT)",
}
_ACROSS: dict[str, tuple[str, dict[str, str]]] = {
    "front_page": (
        _FRONT,
        {
            "with_lines_share": "avg((lines IS NOT NULL)::INT)",
            "lines_per_stay": "sum(lines) / nullif(count(lines), 0)",
            "fee_gap": "avg((abs(amount - medfee_sumamt) > 0.005)::INT)",
            "fee_ratio": "sum(amount) / nullif(sum(medfee_sumamt) FILTER (amount IS NOT NULL), 0)",
            "diagnoses_per_stay": "coalesce(sum(diagnoses), 0) / count(*)",
            "operations_per_stay": "coalesce(sum(operations), 0) / count(*)",
            "main_diagnosis_gap": "avg((first_diagnosis <> dscg_maindiag_code)::INT)",
            "main_operation_gap": "avg((first_operation IS DISTINCT FROM main_oprn_code)::INT)",
            "settled_gap": "avg((abs(settled - medfee_sumamt) > 0.005)::INT)",
            "returning_share": "avg(returns::INT)",
            "person_gap": "avg((persons > 1)::INT)",
            "overlap_share": "avg(coalesce(lies_over, false)::INT)",
        },
    ),
    "diagnosis": (_with_stays("diagnosis"), {"orphan_share": "avg(orphan::INT)"}),
    "operation": (_with_stays("operation"), {"orphan_share": "avg(orphan::INT)"}),
    "fee_line": (
        _LINES,
        {
            "orphan_share": "avg(orphan::INT)",
            "outside_share": "avg((fee_ocur_time::DATE NOT BETWEEN begntime::DATE AND endtime::DATE)::INT)",
            "list_gap": "avg((abs(pric / nullif(list_price, 0) - 1) > 0.005)::INT)",
            "listed_share": "avg((list_name IS NOT NULL)::INT)",
        },
    ),
    "settlement": (
        "(SELECT r.*, s.mdtrt_id IS NULL AS orphan, o.setl_id AS found FROM lake.raw.settlement r "
        "SEMI JOIN hw_unit u USING (batch_id) LEFT JOIN lake.raw.front_page s USING (source_id, mdtrt_id) "
        "LEFT JOIN lake.raw.settlement o ON o.source_id = r.source_id AND o.setl_id = r.init_setl_id)",
        {
            "orphan_share": "avg(orphan::INT)",
            "origin_gap": "avg((refd_setl_flag = '1' AND found IS NULL)::INT)",
        },
    ),
    **{name: (_billed(name), _CATALOGUE) for name in ("drug", "consumable", "service_item")},
}
