"""The feature mart as sources that only answer questions, and the bureau's own sample beside them."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headwater.adapters import versions, withdrawals
from headwater.adapters.learners import Learner
from headwater.adapters.versions import Line
from headwater.adapters.withdrawals import Left
from headwater.errors import Message, Refusal
from headwater.evolution import BASE
from headwater.federation import TableSource
from headwater.types import SourceId

__all__ = [
    "DataSeen",
    "Region",
    "Target",
    "choose_region",
    "hospitals",
    "known_by",
    "read",
    "read_again",
    "stays_of",
    "tasks",
    "until",
    "where",
]


@dataclass(frozen=True)
class DataSeen:
    """The state of a table that a run read.

    Parameters
    ----------
    table : its name in the lake
    snapshot : the lake's snapshot number
    digest : SHA-256 of the rows read, in hexadecimal, whatever files hold them
    rows : how many
    """

    table: str
    snapshot: int
    digest: str
    rows: int


@dataclass(frozen=True, eq=False)
class Target:
    """The bureau's own audited sample: three tables of one layout that no source sees.

    Parameters
    ----------
    train : joins every model
    valid : values and chooses sources
    test : judges versions, used for nothing else
    """

    train: pa.Table
    valid: pa.Table
    test: pa.Table


@dataclass(frozen=True, eq=False)
class Region:
    """One region's stays at one snapshot.

    Parameters
    ----------
    name : of the region
    currency : ISO 4217 code of every cost in it
    origins : what its hospitals' data are, of ``real``, ``synthetic`` and ``converted``; told with every figure
    data : what was read
    sources : hospitals with enough stays, by name
    cities : source to city
    stays : source to its number of stays
    small : hospitals left out, with their number of stays
    target : the bureau's sample
    pooled : all records of ``sources`` in one place, which no real federation has: the reference only
    minded_until : entry of the audit log of the last withdrawal that is minded here
    """

    name: str
    currency: str
    origins: tuple[str, ...]
    data: DataSeen
    sources: tuple[TableSource, ...]
    cities: Mapping[SourceId, str]
    stays: Mapping[SourceId, int]
    small: Mapping[SourceId, int]
    target: Target
    pooled: TableSource
    minded_until: int = 0

    @property
    def newest(self) -> date | None:
        """First day of the newest month of the sources' stays."""
        newest: date | None = pc.max(self.pooled.table.column("month")).as_py()
        return newest


def choose_region(connection: duckdb.DuckDBPyConnection, mart: str, *, region: str | None, snapshot: int) -> str:
    """Return ``region`` if the mart has it, or the only region if None; anything else is refused with the names."""
    regions = sorted({str(one) for one in hospitals(connection, mart, snapshot=snapshot)["region"].to_pylist()})
    if not regions:
        raise _no_mart(mart)
    if region in regions:
        return str(region)
    if region is None and len(regions) == 1:
        return regions[0]
    known = "、".join(regions), ", ".join(regions)
    raise Refusal(
        "E-FEATURE-REGION",
        Message(f"需要指定一个区域（当前：{region}）。", f"One region must be named (now: {region})."),
        Message(f"可用：{known[0]}。", f"Known: {known[1]}."),
    )


def tasks(connection: duckdb.DuckDBPyConnection) -> tuple[str, ...]:
    """Return the tasks that have a mart ``feat_<task>`` now; where there is none, ``E-FEATURE-MART``."""
    rows = connection.execute(
        "SELECT substr(table_name, 6) FROM information_schema.tables WHERE table_catalog = 'lake' "
        "AND table_schema = 'marts' AND starts_with(table_name, 'feat_') ORDER BY ALL"
    ).fetchall()
    if not rows:
        raise _no_mart("marts.feat_*")
    return tuple(str(row[0]) for row in rows)


def hospitals(connection: duckdb.DuckDBPyConnection, mart: str, *, snapshot: int) -> pa.Table:
    """Return region, source_id, hospital, and ``source``, what models call it, of whoever has stays in a mart.

    Where there is no such mart, it is refused: ``E-FEATURE-MART``.
    """
    try:
        found = connection.execute(
            f"SELECT region, source_id, hospital FROM {_at(mart, snapshot)} GROUP BY ALL ORDER BY ALL"
        ).to_arrow_table()
    except duckdb.CatalogException as error:
        raise _no_mart(mart) from error
    regions = pc.unique(found["region"]).to_pylist()
    return pa.concat_tables([_named(found.filter(pc.equal(found["region"], region))) for region in regions] or [found])


def where(
    connection: duckdb.DuckDBPyConnection, mart: str, stays: Collection[str], *, snapshot: int
) -> list[tuple[str, str, str, str, str, date]]:
    """Return region, stay_id, split, source_id, hospital and month of those of the stays that a mart has."""
    return connection.execute(
        f"SELECT region, stay_id, split, source_id, hospital, month FROM {_at(mart, snapshot)} "
        "WHERE stay_id IN (SELECT unnest($stays)) ORDER BY stay_id",
        {"stays": sorted(stays)},
    ).fetchall()


def read(
    connection: duckdb.DuckDBPyConnection,
    learner: Learner,
    *,
    snapshot: int,
    region: str | None,
    min_stays: int = 1,
    only: Collection[SourceId] | None = None,
) -> Region:
    """Read the mart ``feat_<task>`` of the learner's task at ``snapshot``, without whoever withdrew until now.

    Parameters
    ----------
    region : whose stays; None where the mart has one region only
    min_stays : fewer stays make no source
    only : the sources wanted; None for all that have enough stays
    """
    name = choose_region(connection, _mart(learner), region=region, snapshot=snapshot)
    left = withdrawals.left(connection, region=name, snapshot=snapshot)
    return _read(connection, learner, _Cut(name, snapshot, left), min_stays=min_stays, only=only)


def read_again(
    connection: duckdb.DuckDBPyConnection, learner: Learner, line: Line, *, only: Collection[SourceId], left: Left
) -> Region:
    """Read what a version was made from once more, as far as it was known then.

    Parameters
    ----------
    left : what withdrew until now; also left out is what had withdrawn then, even if that was revoked
    """
    left = left.beside(versions.left_out(connection, line))
    region = _read(connection, learner, _Cut(line.region, line.snapshot, left), min_stays=1, only=only)
    return region if line.month is None else until(region, line.month)


@dataclass(frozen=True)
class _Cut:
    """Which stays: of a region at a snapshot, without what left."""

    region: str
    snapshot: int
    left: Left


def _read(
    connection: duckdb.DuckDBPyConnection,
    learner: Learner,
    cut: _Cut,
    *,
    min_stays: int,
    only: Collection[SourceId] | None,
) -> Region:
    name, snapshot, left = cut.region, cut.snapshot, cut.left
    table = stays_of(connection, learner, region=name, snapshot=snapshot)
    data, currencies = _facts(connection, _mart(learner), region=name, snapshot=snapshot, without=left.stays)
    gone = left.named(table)
    if left.stays:
        table = table.filter(pc.invert(pc.is_in(table.column("stay_id"), pa.array(sorted(left.stays), pa.string()))))
    table, split = table.drop_columns(["stay_id"]), table.column("split")
    theirs = table.filter(pc.equal(split, "source"))
    stays = Counter(theirs.column("source").to_pylist())
    enough = {s: n for s, n in stays.items() if n >= min_stays and s not in gone and (only is None or s in only)}
    kept = theirs.filter(pc.is_in(theirs.column("source"), value_set=pa.array(list(enough), pa.string())))
    parts = dict(sorted(_slices(kept.combine_chunks(), enough).items()))
    return Region(
        name=name,
        currency=_one_currency(currencies, name),
        origins=_origins(connection, name, snapshot),
        data=data,
        sources=tuple(TableSource(source, part, learner.train) for source, part in parts.items()),
        cities={source: str(part.column("city")[0].as_py()) for source, part in parts.items()},
        stays=dict(sorted(enough.items())),
        small={source: count for source, count in sorted(stays.items()) if count < min_stays},
        target=Target(*(table.filter(pc.equal(split, f"target_{part}")) for part in ("train", "valid", "test"))),
        pooled=TableSource("pooled", kept, learner.train),
        minded_until=left.entry,
    )


def stays_of(connection: duckdb.DuckDBPyConnection, learner: Learner, *, region: str, snapshot: int) -> pa.Table:
    """Return all stays of a region at a snapshot, whoever withdrew, with what the learner reads of them.

    Returns
    -------
    pyarrow.Table
        stay_id, source, source_id, hospital, city, month, split, cost, the model's columns and its target; the rows of
        a source lie together
    """
    spec = learner.model.spec
    wanted = ", ".join(f'"{column}"' for column in (*spec.features.columns, spec.target))
    return _named(
        connection.execute(
            f"SELECT stay_id, source_id, hospital, city, month, split, CAST(cost AS DOUBLE) AS cost, {wanted} "
            f"FROM {_at(_mart(learner), snapshot)} WHERE region = $region "
            "ORDER BY hospital, source_id, stay_id",
            {"region": region},
        ).to_arrow_table()
    )


def known_by(region: Region, month: date, *, min_stays: int = 1) -> Region:
    """Return the region as it was known at the end of ``month``: later stays, of sources and its own, are gone.

    Parameters
    ----------
    min_stays : sources with fewer stays until then become ``small``

    Raises
    ------
    Refusal
        ``E-FEATURE-MONTH`` for a month after the newest, or before the first
    """
    newest, known = region.newest, until(region, month, min_stays=min_stays)
    if newest is None or month > newest or not known.pooled.table.num_rows:
        raise _no_month(region, month)
    return known


def until(region: Region, month: date, *, min_stays: int = 1) -> Region:
    """Return the region without the stays after ``month``, of the sources and its own, whoever has any until then."""

    def cut(table: pa.Table) -> pa.Table:
        return table.filter(pc.less_equal(table.column("month"), pa.scalar(month, table.column("month").type)))

    own = region.target
    sources = tuple(replace(source, table=cut(source.table)) for source in region.sources)
    stays = {source.source_id: source.table.num_rows for source in sources}
    enough = {source: count for source, count in stays.items() if count >= min_stays}
    return replace(
        region,
        sources=tuple(source for source in sources if source.source_id in enough),
        cities={source: region.cities[source] for source in enough},
        stays=enough,
        small=dict(sorted({**region.small, **{s: n for s, n in stays.items() if s not in enough}}.items())),
        target=Target(*(cut(part) for part in (own.train, own.valid, own.test))),
        pooled=replace(region.pooled, table=cut(region.pooled.table)),
    )


def _mart(learner: Learner) -> str:
    return f"marts.feat_{learner.model.spec.task}"


def _at(mart: str, snapshot: int) -> str:
    schema, _, table = mart.partition(".")
    quoted = table.replace('"', '""')
    return f'lake.{schema}."{quoted}" AS stay AT (VERSION => {int(snapshot)})'


def _facts(
    connection: duckdb.DuckDBPyConnection, mart: str, *, region: str, snapshot: int, without: Collection[str]
) -> tuple[DataSeen, list[str]]:
    row = connection.execute(
        "SELECT sha256(string_agg(md5(CAST(stay AS VARCHAR)), '' ORDER BY stay_id)), count(*), list(DISTINCT currency) "
        f"FROM {_at(mart, snapshot)} WHERE region = $region AND stay_id NOT IN (SELECT unnest($without))",
        {"region": region, "without": sorted(without)},
    ).fetchone()
    if row is None or row[0] is None:
        raise _no_mart(mart)
    return DataSeen(mart, snapshot, str(row[0]), int(row[1])), sorted(str(currency) for currency in row[2])


def _origins(connection: duckdb.DuckDBPyConnection, region: str, snapshot: int) -> tuple[str, ...]:
    register = _at("marts.dim_hospital", snapshot)
    try:
        rows = connection.execute(f"SELECT DISTINCT origin FROM {register} WHERE region = ?", [region]).fetchall()
    except duckdb.CatalogException as error:
        raise _no_mart("marts.dim_hospital") from error
    return tuple(sorted(str(row[0]) for row in rows))


def _named(table: pa.Table) -> pa.Table:
    """Add ``source``: the hospital's code, qualified where two deliverers use the same one.

    One whose code is the word by which models know the bureau's own sample is always qualified.
    """
    deliverers = table.group_by("hospital").aggregate([("source_id", "count_distinct")])
    shared = deliverers.filter(pc.greater(deliverers.column("source_id_count_distinct"), 1)).column("hospital")
    qualified = pc.binary_join_element_wise(table.column("source_id"), table.column("hospital"), ":")
    is_shared = pc.is_in(table.column("hospital"), value_set=shared.combine_chunks())
    is_shared = pc.or_(is_shared, pc.equal(table.column("hospital"), BASE))
    return table.append_column("source", pc.if_else(is_shared, qualified, table.column("hospital")))


def _slices(table: pa.Table, sizes: Mapping[SourceId, int]) -> dict[SourceId, pa.Table]:
    """Cut a table in which each source's rows lie together, in the order of ``sizes``; nothing is copied."""
    starts = np.concatenate([[0], np.cumsum(list(sizes.values()))])[:-1].astype(int).tolist()
    return {source: table.slice(start, size) for (source, size), start in zip(sizes.items(), starts, strict=True)}


def _one_currency(currencies: list[str], region: str) -> str:
    if len(currencies) == 1:
        return currencies[0]
    raise Refusal(
        "E-FEATURE-CURRENCY",
        Message(f"“{region}”有多种货币：{currencies}。", f"{region} has several currencies: {currencies}."),
        Message("请把来源分到不同区域。", "Put the sources into different regions."),
    )


def _no_month(region: Region, month: date) -> Refusal:
    newest = f"{region.newest:%Y-%m}" if region.newest else "–"
    return Refusal(
        "E-FEATURE-MONTH",
        Message(
            f"“{region.name}”在 {month:%Y-%m} 尚无可用的住院；最新月份为 {newest}。",
            f"{region.name} has no stays to know by {month:%Y-%m}; its newest month is {newest}.",
        ),
        Message("请给出已有数据的月份，或留空。", "Give a month that has data, or leave it empty."),
    )


def _no_mart(mart: str) -> Refusal:
    return Refusal(
        "E-FEATURE-MART",
        Message(f"没有 {mart}，或其中没有数据。", f"There is no {mart}, or it is empty."),
        Message("请先运行 headwater build。", "Run headwater build first."),
    )
