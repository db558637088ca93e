"""A state comes back as it was, and a comparison sees one line too many, too few or changed."""

from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest

from headwater.adapters import lake, postgres
from headwater.adapters.home import Home
from headwater.bench.states import States, content, differences, misplaced_lines
from headwater.steps.land import land

CONTRACT = """
version: 2
sources:
  - name: t1
    config:
      meta:
        title: {zh: 测试医院, en: Test hospital}
        owner: it
        origin: synthetic
        currency: CNY
        deliveries: t1
    tables:
      - name: drug
        config: {meta: {files: "drugs_*.csv", columns: {medins_list_codg: code, medins_list_name: name}}}
"""


@pytest.fixture
def landed(home: Home) -> Iterator[Home]:
    folder = home.deliveries / "contracts" / "t1"
    folder.mkdir(parents=True)
    (folder / "_t1.yml").write_text(CONTRACT, encoding="utf-8")
    (home.deliveries / "t1").mkdir()
    (home.deliveries / "t1" / "drugs_1.csv").write_text("code,name\na,x\nb,y\n", encoding="utf-8")
    land(home, deliveries=home.deliveries, now=datetime(2026, 6, 30, tzinfo=UTC))
    yield home
    with psycopg.connect(postgres.dsn(home, "postgres"), autocommit=True) as connection:
        for database in ("headwater", "lake"):
            connection.execute(f"drop database if exists kept_{database}")


def test_a_state_comes_back(landed: Home) -> None:
    before, states = content(landed), States(landed)
    assert before["raw.drug"].startswith("2 rows")
    states.save("kept")
    for _ in range(2):
        with lake.connect(landed) as connection:
            connection.execute("DELETE FROM lake.raw.drug")
        with postgres.connect(landed) as register:
            register.execute("delete from ops.batch")
        assert [line.partition(":")[0] for line in differences(content(landed), before)] == ["ops.batch", "raw.drug"]
        states.restore("kept")
        assert differences(content(landed), before) == []


@pytest.mark.parametrize(
    ("statement", "misplaced"),
    [
        ("INSERT INTO lake.raw.drug SELECT * FROM lake.raw.drug LIMIT 1", 1),
        ("DELETE FROM lake.raw.drug WHERE medins_list_codg = 'A'", 1),
        ("UPDATE lake.raw.drug SET medins_list_name = 'z' WHERE medins_list_codg = 'A'", 0),
    ],
)
def test_the_comparison_sees_a_line(landed: Home, statement: str, misplaced: int) -> None:
    before = content(landed)
    assert misplaced_lines(landed) == 0
    with lake.connect(landed) as connection:
        connection.execute(statement)
    assert [line.partition(":")[0] for line in differences(content(landed), before)] == ["raw.drug"]
    assert misplaced_lines(landed) == misplaced


def test_times_of_the_clock_do_not_count(landed: Home) -> None:
    before = content(landed)
    with postgres.connect(landed) as register:
        register.execute("update ops.batch set landed_at = now() - interval '1 day', snapshot_id = 1")
    assert differences(content(landed), before) == []
