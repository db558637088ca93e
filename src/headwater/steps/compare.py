"""Compare: every hospital beside its peers of one region, level and currency, within groups."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headwater.adapters import assigned, compared, following, grouped, lake, postgres
from headwater.adapters.home import Home
from headwater.claims.comparing import (
    funnel,
    hospital_effects,
    shrunken_counts,
    split,
    split_price,
    standardise,
    suppress,
)
from headwater.claims.comparing.cells import PEERS
from headwater.claims.comparing.suppressing import Suppressed

__all__ = ["FACTORS", "MEASURES", "Compared", "compare"]

MEASURES = ("medfee_sumamt", "stay_days", "is_dead", "drug_amount", "consumable_amount", "service_amount")
"""What hospitals are compared by: money, days and deaths."""

FACTORS = ("volume", "mix", "price")
"""Of what a hospital's difference in cost is made."""
_JUDGED = ("expected", "ratio", "se", "lower", "upper")
"""What is told of a hospital beside its peers, and of none that has none."""
_FACTOR = ("factor", "factor_lower", "factor_upper")
_CELL = (*PEERS, "hospital_id", "drg")


@dataclass(frozen=True)
class Compared:
    """What one comparison did.

    Parameters
    ----------
    stays, left_out : valid stays, and those of them without a group
    hospitals : compared
    places : measure → place in the funnel and how many hospitals stand there
    rows : every hospital and measure
    differences : every hospital with peers: its cost minus that of the average hospital as volume, mix and price
    """

    stays: int
    left_out: int
    hospitals: int
    places: Mapping[str, Mapping[str, int]]
    rows: tuple[Mapping[str, Any], ...]
    differences: tuple[Mapping[str, Any], ...]
    snapshot_id: int
    seconds: float

    def to_dict(self) -> dict[str, object]:
        """Return the summary that a task hands on: counts, no hospital."""
        return {name: value for name, value in asdict(self).items() if name not in ("rows", "differences")}


def compare(home: Home, *, now: datetime | None = None) -> Compared:
    """Compare all hospitals anew from the grouped stays.

    Parameters
    ----------
    now : with time zone

    Raises
    ------
    Refusal
        ``E-GROUP-MART`` before the warehouse is built
    """
    started = datetime.now(UTC)
    postgres.prepare(home)
    with following.alone(home, "grouping.comparison"), lake.connect(home) as connection:
        for adapter in (assigned, grouped, compared):
            adapter.create_tables(home, connection)
        grouped.built(connection)
        stays = compared.stays(connection)
        comparison = pa.concat_tables([_measured(stays, measure) for measure in MEASURES])
        cells = _cells(stays)
        found = {
            "comparison": comparison,
            "difference": _withheld(split(stays), cells),
            "price_difference": _withheld(split_price(stays, compared.lines(connection)), cells),
            "cell": cells.table,
        }
        at = (now or started).astimezone(UTC).replace(tzinfo=None)
        snapshot = compared.write(connection, found, at=at)
    rows = tuple(comparison.to_pylist())
    return Compared(
        stays=len(stays),
        left_out=stays["drg"].null_count,
        hospitals=len({row["hospital_id"] for row in rows}),
        places={
            name: dict(Counter(row["place"] or "–" for row in rows if row["measure"] == name)) for name in MEASURES
        },
        rows=rows,
        differences=tuple(_differences(found["difference"], {row["hospital_id"] for row in rows if row["place"]})),
        snapshot_id=snapshot,
        seconds=(datetime.now(UTC) - started).total_seconds(),
    )


def _differences(split_: pa.Table, with_peers: Collection[str]) -> list[dict[str, Any]]:
    """Return each hospital's difference in all, the greatest first."""
    sums = split_.group_by(["hospital_id", "hosp_lv", "currency"]).aggregate([(name, "sum") for name in FACTORS])
    sums = sums.rename_columns([name.removesuffix("_sum") for name in sums.column_names])
    rows = [
        {**row, "difference": sum(row[name] for name in FACTORS)}
        for row in sums.to_pylist()
        if row["hospital_id"] in with_peers
    ]
    return sorted(rows, key=lambda row: (-abs(row["difference"]), row["hospital_id"]))


def _measured(stays: pa.Table, measure: str) -> pa.Table:
    """Return one measure of every hospital, standardised, in its funnel, with the shrunken factor beside."""
    placed = _without_peers(funnel(standardise(stays, measure)).replace_schema_metadata(None))
    shrunken = _counted(placed) if placed["is_count"].to_pylist()[:1] == [True] else _modelled(stays, measure)
    factors = [
        (None, None, None) if is_alone else shrunken.get(hospital, (None, None, None))
        for hospital, is_alone in zip(*(placed[name].to_pylist() for name in ("hospital_id", "is_alone")), strict=True)
    ]
    for place, name in enumerate(_FACTOR):
        placed = placed.append_column(name, pa.array([one[place] for one in factors], pa.float64()))
    return placed.drop_columns(["is_alone"])


def _without_peers(placed: pa.Table) -> pa.Table:
    """Take what was expected from hospitals without peers: it would be their own, and the ratio 1 whatever they do."""
    groups = placed.group_by(list(PEERS), use_threads=False).aggregate([("hospital_id", "count_distinct")])
    numbers = {tuple(row[name] for name in PEERS): row["hospital_id_count_distinct"] for row in groups.to_pylist()}
    alone = pa.array([numbers[tuple(row[name] for name in PEERS)] < 2 for row in placed.select(PEERS).to_pylist()])
    for name in _JUDGED:
        column = placed[name]
        empty = pa.scalar(None, column.type)
        placed = placed.set_column(placed.column_names.index(name), name, pc.if_else(alone, empty, column))
    return placed.append_column("is_alone", alone).append_column(
        "why_none", pc.if_else(alone, pa.scalar("no_peers"), pa.scalar(None, pa.string()))
    )


def _modelled(stays: pa.Table, measure: str) -> dict[str, tuple[float, ...]]:
    table = hospital_effects(stays, measure)
    rows = zip(*(table[name].to_pylist() for name in ("hospital_id", "factor", "lower", "upper")), strict=True)
    return {hospital: tuple(factor) for hospital, *factor in rows}


def _counted(placed: pa.Table) -> dict[str, tuple[float, ...]]:
    """Return shrunken ratios of counts, each group of peers by itself."""
    found: dict[str, tuple[float, ...]] = {}
    rows = [row for row in placed.to_pylist() if row["ratio"] is not None]
    for peers in {tuple(row[name] for name in PEERS) for row in rows}:
        mine = [row for row in rows if tuple(row[name] for name in PEERS) == peers]
        observed, expected = (np.array([float(row[name]) for row in mine]) for name in ("observed", "expected"))
        limits = shrunken_counts(observed, expected)
        for place, row in enumerate(mine):
            found[row["hospital_id"]] = tuple(float(one[place]) for one in limits)
    return found


def _withheld(table: pa.Table, cells: Suppressed) -> pa.Table:
    """Return rows of hospitals and DRGs with why they are withheld where they are published, null where they are not.

    What is said of a hospital beside its peers tells of both, so a withheld total of its peers withholds it too.
    """
    found = pc.coalesce(
        *(_of(table, one, names) for one, names in ((cells.table, _CELL), (cells.rows, (*PEERS, "drg"))))
    )
    return table.append_column("suppressed", found)


def _of(table: pa.Table, marked: pa.Table, names: Sequence[str]) -> pa.ChunkedArray:
    keys = [
        pc.binary_join_element_wise(*(pc.fill_null(one[name], "") for name in names), "\0") for one in (marked, table)
    ]
    return marked["suppressed"].take(pc.index_in(keys[1], value_set=keys[0].combine_chunks()))


def _cells(stays: pa.Table) -> Suppressed:
    """Return hospitals by DRG, with what is small withheld; levels and regions are tables of their own."""
    grouped_ = stays.filter(stays["drg"].is_valid())
    sums = grouped_.group_by(list(_CELL)).aggregate(
        [("stay_id", "count"), ("medfee_sumamt", "mean"), ("stay_days", "mean"), ("is_dead", "sum")]
    )
    renamed = {"stay_id_count": "stays", "medfee_sumamt_mean": "mean_cost", "stay_days_mean": "mean_days"}
    sums = sums.rename_columns([{**renamed, "is_dead_sum": "deaths"}.get(name, name) for name in sums.column_names])
    # A DRG's total within its peers, a hospital's total, and the total of all: these alone may stand beside it.
    return suppress(
        sums.sort_by([(name, "ascending") for name in _CELL]), rows=[*PEERS, "drg"], columns=["hospital_id"]
    )
