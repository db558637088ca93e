"""Leaving: who withdraws, what of theirs is in a model's statistic, and the statistic without it."""

import hashlib
from dataclasses import dataclass
from datetime import date

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from headwater.adapters import withdrawals
from headwater.adapters.held import Held
from headwater.adapters.learners import Learner
from headwater.adapters.withdrawals import Left
from headwater.errors import Message, Refusal
from headwater.evolution import BASE, Growth
from headwater.federation import TableSource
from headwater.statistics import Statistic
from headwater.types import SourceId, Vector

__all__ = ["Leaving", "Places", "found", "shrunk"]


@dataclass(frozen=True)
class Leaving:
    """Who withdraws: exactly one of a source, a person by token, or one stay."""

    source: SourceId | None = None
    person: str | None = None
    stay: str | None = None

    def __post_init__(self) -> None:
        if sum(one is not None and one != "" for one in (self.source, self.person, self.stay)) != 1:
            raise Refusal(
                "E-WITHDRAW-WHO",
                Message("须且只能指明来源、个人或住院之一。", "Exactly one of source, person and stay must be named."),
                Message("例如 --source H0101。", "For example --source H0101."),
            )

    @property
    def told(self) -> dict[str, str]:
        """What logs and certificates say: a person's token and a stay by their SHA-256 only."""
        hidden = {"person_sha256": self.person, "stay_sha256": self.stay}
        told = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in hidden.items() if text}
        return {"source": self.source, **told} if self.source else told


@dataclass(frozen=True)
class Places:
    """Where the records of whoever withdraws are, in one region.

    Parameters
    ----------
    stays : single ones, sorted; none of a source, which withdraws as a whole
    members : of whom records are withdrawn: sources, and ``target`` for the bureau's own sample
    """

    region: str
    stays: tuple[str, ...]
    members: tuple[SourceId, ...]


def found(connection: duckdb.DuckDBPyConnection, leaving: Leaving, *, task: str, snapshot: int) -> list[Places]:
    """Return where records of whoever withdraws are, by region; nowhere is refused.

    A source is named as models name it: by its code, ``deliverer:code`` where two deliverers use the same.
    """
    named = _NAMED.format(mart=f"lake.marts.feat_{task} AT (VERSION => {int(snapshot)})")
    if leaving.source is not None:
        rows = connection.execute(f"{named} SELECT DISTINCT region FROM named WHERE source = ?", [leaving.source])
        places = [Places(str(region), (), (leaving.source,)) for (region,) in rows.fetchall()]
    else:
        who = [str(leaving.person)]
        stays = {leaving.stay} if leaving.stay else withdrawals.stays_of_person(connection, who, snapshot=snapshot)
        rows = connection.execute(f"{named} {_BY_REGION}", {"stays": sorted(map(str, stays)), "own": BASE})
        places = [
            Places(str(region), tuple(here), tuple(sorted(filter(None, members))))
            for region, here, members in rows.fetchall()
        ]
    if not places:
        raise _unknown()
    return sorted(places, key=lambda one: one.region)


_NAMED = """
WITH stay AS (SELECT stay_id, region, split, hospital, source_id FROM {mart}),
shared AS (SELECT region, hospital FROM stay GROUP BY ALL HAVING count(DISTINCT source_id) > 1),
named AS (
    SELECT stay_id, region, split,
           CASE WHEN shared.region IS NULL THEN hospital ELSE source_id || ':' || hospital END AS source
    FROM stay LEFT JOIN shared USING (region, hospital)
)
"""

_BY_REGION = """
SELECT region, list(stay_id ORDER BY stay_id),
       list(DISTINCT CASE split WHEN 'source' THEN source WHEN 'target_train' THEN $own END)
FROM named WHERE stay_id IN (SELECT unnest($stays)) GROUP BY region
"""


def shrunk(held: Held, left: Left, stays: pa.Table, *, learner: Learner, parameters: Vector) -> Growth:
    """Return the growth without all that left; the same where nothing of it was in there.

    A source's own statistic is held and subtracted. Of single stays the statistic is computed where their records are,
    under the very question that their source answered, and subtracted.

    Parameters
    ----------
    stays : of the version's snapshot, as ``features.stays_of`` gives them
    parameters : of the version, whose exact part the statistic is of
    """
    growth = held.growth
    for source in sorted(left.sources & set(growth.members)):
        growth = growth.remove(source)
    rows = stays.filter(pc.is_in(stays.column("stay_id"), pa.array(sorted(left.stays), pa.string())))
    for source in sorted({*rows.column("source").to_pylist()} & set(growth.members)):
        mine = rows.filter(pc.and_(pc.equal(rows["source"], source), pc.equal(rows["split"], "source")))
        part = _statistic(source, mine, learner, parameters, months=held.months.get(source) or None)
        growth = growth.reduce(source, part) if part else growth
    own = rows.filter(pc.equal(rows["split"], "target_train"))
    if held.until is not None:
        own = own.filter(pc.less_equal(own["month"], pa.scalar(held.until, own["month"].type)))
    part = _statistic(BASE, own, learner, parameters)
    return growth.reduce(BASE, Statistic.total([part] * held.weight)) if part else growth


def _statistic(
    source: SourceId,
    rows: pa.Table,
    learner: Learner,
    parameters: Vector,
    *,
    months: tuple[date, ...] | None = None,
) -> Statistic | None:
    """Return the statistic of single stays, None where none of them was asked about."""
    if months is not None:
        rows = rows.filter(pc.is_in(rows["month"], value_set=pa.array(months, type=rows["month"].type)))
    return TableSource(source, rows).answer(learner.exact(parameters)) if rows.num_rows else None


def _unknown() -> Refusal:
    return Refusal(
        "E-WITHDRAW-UNKNOWN",
        Message("没有属于它的住院记录，未作任何改动。", "No stays are of it; nothing was changed."),
        Message(
            "请核对来源代码、个人标识（psn_no 的假名）或住院号。",
            "Check the source's code, the person's token (the pseudonym in psn_no) or the stay.",
        ),
    )
