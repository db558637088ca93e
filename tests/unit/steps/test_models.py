"""Versions are read as the lake has them, also where an earlier version wrote it."""

from datetime import datetime

import pytest

from headwater.adapters import knowledge, lake, versions, withdrawals
from headwater.steps.models import detail

LATER = {
    "withdrawal": {"records", "looked", "revokes", "signed_by", "why"},
    "model_version": {"opponent", "withdrawn", "is_held", "body", "exact", "entry"},
    "member": {"months"},
}
"""Columns that were added since."""
AT = {"run": "r", "task": "stay_cost", "region": "旧", "as_of": datetime(2025, 1, 1), "snapshot": 1}
NAME = "stay_cost-旧"


def made(home, *tables):
    """Make knowledge tables as an earlier version made them: one version of two members, of whom one withdrew."""
    with lake.connect(home, threads=1) as connection:
        connection.execute("CREATE SCHEMA IF NOT EXISTS lake.knowledge")
        for table in tables:
            columns = {name: kind for name, kind in knowledge.TABLES[table].items() if name not in LATER.get(table, ())}
            body = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
            connection.execute(f"CREATE TABLE lake.knowledge.{table} ({body})")
            for row in ROWS.get(table, ()):
                knowledge.insert(connection, table, [AT | row], columns=columns)


ROWS = {
    "model_version": [{"name": NAME, "version": 1, "model": "m", "step": "evolve", "sources": ["H1", "H2"]}],
    "member": [{"name": NAME, "version": 1, "source": source} for source in ("H1", "H2")],
    "withdrawal": [{"source": "H1", "stays": [], "members": ["H1"], "entry": 5}],
}


@pytest.fixture
def registry(monkeypatch, versions):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", versions)


def test_a_lake_of_an_earlier_version_is_read_as_it_is(home, registry):
    made(home, "model_version", "member", "withdrawal")
    with lake.connect(home, threads=1) as connection:
        before = lake.snapshot(connection)
    found = detail(home, f"{NAME}/1")
    assert (found.listed.withdrawn, found.listed.line.opponent, found.served) == (("H1",), None, ())
    assert [(one.source, one.months) for one in found.members] == [("H1", ()), ("H2", ())]
    with lake.connect(home, threads=1) as connection:
        assert lake.snapshot(connection) == before, "it was read, not mended"
        assert withdrawals.left(connection, region="旧", snapshot=before).sources == {"H1"}
        (known,) = withdrawals.in_force(connection, source="H1", person=None, stay=None)
        assert (known.entry, known.records) == (5, ())
        (stands,) = withdrawals.standing(connection)
        assert [one.label for one in versions.lines(connection)] == [f"{NAME}/1"]
        # What is added says nothing, so that the digest is the same before and after.
        knowledge.prepare(home, connection)
        assert withdrawals.standing(connection) == [stands]


def test_before_anything_withdrew_there_is_nothing_to_read_of_it(home, registry):
    made(home, "model_version")
    found = detail(home, f"{NAME}/1")
    assert (found.listed.withdrawn, found.members) == ((), ())
