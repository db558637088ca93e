"""Fixtures that more than one room needs."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from headwater.adapters import postgres
from headwater.adapters.home import Home

PROJECT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("HEADWATER_DATA") or PROJECT.parent / "shared" / "data")


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """Start one embedded PostgreSQL for all tests and give its libpq keywords."""
    # The server's own user must reach its folder, which pytest's private temporary folders do not allow.
    root = Path(tempfile.mkdtemp(prefix="headwater-test-"))
    holder = Home(root=root, project=PROJECT)
    yield postgres.start(holder)
    postgres.stop(holder)
    shutil.rmtree(root)


@pytest.fixture
def home(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """Give an installation of its own: new databases, an empty lake, this project's content."""
    monkeypatch.setenv("HEADWATER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HEADWATER_PROJECT", str(PROJECT))
    monkeypatch.setenv(postgres.DSN_VARIABLE, server)
    with psycopg.connect(server, dbname="postgres", autocommit=True) as connection:
        for database in postgres.DATABASES:
            connection.execute(f'drop database if exists "{database}" with (force)')
    made = Home.from_environment().create()
    postgres.prepare(made)
    return made


@pytest.fixture
def data() -> Path:
    """Give the folder of real data sets, or say that the test was skipped for lack of it."""
    if not DATA.is_dir():
        pytest.skip(f"needs the real data sets in {DATA}; set HEADWATER_DATA to their folder")
    return DATA
