"""The lake's tables of evolution: where it stands month by month, what sources said, and what people decided."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import duckdb

from headwater.adapters import knowledge, lake
from headwater.adapters.home import Home
from headwater.errors import Message, Refusal

__all__ = ["TABLES", "forget", "prepare", "rewrite", "rows", "unhear"]

_PLACE = {"task": "VARCHAR", "region": "VARCHAR", "month": "DATE"}
_RUN = {"run": "VARCHAR", "as_of": "TIMESTAMP", "snapshot": "BIGINT"}

TABLES: Mapping[str, Mapping[str, str]] = {
    "evolution": knowledge.TABLES["evolution"],
    "evolution_month": {
        **_PLACE,
        **_RUN,
        "weight": "BIGINT",
        "members": "VARCHAR[]",
        "steps": "BIGINT",
        "asked": "BIGINT",
        "bytes": "BIGINT",
        "rmse_evolving": "DOUBLE",
        "rmse_static": "DOUBLE",
        "rmse_target_only": "DOUBLE",
        "epsilon_next": "DOUBLE",
        "bytes_next": "DOUBLE",
        "labour": "DOUBLE",
        "epsilon_budget": "DOUBLE",
        "bytes_budget": "DOUBLE",
        "labour_budget": "DOUBLE",
        "version": "VARCHAR",
        "is_champion": "BOOLEAN",
        "own_months": "DATE[]",
    },
    "heard": {
        **_PLACE,
        "source": "VARCHAR",
        "months": "DATE[]",
        "question": "VARCHAR",
        "fingerprint": "VARCHAR",
        "statistic": "BLOB",
    },
    "approval": {
        **_PLACE,
        **_RUN,
        "source": "VARCHAR",
        "standing": "VARCHAR",
        "approved": "BOOLEAN",
        "person": "VARCHAR",
        "why": "VARCHAR",
    },
}
"""Columns and DuckDB types. ``evolution_month`` has what concerns the model: how often the bureau's own records count,
of which months they do (NULL: of all), errors in the month of models that ended before it, and what of its budgets the
period spent, infinite ones NULL. ``heard`` keeps what a source said in a month about some months, so that it is not
asked again, with the fingerprint of the records behind it. ``approval`` has what people decided about standings
proposed in a month."""


def prepare(home: Home, connection: duckdb.DuckDBPyConnection) -> None:
    """Create the tables and columns that are missing; many processes may call it at once."""
    tables = {table: tuple(columns.items()) for table, columns in TABLES.items()}
    lake.create_tables(home, connection, schema="knowledge", tables=tables)


def rewrite(
    connection: duckdb.DuckDBPyConnection,
    tables: Mapping[str, tuple[date, Sequence[Mapping[str, object]]]],
    *,
    key: Mapping[str, object],
    newest: date | None,
) -> None:
    """Let each table's rows with this key go on from a month with other ones, all tables in one transaction.

    Parameters
    ----------
    tables : name → the first month whose rows go, and the rows, each completed by ``key``, that take their place
    newest : the last month that was followed when the rows were made, None if there was none

    Raises
    ------
    Refusal
        ``E-EVOLVE-MEANWHILE`` where somebody followed another month since: it would stand there twice
    """
    same = " AND ".join(f"{name} = ?" for name in key)
    with lake.transaction(connection):
        query = f"SELECT max(month) FROM lake.knowledge.evolution_month WHERE {same}"
        ((found,),) = connection.execute(query, list(key.values())).fetchall()
        if found != newest:
            raise _meanwhile(found)
        for table, (since, rows) in tables.items():
            gone = [*key.values(), since]
            connection.execute(f"DELETE FROM lake.knowledge.{table} WHERE {same} AND month >= ?", gone)
            if rows:
                completed = [{**row, **key} for row in rows]
                knowledge.insert(connection, table, completed, columns=TABLES[table])


def forget(connection: duckdb.DuckDBPyConnection, *, key: Mapping[str, object], but: Sequence[str]) -> None:
    """Forget what sources said that are not among ``but``: they withdrew, or may not be seen any more."""
    same = " AND ".join(f"{name} = ?" for name in key)
    gone = [*key.values(), list(but)]
    connection.execute(f"DELETE FROM lake.knowledge.heard WHERE {same} AND NOT list_contains(?, source)", gone)


def unhear(connection: duckdb.DuckDBPyConnection, *, key: Mapping[str, object], sources: Sequence[str]) -> None:
    """Forget what these sources said."""
    same = " AND ".join(f"{name} = ?" for name in key)
    gone = [*key.values(), list(sources)]
    connection.execute(f"DELETE FROM lake.knowledge.heard WHERE {same} AND list_contains(?, source)", gone)


def rows(connection: duckdb.DuckDBPyConnection, table: str, *, key: Mapping[str, object]) -> list[dict[str, Any]]:
    """Return the rows of a table with this key by month and source, one dictionary each."""
    order = "month, source" if "source" in TABLES[table] else "month"
    same = " AND ".join(f"{name} = ?" for name in key)
    query = f"SELECT * FROM lake.knowledge.{table} WHERE {same} ORDER BY {order}"
    found: list[dict[str, Any]] = connection.execute(query, list(key.values())).to_arrow_table().to_pylist()
    return found


def _meanwhile(month: date | None) -> Refusal:
    last = f"{month:%Y-%m}" if month else "–"
    return Refusal(
        "E-EVOLVE-MEANWHILE",
        Message(
            f"计算期间另一次运行已跟踪到 {last}，本次结果未写入。",
            f"Another run followed the sources until {last} meanwhile; nothing of this one was kept.",
        ),
        Message("请重新运行。", "Run it again."),
    )
