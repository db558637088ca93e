"""The embedded server, and the addresses made for others."""

import shutil
import tempfile
from pathlib import Path

import psycopg
import pytest

from headwater.adapters import postgres
from headwater.adapters.home import Home


def test_the_embedded_server_starts_keeps_data_and_stops(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv(postgres.DSN_VARIABLE, raising=False)
    root = Path(tempfile.mkdtemp(prefix="headwater-test-"))
    home = Home(root=root, project=root)
    try:
        postgres.prepare(home)
        postgres.prepare(home)
        with postgres.connect(home) as connection:
            assert connection.execute("select count(*) from ops.batch").fetchone() == (0,)
            connection.execute("create table kept as select 1 as x")
        postgres.stop(home)
        assert not (home.pgdata / "postmaster.pid").exists()
        with postgres.connect(home) as connection:
            assert connection.execute("select x from kept").fetchone() == (1,)
    finally:
        postgres.stop(home)
        shutil.rmtree(root)


@pytest.mark.parametrize(
    ("dsn", "url"),
    [
        ("host=/run/pg user=postgres", "postgresql+psycopg://postgres@/lake?host=/run/pg"),
        ("host=db port=5433 user=u password=p@ss", "postgresql+psycopg://u:p%40ss@db:5433/lake"),
    ],
)
def test_urls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, dsn: str, url: str):
    monkeypatch.setenv(postgres.DSN_VARIABLE, dsn)
    assert postgres.url(Home(root=tmp_path, project=tmp_path), "lake") == url


def test_every_database_exists_after_prepare(home: Home):
    for database in postgres.DATABASES:
        with psycopg.connect(postgres.dsn(home, database)) as connection:
            assert connection.execute("select current_database()").fetchone() == (database,)


def test_what_is_there_is_not_laid_again_beside_who_works_with_it(home: Home, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PGOPTIONS", "-c lock_timeout=100ms")
    with postgres.connect(home) as debit:
        debit.execute("lock table ops.privacy_balance, ops.revealed_sum in share row exclusive mode")
        postgres.prepare(home)
        # Its twin, which lays the schema again, would wait for the debit, which waits for the audit log.
        with postgres.connect(home) as other, pytest.raises(psycopg.errors.LockNotAvailable):
            other.execute(postgres._SCHEMA)


def test_a_schema_of_another_version_is_brought_up_to_date(home: Home):
    with postgres.connect(home) as connection:
        connection.execute("drop table ops.revealed_sum; comment on schema ops is 'an earlier one'")
    postgres.prepare(home)
    with postgres.connect(home) as connection:
        assert connection.execute("select count(*) from ops.revealed_sum").fetchone() == (0,)
