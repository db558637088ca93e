"""Statistics that the region holds of the members of its model versions, in PostgreSQL: so a version can shrink."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date

import psycopg
import pyarrow as pa
import pyarrow.compute as pc

from headwater.evolution import BASE, Growth
from headwater.statistics import Statistic
from headwater.types import SourceId

__all__ = ["Held", "keep", "load", "purge"]


@dataclass(frozen=True)
class Held:
    """What is held of one version.

    Parameters
    ----------
    months : of each member, first days of the months that its statistic tells of; empty for all. Of the base, by its
        name, where not all of its own records count: at least one
    until : the last month of the base's own records; None for all
    weight : how often each of these counts in the base
    """

    growth: Growth
    months: Mapping[SourceId, tuple[date, ...]] = field(default_factory=dict)
    until: date | None = None
    weight: int = 1

    def own(self, table: pa.Table) -> pa.Table:
        """Return those of the base's own records, by their ``month``, that count."""
        if self.until is not None:
            table = table.filter(pc.less_equal(table["month"], pa.scalar(self.until, table["month"].type)))
        if BASE in self.months:
            table = table.filter(pc.is_in(table["month"], pa.array(self.months[BASE], table["month"].type)))
        return table


def keep(connection: psycopg.Connection, name: str, version: int, held: Held) -> None:
    """Keep base and members of a version, in the transaction of the connection; what is there already stays."""
    # First until when; where not all months until then count, they follow.
    months = {**held.months, BASE: (held.until, *held.months.get(BASE, ())) if held.until else ()}
    said = {BASE: held.growth.base, **held.growth.members}
    digests = {source: statistic.digest for source, statistic in said.items()}
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into ops.member_statistic (digest, message) values (%s, %s) on conflict do nothing",
            [(digests[source], statistic.to_bytes()) for source, statistic in said.items()],
        )
        cursor.executemany(
            "insert into ops.version_member (name, version, source_id, months, weight, digest) "
            "values (%s, %s, %s, %s, %s, %s) on conflict do nothing",
            [
                (name, version, source, list(months.get(source, ())), held.weight if source == BASE else 1, digest)
                for source, digest in digests.items()
            ],
        )


def load(connection: psycopg.Connection, name: str, version: int) -> Held | None:
    """Return what is held of a version; None where its base, and so its total, is not held (any more)."""
    rows = connection.execute(
        "select source_id, months, weight, message from ops.version_member join ops.member_statistic using (digest) "
        "where name = %s and version = %s order by source_id",
        (name, version),
    ).fetchall()
    said = {source: Statistic.from_bytes(message) for source, _, _, message in rows}
    months = {source: tuple(found) for source, found, *_ in rows}
    weights = {source: int(weight) for source, _, weight, _ in rows}
    if BASE not in said:
        return None
    base, (until, *own) = said.pop(BASE), months.pop(BASE) or (None,)
    if own:
        months[BASE] = tuple(own)
    return Held(Growth.start(base, said), months, until, weights[BASE])


def purge(connection: psycopg.Connection, name: str, versions: Collection[int]) -> int:
    """Forget what is held of some versions, and return of how many anything was.

    A version of which a part is gone could not be rebuilt, so all that is held of it goes.
    """
    rows = connection.execute(
        "delete from ops.version_member where name = %s and version = any(%s) returning version",
        (name, sorted(versions)),
    ).fetchall()
    connection.execute(
        "delete from ops.member_statistic s where not exists "
        "(select from ops.version_member m where m.digest = s.digest)"
    )
    return len({row[0] for row in rows})
