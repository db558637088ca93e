"""Profiles of deliveries: measured once each inside DuckDB, kept in the lake, judged against bounds by one join.

A delivery is one file in one table, the thing that a hospital can be asked to send again. It is placed in the month in
which most of its rows lie. ``lake.quality.delivery`` lists them, ``lake.quality.profile`` holds their numbers and
``lake.quality.value_count`` how often each value came, by its hash.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb
import numpy as np
import pyarrow as pa

from headwater.adapters import postgres, profile_sql
from headwater.adapters.home import Home
from headwater.claims.canonical import ENTITIES
from headwater.content.bounds import LEAST, Key, Series
from headwater.content.metrics import METRICS
from headwater.content.profiles import ProfileSuite
from headwater.content.quality import Deviation

__all__ = ["SENT", "Profiled", "accept", "bind", "deviations", "history", "keep", "measure", "save", "sent"]

SENT = pa.schema(
    [
        *((name, pa.string()) for name in ("source_id", "entity", "batch_id", "file_name")),
        *((name, pa.int64()) for name in ("rows_in", "rows_quarantined", "rows_duplicate", "sent_at")),
    ]
)
"""One row a loaded file in one table; ``sent_at`` orders them."""

_UNIT = {
    "source_id": "VARCHAR", "entity": "VARCHAR", "batch_id": "VARCHAR", "file_name": "VARCHAR", "period": "DATE",
    "seq": "BIGINT", "rows": "BIGINT", "live": "BOOLEAN", "accepted": "BOOLEAN", "profiled_at": "TIMESTAMPTZ",
}  # fmt: skip
_MEASURE = {
    "source_id": "VARCHAR", "entity": "VARCHAR", "batch_id": "VARCHAR", "column_name": "VARCHAR", "metric": "VARCHAR",
    "value": "DOUBLE", "n": "BIGINT",
}  # fmt: skip
_COUNT = {
    "source_id": "VARCHAR", "entity": "VARCHAR", "batch_id": "VARCHAR", "column_name": "VARCHAR", "value": "UBIGINT",
    "n": "BIGINT",
}  # fmt: skip
_TABLES = {"delivery": _UNIT, "profile": _MEASURE, "value_count": _COUNT}
_BY_STAY = ("front_page", "diagnosis", "operation", "settlement", "fee_line")


@dataclass(frozen=True, eq=False)
class Profiled:
    """What one measuring found and nothing has written yet.

    Parameters
    ----------
    units : every delivery, new and known, with its place in the order
    measures : numbers of new deliveries, and of known ones that others have touched
    counts : values of new deliveries
    """

    units: pa.Table
    measures: pa.Table
    counts: pa.Table


def sent(home: Home) -> pa.Table:
    """Return the loaded files from the register."""
    with postgres.connect(home) as register:
        rows = register.execute(
            "select source_id, entity, batch_id, file_name, rows_in, rows_quarantined, rows_duplicate, "
            "(extract(epoch from landed_at) * 1e6)::bigint from ops.batch where state = 'loaded'"
        ).fetchall()
    return pa.Table.from_pylist([dict(zip(SENT.names, row, strict=True)) for row in rows], schema=SENT)


def measure(cursor: duckdb.DuckDBPyConnection, loaded: pa.Table, *, at: datetime) -> Profiled:
    """Measure every delivery that has not been measured, and those whose stays new ones touch.

    Afterwards the cursor's temporary table ``hw_judged`` holds the numbers that wait for a verdict.

    Parameters
    ----------
    loaded : the loaded files, by `SENT`
    at : time of the measuring
    """
    _put(cursor, "hw_sent", loaded)
    for name, columns in _TABLES.items():
        _known(cursor, name, columns)
    _list_units(cursor, at)
    found = [*_own(cursor), *_whole(cursor), *_values(cursor), *_across(cursor)]
    measures = pa.concat_tables(found) if found else _empty(_MEASURE)
    _wait(cursor, measures)
    units = cursor.execute("FROM hw_order SELECT * EXCLUDE (is_new)").to_arrow_table()
    counts = cursor.execute("FROM hw_count").to_arrow_table()
    return Profiled(units, measures, counts)


def _put(cursor: duckdb.DuckDBPyConnection, name: str, table: pa.Table) -> None:
    """Make a temporary table: DuckDB cannot push every filter of a join into Arrow data."""
    cursor.register("hw_arrow", table)
    cursor.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS FROM hw_arrow")
    cursor.unregister("hw_arrow")


def _known(cursor: duckdb.DuckDBPyConnection, name: str, columns: dict[str, str]) -> None:
    """Name what the lake holds of one table ``hw_known_<name>``; nothing before the first check."""
    body = ", ".join(f"{column} {kind}" for column, kind in columns.items())
    if _exists(cursor, name):
        cursor.execute(f"CREATE OR REPLACE TEMP VIEW hw_known_{name} AS FROM lake.quality.{name}")
    else:
        cursor.execute(f"CREATE OR REPLACE TEMP TABLE hw_none_{name} ({body})")
        cursor.execute(f"CREATE OR REPLACE TEMP VIEW hw_known_{name} AS FROM hw_none_{name}")


def _exists(cursor: duckdb.DuckDBPyConnection, name: str) -> bool:
    row = cursor.execute(
        "SELECT count(*) FROM information_schema.tables "
        "WHERE table_catalog = 'lake' AND table_schema = 'quality' AND table_name = $name",
        {"name": name},
    ).fetchone()
    return bool(row and row[0])


def _list_units(cursor: duckdb.DuckDBPyConnection, at: datetime) -> None:
    """Make ``hw_order``, every delivery in its order, and ``hw_unit``, the new ones with their months."""
    cursor.execute(
        "CREATE OR REPLACE TEMP TABLE hw_unit AS SELECT source_id, entity, batch_id, NULL::DATE AS period, "
        "0::BIGINT AS rows FROM hw_sent ANTI JOIN hw_known_delivery USING (batch_id)"
    )
    present = [row[0] for row in cursor.execute("SELECT DISTINCT entity FROM hw_unit").fetchall()]
    if present:
        months = " UNION ALL ".join(profile_sql.periods_sql(ENTITIES[name]) for name in present)
        cursor.execute(
            f"CREATE OR REPLACE TEMP TABLE hw_unit AS SELECT u.* EXCLUDE (period, rows), m.period, "
            f"coalesce(m.rows, 0) AS rows FROM hw_unit u LEFT JOIN ({months}) m USING (batch_id)"
        )
    # A file that replaces another of its name takes its place; all else comes after what is known, month by month.
    cursor.execute(
        "CREATE OR REPLACE TEMP TABLE hw_order AS WITH known AS ("
        "SELECT k.* REPLACE (s.batch_id IS NOT NULL AS live), false AS is_new "
        "FROM hw_known_delivery k LEFT JOIN hw_sent s USING (batch_id)), "
        "gone AS (SELECT source_id, entity, file_name, max(seq) AS seq FROM known WHERE NOT live GROUP BY ALL), "
        "fresh AS (SELECT u.source_id, u.entity, u.batch_id, s.file_name, u.period, coalesce(g.seq, "
        "coalesce((SELECT max(seq) FROM known), 0) + row_number() OVER "
        "(ORDER BY u.period NULLS LAST, s.sent_at, s.file_name, u.batch_id)) AS seq, u.rows, true AS live, "
        "NULL::BOOLEAN AS accepted, $at::TIMESTAMPTZ AS profiled_at, true AS is_new "
        "FROM hw_unit u JOIN hw_sent s USING (batch_id) LEFT JOIN gone g ON g.source_id = u.source_id "
        "AND g.entity = u.entity AND g.file_name = s.file_name) FROM known UNION ALL BY NAME FROM fresh",
        {"at": at},
    )


def _entities(cursor: duckdb.DuckDBPyConnection) -> list[str]:
    found = {row[0] for row in cursor.execute("SELECT DISTINCT entity FROM hw_unit").fetchall()}
    return [name for name in ENTITIES if name in found]


def _own(cursor: duckdb.DuckDBPyConnection) -> list[pa.Table]:
    return [_melted(cursor, profile_sql.own_sql(ENTITIES[name])) for name in _entities(cursor)]


def _melted(cursor: duckdb.DuckDBPyConnection, query: str) -> pa.Table:
    """Turn one row a delivery into one row a number."""
    cursor.execute(f"CREATE OR REPLACE TEMP TABLE hw_wide AS {query}")
    names = [row[0] for row in cursor.execute("DESCRIBE hw_wide").fetchall()][1:]
    wide = cursor.execute("FROM hw_wide").fetchnumpy()
    batches = np.asarray(wide["batch_id"], dtype=object)
    values = np.concatenate([np.ma.filled(np.ma.asarray(wide[name], dtype=float), np.nan) for name in names])
    columns, metrics = zip(*(name.split("|") for name in names), strict=True)
    long = pa.table(
        {
            "batch_id": pa.array(np.tile(batches, len(names)), pa.string()),
            "column_name": pa.array(np.repeat(columns, len(batches)), pa.string()),
            "metric": pa.array(np.repeat(metrics, len(batches)), pa.string()),
            "value": pa.array(values),
        }
    )
    _put(cursor, "hw_long", long)
    return cursor.execute(
        "SELECT o.source_id, o.entity, batch_id, l.column_name, l.metric, l.value, o.rows AS n FROM hw_long l "
        "JOIN hw_order o USING (batch_id) WHERE NOT isnan(l.value)"
    ).to_arrow_table()


def _whole(cursor: duckdb.DuckDBPyConnection) -> list[pa.Table]:
    """Measure what the register and the order of deliveries tell."""
    query = (
        'SELECT o.batch_id, o.rows::DOUBLE AS "|rows", '
        's.rows_quarantined / nullif(s.rows_in, 0) AS "|quarantine_share", '
        's.rows_duplicate / nullif(s.rows_in, 0) AS "|duplicate_share", '
        "CASE WHEN o.entity IN ('front_page', 'fee_line', 'settlement') THEN date_diff('month', "
        'lag(o.period) OVER (PARTITION BY o.source_id, o.entity ORDER BY o.seq), o.period) END AS "|months_on", '
        "o.is_new FROM hw_order o JOIN hw_sent s USING (batch_id)"
    )
    return [_melted(cursor, f"SELECT * EXCLUDE (is_new) FROM ({query}) WHERE is_new")]


def _values(cursor: duckdb.DuckDBPyConnection) -> list[pa.Table]:
    """Count values of new deliveries and compare them with all that came before."""
    cursor.execute(
        f"CREATE OR REPLACE TEMP TABLE hw_count ({', '.join(f'{name} {kind}' for name, kind in _COUNT.items())})"
    )
    for name in _entities(cursor):
        cursor.execute(
            "INSERT INTO hw_count SELECT u.source_id, u.entity, c.batch_id, c.column_name, c.value, c.n "
            f"FROM ({profile_sql.values_sql(ENTITIES[name])}) c JOIN hw_unit u USING (batch_id) "
            "WHERE c.value IS NOT NULL"
        )
    return [
        cursor.execute(
            "SELECT u.source_id, u.entity, q.batch_id, q.column_name, q.metric, q.value, q.own::BIGINT AS n "
            f"FROM ({profile_sql.DRIFT}) q JOIN hw_unit u USING (batch_id) WHERE q.value IS NOT NULL "
            "AND NOT (contains(q.column_name, '+') AND q.metric <> 'unseen_share')"
        ).to_arrow_table()
    ]


def _across(cursor: duckdb.DuckDBPyConnection) -> list[pa.Table]:
    """Measure what tables say about each other, for new deliveries and those that share a stay with a new one."""
    kin = " UNION ALL ".join(
        f"SELECT r.source_id, r.mdtrt_id FROM lake.raw.{name} r SEMI JOIN hw_unit USING (batch_id)" for name in _BY_STAY
    )
    theirs = " UNION ALL ".join(
        f"SELECT DISTINCT r.batch_id FROM (FROM lake.raw.{name} WHERE source_id IN (SELECT source_id FROM hw_unit)) r "
        f"SEMI JOIN ({kin}) k USING (source_id, mdtrt_id)"
        for name in _BY_STAY
    )
    gone = "SELECT DISTINCT o.source_id FROM hw_order o JOIN hw_known_delivery k USING (batch_id) WHERE k.live > o.live"
    cursor.execute(
        "CREATE OR REPLACE TEMP TABLE hw_unit AS SELECT source_id, entity, batch_id, period, rows FROM hw_order "
        f"WHERE live AND (is_new OR batch_id IN ({theirs}) OR source_id IN ({gone}))"
    )
    found = [profile_sql.across_sql(name) for name in _entities(cursor)]
    return [_melted(cursor, query) for query in found if query is not None]


def _empty(columns: dict[str, str]) -> pa.Table:
    kinds = {"VARCHAR": pa.string(), "DOUBLE": pa.float64(), "BIGINT": pa.int64()}
    return pa.schema([(name, kinds[kind]) for name, kind in columns.items()]).empty_table()


def _wait(cursor: duckdb.DuckDBPyConnection, measures: pa.Table) -> None:
    """Fill ``hw_judged`` with every number of deliveries that are not accepted, the newest measurement of each."""
    _put(cursor, "hw_fresh", measures)
    cursor.execute(
        "CREATE OR REPLACE TEMP TABLE hw_judged AS SELECT m.*, o.period, o.file_name FROM (FROM hw_fresh UNION ALL "
        "FROM hw_known_profile k ANTI JOIN hw_fresh f USING (batch_id, column_name, metric)) m "
        "JOIN hw_order o USING (batch_id) WHERE o.live AND (o.accepted IS NOT TRUE OR batch_id IN "
        "(SELECT batch_id FROM hw_fresh))"
    )


def bind(cursor: duckdb.DuckDBPyConnection, suites: Sequence[ProfileSuite]) -> None:
    """Put the bounds of all suites beside ``hw_judged``, as ``hw_bound``."""
    rows = [(suite.source_id, suite.entity, rule) for suite in suites for rule in suite.rules]
    table = pa.table(
        {
            "source_id": pa.array([row[0] for row in rows], pa.string()),
            "entity": pa.array([row[1] for row in rows], pa.string()),
            "column_name": pa.array([row[2].column for row in rows], pa.string()),
            "metric": pa.array([row[2].metric for row in rows], pa.string()),
            "low": pa.array([row[2].bound.low for row in rows], pa.float64()),
            "high": pa.array([row[2].bound.high for row in rows], pa.float64()),
            "severity": pa.array([row[2].severity for row in rows], pa.string()),
        }
    )
    _put(cursor, "hw_bounds", table)
    cursor.execute(
        "CREATE OR REPLACE TEMP TABLE hw_verdict AS SELECT j.*, b.low, b.high, b.severity, "
        "coalesce(j.value >= b.low - 1e-9, true) AND coalesce(j.value <= b.high + 1e-9, true) AS met "
        "FROM hw_judged j JOIN hw_bounds b USING (source_id, entity, column_name, metric)"
    )


def deviations(cursor: duckdb.DuckDBPyConnection) -> tuple[Deviation, ...]:
    """Return every number that lies outside its bounds, errors first."""
    rows = cursor.execute(
        "SELECT source_id, entity, batch_id, file_name, period, column_name, metric, value, low, high, severity "
        "FROM hw_verdict WHERE NOT met ORDER BY severity, source_id, entity, period, column_name, metric"
    ).fetchall()
    return tuple(Deviation(*row) for row in rows)


def accept(cursor: duckdb.DuckDBPyConnection, profiled: Profiled) -> Profiled:
    """Mark deliveries that were judged: accepted when every number lay within its bounds."""
    _put(cursor, "hw_units", profiled.units)
    units = cursor.execute(
        "SELECT u.* REPLACE (coalesce(v.met, u.accepted) AS accepted) FROM hw_units u LEFT JOIN "
        "(SELECT batch_id, bool_and(met) AS met FROM hw_verdict GROUP BY 1) v USING (batch_id)"
    ).to_arrow_table()
    return Profiled(units, profiled.measures, profiled.counts)


def keep(home: Home, connection: duckdb.DuckDBPyConnection, profiled: Profiled) -> None:
    """Write what was measured in one transaction; checks that end at once wait for each other."""
    with postgres.connect(home) as guard:
        guard.execute("select pg_advisory_xact_lock(hashtext('headwater.quality'))")
        connection.execute("BEGIN")
        try:
            save(connection, profiled)
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise


def save(connection: duckdb.DuckDBPyConnection, profiled: Profiled) -> None:
    """Write what was measured; a number measured again replaces itself."""
    for name, columns in _TABLES.items():
        body = ", ".join(f"{column} {kind}" for column, kind in columns.items())
        connection.execute(f"CREATE TABLE IF NOT EXISTS lake.quality.{name} ({body})")
    for name, table in (("hw_u", profiled.units), ("hw_m", profiled.measures), ("hw_c", profiled.counts)):
        _put(connection, name, table)
    connection.execute(
        "DELETE FROM lake.quality.delivery k USING hw_u u WHERE k.batch_id = u.batch_id "
        "AND (k.live, k.accepted) IS DISTINCT FROM (u.live, u.accepted)"
    )
    connection.execute(
        "INSERT INTO lake.quality.delivery BY NAME FROM hw_u ANTI JOIN lake.quality.delivery USING (batch_id)"
    )
    connection.execute(
        "DELETE FROM lake.quality.profile k USING hw_m m "
        "WHERE k.batch_id = m.batch_id AND k.column_name = m.column_name AND k.metric = m.metric"
    )
    connection.execute("INSERT INTO lake.quality.profile BY NAME FROM hw_m")
    connection.execute("DELETE FROM lake.quality.value_count WHERE batch_id IN (SELECT batch_id FROM hw_c)")
    connection.execute("INSERT INTO lake.quality.value_count BY NAME FROM hw_c")


def history(
    connection: duckdb.DuckDBPyConnection,
    *,
    source: str | None = None,
    entity: str | None = None,
    since: str | None = None,
) -> dict[Key, Series]:
    """Return the series of every metric through the accepted deliveries, oldest first.

    Parameters
    ----------
    since : ``YYYY-MM``: only deliveries of this month and later, and then those that failed as well
    """
    if not _exists(connection, "profile"):
        return {}
    rows = connection.execute(
        "WITH used AS (SELECT *, count(*) OVER (PARTITION BY source_id, entity) AS units FROM lake.quality.delivery "
        "WHERE (live OR period IS NULL) AND ($source IS NULL OR source_id = $source) "
        "AND ($entity IS NULL OR entity = $entity) AND CASE WHEN $since IS NULL THEN accepted IS NOT FALSE "
        "ELSE period IS NULL OR strftime(period, '%Y-%m') >= $since END) "
        "SELECT p.source_id, p.entity, p.column_name, p.metric, list(p.value ORDER BY u.seq), list(p.n ORDER BY u.seq) "
        "FROM lake.quality.profile p JOIN used u USING (batch_id) "
        f"WHERE u.units >= {LEAST} OR u.entity IN ('drug', 'consumable', 'service_item') GROUP BY ALL ORDER BY ALL",
        {"source": source, "entity": entity, "since": since},
    ).fetchall()
    return {
        (row[0], row[1], row[2], row[3]): Series(np.array(row[4], dtype=float), np.array(row[5], dtype=float))
        for row in rows
        if row[3] in METRICS
    }
