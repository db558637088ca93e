"""What a check of quality reads from the stores besides its rules, and where its verdicts are kept."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa

from headwater.adapters import postgres
from headwater.adapters.home import Home
from headwater.claims.canonical import ENTITIES
from headwater.content.quality import Bar, Fault, Histogram, LandingAccount, Outcome, QualityReport, Refused
from headwater.content.suites import Distribution, Suite
from headwater.errors import Message, Refusal

__all__ = ["faults", "frozen", "histograms", "landing", "origins", "refused", "save"]

_RESULT = pa.schema(
    [
        ("run_id", pa.string()),
        ("checked_at", pa.timestamp("us", tz="UTC")),
        ("snapshot_id", pa.int64()),
        ("suite", pa.string()),
        ("stage", pa.string()),
        ("relation", pa.string()),
        ("expectation", pa.string()),
        ("column_name", pa.string()),
        ("arguments", pa.string()),
        ("unit", pa.string()),
        ("severity", pa.string()),
        ("success", pa.bool_()),
        ("observed", pa.string()),
        ("element_count", pa.int64()),
        ("unexpected_count", pa.int64()),
        ("unexpected_percent", pa.float64()),
        ("error", pa.string()),
        ("by_source", pa.string()),
        ("why_zh", pa.string()),
        ("why_en", pa.string()),
    ]
)


@contextmanager
def frozen(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[duckdb.DuckDBPyConnection, int]]:
    """Yield a cursor whose every query sees one snapshot of the lake, and the number of that snapshot.

    Raises
    ------
    Refusal
        ``E-LAKE-MOVED`` when a failed query forced a new transaction and the lake had changed meanwhile
    """
    cursor = connection.cursor()
    try:
        cursor.execute("USE lake")
        cursor.execute("BEGIN")
        snapshot = _current(cursor)
        yield cursor, snapshot
        if _current(cursor) != snapshot:
            raise Refusal(
                "E-LAKE-MOVED",
                Message("检查期间湖的数据发生了变化。", "The lake changed during the check."),
                Message("请重新运行检查。", "Run the check again."),
            )
    finally:
        # Closing a cursor inside a transaction would leave the catalog's own transaction open until the process ends.
        cursor.execute("ROLLBACK")
        cursor.close()


def _current(cursor: duckdb.DuckDBPyConnection) -> int:
    row = cursor.execute("SELECT id FROM ducklake_current_snapshot('lake')").fetchone()
    return int(row[0]) if row else 0


def landing(home: Home, cursor: duckdb.DuckDBPyConnection) -> tuple[LandingAccount, ...]:
    """Return one account for each source and kind of file, from the register of landed files."""
    names = _source_names(cursor)
    sums = ", ".join(
        f"coalesce(sum({kind}_{part}) filter (where state = 'loaded'), 0)"
        for kind in ("rows", "money")
        for part in ("in", "loaded", "quarantined", "duplicate")
    )
    with postgres.connect(home) as register:
        rows = register.execute(
            f"select source_id, entity, count(*) filter (where state = 'loaded'), "
            f"count(*) filter (where state = 'refused'), {sums} from ops.batch group by 1, 2"
        ).fetchall()
    order = list(ENTITIES)
    return tuple(
        _account(row, names.get(row[0])) for row in sorted(rows, key=lambda row: (row[0], order.index(row[1])))
    )


def _account(row: Sequence[Any], source: tuple[Message, str | None, str | None] | None) -> LandingAccount:
    title, origin, currency = source or (Message(row[0], row[0]), None, None)
    rows, money = [int(value) for value in row[4:8]], [Decimal(value) for value in row[8:12]]
    return LandingAccount(
        source_id=row[0],
        entity=row[1],
        title=title,
        origin=origin,
        currency=currency,
        files=int(row[2]),
        files_refused=int(row[3]),
        rows_in=rows[0],
        rows_loaded=rows[1],
        rows_quarantined=rows[2],
        rows_duplicate=rows[3],
        money_in=money[0],
        money_loaded=money[1],
        money_quarantined=money[2],
        money_duplicate=money[3],
    )


def _source_names(cursor: duckdb.DuckDBPyConnection) -> dict[str, tuple[Message, str | None, str | None]]:
    rows = cursor.execute(
        "SELECT source_id, count(*), min(hospital_name), min(coalesce(hospital_name_en, hospital_name)), "
        "string_agg(DISTINCT origin, ', ' ORDER BY origin), string_agg(DISTINCT currency, ', ' ORDER BY currency) "
        "FROM raw.hospital GROUP BY source_id"
    ).fetchall()
    named = {}
    for source_id, count, zh, en, origin, currency in rows:
        title = Message(zh, en) if count == 1 and zh else Message(f"{count} 家医院", f"{count} hospitals")
        named[str(source_id)] = (title, origin, currency)
    return named


def refused(home: Home) -> tuple[Refused, ...]:
    """Return the files that could not be read as their contract says."""
    with postgres.connect(home) as register:
        rows = register.execute(
            "select source_id, entity, file_name, refusal_code, refusal_zh, coalesce(refusal_en, refusal_zh) "
            "from ops.batch where state = 'refused' order by 1, 2, 3"
        ).fetchall()
    return tuple(Refused(row[0], row[1], row[2], row[3], Message(row[4], row[5])) for row in rows)


def faults(cursor: duckdb.DuckDBPyConnection) -> tuple[Fault, ...]:
    """Return the quarantine, counted by code, source, entity and field; its values are never read."""
    rows = cursor.execute(
        "SELECT code, source_id, entity, coalesce(field, ''), count(DISTINCT (batch_id, row_no)), "
        "min(reason_zh), min(reason_en), min(fix_zh), min(fix_en) "
        "FROM raw.quarantine GROUP BY ALL ORDER BY 5 DESC, 1, 2, 3, 4"
    ).fetchall()
    return tuple(
        Fault(code, source_id, entity, field, count, Message(*words[:2]), Message(*words[2:]))
        for code, source_id, entity, field, count, *words in rows
    )


def origins(cursor: duckdb.DuckDBPyConnection) -> tuple[str, ...]:
    """Return what the sources are: real, synthetic, converted."""
    rows = cursor.execute("SELECT DISTINCT origin FROM raw.hospital WHERE origin IS NOT NULL ORDER BY 1").fetchall()
    return tuple(str(row[0]) for row in rows)


def histograms(cursor: duckdb.DuckDBPyConnection, suites: Sequence[Suite]) -> tuple[Histogram, ...]:
    """Count the bars of every distribution that a suite asks for."""
    return tuple(
        histogram
        for suite in suites
        for distribution in suite.distributions
        if (histogram := _histogram(cursor, suite.relation, distribution)).bars
    )


def _histogram(cursor: duckdb.DuckDBPyConnection, relation: str, wanted: Distribution) -> Histogram:
    column = f'"{wanted.column}"'
    value = (
        f"len(list_filter($breaks, lambda edge: {column}::DOUBLE >= edge))" if wanted.breaks else f"{column}::VARCHAR"
    )
    rows = cursor.execute(
        f"SELECT CASE WHEN {column} IS NOT NULL THEN {value} END, count(*) FROM {relation} GROUP BY 1",
        {"breaks": list(wanted.breaks)} if wanted.breaks else {},
    ).fetchall()
    counts: dict[Any, int] = {row[0]: int(row[1]) for row in rows}
    absent = counts.pop(None, 0)
    if not counts:
        return Histogram(relation, wanted.column, wanted.title, wanted.unit, (), absent)
    bars = _numbered(counts, wanted.breaks) if wanted.breaks else _coded(counts, wanted.labels)
    return Histogram(relation, wanted.column, wanted.title, wanted.unit, bars, absent)


def _numbered(counts: dict[Any, int], breaks: tuple[float, ...]) -> tuple[Bar, ...]:
    limits = [f"{limit:,g}" for limit in breaks]
    inner = [f"{low} – {high}" for low, high in zip(limits, limits[1:], strict=False)]
    labels = [f"< {limits[0]}", *inner, f"≥ {limits[-1]}"]
    return tuple(Bar(Message(label, label), counts.get(index, 0)) for index, label in enumerate(labels))


def _coded(counts: dict[Any, int], labels: tuple[tuple[str, Message], ...]) -> tuple[Bar, ...]:
    bars = [Bar(label, counts.pop(value, 0)) for value, label in labels]
    if counts:
        bars.append(Bar(Message("其他取值", "other values"), sum(counts.values())))
    return tuple(bars)


def save(home: Home, connection: duckdb.DuckDBPyConnection, report: QualityReport) -> None:
    """Keep every verdict in ``lake.quality.result``; a run that is saved again replaces itself."""
    records = [_record(report, outcome) for outcome in report.outcomes]
    table = pa.Table.from_pylist(records, schema=_RESULT)
    # Two checks that make the table at once, or replace the same run, wait for each other.
    with postgres.connect(home) as guard:
        guard.execute("select pg_advisory_xact_lock(hashtext('headwater.quality'))")
        connection.register("checked", table)
        try:
            connection.execute("CREATE TABLE IF NOT EXISTS lake.quality.result AS FROM checked LIMIT 0")
            connection.execute("DELETE FROM lake.quality.result WHERE run_id = $run", {"run": report.run_id})
            connection.execute("INSERT INTO lake.quality.result BY NAME FROM checked")
        finally:
            connection.unregister("checked")


def _record(report: QualityReport, outcome: Outcome) -> dict[str, Any]:
    shares = [asdict(share) for share in outcome.by_source]
    kept = asdict(outcome)
    return {
        "run_id": report.run_id,
        "checked_at": report.at,
        "snapshot_id": report.snapshot,
        **{name: kept[name] for name in _RESULT.names if name in kept and name != "by_source"},
        "column_name": outcome.column,
        "unexpected_percent": outcome.unexpected_percent,
        "by_source": json.dumps(shares, ensure_ascii=False),
        "why_zh": outcome.why.zh,
        "why_en": outcome.why.en,
    }
