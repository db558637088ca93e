"""Bench ``claims``: landing and building against the traditional way; same files, same database, same rows."""

import shutil
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import sqlalchemy as sa

from headwater.adapters import dbt, lake, postgres
from headwater.adapters.home import Home
from headwater.bench.figures import Figure, Size, report
from headwater.bench.traditional import load_fee_lines, short_rows
from headwater.claims.contract import TableContract
from headwater.content.contracts import contract_files, read_contracts
from headwater.simulation import simulate
from headwater.steps.land import land, sources

__all__ = ["run"]

_STAYS = {"ci": 4_000, "full": 40_000}
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
    """Run the bench on the fee lines of a simulated region (synthetic data) in a home of its own.

    Headwater's side lands them, builds the fee-line mart and runs its tests; the traditional side loads the same files
    into one table.
    """
    project = Home.from_environment().project
    root = Path(tempfile.mkdtemp(prefix="headwater-bench-"))
    home = Home(root=root, project=project).create()
    try:
        simulate(home.deliveries, hospitals=4, months=6, stays=_STAYS[size], seed=_SEED)
        tables, files = _fee_lines(home)
        postgres.prepare(home)
        # Both sides start warm: modules imported, the dbt project parsed once, as on any day but the first.
        dbt.run(home, command="seed")
        ours, rows = _ours(home)
        theirs, written = _theirs(home, tables, files)
        figure = _compare(home, rows, written, ours, theirs)
    finally:
        postgres.stop(home)
        shutil.rmtree(root, ignore_errors=True)
    return report("claims", size, {"R1": figure}, project=project)


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


def _ours(home: Home) -> tuple[float, int]:
    started = time.perf_counter()
    landed = land(home, deliveries=home.deliveries, now=_NOW)
    dbt.run(home, command="build", select="+fct_fee_line stg_claims__front_page")
    seconds = time.perf_counter() - started
    lines = [result.counts for result in landed.files if result.entity == "fee_line" and result.counts]
    return seconds, sum(counts.rows_in for counts in lines)


def _theirs(home: Home, tables: dict[str, TableContract], files: dict[str, list[Path]]) -> tuple[float, int]:
    short = {file: short_rows(file, tables[name]) for name, listed in files.items() for file in listed}
    engine = sa.create_engine(postgres.url(home, "headwater"))
    started = time.perf_counter()
    written = load_fee_lines(tables, files, engine, short=short, late=f"{_NOW:%Y-%m-%d}")
    seconds = time.perf_counter() - started
    engine.dispose()
    return seconds, written


def _compare(home: Home, rows: int, written: int, ours: float, theirs: float) -> Figure:
    with lake.connect(home) as connection:
        connection.execute(f"ATTACH '{postgres.dsn(home, 'headwater')}' AS pg (TYPE postgres, READ_ONLY)")
        held = {row[0] for row in connection.execute("DESCRIBE pg.public.fee_line").fetchall()}
        columns = [name for name in _COMPARED if name in held]
        for name, relation in (("mine", "lake.raw.fee_line"), ("other", "pg.public.fee_line")):
            values = ", ".join(
                f'CAST("{column}" AS {_TYPES.get(column, "VARCHAR")}) AS "{column}"' for column in columns
            )
            connection.execute(f"CREATE TEMP TABLE {name} AS SELECT {values} FROM {relation}")
        unequal = _unequal_rows(connection)
        distances = {column: _distance(connection, column) for column in columns}
        built = connection.execute("SELECT count(*) FROM lake.marts.fct_fee_line").fetchone()
    ratio = theirs / ours
    same = unequal == 0 and max(distances.values()) == 0 and built is not None and built[0] == written
    return Figure(
        value=ratio,
        unit="x rows/s",
        goal=">= 5",
        holds=ratio >= 5 and same,
        baseline={"pandas_to_sql": 1.0},
        n=rows,
        note="fee lines of a synthetic region; headwater's time includes the mart and its tests; both warm",
        also={
            "rows_unequal": unequal,
            "largest_column_distance": max(distances.values()),
            "rows_built": built[0] if built else None,
            "rows_written_by_pandas": written,
            "seconds": {"headwater": round(ours, 2), "pandas": round(theirs, 2)},
        },
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
