"""States of an installation that trials go back to: saved, restored, and compared by content."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass

import duckdb
import psycopg

from headwater.adapters import lake, postgres
from headwater.adapters.home import Home

__all__ = ["VOLATILE", "States", "content", "differences", "misplaced_lines"]

VOLATILE: Mapping[str, tuple[str, ...]] = {
    "ops.batch": ("landed_at", "loaded_at", "snapshot_id"),
    "ops.difference": ("noted_at", "snapshot_before"),
    "ops.publication": ("publication_id", "snapshot_id", "published_at"),
    "quality.result": ("snapshot_id", "observed"),
}
"""Columns left out of a comparison: times of the clock, numbers of snapshots, and means whose last digit varies."""

_KEPT = ("headwater", "lake")
_TABLES = "ops.batch", "ops.difference", "ops.decision", "ops.publication"


@dataclass(frozen=True)
class States:
    """Saves and restores the databases and files of an installation whose server this process may use freely."""

    home: Home

    def save(self, name: str) -> None:
        """Keep the present state under a name; nothing may be connected."""
        with _admin(self.home) as connection:
            for database in _KEPT:
                connection.execute(f'create database "{name}_{database}" template "{database}" strategy file_copy')
        kept = self.home.root / "states" / name
        # Data files are written once, so a second name for the same bytes is a copy.
        shutil.copytree(self.home.lake_data, kept / "lake", copy_function=os.link)
        shutil.copytree(self.home.vault, kept / "vault")

    def restore(self, name: str) -> None:
        """Go back to a saved state, whoever is still connected."""
        with _admin(self.home) as connection:
            for database in _KEPT:
                connection.execute(f'drop database "{database}" with (force)')
                connection.execute(f'create database "{database}" template "{name}_{database}" strategy file_copy')
        kept = self.home.root / "states" / name
        for folder in (self.home.lake_data, self.home.vault):
            shutil.rmtree(folder)
        shutil.copytree(kept / "lake", self.home.lake_data, copy_function=os.link)
        shutil.copytree(kept / "vault", self.home.vault)


def content(home: Home) -> dict[str, str]:
    """Return every table of the register, raw, the marts and the verdicts: its rows and the hash of their contents."""
    with postgres.connect(home) as connection:
        found = {table: _register(connection, table) for table in _TABLES}
    with lake.connect(home, threads=1) as connection:
        named = connection.execute(
            "SELECT table_schema, table_name FROM information_schema.tables WHERE table_catalog = 'lake' "
            "AND table_type = 'BASE TABLE' AND table_schema IN ('raw', 'marts', 'quality') ORDER BY ALL"
        ).fetchall()
        found |= {f"{schema}.{name}": _table(connection, schema, name) for schema, name in named}
    return found


def differences(found: Mapping[str, str], expected: Mapping[str, str]) -> list[str]:
    """Return the tables that differ, each with both contents."""
    names = sorted(set(found) | set(expected))
    return [
        f"{name}: {found.get(name, 'absent')} instead of {expected.get(name, 'absent')}"
        for name in names
        if found.get(name) != expected.get(name)
    ]


def misplaced_lines(home: Home) -> int:
    """Return how many rows the raw tables hold too few or too many of, by what the register says was loaded."""
    with postgres.connect(home) as connection:
        counted = connection.execute(
            "select entity, sum(rows_loaded - rows_replaced) from ops.batch where state = 'loaded' group by entity"
        ).fetchall()
    with lake.connect(home, threads=1) as connection:
        return sum(
            abs(int(rows) - (connection.execute(f"SELECT count(*) FROM lake.raw.{entity}").fetchone() or (0,))[0])
            for entity, rows in counted
        )


def _admin(home: Home) -> psycopg.Connection:
    return psycopg.connect(postgres.dsn(home, "postgres"), autocommit=True)


def _register(connection: psycopg.Connection, table: str) -> str:
    left_out = "".join(f" - '{column}'" for column in VOLATILE.get(table, ()))
    row = connection.execute(
        f"select count(*), md5(coalesce(string_agg(line, '' order by line), '')) "
        f"from (select (to_jsonb(t){left_out})::text as line from {table} t) lines"
    ).fetchone()
    return "{} rows {}".format(*(row or (0, "")))


def _table(connection: duckdb.DuckDBPyConnection, schema: str, name: str) -> str:
    columns = connection.execute(f"DESCRIBE lake.{schema}.{name}").fetchall()
    left_out = VOLATILE.get(f"{schema}.{name}", ())
    # The order in which threads add up binary fractions shows in their last digits.
    shown = [
        f'round("{column}", 9)' if kind == "DOUBLE" else f'"{column}"'
        for column, kind, *_ in columns
        if column not in left_out
    ]
    row = connection.execute(
        f"SELECT count(*), md5(coalesce(string_agg(line, '' ORDER BY line), '')) "
        f"FROM (SELECT md5(CAST(row({', '.join(shown)}) AS VARCHAR)) AS line FROM lake.{schema}.{name})"
    ).fetchone()
    return "{} rows {}".format(*(row or (0, "")))
