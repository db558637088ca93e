"""The lake's knowledge tables: what sources are worth, which versions exist, how sources fared over time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import duckdb
import pyarrow as pa

from headwater.adapters import lake
from headwater.adapters.home import Home
from headwater.errors import Message, Refusal

__all__ = [
    "TABLES",
    "Kept",
    "Run",
    "Valued",
    "complete",
    "insert",
    "joined",
    "latest_valuation",
    "prepare",
    "read",
    "replace",
]

_KEY = {"run": "VARCHAR", "task": "VARCHAR", "region": "VARCHAR", "as_of": "TIMESTAMP", "snapshot": "BIGINT"}

TABLES: Mapping[str, Mapping[str, str]] = {
    "valuation": {
        **_KEY,
        "source": "VARCHAR",
        "city": "VARCHAR",
        "stays": "BIGINT",
        "value": "DOUBLE",
        "low": "DOUBLE",
        "high": "DOUBLE",
        "selected": "BOOLEAN",
        "bytes": "BIGINT",
        "method": "VARCHAR",
        "month": "DATE",
        "unit": "VARCHAR",
        "rank": "BIGINT",
        "rank_low": "BIGINT",
        "rank_high": "BIGINT",
        "stability": "DOUBLE",
        "judged_low": "DOUBLE",
        "judged_high": "DOUBLE",
        "judged_rank_low": "BIGINT",
        "judged_rank_high": "BIGINT",
        "judged_stability": "DOUBLE",
        "cost": "DOUBLE",
        "cost_unit": "VARCHAR",
        "reason_zh": "VARCHAR",
        "reason_en": "VARCHAR",
        "finding_zh": "VARCHAR",
        "finding_en": "VARCHAR",
    },
    "selection": {
        **_KEY,
        "month": "DATE",
        "method": "VARCHAR",
        "concept": "VARCHAR",
        "unit": "VARCHAR",
        "protection": "VARCHAR",
        "version": "VARCHAR",
        "evaluations": "BIGINT",
        "seconds": "DOUBLE",
        "judging_records": "BIGINT",
        "chosen": "VARCHAR[]",
        "gains": "DOUBLE[]",
        "utility": "DOUBLE",
        "spent": "DOUBLE",
        "budget": "DOUBLE",
        "budget_unit": "VARCHAR",
        "bound": "DOUBLE",
        "share": "DOUBLE",
        "proof_zh": "VARCHAR",
        "proof_en": "VARCHAR",
        "is_conditional": "BOOLEAN",
        "algorithm": "VARCHAR",
        "ratio": "DOUBLE",
        "ratio_low": "DOUBLE",
        "ratio_high": "DOUBLE",
        "diminish": "BOOLEAN",
        "bytes": "BIGINT",
        "attributable": "BIGINT",
        "rounds": "BIGINT",
        "epsilon": "DOUBLE",
        "leverage": "DOUBLE",
        "r2_target_only": "DOUBLE",
        "r2_selected": "DOUBLE",
        "r2_all": "DOUBLE",
        "refused": "STRUCT(source VARCHAR, code VARCHAR, reason_zh VARCHAR, reason_en VARCHAR, "
        "remedy_zh VARCHAR, remedy_en VARCHAR)[]",
        "small": "STRUCT(source VARCHAR, stays BIGINT)[]",
        "mlflow_run": "VARCHAR",
    },
    "joined": {
        **_KEY,
        "model": "VARCHAR",
        "entry": "BIGINT",
        "parameters": "DOUBLE[]",
        "rounds": "VARCHAR",
        "bytes": "VARCHAR",
        "epsilon": "VARCHAR",
        "judgement": "VARCHAR",
        "withdrawn": "BIGINT",
    },
    "model_version": {
        **_KEY,
        "digest": "VARCHAR",
        "name": "VARCHAR",
        "version": "BIGINT",
        "model": "VARCHAR",
        "step": "VARCHAR",
        "month": "DATE",
        "sources": "VARCHAR[]",
        "protection": "VARCHAR",
        "parent": "VARCHAR",
        "opponent": "VARCHAR",
        "is_champion": "BOOLEAN",
        "currency": "VARCHAR",
        "r2_log": "DOUBLE",
        "mae": "DOUBLE",
        "r2_log_target_only": "DOUBLE",
        "mae_target_only": "DOUBLE",
        "r2_log_all_equal": "DOUBLE",
        "mae_all_equal": "DOUBLE",
        "r2_log_pooled": "DOUBLE",
        "mae_pooled": "DOUBLE",
        "mlflow_run": "VARCHAR",
        "mlflow_model": "VARCHAR",
        "seed": "BIGINT",
        "entry": "BIGINT",
        "exact": "VARCHAR",
        "body": "VARCHAR",
        "is_held": "BOOLEAN",
        "withdrawn": "BIGINT",
    },
    "member": {
        **_KEY,
        "name": "VARCHAR",
        "version": "BIGINT",
        "source": "VARCHAR",
        "city": "VARCHAR",
        "value": "DOUBLE",
        "low": "DOUBLE",
        "high": "DOUBLE",
        "valuation": "VARCHAR",
        "protection": "VARCHAR",
        "mechanism": "VARCHAR",
        "epsilon": "DOUBLE",
        "months": "VARCHAR[]",
    },
    "champion": {
        **_KEY,
        "name": "VARCHAR",
        "version": "BIGINT",
        "before": "BIGINT",
        "entry": "BIGINT",
        "why": "VARCHAR",
        "opponent": "VARCHAR",
        "metric": "VARCHAR",
        "rows": "BIGINT",
        "difference": "DOUBLE",
        "low": "DOUBLE",
        "high": "DOUBLE",
    },
    "withdrawal": {
        **_KEY,
        "source": "VARCHAR",
        "person": "VARCHAR",
        "stays": "VARCHAR[]",
        "members": "VARCHAR[]",
        "records": "STRUCT(stay VARCHAR, source VARCHAR, month DATE, snapshots BIGINT[])[]",
        "looked": "BIGINT[]",
        "entry": "BIGINT",
        "revokes": "BIGINT",
        "signed_by": "VARCHAR",
        "why": "VARCHAR",
    },
    "prediction": {
        **_KEY,
        "name": "VARCHAR",
        "version": "BIGINT",
        "digest": "VARCHAR",
        "stay_id": "VARCHAR",
        "source": "VARCHAR",
        "log_cost": "DOUBLE",
        "cost": "DOUBLE",
    },
    "evolution": {
        **_KEY,
        "month": "DATE",
        "source": "VARCHAR",
        "value": "DOUBLE",
        "state": "VARCHAR",
        "action": "VARCHAR",
        "reason_zh": "VARCHAR",
        "reason_en": "VARCHAR",
        "change_onset": "DATE",
        "change_size": "DOUBLE",
        "change_confidence": "DOUBLE",
        "standing": "VARCHAR",
        "unapproved": "VARCHAR",
        "asked_next": "BOOLEAN",
        "since": "DOUBLE",
        "regime": "BIGINT",
        "remembered": "DATE[]",
        "counted": "DATE[]",
    },
}
"""Columns and DuckDB types. ``value`` is in ``unit`` (R² on ln(cost) where none is told), ``as_of`` in UTC,
``is_champion`` as it was then. A valuation knows the stays up to and including ``month``; ``low`` and ``high`` are what
sampling coalitions left open, ``judged_…`` what other judging records would change besides. ``selection`` has one row a
valuation: what was chosen, and what it rests on. ``joined`` is what rounds gave before it becomes a version: ``entry``
of its plan in the audit log; ``rounds``, ``bytes`` and debited ``epsilon`` by source, and the ``judgement`` of its
sums, if there was one, as JSON. Rows of before there were months have none. ``member`` has a row a source of a version,
as it was known then; ``champion`` one each time another version came to serve, ``before`` the one it relieved, with
what was compared; ``withdrawal`` one a withdrawal: a source, a person's token or single stays, and ``members``, those
of whom records were withdrawn (``target`` is the bureau's sample); of single stays also the ``records`` that count,
with the snapshots that have them, of those that were ``looked`` at; or, with ``revokes``, the entry of one that counts
no more; ``signed_by`` had it entered, and said ``why``. ``withdrawn``, of what was joined and of a version, is the
``entry`` of the last one that its data was read after. ``prediction`` has what a version predicts for a stay, and in
``digest`` the data it predicted for. ``evolution`` has a row a month and source: ``state`` is its presence, or
``resting`` if it was not asked; ``standing`` that afterwards, ``unapproved`` one that holds until a person approves,
``remembered`` the answers a model would hold, and ``counted`` those of them under the law that holds for the bureau,
NULL where one does for all (``evolved``)."""


@dataclass(frozen=True)
class Run:
    """The occasion on which a step runs.

    Parameters
    ----------
    name : key of the occasion, e.g. Airflow's run id; a step repeated under one name replaces what it wrote
    at : when, with time zone
    seed : of everything random in it
    region : whose stays; None where the mart has one region only
    month : first day of the last month whose stays are known; None for all that there are
    """

    name: str
    at: datetime
    seed: int
    region: str | None = None
    month: date | None = None

    def key(self, task: str, region: str) -> dict[str, object]:
        """Return the columns by which the rows of this occasion are found again."""
        return {"run": self.name, "task": task, "region": region}

    @property
    def as_of(self) -> datetime:
        """The time in UTC, without zone, as the lake keeps it."""
        return self.at.astimezone(UTC).replace(tzinfo=None)


@dataclass(frozen=True)
class Valued:
    """One source's line of the newest valuation.

    Parameters
    ----------
    run : the valuation it belongs to
    value, low, high : Shapley value and its interval, in R² on ln(cost)
    selected : whether it was chosen
    """

    run: str
    source: str
    value: float
    low: float
    high: float
    selected: bool


@dataclass(frozen=True)
class Kept:
    """What rounds gave: a row of ``joined``."""

    entry: int
    parameters: Sequence[float]
    rounds: str
    bytes: str
    epsilon: str
    judgement: str
    withdrawn: int


def prepare(home: Home, connection: duckdb.DuckDBPyConnection) -> None:
    """Create the knowledge tables and columns that are missing; many processes may call it at once."""
    tables = {table: tuple(columns.items()) for table, columns in TABLES.items()}
    lake.create_tables(home, connection, schema="knowledge", tables=tables)


def complete(table: str) -> str:
    """Return the SQL of a table with all its columns, NULL where a lake of an earlier version has them not yet."""
    none = ", ".join(f'CAST(NULL AS {kind}) AS "{name}"' for name, kind in TABLES[table].items())
    return f"(SELECT * FROM lake.knowledge.{table} UNION ALL BY NAME SELECT {none} WHERE false)"


def read(
    connection: duckdb.DuckDBPyConnection, query: str, values: Mapping[str, object] | Sequence[object] = ()
) -> list[tuple[Any, ...]]:
    """Return the rows of a query of knowledge; none where there is no such table, as before anything is known."""
    try:
        return connection.execute(query, values).fetchall()
    except duckdb.CatalogException:
        return []


def replace(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    *,
    key: Mapping[str, object],
    rows: Sequence[Mapping[str, object]],
) -> None:
    """Put ``rows``, each completed by ``key``, in the place of all rows that have this key, in one transaction."""
    same = " AND ".join(f"{name} = ?" for name in key)
    with lake.transaction(connection):
        connection.execute(f"DELETE FROM lake.knowledge.{table} WHERE {same}", list(key.values()))
        insert(connection, table, [{**row, **key} for row in rows])


def insert(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    rows: Sequence[Mapping[str, object]],
    *,
    columns: Mapping[str, str] | None = None,
) -> None:
    """Append rows to a table, whose columns are by default those in ``TABLES``; what a row lacks is NULL."""
    columns = TABLES[table] if columns is None else columns
    connection.register("knowledge_rows", pa.table({name: [row.get(name) for row in rows] for name in columns}))
    listed = ", ".join(f"CAST({name} AS {kind}) AS {name}" for name, kind in columns.items())
    try:
        connection.execute(f"INSERT INTO lake.knowledge.{table} BY NAME SELECT {listed} FROM knowledge_rows")
    finally:
        connection.unregister("knowledge_rows")


def joined(connection: duckdb.DuckDBPyConnection, *, key: Mapping[str, object]) -> Kept:
    """Return what the rounds of a run gave; a run that joined nothing is refused."""
    same = " AND ".join(f"{name} = ?" for name in key)
    columns = "entry, parameters, rounds, bytes, coalesce(epsilon, '{}'), coalesce(judgement, 'null'), "
    columns += "coalesce(withdrawn, 0)"
    row = connection.execute(f"SELECT {columns} FROM lake.knowledge.joined WHERE {same}", list(key.values())).fetchone()
    if row is None:
        raise Refusal(
            "E-KNOWLEDGE-JOINED",
            Message(f"没有这次汇聚的结果：{dict(key)}。", f"Nothing was joined as {dict(key)}."),
            Message("请先完成各轮汇聚。", "Join first."),
        )
    return Kept(*row)


def latest_valuation(connection: duckdb.DuckDBPyConnection, *, task: str, region: str) -> list[Valued]:
    """Return the valuation of a region that knows the newest month, by source; none at all is refused."""
    rows = connection.execute(
        """
        SELECT run, source, value, low, high, selected FROM lake.knowledge.valuation
        WHERE task = $task AND region = $region
        QUALIFY dense_rank() OVER (ORDER BY month DESC NULLS LAST, as_of DESC, run DESC) = 1
        ORDER BY source
        """,
        {"task": task, "region": region},
    ).fetchall()
    if not rows:
        raise Refusal(
            "E-KNOWLEDGE-VALUATION",
            Message(f"“{region}”尚无 {task} 的来源价值。", f"The sources of {region} have not been valued for {task}."),
            Message("请先运行 headwater value。", "Run headwater value first."),
        )
    return [Valued(*row) for row in rows]
