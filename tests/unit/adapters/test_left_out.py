"""Whoever withdrew is read no more, under whatever name, in whatever region; who revoked it is."""

from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from headwater.adapters import features, knowledge, lake, withdrawals
from headwater.adapters.learners import Ridge
from headwater.content import models
from headwater.errors import Refusal
from headwater.evolution import BASE

AT = {"run": "r", "task": "stay_cost", "as_of": datetime(2026, 1, 5), "snapshot": 1, "stays": []}
LEARNER = Ridge(models.load(Path(__file__).resolve().parents[3] / "models", "stay_cost_ridge"))


@pytest.fixture(scope="module")
def table(make_region):
    return make_region(region="甲", hospitals=5, months=4, stays_a_month=40)


@pytest.fixture
def connection(home, put_mart, table):
    put_mart(home, table)
    with lake.connect(home, threads=1) as opened:
        knowledge.prepare(home, opened)
        yield opened


def enter(home, connection, **row):
    return withdrawals.enter(home, connection, {}, {**AT, "region": "甲", "members": [], **row})


def read(connection, region="甲"):
    return features.read(connection, LEARNER, snapshot=lake.snapshot(connection), region=region)


def changed(table, **columns):
    for name, value in columns.items():
        values = pa.array([value] * table.num_rows, table.schema.field(name).type)
        table = table.set_column(table.column_names.index(name), name, values)
    return table.set_column(0, "stay_id", pa.array([f"x{k}" for k in range(table.num_rows)]))


def test_a_hospital_that_withdrew_by_its_code_does_not_come_back_when_another_delivers_it_too(
    home, connection, put_mart, table
):
    enter(home, connection, source="H03", members=["H03"])
    assert "H03" not in read(connection).cities
    put_mart(home, pa.concat_tables([table, changed(table.filter(pc.equal(table["hospital"], "H03")), source_id="z")]))
    assert sorted(read(connection).cities) == ["H01", "H02", "H04", "H05"]


def test_who_withdrew_of_two_deliverers_stays_out_when_it_is_the_only_one(home, connection, put_mart, table):
    theirs = table.filter(pc.equal(table["hospital"], "H03"))
    put_mart(home, pa.concat_tables([table, changed(theirs, source_id="z")]))
    enter(home, connection, source="z:H03", members=["z:H03"])
    assert sorted(read(connection).cities) == ["H01", "H02", "H04", "H05", "h03:H03"]
    put_mart(
        home, pa.concat_tables([table.filter(pc.not_equal(table["hospital"], "H03")), changed(theirs, source_id="z")])
    )
    assert "H03" not in read(connection).cities


def test_a_person_who_withdrew_is_not_learned_from_in_another_region_later(home, connection, put_mart, table):
    enter(home, connection, person="p")
    elsewhere = changed(table, region="乙")
    put_mart(home, pa.concat_tables([table, elsewhere]))
    front = pa.table({"stay_id": elsewhere["stay_id"], "psn_no": ["p"] * 30 + ["q"] * (elsewhere.num_rows - 30)})
    connection.register("front", front)
    connection.execute("CREATE TABLE lake.marts.fct_stay AS SELECT * FROM front")
    assert read(connection, "乙").data.rows == elsewhere.num_rows - 30
    assert read(connection, "甲").data.rows == table.num_rows


def test_what_was_revoked_is_read_again_and_what_was_made_before_it_knows_what_was_out_then(home, connection, table):
    gone = table["stay_id"].to_pylist()[:9]
    out = enter(home, connection, stays=gone, members=["H01"])
    assert read(connection).data.rows == table.num_rows - 9
    back = enter(home, connection, revokes=out)
    again = read(connection)
    assert (again.data.rows, again.minded_until) == (table.num_rows, back)
    assert withdrawals.members_since(connection, region="甲", since=0) == set()
    assert withdrawals.left(connection, region="甲", snapshot=1, until=out).stays == set(gone)
    assert withdrawals.left(connection, region="甲", snapshot=1).stays == set()


def test_a_hospital_whose_code_is_the_bureaus_name_is_never_taken_for_it(home, connection, put_mart, table):
    other = pc.if_else(pc.equal(table["hospital"], "H02"), BASE, table["hospital"])
    put_mart(home, table.set_column(table.column_names.index("hospital"), "hospital", other))
    found = read(connection)
    assert BASE not in found.cities
    assert "h02:target" in found.cities


def test_without_a_mart_nobody_is_found_and_a_task_is_no_query(home, connection):
    snapshot = lake.snapshot(connection)
    for task in ("none", 'x"; DROP TABLE lake.knowledge.withdrawal --'):
        with pytest.raises(Refusal) as refusal:
            features.hospitals(connection, f"marts.feat_{task}", snapshot=snapshot)
        assert refusal.value.code == "E-FEATURE-MART"
    assert enter(home, connection, source="H01") > 0


def test_what_is_cut_by_a_month_may_be_of_nobody(connection, table):
    months = sorted(set(table["month"].to_pylist()))
    snapshot = lake.snapshot(connection)
    nobody = features.read(connection, LEARNER, snapshot=snapshot, region="甲", only=[])
    cut = features.until(nobody, months[1])
    assert cut.sources == ()
    assert set(cut.target.train["month"].to_pylist()) == set(months[:2])
    with pytest.raises(Refusal):
        features.known_by(nobody, months[1])
