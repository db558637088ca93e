"""Build the marts: staging, intermediate and marts in one pass, with their tests."""

from collections import Counter
from dataclasses import dataclass

import duckdb

from headwater.adapters import dbt, lake, raw
from headwater.adapters.home import Home

__all__ = ["MARTS", "BuildReport", "build"]

MARTS = ("dim_hospital", "fct_stay", "fct_fee_line", "ind_disease_spectrum", "feat_stay_cost")
"""Every mart, in the order of the flow."""


@dataclass(frozen=True)
class BuildReport:
    """What one build did.

    Parameters
    ----------
    nodes : every model, seed and test with its status and wall time
    statuses : status and the number of nodes that ended so
    rows : mart and its number of rows after the build
    seconds : wall time of the transformations
    snapshot_id : the lake's snapshot that holds the result
    """

    nodes: tuple[dbt.NodeResult, ...]
    statuses: tuple[tuple[str, int], ...]
    rows: tuple[tuple[str, int], ...]
    seconds: float
    snapshot_id: int

    def to_dict(self) -> dict[str, object]:
        """Return the summary that a task hands on: counts, no node by name."""
        return {
            "seconds": round(self.seconds, 3),
            "snapshot_id": self.snapshot_id,
            "statuses": dict(self.statuses),
            "rows": dict(self.rows),
        }


def build(home: Home, *, full_refresh: bool = False) -> BuildReport:
    """Transform what has landed into the marts; a failing model or test is refused by name.

    Parameters
    ----------
    full_refresh : rebuild also the tables that otherwise take only new batches
    """
    with lake.connect(home) as connection:
        # Before anything has landed the raw tables are made empty, and so are the marts.
        raw.create_tables(home, connection)
    result = dbt.run(home, full_refresh=full_refresh)
    with lake.connect(home) as connection:
        rows = tuple((mart, _count(connection, mart)) for mart in MARTS)
        snapshot_id = lake.snapshot(connection)
    return BuildReport(
        nodes=result.nodes,
        statuses=tuple(sorted(Counter(node.status for node in result.nodes).items())),
        rows=rows,
        seconds=result.seconds,
        snapshot_id=snapshot_id,
    )


def _count(connection: duckdb.DuckDBPyConnection, mart: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM lake.marts.{mart}").fetchone()
    return int(row[0]) if row else 0
