"""A deterministic feature mart with known faults, for every test that values, joins or follows sources."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from headwater.adapters import audit, evolved, knowledge, lake, postgres
from headwater.adapters.home import Home

PROJECT = Path(__file__).resolve().parents[2]


def region_table(
    *, seed: int = 7, hospitals: int = 10, months: int = 16, stays_a_month: int = 100, region: str = "楚源省"
) -> pa.Table:
    """Return ``feat_stay_cost`` of an invented region whose sources' faults are known.

    H01 is tiny; H02 delivers noise; H03 bills twice as much as the others; H04's costs follow other rules altogether;
    H05 turns to noise in the second half; H06 is silent in the third quarter of the months.
    """
    rng = np.random.default_rng(seed)
    n = hospitals * months * stays_a_month
    where, when = rng.integers(1, hospitals + 1, n), rng.integers(0, months, n)
    silent = (where == 6) & (when >= months // 2) & (when < 3 * months // 4)
    kept = ~((where == 1) & (rng.random(n) < 0.9)) & ~silent
    where, when = where[kept], when[kept]
    n = len(where)
    chapter, category = rng.integers(0, 20, n), rng.integers(0, 9, n)
    days, operations = np.maximum(1, rng.gamma(2.0, 4.0, n)).round(), rng.poisson(0.6, n)
    by_chapter, by_category = rng.normal(0, 0.35, 20), rng.normal(0, 0.25, (20, 9))
    by_operation, other_chapter = rng.normal(0.4, 0.4, 12), rng.normal(0, 0.5, 20)
    operation = np.where(operations > 0, rng.integers(0, 12, n), -1)
    age, level = rng.normal(55, 20, n).clip(0, 99).round(), 1 + where % 3
    fair = 7.4 + 0.25 * level + 0.75 * np.log1p(days) + 0.004 * age + 0.15 * operations
    fair += by_chapter[chapter] + by_category[chapter, category]
    fair += np.where(operation >= 0, by_operation[operation], 0.0) + rng.normal(0, 0.35, n)
    noisy = (where == 2) | ((where == 5) & (when >= months // 2))
    billed = np.where(noisy, rng.normal(9.4, 1.6, n), np.where(where == 3, fair + 0.7, fair))
    billed = np.where(where == 4, 10.5 - 0.5 * np.log1p(days) + other_chapter[chapter], billed)
    # The bureau's own sample is audited: its costs are what they ought to be.
    audited = rng.random(n) < 0.10
    cost = np.exp(np.where(audited, fair, billed)).round(2)
    part = rng.choice(["target_train", "target_valid", "target_test"], n, p=[0.10, 0.45, 0.45])
    letters = np.array(list("ABCDEFGHIJKLMNOPQRST"))[chapter]
    return pa.table(
        {
            "stay_id": [f"s{k:07d}" for k in range(n)],
            "source_id": [f"h{w:02d}" for w in where],
            "hospital": [f"H{w:02d}" for w in where],
            "city": np.where(where <= 5, "江城市", "云泽市"),
            "region": [region] * n,
            "month": [date(2024 + int(m) // 12, 1 + int(m) % 12, 1) for m in when],
            "split": np.where(audited, part, "source"),
            "cost": pa.array(cost).cast(pa.decimal128(18, 2), safe=False),
            "currency": ["CNY"] * n,
            "log_cost": np.log(cost),
            "age": age,
            "is_male": rng.integers(0, 2, n).astype(float),
            "log_days": np.log1p(days),
            "diagnosis_count": (1 + rng.poisson(2, n)).astype(float),
            "operation_count": operations.astype(float),
            "is_emergency": rng.integers(0, 2, n).astype(float),
            "is_dead": (rng.random(n) < 0.01).astype(float),
            "is_employee": rng.integers(0, 2, n).astype(float),
            "hospital_level": level.astype(float),
            "diagnosis_chapter": letters,
            "diagnosis_category": [f"{a}{k:02d}" for a, k in zip(letters, category, strict=True)],
            "operation_category": np.where(operation >= 0, [f"{o:04d}" for o in operation + 3000], ""),
        }
    )


def write_mart(home: Home, table: pa.Table) -> int:
    """Put ``table`` into the lake as ``marts.feat_stay_cost``, its hospitals beside it, and return the snapshot.

    Where it has ``psn_no``, front pages that tell of which person a stay is stand there as well.
    """
    is_told = "psn_no" in table.column_names
    with lake.connect(home) as connection:
        if is_told:
            connection.register("front", table.select(["stay_id", "psn_no"]))
            connection.execute("CREATE OR REPLACE TABLE lake.marts.fct_stay AS SELECT * FROM front")
        connection.register("feat", table.drop_columns(["psn_no"]) if is_told else table)
        connection.execute("CREATE OR REPLACE TABLE lake.marts.feat_stay_cost AS SELECT * FROM feat")
        connection.execute(
            "CREATE OR REPLACE TABLE lake.marts.dim_hospital AS SELECT DISTINCT "
            "source_id, hospital AS fixmedins_code, city, region, currency, 'synthetic' AS origin FROM feat"
        )
        return lake.snapshot(connection)


@pytest.fixture(scope="session")
def make_region() -> Callable[..., pa.Table]:
    """Give the maker of feature marts with known faults."""
    return region_table


@pytest.fixture(scope="session")
def put_mart() -> Callable[[Home, pa.Table], int]:
    """Give the writer of a feature mart."""
    return write_mart


@pytest.fixture(scope="session")
def installation() -> Iterator[Home]:
    """Give an installation with a server, lake and MLflow of its own, whose mart has a region for every room of tests.

    ``值``, ``汇``, ``演`` and ``划`` are whole; in ``缺`` H07's ages are no numbers; ``坏`` is whole; ``短`` has three
    months; ``静`` is never valued; ``甲`` and ``乙`` are the same in every row and followed alone.
    """
    patch = pytest.MonkeyPatch()
    for variable in (postgres.DSN_VARIABLE, "MLFLOW_TRACKING_URI"):
        patch.delenv(variable, raising=False)
    # The server's own user must reach its folder, which pytest's private temporary folders do not allow.
    home = Home(root=Path(tempfile.mkdtemp(prefix="headwater-unit-")), project=PROJECT).create()
    postgres.prepare(home)
    regions = [region_table(region=name) for name in "值汇演坏静划甲乙"]
    write_mart(home, pa.concat_tables([*regions, _without_ages("缺"), region_table(region="短", months=3)]))
    yield home
    postgres.start(home)
    postgres.stop(home)
    shutil.rmtree(home.root)
    patch.undo()


@pytest.fixture(scope="module")
def region_home(installation: Home) -> Home:
    """Give it with ledger, revealed sums, withdrawals and audit log as on its first day, whatever other files did."""
    with postgres.connect(installation, autocommit=True) as connection:
        # What refuses this in earnest are triggers, which a superuser can leave out.
        connection.execute("set session_replication_role = replica")
        spent = ("privacy_entry", "privacy_balance", "revealed_sum", "revealed_records", "audit")
        connection.execute(f"truncate {', '.join(f'ops.{table}' for table in spent)}")
        connection.execute("update ops.audit_peaks set size = 0, hashes = '', signature = %s", (audit.NONE,))
    with lake.connect(installation) as connection:
        knowledge.prepare(installation, connection)
        connection.execute("DELETE FROM lake.knowledge.withdrawal")
    return installation


@pytest.fixture(scope="module")
def unfollowed(region_home: Home) -> Home:
    """Give it with no month followed yet, whatever tests of other files followed."""
    with lake.connect(region_home) as connection:
        evolved.prepare(region_home, connection)
        for table in evolved.TABLES:
            connection.execute(f"DELETE FROM lake.knowledge.{table}")
    return region_home


def _without_ages(region: str) -> pa.Table:
    table = region_table(region=region)
    theirs = pc.and_(pc.equal(table["hospital"], "H07"), pc.equal(table["split"], "source"))
    ages = pc.if_else(theirs, float("nan"), table["age"])
    return table.set_column(table.column_names.index("age"), "age", ages)
