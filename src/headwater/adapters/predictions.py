"""What versions predict for stays, in the lake: each prediction knows its version and the data it was made for."""

from collections.abc import Mapping

import duckdb
import pyarrow as pa

from headwater.adapters import lake

__all__ = ["are_kept", "replace"]

_TABLE = "lake.knowledge.prediction"


def are_kept(connection: duckdb.DuckDBPyConnection, *, name: str, version: int, digest: str) -> bool:
    """Return whether a version has predicted for the data of this digest."""
    found = connection.execute(
        f"SELECT 1 FROM {_TABLE} WHERE name = ? AND version = ? AND digest = ? LIMIT 1", [name, version, digest]
    )
    return found.fetchone() is not None


def replace(connection: duckdb.DuckDBPyConnection, predicted: pa.Table, *, told: Mapping[str, object]) -> None:
    """Put predictions in the place of all that the version of ``told`` made before.

    They stand in the order of stays, so that one stay is found in one row group of each version.

    Parameters
    ----------
    predicted : stay_id, source, log_cost, cost
    told : the other columns of the table, the same for all rows
    """
    connection.register("predicted", predicted)
    columns = ", ".join(f"${name} AS {name}" for name in told)
    try:
        with lake.transaction(connection):
            same = {"name": told["name"], "version": told["version"]}
            connection.execute(f"DELETE FROM {_TABLE} WHERE name = $name AND version = $version", same)
            connection.execute(
                f"INSERT INTO {_TABLE} BY NAME SELECT *, {columns} FROM predicted ORDER BY stay_id", dict(told)
            )
    finally:
        connection.unregister("predicted")
