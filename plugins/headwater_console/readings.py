"""Reads what the pages show from the operational tables and the lake, in short queries."""

import logging
import os
import threading
from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import psycopg

from headwater.adapters import evolution_report, incidents, lake, postgres, publication
from headwater.adapters.home import Home
from headwater.adapters.report import folder_name
from headwater.errors import HeadwaterError
from headwater.steps import lineage
from headwater.steps.lineage import Lineage
from headwater_console import queries
from headwater_console.records import (
    PAGE_ROWS,
    Batch,
    Batches,
    BatchFilter,
    Change,
    Changes,
    Choice,
    Evolution,
    Landing,
    Money,
    Overview,
    Quality,
    QualityRun,
    ReturnFile,
    Source,
    ValueLine,
    ValueMonth,
    Version,
)

__all__ = ["Readings"]

_LOG = logging.getLogger(__name__)
_REPORTS = ("quality", "evolution")
_LANGUAGE_FILES = ("zh.html", "en.html")


class Readings:
    """Reads for the pages; the lake through one connection that all requests of this process share in turn."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._lock = threading.Lock()
        self._lake: duckdb.DuckDBPyConnection | None = None

    def warm(self) -> None:
        """Open the lake and trace one prediction, so that nobody waits for what only the first reading takes."""
        try:
            for stay_id, _ in self.predicted(1):
                self.lineage(stay_id, None)
        except (HeadwaterError, duckdb.Error, psycopg.Error) as error:
            _LOG.warning("控制台未能预热 / the console could not warm up: %s", error)

    @property
    def mlflow_url(self) -> str:
        """Where people read MLflow; empty where it is not served to them."""
        return os.environ.get("HEADWATER_MLFLOW_PUBLIC_URL", "")

    def overview(self) -> Overview:
        """Read everything the first page shows."""
        published = publication.current(self._home)
        snapshot, snapshot_at = (
            (published.snapshot_id, published.published_at) if published is not None else self._snapshot()
        )
        versions = self._versions()
        return Overview(
            landing=self._landing(),
            snapshot=snapshot,
            snapshot_at=snapshot_at,
            is_published=published is not None,
            marts=self._marts(snapshot),
            quality=next(iter(self._quality_runs(1)), None),
            sources=self.sources(),
            champions=_champions(versions),
            versions=tuple(versions[:8]),
            changes=self._changes(),
            evolutions=self._evolutions(),
            batches=self.batches(BatchFilter()).rows[:8],
            incidents=incidents.newest(self._home, limit=5),
            mlflow_url=self.mlflow_url,
            airflow_url=os.environ.get("HEADWATER_AIRFLOW_URL", ""),
        )

    def batches(self, chosen: BatchFilter) -> Batches:
        """Read one page of the landed files, newest first."""
        where = "(%(source)s = '' or source_id = %(source)s) and (%(entity)s = '' or entity = %(entity)s)"
        where += " and (%(state)s = '' or state = %(state)s)"
        values = {"source": chosen.source, "entity": chosen.entity, "state": chosen.state}
        currencies = self._currencies()
        with postgres.connect(self._home) as connection:
            rows = connection.execute(
                f"select {', '.join(queries.BATCH_COLUMNS)} from ops.batch where {where}"
                " order by landed_at desc, batch_id limit %(limit)s offset %(offset)s",
                {**values, "limit": PAGE_ROWS, "offset": PAGE_ROWS * (chosen.page - 1)},
            ).fetchall()
            total = connection.execute(f"select count(*) from ops.batch where {where}", values).fetchone()
            known = [
                tuple(row[0] for row in connection.execute(f"select distinct {name} from ops.batch order by 1"))
                for name in ("source_id", "entity", "state")
            ]
        return Batches(
            rows=tuple(Batch(*row, currency=currencies.get(row[1])) for row in rows),
            total=int(total[0]) if total else 0,
            sources=known[0],
            entities=known[1],
            states=known[2],
        )

    def quality(self, run: str) -> Quality:
        """Read the checks made so far; ``run`` names the one to show, the newest if empty."""
        runs = self._quality_runs(30)
        return Quality(runs, next((found for found in runs if run in ("", found.folder)), None), self.returns())

    def report_file(self, kind: str, folder: str, name: str) -> Path | None:
        """Return the file of a rendered report, if there is such a one."""
        if kind not in _REPORTS or folder != folder_name(folder) or name not in _LANGUAGE_FILES:
            return None
        path = self._home.reports / kind / folder / name
        return path if path.is_file() else None

    def returns(self) -> tuple[ReturnFile, ...]:
        """Read the newest workbook of each source that has something to mend."""
        folders = sorted(folder for folder in self._home.reports.glob("returns/*") if folder.is_dir())
        newest = [max(folder.glob("*.xlsx"), default=None) for folder in folders]
        return tuple(ReturnFile(path.parent.name, path.name) for path in newest if path is not None)

    def return_file(self, source: str, name: str) -> Path | None:
        """Return the path of a workbook, if there is such a one."""
        listed = {path.name: path for path in self._home.reports.glob("returns/*/*.xlsx") if path.parent.name == source}
        return listed.get(name)

    def _landing(self) -> Landing:
        currencies = self._currencies()
        with postgres.connect(self._home) as connection:
            rows = connection.execute(queries.LANDING).fetchall()
        money: dict[str, list[Decimal]] = {}
        for source, *_, incoming, loaded, quarantined, duplicate in rows:
            sums = money.setdefault(currencies.get(source, "?"), [Decimal(0)] * 4)
            for index, amount in enumerate((incoming, loaded, quarantined, duplicate)):
                sums[index] += amount
        counts = [sum(row[index] for row in rows) for index in range(1, 8)]
        last = max((row[8] for row in rows if row[8]), default=None)
        return Landing(*counts, last_at=last, money=tuple(Money(name, *money[name]) for name in sorted(money)))

    def _currencies(self) -> dict[str, str]:
        rows = self._ask("raw", "hospital", "SELECT DISTINCT source_id, currency FROM lake.raw.hospital")
        return {source: currency for source, currency in rows}

    def _snapshot(self) -> tuple[int, datetime | None]:
        with self._lock:
            rows = self._query(
                "SELECT snapshot_id, snapshot_time FROM ducklake_snapshots('lake') ORDER BY snapshot_id DESC LIMIT 1"
            )
        return (int(rows[0][0]), rows[0][1]) if rows else (0, None)

    def _marts(self, snapshot: int) -> tuple[tuple[str, int], ...]:
        """Count the rows of every mart as it was at one snapshot, so that a build under way shows nothing of itself."""
        with self._lock:
            names = self._query(queries.MARTS_AT, snapshot)
            version = f"AT (VERSION => {snapshot})"
            counts = (self._query(f'SELECT count(*) FROM lake.marts."{name}" {version}') for (name,) in names)
            return tuple((name, int(count[0][0])) for (name,), count in zip(names, counts, strict=True))

    def _quality_runs(self, limit: int) -> tuple[QualityRun, ...]:
        rows = self._ask("quality", "result", queries.QUALITY_RUNS, limit)
        return tuple(QualityRun(*row) for row in rows)

    def sources(self) -> tuple[Source, ...]:
        """Read the newest valuation of every region, by region and falling value."""
        rows = self._ask("knowledge", "valuation", queries.SOURCES)
        return tuple(Source(*row[:-1], as_of=_utc(row[-1])) for row in rows)

    def value_months(self) -> tuple[tuple[str, str, date], ...]:
        """Read which tasks and regions were valued as of which months, the newest first."""
        rows = (
            self._ask("knowledge", "selection", queries.VALUE_MONTHS) if self._has("marts", "fct_source_value") else []
        )
        return tuple((str(task), str(region), month) for task, region, month in rows)

    def value_month(self, task: str, region: str, month: date) -> ValueMonth:
        """Read one of ``value_months``."""
        (row,) = self._ask("knowledge", "selection", queries.CHOICE, task, region, month)
        told = dict(zip((field.name for field in fields(Choice)), row, strict=True))
        lists = {name: tuple(told[name] or ()) for name in ("chosen", "gains", "refused", "small")}
        choice = Choice(**{**told, **lists, "as_of": _utc(told["as_of"])})
        lines = self._ask("marts", "fct_source_value", queries.VALUES, task, region, month)
        gone = self._ask(
            "marts", "fct_source_value", queries.GONE, task, region, choice.month_before, task, region, month
        )
        return ValueMonth(
            task=task,
            region=region,
            month=month,
            choice=choice,
            lines=tuple(ValueLine(*line) for line in lines),
            gone=tuple(name for (name,) in gone),
        )

    def lineage(self, stay_id: str, version: int | None) -> Lineage:
        """Read where the prediction for a stay comes from."""
        with self._lock:
            return lineage.found(self._home, self._connection(), stay_id, version=version)

    def predicted(self, limit: int) -> list[tuple[str, str]]:
        """Read some stays that were predicted, with their regions."""
        with self._lock:
            return lineage.offered(self._connection(), limit=limit)

    def quality_folder(self, run_id: str) -> str:
        """Return the name by which a quality report is found; empty where it is kept no more."""
        folder = folder_name(run_id)
        return folder if (self._home.reports / "quality" / folder).is_dir() else ""

    def _versions(self) -> tuple[Version, ...]:
        query = queries.VERSIONS if self._has("knowledge", "champion") else queries.VERSIONS_THEN
        rows = self._ask("knowledge", "model_version", query)
        return tuple(Version(*row[:5], tuple(row[5]), *row[6:-1], as_of=_utc(row[-1])) for row in rows)

    def _changes(self) -> Changes:
        query = queries.CHANGES if self._has("knowledge", "approval") else queries.CHANGES_THEN
        rows = self._ask("knowledge", "evolution", query)
        number, last = rows[0][-2:] if rows else (0, None)
        return Changes(tuple(Change(*row[:-2]) for row in rows), number, last)

    def _evolutions(self) -> tuple[Evolution, ...]:
        rows = self._ask("knowledge", "evolution", queries.EVOLUTIONS)
        return tuple(
            Evolution(region, _utc(as_of), evolution_report.folder(self._home, run).name) for region, as_of, run in rows
        )

    def _ask(self, schema: str, table: str, query: str, *values: object) -> list[Any]:
        """Run a query on a table; before its stage has run for the first time there is none, hence no rows."""
        if not self._has(schema, table):
            return []
        with self._lock:
            return self._query(query, *values)

    def _has(self, schema: str, table: str) -> bool:
        with self._lock:
            present = self._query(
                "SELECT 1 FROM information_schema.tables"
                " WHERE table_catalog = 'lake' AND table_schema = ? AND table_name = ?",
                schema,
                table,
            )
        return bool(present)

    def _query(self, query: str, *values: object) -> list[Any]:
        return self._connection().execute(query, list(values)).fetchall()

    def _connection(self) -> duckdb.DuckDBPyConnection:
        if self._lake is None:
            self._lake = lake.connect(self._home, threads=1)
        return self._lake


def _champions(versions: Sequence[Version]) -> tuple[Version, ...]:
    """Return the newest version of each region that became champion when it was registered."""
    newest: dict[str, Version] = {}
    for version in versions:
        if version.is_champion:
            newest.setdefault(version.region, version)
    return tuple(newest.values())


def _utc(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC)
