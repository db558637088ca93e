"""Every column before and after each step of the flow: the same where passed through, how far off where cleaned.

A column that is passed through is compared row by row at the price of one scan of either side: the sum over rows of a
hash of key and value. Only where sums differ is the distribution counted.
"""

from collections.abc import Sequence

import duckdb
import pyarrow as pa

from headwater.adapters import postgres
from headwater.adapters.home import Home
from headwater.content.migration import STEPS, Step, Verified
from headwater.content.quality import Migrated, QualityReport

__all__ = ["compared", "save"]

_ORIGIN = {"source_id", "batch_id", "row_no"}
_COLUMNS = pa.schema(
    [
        ("run_id", pa.string()),
        ("checked_at", pa.timestamp("us", tz="UTC")),
        *((name, pa.string()) for name in ("step", "source_id", "entity", "column", "kind")),
        ("distance", pa.float64()),
        ("rows_before", pa.int64()),
        ("rows_after", pa.int64()),
    ]
)


def compared(
    cursor: duckdb.DuckDBPyConnection, *, stages: Sequence[str], verified: Sequence[Verified] = ()
) -> tuple[Migrated, ...]:
    """Compare both sides of every step whose later side is among ``stages`` and exists.

    Parameters
    ----------
    verified : what became of the deliveries, which is the first step
    """
    found = _delivered(verified)
    for step in STEPS:
        if step.name.partition("-")[2] in stages:
            before, after = _types(cursor, step.before), _types(cursor, step.after)
            if before and after:
                columns = [name for name in before if name in after and name not in {*step.key, *_ORIGIN}]
                found += _step(cursor, step, {name: before[name] == after[name] for name in columns})
    return tuple(found)


def _delivered(verified: Sequence[Verified]) -> list[Migrated]:
    """Put the deliveries of a source together, column by column, each weighing as many rows as it brought."""
    columns: dict[tuple[str, str, str], list[Verified]] = {}
    for item in verified:
        if item.kind != "unkept":
            columns.setdefault((item.source_id, item.entity, item.column), []).append(item)
    found = []
    for (source, entity, column), items in columns.items():
        kind = next((item.kind for item in items if item.kind in ("cleaned", "token")), "exact")
        before, after = (sum(getattr(item, name) for item in items) for name in ("rows_before", "rows_after"))
        distance = sum(item.distance * item.rows_before for item in items) / max(before, 1)
        shifts = [(item.shift, item.rows_after) for item in items if item.shift is not None]
        found.append(
            Migrated(
                "delivered-raw",
                source_id=source,
                entity=entity,
                column=column,
                kind=kind,
                distance=distance,
                rows_before=before,
                rows_after=after,
                shift=sum(shift * rows for shift, rows in shifts) / max(after, 1) if shifts else None,
                unexplained=sum(item.unexplained for item in items),
            )
        )
    return found


def _types(cursor: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    schema, _, table = relation.partition(".")
    rows = cursor.execute(
        "SELECT column_name, data_type FROM information_schema.columns "
        "WHERE table_catalog = 'lake' AND table_schema = $schema AND table_name = $table ORDER BY ordinal_position",
        {"schema": schema, "table": table},
    ).fetchall()
    return {row[0]: row[1] for row in rows}


def _step(cursor: duckdb.DuckDBPyConnection, step: Step, columns: dict[str, bool]) -> list[Migrated]:
    if not columns:
        return []
    key = ", ".join(f'"{name}"' for name in step.key)
    # What a step leaves out on purpose, as an invalid stay, is not a change of what it passes on.
    kept = f"lake.{step.before} SEMI JOIN lake.{step.after} USING ({key})"
    texts = {name: f'"{name}"' if same else f'"{name}"::VARCHAR' for name, same in columns.items()}
    sums = ", ".join(f"sum(hash({key}, {text})::HUGEINT)" for text in texts.values())
    mine, theirs = (
        {row[0]: row[1:] for row in cursor.execute(f"SELECT source_id, {sums} FROM {side} GROUP BY 1").fetchall()}
        for side in (kept, f"lake.{step.after}")
    )
    rows = [
        dict(cursor.execute(f"SELECT source_id, count(*) FROM lake.{side} GROUP BY 1").fetchall())
        for side in (step.before, step.after)
    ]
    found = []
    for source in sorted(set(mine) | set(theirs) | set(rows[0])):
        counts = rows[0].get(source, 0), rows[1].get(source, 0)
        for place, (name, text) in enumerate(texts.items()):
            same = source in mine and source in theirs and mine[source][place] == theirs[source][place]
            same = same or (source not in mine and source not in theirs)
            distance = 0.0 if same else _distance(cursor, (kept, f"lake.{step.after}"), text, source)
            kind = "cleaned" if name in step.cleaned else "exact"
            if kind == "exact" and not same:
                # Values that changed places keep the distribution; they are told all the same.
                distance = max(distance, 1 / max(*counts, 1))
            found.append(Migrated(step.name, source, step.entity, name, kind, distance, *counts))
    return found


def _distance(cursor: duckdb.DuckDBPyConnection, sides: tuple[str, str], text: str, source: str) -> float:
    """Return the total variation distance of one column's distributions; 1 where one side is empty."""
    first, second = (
        f"(SELECT {text} AS v, count(*) / sum(count(*)) OVER () AS p FROM {side} WHERE source_id = $source GROUP BY 1)"
        for side in sides
    )
    row = cursor.execute(
        f"SELECT coalesce(sum(abs(coalesce(a.p, 0) - coalesce(b.p, 0))) / 2, 0), count(a.p), count(b.p) "
        f"FROM {first} a FULL JOIN {second} b ON a.v IS NOT DISTINCT FROM b.v",
        {"source": source},
    ).fetchone()
    return 1.0 if row is None or 0 in row[1:] else float(row[0])


def save(home: Home, connection: duckdb.DuckDBPyConnection, report: QualityReport) -> None:
    """Keep the comparison in ``lake.quality.migration``; a run that is saved again replaces itself."""
    names = ("step", "source_id", "entity", "column", "kind", "distance", "rows_before", "rows_after")
    rows = [
        {"run_id": report.run_id, "checked_at": report.at, **{name: getattr(column, name) for name in names}}
        for column in report.migration
    ]
    connection.register("compared", pa.Table.from_pylist(rows, schema=_COLUMNS))
    with postgres.connect(home) as guard:
        guard.execute("select pg_advisory_xact_lock(hashtext('headwater.quality'))")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS lake.quality.migration AS "
            'FROM compared SELECT * RENAME ("column" AS column_name) LIMIT 0'
        )
        connection.execute("DELETE FROM lake.quality.migration WHERE run_id = $run", {"run": report.run_id})
        connection.execute(
            'INSERT INTO lake.quality.migration BY NAME FROM compared SELECT * RENAME ("column" AS column_name)'
        )
    connection.unregister("compared")
