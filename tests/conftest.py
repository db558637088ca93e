"""Fixtures that more than one room needs."""

import gc
import itertools
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import psycopg
import pytest

# Importing anything of Airflow makes its home folder; doctests of adapters do so before any fixture runs. Each process
# of a suite that runs in several has its own.
os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="headwater-airflow-")

# As many processes as cores run tests. A second thread would find no core of its own, and those of BLAS and of DuckDB
# (which asks this variable of a cluster) do not sleep while they wait.
for variable in ("OMP_NUM_THREADS", "SLURM_CPUS_ON_NODE"):
    os.environ.setdefault(variable, "1")

from headwater.adapters import lake, postgres  # noqa: E402
from headwater.adapters.home import Home  # noqa: E402

# Examples take longer on a slower machine: how long says nothing.
hypothesis.settings.register_profile("patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("patient")

# A program that tests start; alone it is on its own path, and only there does it find its neighbour.
collect_ignore = ["content/dag_faults.py"]

PROJECT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("HEADWATER_DATA") or PROJECT.parent / "shared" / "data")


def pytest_collection_finish() -> None:
    """Keep all that was imported until the end: the collector need not walk through it again and again."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    """Drop the log handlers that Airflow installs: at exit they would write to streams that pytest has closed."""
    logging.root.handlers.clear()


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """Start one embedded PostgreSQL for all tests and give its libpq keywords."""
    # The server's own user must reach its folder, which pytest's private temporary folders do not allow.
    root = Path(tempfile.mkdtemp(prefix="headwater-test-"))
    holder = Home(root=root, project=PROJECT)
    dsn = postgres.start(holder)
    with psycopg.connect(dsn, dbname="postgres", autocommit=True) as connection:
        # Nothing here outlives the tests, so nothing has to survive a power cut.
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            connection.execute(f"alter system set {setting} = off")
        connection.execute("select pg_reload_conf()")
    yield dsn
    postgres.stop(holder)
    shutil.rmtree(root)


EMPTY_LAKE = "lake_as_opened_first"


@pytest.fixture(scope="session")
def empty_lake(server: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Keep the catalog that a first opening makes: to copy it takes a tenth of making it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(postgres.DSN_VARIABLE, server)
        _empty(server)
        made = Home(tmp_path_factory.mktemp("empty"), PROJECT).create()
        postgres.prepare(made)
        lake.connect(made, threads=1).close()
        with psycopg.connect(server, dbname="postgres", autocommit=True) as connection:
            connection.execute(f"create database {EMPTY_LAKE} template lake")
    return EMPTY_LAKE


@pytest.fixture
def unopened(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """Give an installation of its own: new databases, of which none is a lake yet, this project's content."""
    monkeypatch.setenv("HEADWATER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HEADWATER_PROJECT", str(PROJECT))
    monkeypatch.setenv(postgres.DSN_VARIABLE, server)
    _empty(server)
    made = Home.from_environment().create()
    postgres.prepare(made)
    return made


@pytest.fixture
def home(empty_lake: str, unopened: Home, server: str) -> Home:
    """Give an installation of its own with an empty lake, as it is when it was opened once."""
    with psycopg.connect(server, dbname="postgres", autocommit=True) as connection:
        connection.execute("drop database lake with (force)")
        connection.execute(f"create database lake template {empty_lake}")
    with postgres.connect(unopened, "lake") as catalog:
        data = f"{unopened.lake_data}/"
        catalog.execute("update ducklake_metadata set value = %s where key = 'data_path'", (data,))
    return unopened


@pytest.fixture(scope="session")
def new_versions(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], str]:
    """Give a maker of empty stores of versions: to make one anew takes a second, to copy it nothing."""
    folder = tmp_path_factory.mktemp("versions")
    first = folder / "first.db"
    # MLflow takes seconds to be imported, which tests without versions should not pay.
    from headwater.adapters import mlflow

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{first}")
        mlflow.client(Home(folder, PROJECT))
    numbers = itertools.count()

    def copied() -> str:
        return f"sqlite:///{shutil.copyfile(first, folder / f'{next(numbers)}.db')}"

    return copied


@pytest.fixture(scope="module")
def databases(server: str) -> Iterator[str]:
    """Give the server without any database of an installation, for one that all tests of a module share."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(postgres.DSN_VARIABLE, server)
        with psycopg.connect(server, dbname="postgres", autocommit=True) as connection:
            for database in postgres.DATABASES:
                connection.execute(f'drop database if exists "{database}" with (force)')
        yield server


def _empty(server: str) -> None:
    with psycopg.connect(server, dbname="postgres") as connection:
        held = {row[0] for row in connection.execute("select datname from pg_database")} & set(postgres.DATABASES)
    for database in held:
        with psycopg.connect(server, dbname=database, autocommit=True) as connection:
            # Dropping what is inside is ten times faster than making a database.
            others = (
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s and pid <> pg_backend_pid()"
            )
            connection.execute(others, (database,))
            schemas = "select nspname from pg_namespace where nspname !~ '^(pg_|information_schema)'"
            for (schema,) in connection.execute(schemas).fetchall():
                connection.execute(f'drop schema "{schema}" cascade')
            connection.execute("create schema public")


@pytest.fixture
def data() -> Path:
    """Give the folder of real data sets, or say that the test was skipped for lack of it."""
    if not DATA.is_dir():
        pytest.skip(f"needs the real data sets in {DATA}; set HEADWATER_DATA to their folder")
    return DATA
