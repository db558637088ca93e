"""Returns: every hospital gets the rows back that it must mend, in a workbook."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from headwater.adapters import lake, postgres, raw
from headwater.adapters import returns as workbooks
from headwater.adapters.home import Home
from headwater.adapters.returns import Return
from headwater.content.contracts import contract_files, read_contracts
from headwater.errors import Message, Refusal

__all__ = ["ReturnsReport", "returns", "write"]


@dataclass(frozen=True)
class ReturnsReport:
    """What was written for whom."""

    found: tuple[Return, ...]

    def to_dict(self) -> dict[str, object]:
        """Return the summary: counts and paths, no rows."""
        return {
            "open": sum(one.open for one in self.found),
            "closed": sum(one.closed for one in self.found),
            "files": {one.source_id: str(one.path) for one in self.found if one.path},
        }


def returns(
    home: Home,
    *,
    sources: Sequence[str] | None = None,
    out: Path | None = None,
    now: datetime | None = None,
) -> ReturnsReport:
    """Write a workbook of open quarantine items for every source that has some.

    Parameters
    ----------
    sources : which sources; all when None
    out : folder to write to; ``reports/returns/<source>`` when None
    now : time of writing, whose day names the workbooks

    Raises
    ------
    Refusal
        ``E-UNKNOWN-SOURCE`` for a source that neither is declared nor delivered anything
    """
    home.create()
    postgres.prepare(home)
    with lake.connect(home) as connection:
        raw.create_tables(home, connection)
        return write(home, connection, sources=sources, out=out, at=now or datetime.now(UTC))


def write(
    home: Home,
    connection: duckdb.DuckDBPyConnection,
    *,
    sources: Sequence[str] | None = None,
    out: Path | None = None,
    at: datetime,
) -> ReturnsReport:
    """Do the same over an open connection to the lake."""
    contracts = read_contracts(contract_files(home.project, home.deliveries))
    found = workbooks.write(home, connection, contracts, sources=sources, out=out, at=at)
    unknown = sorted(set(sources or ()) - set(contracts) - {one.source_id for one in found})
    if unknown:
        raise Refusal(
            "E-UNKNOWN-SOURCE",
            Message(f"没有数据源 {'、'.join(unknown)}。", f"There is no source {', '.join(unknown)}."),
            Message("headwater land 会列出已知的数据源。", "headwater land lists those that are known."),
        )
    return ReturnsReport(tuple(found))
