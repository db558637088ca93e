"""Pages of marts as readers see them: the rows of one published snapshot, in the order of their key."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import duckdb

from headwater.adapters import lake, publication
from headwater.adapters.home import Home
from headwater.errors import Message, Refusal

__all__ = ["page", "published", "reading"]


def published(home: Home) -> int:
    """Return the snapshot that readers see.

    Raises
    ------
    Refusal
        ``E-NOT-PUBLISHED`` before anything was published
    """
    seen = publication.current(home)
    if seen is None:
        raise Refusal(
            "E-NOT-PUBLISHED",
            Message("还没有发布任何数据。", "Nothing is published yet."),
            Message("质量检查通过后运行 headwater publish。", "Run headwater publish after a check that passed."),
        )
    return seen.snapshot_id


@contextmanager
def reading(home: Home, what: str) -> Iterator[tuple[int, duckdb.DuckDBPyConnection]]:
    """Give the published snapshot and the lake as it was then.

    Parameters
    ----------
    what : is read, as a refusal names it

    Raises
    ------
    Refusal
        ``E-NOT-PUBLISHED`` before anything was published, and where what is published does not hold it
    """
    snapshot_id = published(home)
    try:
        with lake.read_at(home, snapshot_id) as connection:
            yield snapshot_id, connection
    # A table that was not there yet, or a snapshot that is kept no longer.
    except (duckdb.CatalogException, duckdb.InvalidInputException) as error:
        raise Refusal(
            "E-NOT-PUBLISHED",
            Message(f"已发布的数据中没有 {what}。", f"There is no {what} in what is published."),
            Message("重新构建、检查并发布。", "Build, check and publish again."),
        ) from error


def page(
    home: Home,
    mart: str,
    *,
    key: Sequence[str],
    where: Mapping[str, str],
    after: Sequence[str] | None,
    limit: int,
) -> tuple[int, list[dict[str, Any]]]:
    """Return the published snapshot and rows of a mart after a place, in the order of the key.

    Parameters
    ----------
    mart, key : as the project names them, never as a request does
    where : column to the value that it must have; columns are the project's too
    after : values of the key of the last row before, as text, empty ones as the empty text
    """
    # Empty cells have a place too: what is neither before nor after a cursor would come again on every page.
    place = ", ".join(f"coalesce(CAST({name} AS VARCHAR), '')" for name in key)
    conditions = [f"CAST({name} AS VARCHAR) = ?" for name in where]
    values = list(where.values())
    if after is not None:
        conditions.append(f"({place}) > ({', '.join('?' * len(key))})")
        values += list(after)
    condition = " AND ".join(conditions) or "true"
    with reading(home, mart) as (snapshot_id, connection):
        found = connection.execute(
            f"SELECT * FROM lake.marts.{mart} WHERE {condition} ORDER BY {place} LIMIT {int(limit)}", values
        ).to_arrow_table()
    return snapshot_id, found.to_pylist()
