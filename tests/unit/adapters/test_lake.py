"""The lake is opened with extensions whose signatures were proved, and its tables are made once by whoever comes."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import duckdb_extensions
import pytest

from headwater.adapters import lake
from headwater.adapters.home import Home

TABLES = {"one": [("a", "VARCHAR")], "two": [("a", "VARCHAR"), ("b", "BIGINT")]}


def test_an_extension_that_was_altered_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.import_extensions()
    with duckdb.connect() as connection:
        ((installed,),) = connection.execute(
            "SELECT install_path FROM duckdb_extensions() WHERE extension_name = 'ducklake'"
        ).fetchall()
    copy = tmp_path / Path(installed).relative_to(Path.home())
    shutil.copytree(Path(installed).parent, copy.parent)
    with copy.open("r+b") as file:
        file.seek(4096)
        byte = file.read(1)[0]
        file.seek(4096)
        file.write(bytes([byte ^ 1]))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(duckdb_extensions, "import_extension", lambda name: None)
    with pytest.raises(duckdb.IOException, match="signature"):
        lake._import_extensions.__wrapped__()


def test_tables_of_a_schema_are_made_in_one_commit_and_lack_nothing_later(home: Home) -> None:
    with lake.connect(home, threads=1) as connection:
        before = lake.snapshot(connection)
        lake.create_tables(home, connection, schema="raw", tables={**TABLES, "two": TABLES["two"][:1]})
        assert lake.snapshot(connection) == before + 1
        lake.create_tables(home, connection, schema="raw", tables=TABLES)
        lake.create_tables(home, connection, schema="raw", tables=TABLES)
        assert lake.snapshot(connection) == before + 2, "a column was added, and then nothing"
        assert connection.execute("SELECT a, b FROM lake.raw.two").fetchall() == []


def test_many_may_make_the_same_lake_and_tables_at_once(unopened: Home) -> None:
    home = unopened

    def make(_: int) -> int:
        with lake.connect(home, threads=1) as connection:
            lake.create_tables(home, connection, schema="raw", tables=TABLES)
            return len(connection.execute("SELECT * FROM lake.raw.one, lake.raw.two").fetchall())

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(make, range(3))) == [0, 0, 0]
