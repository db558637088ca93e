"""Bench ``claims``: landing and building against the traditional way; same files, same database, same rows."""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import sqlalchemy as sa

from headwater.adapters import dbt, lake, postgres
from headwater.adapters.home import Home
from headwater.bench.figures import Figure, Size, report
from headwater.bench.proposals import proposal_figure
from headwater.bench.traditional import load_fee_lines, make_mart, short_rows
from headwater.claims.contract import TableContract
from headwater.content.contracts import contract_files, read_contracts
from headwater.simulation import simulate
from headwater.steps.land import land, sources

__all__ = ["Measured", "measure", "run"]

_STAYS = {"ci": 4_000, "full": 40_000}
_MORE = 10
_SEED = 20260601
_NOW = datetime(2030, 1, 1, tzinfo=UTC)
_COMPARED = (
    *("source_id", "mdtrt_id", "feedetl_sn", "fee_ocur_time", "med_list_codg", "medins_list_codg", "medins_list_name"),
    *("med_chrgitm_type", "chrgitm_lv", "cnt", "pric", "det_item_fee_sumamt", "selfpay_prop", "bilg_dept_name"),
)
_TYPES = {
    "fee_ocur_time": "TIMESTAMP",
    "cnt": "DECIMAL(18,4)",
    "pric": "DECIMAL(18,6)",
    "det_item_fee_sumamt": "DECIMAL(18,2)",
    "selfpay_prop": "DECIMAL(9,6)",
}


def run(size: Size, *, data: Path | None = None) -> dict[str, Any]:
    """Run the bench on the fee lines of a simulated region (synthetic data) in homes of their own.

    Headwater's side lands them, builds the fee-line mart and runs its tests; the traditional side loads the same files
    into one table, and makes the same mart of it.
    """
    project = Home.from_environment().project
    with _home(project, _STAYS[size]) as home:
        tables, files = _fee_lines(home)
        ours = _measured(home)
        theirs, written = _theirs(home, tables, files)
        compared = _compare(home, written)
    with _home(project, _STAYS[size] * _MORE) as home:
        _fee_lines(home)
        larger = _measured(home)
    speed = _speed(ours, theirs, compared, goal=5)
    full = _speed(ours, theirs, compared, goal=10)
    figures = {"R1": speed, "Q1": _scaled(full, ours, larger), "T1": proposal_figure(size)}
    return report("claims", size, figures, project=project)


@dataclass(frozen=True)
class Measured:
    """One run of headwater's side: fee lines that came, wall time, and the peak memory of its process."""

    rows: int
    land_seconds: float
    build_seconds: float
    memory_mib: int

    @property
    def seconds(self) -> float:
        """Wall time of landing and building."""
        return self.land_seconds + self.build_seconds


@contextmanager
def _home(project: Path, stays: int) -> Iterator[Home]:
    root = Path(tempfile.mkdtemp(prefix="headwater-bench-"))
    home = Home(root=root, project=project).create()
    try:
        simulate(home.deliveries, hospitals=4, months=6, stays=stays, seed=_SEED)
        postgres.prepare(home)
        yield home
    finally:
        postgres.stop(home)
        shutil.rmtree(root, ignore_errors=True)


def _measured(home: Home) -> Measured:
    """Run headwater's side in a process of its own, so that its memory is nothing else's."""
    code = "import sys; from headwater.bench.claims import measure; measure(sys.argv[1])"
    environment = {**os.environ, "HEADWATER_HOME": str(home.root), "HEADWATER_PROJECT": str(home.project)}
    done = subprocess.run(
        [sys.executable, "-c", code, str(home.deliveries)], env=environment, stdout=subprocess.PIPE, check=True
    )
    return Measured(**json.loads(done.stdout.splitlines()[-1]))


def measure(deliveries: str) -> None:
    """Land and build what lies in a folder, and print what it took as one line of JSON."""
    home = Home.from_environment()
    # Both sides start warm: modules imported, the dbt project parsed once, as on any day but the first.
    dbt.run(home, command="seed")
    started = time.perf_counter()
    landed = land(home, deliveries=Path(deliveries), now=_NOW)
    middle = time.perf_counter()
    dbt.run(home, command="build", select="+fct_fee_line stg_claims__front_page")
    ended = time.perf_counter()
    lines = [result.counts for result in landed.files if result.entity == "fee_line" and result.counts]
    found = Measured(
        rows=sum(counts.rows_in for counts in lines),
        land_seconds=middle - started,
        build_seconds=ended - middle,
        memory_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    )
    sys.stdout.write(json.dumps(asdict(found)) + "\n")


def _fee_lines(home: Home) -> tuple[dict[str, TableContract], dict[str, list[Path]]]:
    """Return the fee-line contract and files of every source, and remove all other files."""
    contracts = read_contracts(contract_files(home.project, home.deliveries))
    tables, files = {}, {}
    for name in sources(home, home.deliveries):
        folder = home.deliveries / contracts[name].deliveries
        table = next(table for table in contracts[name].tables if table.entity.name == "fee_line")
        tables[name], files[name] = table, sorted(folder.glob(table.files))
        for file in set(folder.iterdir()) - set(files[name]):
            file.unlink()
    return tables, files


def _theirs(home: Home, tables: dict[str, TableContract], files: dict[str, list[Path]]) -> tuple[float, int]:
    short = {file: short_rows(file, tables[name]) for name, listed in files.items() for file in listed}
    engine = sa.create_engine(postgres.url(home, "headwater"))
    groups = pd.read_csv(home.project / "dbt_project" / "seeds" / "charge_category.csv", dtype=str)
    started = time.perf_counter()
    written = load_fee_lines(tables, files, engine, short=short, late=f"{_NOW:%Y-%m-%d}")
    make_mart(engine, groups)
    seconds = time.perf_counter() - started
    engine.dispose()
    return seconds, written


def _compare(home: Home, written: int) -> dict[str, float]:
    """Compare the rows of both sides: unequal ones, the largest distance of a column, and whether all were built."""
    with lake.connect(home) as connection:
        connection.execute(f"ATTACH '{postgres.dsn(home, 'headwater')}' AS pg (TYPE postgres, READ_ONLY)")
        held = {row[0] for row in connection.execute("DESCRIBE pg.public.fee_line").fetchall()}
        columns = [name for name in _COMPARED if name in held]
        for name, relation in (("mine", "lake.raw.fee_line"), ("other", "pg.public.fee_line")):
            values = ", ".join(
                f'CAST("{column}" AS {_TYPES.get(column, "VARCHAR")}) AS "{column}"' for column in columns
            )
            connection.execute(f"CREATE TEMP TABLE {name} AS SELECT {values} FROM {relation}")
        built = connection.execute("SELECT count(*) FROM lake.marts.fct_fee_line").fetchone()
        return {
            "rows_unequal": _unequal_rows(connection),
            "largest_column_distance": max(_distance(connection, column) for column in columns),
            "rows_built": built[0] if built else -1,
            "rows_written_by_pandas": written,
        }


def _speed(ours: Measured, theirs: float, compared: dict[str, float], *, goal: int) -> Figure:
    ratio = theirs / ours.seconds
    same = compared["rows_unequal"] == 0 and compared["largest_column_distance"] == 0
    same = same and compared["rows_built"] == compared["rows_written_by_pandas"]
    return Figure(
        value=ratio,
        unit="x rows/s",
        goal=f">= {goal}",
        holds=ratio >= goal and same,
        baseline={"pandas_to_sql": 1.0},
        n=ours.rows,
        note="fee lines of a synthetic region; both sides load and make the mart; headwater's time includes quarantine "
        "with reasons, cleaning records and the mart's tests; both warm",
        also={
            **compared,
            "seconds": {"land": ours.land_seconds, "build": ours.build_seconds, "pandas": theirs},
            "memory_mib": ours.memory_mib,
        },
    )


def _scaled(figure: Figure, ours: Measured, larger: Measured) -> Figure:
    """Add how time for a row and memory grow with ten times the rows."""
    growth = (larger.seconds / larger.rows) / (ours.seconds / ours.rows)
    also = {
        **figure.also,
        "rows_larger": larger.rows,
        "seconds_larger": {"land": larger.land_seconds, "build": larger.build_seconds},
        "time_per_row_growth": growth,
        "memory_mib_larger": larger.memory_mib,
    }
    return replace(
        figure,
        goal="≥ 10, time per row at ten times the rows ≤ 1.2 times, memory ≤ 4 GiB",
        holds=figure.holds and growth <= 1.2 and larger.memory_mib <= 4096,
        also=also,
    )


def _unequal_rows(connection: duckdb.DuckDBPyConnection) -> int:
    """Count rows of either side whose hash the other side lacks, with multiplicity."""
    row = "SELECT md5(CAST({} AS VARCHAR)) AS h FROM {}"
    mine, other = row.format("mine", "mine"), row.format("other", "other")
    found = connection.execute(
        f"SELECT (SELECT count(*) FROM ({mine} EXCEPT ALL {other})) "
        f"+ (SELECT count(*) FROM ({other} EXCEPT ALL {mine}))"
    ).fetchone()
    return int(found[0]) if found else -1


def _distance(connection: duckdb.DuckDBPyConnection, column: str) -> float:
    """Return the total variation distance of one column's distribution between the two sides."""
    found = connection.execute(
        f'WITH a AS (SELECT "{column}" AS v, count(*) AS n FROM mine GROUP BY 1), '
        f'b AS (SELECT "{column}" AS v, count(*) AS n FROM other GROUP BY 1) '
        "SELECT coalesce(sum(abs(coalesce(a.n, 0) / (SELECT count(*) FROM mine) "
        "- coalesce(b.n, 0) / (SELECT count(*) FROM other))), 0) / 2 "
        "FROM a FULL JOIN b ON a.v IS NOT DISTINCT FROM b.v"
    ).fetchone()
    return float(found[0]) if found else 1.0
