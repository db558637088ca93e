"""Where a prediction comes from, read from the lake in short queries: each looks for a key, none reads a whole mart."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal

import duckdb

from headwater.adapters import knowledge
from headwater.adapters.versions import Line
from headwater.types import SourceId

__all__ = [
    "Drift",
    "Paid",
    "Predicted",
    "Quality",
    "Stay",
    "drifts",
    "paid",
    "predictions",
    "quality",
    "some",
    "stay",
    "tables",
]


@dataclass(frozen=True)
class Predicted:
    """What one version predicts for a stay: ln(cost), and the typical (median) cost in the region's currency."""

    task: str
    region: str
    name: str
    version: int
    snapshot: int
    as_of: datetime
    source: SourceId
    log_cost: float
    cost: float

    @property
    def label(self) -> str:
        """As MLflow writes it: ``name/number``."""
        return f"{self.name}/{self.version}"


@dataclass(frozen=True)
class Stay:
    """What was known of the stay; ``split`` says whether models may learn from it, or are judged by it."""

    hospital: str
    city: str
    month: date
    split: str
    cost: Decimal
    currency: str


@dataclass(frozen=True)
class Paid:
    """By which plan a stay was grouped and by which policy it was paid."""

    plan: str | None
    plan_version: str | None
    drg: str | None
    policy: str | None
    policy_version: str | None


@dataclass(frozen=True)
class Quality:
    """The newest check of data no newer than a snapshot."""

    run_id: str
    at: datetime
    snapshot: int
    expectations: int
    errors: int
    warnings: int


@dataclass(frozen=True)
class Drift:
    """How a source stood in the newest month that was followed when a version was made.

    Parameters
    ----------
    state : its presence then
    standing : its place in the model afterwards, None in replays of before there were standings
    """

    source: SourceId
    month: date
    state: str
    standing: str | None
    action: str
    onset: date | None
    size: float | None
    reason_zh: str
    reason_en: str


def tables(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """Return which tables of the lake there are, as ``schema.name``: those of a stage appear when it has run."""
    rows = connection.execute(
        "SELECT table_schema || '.' || table_name FROM information_schema.tables WHERE table_catalog = 'lake'"
    ).fetchall()
    return {str(row[0]) for row in rows}


def predictions(connection: duckdb.DuckDBPyConnection, stay_id: str) -> list[Predicted]:
    """Return what every version predicts for a stay, the newest version first."""
    rows = connection.execute(
        "SELECT task, region, name, version, snapshot, as_of, source, log_cost, cost FROM lake.knowledge.prediction "
        "WHERE stay_id = ? ORDER BY name, version DESC",
        [stay_id],
    ).fetchall()
    found = [Predicted(*row) for row in rows]
    return [replace(one, as_of=one.as_of.replace(tzinfo=UTC)) for one in found]


def some(connection: duckdb.DuckDBPyConnection, *, limit: int) -> list[tuple[str, str]]:
    """Return some stays that were predicted, with their regions."""
    rows = connection.execute(
        "SELECT DISTINCT stay_id, region FROM (SELECT stay_id, region FROM lake.knowledge.prediction LIMIT 4096) "
        "ORDER BY stay_id LIMIT ?",
        [limit],
    ).fetchall()
    return [(str(stay_id), str(region)) for stay_id, region in rows]


def stay(connection: duckdb.DuckDBPyConnection, stay_id: str, *, task: str, snapshot: int) -> Stay | None:
    """Return the stay as it was when it was predicted; None where the snapshot is no longer kept or has it not."""
    try:
        row = connection.execute(
            f"SELECT hospital, city, month, split, cost, currency FROM lake.marts.feat_{task} "
            f"AT (VERSION => {int(snapshot)}) WHERE stay_id = ?",
            [stay_id],
        ).fetchone()
    except duckdb.Error:
        return None
    return Stay(*row) if row else None


def paid(connection: duckdb.DuckDBPyConnection, stay_id: str, there: Collection[str]) -> Paid:
    """Return plan and policy of a stay as they stand now; parts that no stage has made are None."""
    grouped = priced = None
    if "grouping.stay" in there:
        grouped = connection.execute(
            "SELECT plan, plan_version, drg FROM lake.grouping.stay WHERE stay_id = ? ORDER BY grouped_at DESC LIMIT 1",
            [stay_id],
        ).fetchone()
    if "payment.stay" in there:
        priced = connection.execute(
            "SELECT policy, policy_version FROM lake.payment.stay WHERE stay_id = ? ORDER BY priced_at DESC LIMIT 1",
            [stay_id],
        ).fetchone()
    return Paid(*(grouped or (None, None, None)), *(priced or (None, None)))


def quality(connection: duckdb.DuckDBPyConnection, *, snapshot: int, there: Collection[str]) -> Quality | None:
    """Return the check that data of a snapshot had passed or failed last."""
    if "quality.result" not in there:
        return None
    row = connection.execute(
        """
        SELECT run_id, any_value(checked_at), any_value(snapshot_id), count(*),
               count(*) FILTER (NOT success AND (severity = 'error' OR error IS NOT NULL)),
               count(*) FILTER (NOT success AND severity <> 'error' AND error IS NULL)
        FROM lake.quality.result WHERE snapshot_id <= ?
        GROUP BY run_id ORDER BY 3 DESC, 2 DESC LIMIT 1
        """,
        [snapshot],
    ).fetchone()
    return Quality(*row) if row else None


def drifts(connection: duckdb.DuckDBPyConnection, line: Line, there: Collection[str]) -> list[Drift]:
    """Return how the sources of a region stood when a version was made, as the newest replay until then saw them."""
    if "knowledge.evolution" not in there:
        return []
    rows = connection.execute(
        f"""
        SELECT source, month, state, standing, action, change_onset, change_size, reason_zh, reason_en
        FROM {knowledge.complete("evolution")}
        WHERE task = $task AND region = $region AND as_of <= $as_of AND month <= coalesce($month, month)
        QUALIFY row_number() OVER (PARTITION BY source ORDER BY (run = $run) DESC, as_of DESC, month DESC) = 1
        ORDER BY source
        """,
        {
            **{name: getattr(line, name) for name in ("task", "region", "month", "run")},
            "as_of": line.as_of.astimezone(UTC).replace(tzinfo=None),
        },
    ).fetchall()
    return [Drift(*row) for row in rows]
