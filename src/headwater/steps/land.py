"""Land: delivered files become raw rows, quarantined rows and duplicates, each counted once."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import duckdb

from headwater.adapters import lake, postgres, raw
from headwater.adapters.home import Home
from headwater.claims.contract import Contract
from headwater.claims.landing import shown_name
from headwater.claims.pseudonyms import Pseudonyms
from headwater.content.contracts import contract_files, read_contracts
from headwater.errors import Message, Refusal
from headwater.steps.intake import FileResult, Inbox, TableIntake, retried
from headwater.steps.reference import ReferenceReport, supplied

__all__ = ["FileResult", "LandReport", "land", "sources"]

_MEMORY = "1GiB"


@dataclass(frozen=True)
class LandReport:
    """What one landing did. Files that were loaded before are counted, not listed.

    Parameters
    ----------
    unread : files in the folders of these sources that no table reads, such as one whose name was mistyped
    references : what became of the inbox's references; None where there are none or only some sources were landed
    """

    files: tuple[FileResult, ...]
    unchanged: int
    seconds: float
    unread: tuple[str, ...] = ()
    references: ReferenceReport | None = None

    @property
    def held(self) -> tuple[FileResult, ...]:
        """Files that shrank so much that somebody must decide."""
        return tuple(result for result in self.files if result.state == "held")

    @property
    def refused(self) -> tuple[FileResult, ...]:
        """Files that could not be read as their contract says."""
        return tuple(result for result in self.files if result.state == "refused")

    def total(self, name: str) -> Decimal:
        """Return the sum of one field of :class:`Counts` over all files."""
        return sum((Decimal(getattr(result.counts, name)) for result in self.files if result.counts), start=Decimal(0))

    def to_dict(self) -> dict[str, object]:
        """Return the summary that a task hands on: counts, no rows."""
        names = ("rows_in", "rows_loaded", "rows_quarantined", "rows_duplicate")
        money = ("money_in", "money_loaded", "money_quarantined", "money_duplicate")
        return {
            "files": len(self.files),
            "unchanged": self.unchanged,
            "held": [f"{result.source_id}/{result.file_name}: {result.reason}" for result in self.held],
            "refused": [f"{result.source_id}/{result.file_name}: {result.reason}" for result in self.refused],
            "unread": list(self.unread),
            "references": self.references.to_dict() if self.references else None,
            "seconds": round(self.seconds, 3),
            **{name: int(self.total(name)) for name in names},
            **{name: str(self.total(name)) for name in money},
        }


def sources(home: Home, deliveries: Path) -> list[str]:
    """Return the declared sources that have a folder of deliveries here."""
    contracts = read_contracts(contract_files(home.project, deliveries))
    return [name for name, contract in contracts.items() if (deliveries / contract.deliveries).is_dir()]


def land(
    home: Home,
    *,
    deliveries: Path,
    sources: Sequence[str] | None = None,
    now: datetime | None = None,
    progress: Callable[[FileResult], None] | None = None,
) -> LandReport:
    """Land everything new under ``deliveries`` and load it into the raw tables; the whole inbox has references too.

    Parameters
    ----------
    sources : which sources; all declared ones that have a folder here when None
    now : time of delivery; dates later than its day are faults
    progress : called with every file's result, from any thread

    Raises
    ------
    Refusal
        ``E-NO-DELIVERIES`` when no declared source has a folder here, ``E-UNKNOWN-SOURCE`` for an undeclared one
    """
    started = datetime.now(UTC)
    home.create()
    postgres.prepare(home)
    contracts = _chosen(home, deliveries, sources)
    algorithm = os.environ.get("HEADWATER_PSEUDONYM_HASH", "sha256")
    pseudonyms = Pseudonyms.open(home.vault / "pseudonym.key", algorithm)
    inbox = Inbox(home=home, folder=deliveries, pseudonyms=pseudonyms, delivered_on=(now or started).date())
    # Several sources share the cores best with one thread each; one source alone takes them all.
    # What is being read lies outside of DuckDB and needs room too.
    with lake.connect(home, threads=1 if len(contracts) > 1 else None, memory=_MEMORY) as connection:
        raw.create_tables(home, connection)

        def source(contract: Contract) -> tuple[list[FileResult], int]:
            # Loading the extensions costs more than a small delivery, so all sources share them.
            with connection.cursor() as cursor:
                return _source(inbox, cursor, contract, progress or (lambda result: None))

        # Two sources at a time: one waits for the disk, the catalog or Python while the other computes.
        with ThreadPoolExecutor(max_workers=2) as workers:
            landed = list(workers.map(source, contracts))
    return LandReport(
        files=tuple(result for results, _ in landed for result in results),
        unchanged=sum(unchanged for _, unchanged in landed),
        seconds=(datetime.now(UTC) - started).total_seconds(),
        unread=tuple(_unread(deliveries, contracts)),
        references=supplied(home, deliveries) if sources is None else None,
    )


def _chosen(home: Home, deliveries: Path, names: Sequence[str] | None) -> list[Contract]:
    contracts = read_contracts(contract_files(home.project, deliveries))
    if names is not None:
        unknown = [name for name in names if name not in contracts]
        if unknown:
            raise Refusal(
                "E-UNKNOWN-SOURCE",
                Message(f"没有数据源 {'、'.join(unknown)} 的合同。", f"There is no contract for {', '.join(unknown)}."),
                Message("在 dbt_project/models/staging/ 下声明它。", "Declare it under dbt_project/models/staging/."),
            )
        return [contracts[name] for name in names]
    present = [contract for contract in contracts.values() if (deliveries / contract.deliveries).is_dir()]
    if not present:
        raise Refusal(
            "E-NO-DELIVERIES",
            Message(
                f"{deliveries} 下没有任何已声明数据源的送报目录。", f"No declared source has a folder in {deliveries}."
            ),
            Message("检查目录，或先运行 headwater simulate。", "Check the folder, or run headwater simulate first."),
        )
    return present


def _unread(inbox: Path, contracts: Sequence[Contract]) -> list[str]:
    folders = {contract: inbox / contract.deliveries for contract in contracts}
    read = {file for contract in contracts for table in contract.tables for file in folders[contract].glob(table.files)}
    lying = {file for folder in folders.values() for file in folder.rglob("*") if file.is_file()}
    # Programs leave hidden files and locks behind; nobody delivers those.
    names = sorted(file.relative_to(inbox).as_posix() for file in lying - read if not file.name.startswith((".", "~$")))
    return [shown_name(name) for name in names]


def _source(
    inbox: Inbox,
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    progress: Callable[[FileResult], None],
) -> tuple[list[FileResult], int]:
    """Load every table of one source; return the results of new files and how many were there before."""
    results: list[FileResult] = []
    unchanged = 0
    for table in contract.tables:
        done, same = TableIntake(inbox, connection, contract, table).run()
        for result in done:
            progress(result)
        results += done
        unchanged += same
    with postgres.connect(inbox.home, autocommit=True) as register:
        retried(connection, register, lambda: raw.register_hospital(connection, contract))
    return results, unchanged
