"""Forget: what the region holds of versions that were withdrawn from goes, once they serve no more."""

import duckdb

from headwater.adapters import held, postgres, versions
from headwater.adapters.home import Home

__all__ = ["forget"]


def forget(home: Home, connection: duckdb.DuckDBPyConnection, name: str, *, serves: int | None) -> int:
    """Delete what is held of the statistics of versions that were withdrawn from, and return how many they were.

    Parameters
    ----------
    serves : the version that serves, which it is still to be subtracted from; None where none does
    """
    lines = [line for line in versions.lines(connection, name=name) if line.version != serves]
    gone = [line.version for line in lines if versions.withdrawn_from(connection, line)]
    with postgres.connect(home) as ops:
        return held.purge(ops, name, gone)
