"""The feature mart read as sources and as the bureau's own sample."""

from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from headwater.adapters import features, lake
from headwater.adapters.learners import Ridge
from headwater.content import models
from headwater.errors import Refusal
from headwater.federation import InProcess, ask


@pytest.fixture(scope="module")
def table(make_region):
    return make_region(hospitals=6, months=4, stays_a_month=60)


@pytest.fixture(scope="module")
def learner():
    return Ridge(models.load(Path(__file__).resolve().parents[3] / "models", "stay_cost_ridge"))


@pytest.fixture
def read(home, learner, put_mart):
    def reader(table=None, *, snapshot=None, region=None, **options):
        written = put_mart(home, table) if table is not None else None
        with lake.connect(home) as connection:
            wanted = snapshot or written or lake.snapshot(connection)
            return features.read(connection, learner, snapshot=wanted, region=region, **options)

    return reader


def replaced(table: pa.Table, name: str, values) -> pa.Table:
    column = pa.array(values, table.schema.field(name).type)
    return table.set_column(table.column_names.index(name), name, column)


def test_every_stay_is_a_sources_or_a_small_hospitals_or_the_bureaus(read, table):
    region = read(table, min_stays=50)
    target = region.target
    own = target.train.num_rows + target.valid.num_rows + target.test.num_rows
    assert sum(region.stays.values()) + sum(region.small.values()) + own == table.num_rows == region.data.rows
    assert set(region.small) == {"H01"}
    assert [source.source_id for source in region.sources] == ["H02", "H03", "H04", "H05", "H06"]
    assert {s.source_id: s.describe().records for s in region.sources} == region.stays
    assert region.pooled.describe().records == sum(region.stays.values())
    assert (region.name, region.currency, region.origins) == ("楚源省", "CNY", ("synthetic",))
    assert region.cities["H02"] == "江城市"
    assert region.cities["H06"] == "云泽市"


def test_a_sources_answer_is_about_its_own_stays_only(read, table, learner):
    region = read(table, min_stays=50)
    answers = ask(InProcess(region.sources), learner.asked())
    for source, statistic in answers.statistics.items():
        mine = table.filter(pc.and_(pc.equal(table["hospital"], source), pc.equal(table["split"], "source")))
        assert learner.asked().of(mine) == statistic
    pooled = ask(InProcess([region.pooled]), learner.asked()).statistics["pooled"]
    assert pooled.digest == type(pooled).total(answers.statistics.values()).digest


def test_the_digest_is_of_the_content_and_an_old_snapshot_can_still_be_read(home, read, table):
    first = read(table)
    shuffled = table.take(pa.array(np.random.default_rng(1).permutation(table.num_rows)))
    assert read(shuffled).data.digest == first.data.digest
    costs = table["age"].to_pylist()
    changed = read(replaced(table, "age", [costs[0] + 1, *costs[1:]]))
    assert changed.data.digest != first.data.digest
    assert changed.data.snapshot > first.data.snapshot
    assert read(snapshot=first.data.snapshot).data == first.data


def test_only_the_named_sources_are_read(read, table):
    region = read(table, only=["H02", "H03", "H99"])
    assert sorted(region.stays) == ["H02", "H03"]
    assert region.pooled.describe().records == sum(region.stays.values())


def test_a_code_that_two_deliverers_use_is_qualified(read, table):
    twice = pa.concat_tables([table, replaced(table, "source_id", ["other"] * table.num_rows)])
    twice = replaced(twice, "stay_id", [f"t{k}" for k in range(twice.num_rows)])
    region = read(twice, only=["h02:H02", "other:H02", "H02"])
    assert sorted(region.stays) == ["h02:H02", "other:H02"]


def test_among_several_regions_one_must_be_named(read, table):
    other = replaced(replaced(table, "region", ["RS"] * table.num_rows), "currency", ["BRL"] * table.num_rows)
    other = replaced(other, "stay_id", [f"r{k}" for k in range(other.num_rows)])
    with pytest.raises(Refusal, match="Known: RS, 楚源省") as refusal:
        read(pa.concat_tables([table, other]))
    assert refusal.value.code == "E-FEATURE-REGION"
    assert read(region="RS").currency == "BRL"
    with pytest.raises(Refusal, match="now: Atlantis"):
        read(region="Atlantis")


def test_several_currencies_in_a_region_are_refused(read, table):
    mixed = replaced(table, "currency", ["CNY"] * (table.num_rows - 1) + ["USD"])
    with pytest.raises(Refusal, match="several currencies") as refusal:
        read(mixed)
    assert refusal.value.code == "E-FEATURE-CURRENCY"


def test_an_empty_or_missing_mart_is_refused(home, read, table):
    with pytest.raises(Refusal) as refusal:
        read(table.slice(0, 0))
    assert refusal.value.code == "E-FEATURE-MART"
    with lake.connect(home) as connection:
        connection.execute("DROP TABLE lake.marts.feat_stay_cost")
    with pytest.raises(Refusal, match="headwater build") as refusal:
        read()
    assert refusal.value.code == "E-FEATURE-MART"


def test_a_mart_without_its_register_of_hospitals_is_refused(home, read, table):
    read(table)
    with lake.connect(home) as connection:
        connection.execute("DROP TABLE lake.marts.dim_hospital")
    with pytest.raises(Refusal, match="dim_hospital"):
        read()


def test_what_is_known_by_a_month_is_what_was_there_then(read, table):
    region = read(table, min_stays=50)
    months = sorted(set(table["month"].to_pylist()))
    assert region.newest == months[-1]
    second = features.known_by(region, months[1], min_stays=30)
    for source in second.sources:
        whole = next(one.table for one in region.sources if one.source_id == source.source_id)
        assert source.table == whole.filter(pc.less_equal(whole["month"], months[1]))
        assert second.stays[source.source_id] == source.table.num_rows >= 30
    for part in ("train", "valid", "test"):
        kept, whole = getattr(second.target, part), getattr(region.target, part)
        assert kept == whole.filter(pc.less_equal(whole["month"], months[1]))
    assert second.pooled.table.num_rows == sum(
        source.table.filter(pc.less_equal(source.table["month"], months[1])).num_rows for source in region.sources
    )
    assert set(second.stays).isdisjoint(second.small)
    assert {*second.stays, *second.small} == {*region.stays, *region.small}
    assert features.known_by(region, months[-1]).stays == region.stays


def test_a_month_after_the_newest_or_before_the_first_is_refused(read, table):
    region = read(table, min_stays=50)
    for month in (date(2023, 12, 1), date(2031, 1, 1)):
        with pytest.raises(Refusal) as refusal:
            features.known_by(region, month)
        assert refusal.value.code == "E-FEATURE-MONTH"
