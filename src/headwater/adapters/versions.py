"""Model versions as the lake tells of them: what they are, what they were made from, which served since when."""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from typing import Any

import duckdb

from headwater.adapters import knowledge, withdrawals
from headwater.adapters.withdrawals import Gone, Left
from headwater.errors import Message, Refusal
from headwater.evolution import BASE
from headwater.types import SourceId

__all__ = [
    "Line",
    "Member",
    "Succession",
    "digest",
    "digests",
    "gone_from",
    "known",
    "left_out",
    "line",
    "lines",
    "members",
    "served",
    "withdrawn_from",
]


@dataclass(frozen=True)
class Line:
    """One version: a row of ``model_version``.

    Parameters
    ----------
    sources : in the model
    parent : label of the version that it goes on from, None where it was learned anew
    opponent : label of what served when it was registered, which it was compared with; None where nothing did
    exact : how many parameters of how many are solved exactly from sums
    body : label of the version that the rest of them is from, where they are older than this version
    is_held : whether the region held what each member said, when it was registered
    minded_until : entry in the audit log of the last withdrawal that its data was read after
    entry : of its joint plan in the audit log, None where it was not joined by one
    """

    name: str
    version: int
    run: str
    task: str
    region: str
    as_of: datetime
    snapshot: int
    digest: str | None
    model: str
    step: str
    month: date | None
    sources: tuple[SourceId, ...]
    protection: str | None
    parent: str | None
    opponent: str | None
    currency: str | None
    r2_log: float | None
    mae: float | None
    r2_log_target_only: float | None
    mae_target_only: float | None
    seed: int | None
    entry: int | None
    exact: str | None
    body: str | None
    is_held: bool
    minded_until: int
    mlflow_run: str | None

    @property
    def label(self) -> str:
        """As MLflow writes it: ``name/number``."""
        return f"{self.name}/{self.version}"


@dataclass(frozen=True)
class Member:
    """One source of a version, as it was known when the version was made.

    Parameters
    ----------
    value, low, high : what it was worth then, in R² on ln(cost), with its interval
    protection, mechanism : how its answers left it
    epsilon : debited for it, None where there was no noise
    months : those of which its statistic tells, empty for all
    """

    source: SourceId
    city: str | None
    value: float | None
    low: float | None
    high: float | None
    valuation: str | None
    protection: str | None
    mechanism: str | None
    epsilon: float | None
    months: tuple[str, ...]


@dataclass(frozen=True)
class Succession:
    """A version came to serve: when, instead of which, why, by which entry of the audit log, and what was compared."""

    name: str
    version: int
    before: int | None
    entry: int
    as_of: datetime
    why: str
    opponent: str | None
    metric: str | None
    rows: int | None
    difference: float | None
    low: float | None
    high: float | None


_SPECIAL = {
    "sources": "coalesce(sources, [])",
    "is_held": "coalesce(is_held, false)",
    "minded_until": "coalesce(withdrawn, 0)",
}
_VERSIONS = knowledge.complete("model_version")
_LINE = ", ".join(f"{_SPECIAL.get(one.name, one.name)} AS {one.name}" for one in fields(Line))
_MEMBER = ", ".join("coalesce(months, [])" if one.name == "months" else one.name for one in fields(Member))
_SUCCESSION = ", ".join(f'"{one.name}"' for one in fields(Succession))


def lines(connection: duckdb.DuckDBPyConnection, *, name: str | None = None) -> list[Line]:
    """Return the versions of a registered model, or of all, by name, the newest first."""
    rows = knowledge.read(
        connection,
        f"SELECT {_LINE} FROM {_VERSIONS} WHERE $name IS NULL OR name = $name "
        "QUALIFY row_number() OVER (PARTITION BY name, version ORDER BY as_of DESC) = 1 ORDER BY name, version DESC",
        {"name": name},
    )
    return [_line(row) for row in rows]


def line(connection: duckdb.DuckDBPyConnection, name: str, version: int) -> Line:
    """Return one version; one that is not there is refused."""
    rows = knowledge.read(
        connection,
        f"SELECT {_LINE} FROM {_VERSIONS} WHERE name = ? AND version = ? ORDER BY as_of DESC LIMIT 1",
        [name, version],
    )
    if not rows:
        raise Refusal(
            "E-VERSION-UNKNOWN",
            Message(f"没有模型版本 {name}/{version}。", f"There is no version {name}/{version}."),
            Message("用 headwater model list 查看。", "See headwater model list."),
        )
    return _line(rows[0])


def known(connection: duckdb.DuckDBPyConnection, name: str, version: int) -> bool:
    """Return whether all of a version was written down."""
    query = "SELECT count(*) FROM lake.knowledge.model_version WHERE name = ? AND version = ?"
    (count,) = connection.execute(query, [name, version]).fetchall()[0]
    return bool(count)


def members(connection: duckdb.DuckDBPyConnection, name: str, version: int) -> list[Member]:
    """Return the sources of a version, by falling value."""
    rows = knowledge.read(
        connection,
        f"SELECT {_MEMBER} FROM {knowledge.complete('member')} WHERE name = ? AND version = ? "
        "ORDER BY value DESC NULLS LAST, source",
        [name, version],
    )
    found = (_told(Member, row) for row in rows)
    return [Member(**{**told, "months": tuple(told["months"])}) for told in found]


def digest(row: Mapping[str, Any], months: Mapping[SourceId, Collection[str]]) -> str:
    """Return the SHA-256 of all of a version by which it is decided whether it may serve, and what it was made without.

    Parameters
    ----------
    row : of ``model_version``
    months : of each of its rows in ``member``
    """
    told = "\x1e".join(f"{source}\x1f{','.join(of)}" for source, of in sorted(months.items()))
    return _digest(row, hashlib.sha256(told.encode()).hexdigest())


def digests(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    """Return label and digest of every row of ``model_version``, with the rows of ``member`` that there are for it."""
    try:
        rows = connection.execute(_TOLD).to_arrow_table().to_pylist()
    except duckdb.CatalogException:
        # Before anything is known there is no such table.
        return []
    return [(f"{row['name']}/{row['version']}", _digest(row, row["told"])) for row in rows]


def _digest(row: Mapping[str, Any], members: str) -> str:
    said = {name: row[name] for name in _DECISIVE}
    said |= {"sources": sorted(row["sources"] or ()), "withdrawn": row["withdrawn"] or 0, "members": members}
    return hashlib.sha256(json.dumps(said, ensure_ascii=False, sort_keys=True, default=str).encode()).hexdigest()


_DECISIVE = ("name", "version", "task", "region", "snapshot", "step", "parent", "month")
_TOLD = f"""
WITH told AS (
    SELECT name, version, sha256(string_agg(
        source || chr(31) || array_to_string(coalesce(months, []), ','), chr(30) ORDER BY source
    )) AS told
    FROM {knowledge.complete("member")} GROUP BY ALL
)
SELECT {", ".join(f"line.{name}" for name in _DECISIVE)}, line.sources, line.withdrawn,
       coalesce(told.told, sha256('')) AS told
FROM {_VERSIONS} AS line LEFT JOIN told USING (name, version)
"""


def served(connection: duckdb.DuckDBPyConnection, name: str) -> list[Succession]:
    """Return which versions served, the newest change first."""
    rows = knowledge.read(
        connection,
        f"SELECT {_SUCCESSION} FROM {knowledge.complete('champion')} WHERE name = ? ORDER BY entry DESC",
        [name],
    )
    found = (_told(Succession, row) for row in rows)
    return [Succession(**{**told, "as_of": told["as_of"].replace(tzinfo=UTC)}) for told in found]


def left_out(connection: duckdb.DuckDBPyConnection, line: Line) -> Left:
    """Return what a version was made without: what had withdrawn then, and what another lacked from which it shrank.

    The latter may have been revoked in between; its statistic lacks it all the same.
    """
    then = withdrawals.left(connection, region=line.region, snapshot=line.snapshot, until=line.minded_until)
    if line.step != "withdraw" or line.parent is None:
        return then
    return then.beside(left_out(connection, _parent(connection, line.parent)))


def _parent(connection: duckdb.DuckDBPyConnection, label: str) -> Line:
    name, _, number = label.rpartition("/")
    return line(connection, name, int(number))


def withdrawn_from(connection: duckdb.DuckDBPyConnection, line: Line) -> tuple[str, ...]:
    """Return of which of a version's members records were withdrawn after it was made, ``target`` for the bureau's."""
    return tuple(sorted({one.source for one in gone_from(connection, line)}))


def gone_from(connection: duckdb.DuckDBPyConnection, line: Line, *, further: Collection[Gone] = ()) -> list[Gone]:
    """Return what was withdrawn of a version's members after it was made.

    A stay counts only where the version may know it: where its snapshot has it, and of a month that the member told of.

    Parameters
    ----------
    further : what would be withdrawn besides
    """
    gone = [*withdrawals.gone_since(connection, region=line.region, since=line.minded_until), *further]
    gone = [one for one in gone if one.source in {*line.sources, BASE} and one.was_in(line.snapshot)]
    if not gone:
        return []
    months = {one.source: one.months for one in members(connection, line.name, line.version)}
    return [one for one in gone if _knows(line, months.get(one.source, ()), one.month)]


def _knows(line: Line, months: Collection[str], month: date | None) -> bool:
    if month is None:
        return True
    return f"{month:%Y-%m}" in months if months else line.month is None or month <= line.month


def _line(row: Sequence[Any]) -> Line:
    told = _told(Line, row)
    return Line(**{**told, "sources": tuple(told["sources"]), "as_of": told["as_of"].replace(tzinfo=UTC)})


def _told(kind: type[Line] | type[Member] | type[Succession], row: Sequence[Any]) -> dict[str, Any]:
    return dict(zip((one.name for one in fields(kind)), row, strict=True))
