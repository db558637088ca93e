"""Land: delivered files become raw rows, quarantined rows and duplicates, each counted once."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TypeVar

import duckdb

from headwater.adapters import batches, lake, postgres, raw
from headwater.adapters.home import Home
from headwater.claims.contract import Contract, TableContract
from headwater.claims.landing import Landed, land_bytes
from headwater.claims.loading import Batch, Counts, Loader
from headwater.claims.pseudonyms import Pseudonyms
from headwater.claims.reading import Delivery, read
from headwater.content.contracts import contract_files, read_contracts
from headwater.errors import Message, Refusal

__all__ = ["FileResult", "LandReport", "land", "sources"]

_ATTEMPTS = 5
_AHEAD = 8
_SMALL_BYTES = 32 << 20

T = TypeVar("T")


@dataclass(frozen=True)
class FileResult:
    """What became of one file in one canonical table."""

    source_id: str
    entity: str
    file_name: str
    state: str
    counts: Counts | None = None
    reason: Message | None = None


@dataclass(frozen=True)
class LandReport:
    """What one landing did. Files that were loaded before are counted, not listed."""

    files: tuple[FileResult, ...]
    unchanged: int
    seconds: float

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
            "refused": [f"{result.source_id}/{result.file_name}: {result.reason}" for result in self.refused],
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
    """Land everything new under ``deliveries`` and load it into the raw tables.

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
    pseudonyms = Pseudonyms.open(home.vault / "pseudonym.key")
    with lake.connect(home) as connection:
        raw.create_tables(home, connection)

    def source(contract: Contract) -> tuple[list[FileResult], int]:
        # Several sources share the cores best with one thread each; one source alone takes them all.
        with lake.connect(home, threads=1 if len(contracts) > 1 else None) as connection:
            landing = _Landing(home, connection, pseudonyms, deliveries, (now or started).date())
            return landing.source(contract, progress or (lambda result: None))

    # Two sources at a time: one waits for the disk, the catalog or Python while the other computes.
    with ThreadPoolExecutor(max_workers=2) as workers:
        landed = list(workers.map(source, contracts))
    return LandReport(
        files=tuple(result for results, _ in landed for result in results),
        unchanged=sum(unchanged for _, unchanged in landed),
        seconds=(datetime.now(UTC) - started).total_seconds(),
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


class _Landing:
    """Loads table after table over one connection to the lake."""

    def __init__(
        self,
        home: Home,
        connection: duckdb.DuckDBPyConnection,
        pseudonyms: Pseudonyms,
        inbox: Path,
        delivered_on: date,
    ) -> None:
        self._home = home
        self._lake = connection
        self._pseudonyms = pseudonyms
        self._inbox = inbox
        self._delivered_on = delivered_on

    def source(self, contract: Contract, progress: Callable[[FileResult], None]) -> tuple[list[FileResult], int]:
        """Load every table of one source; return the results of new files and how many were there before."""
        results: list[FileResult] = []
        unchanged = 0
        for table in contract.tables:
            done, same = self.table(contract, table)
            for result in done:
                progress(result)
            results += done
            unchanged += same
        self._retried(lambda: raw.register_hospital(self._lake, contract))
        return results, unchanged

    def table(self, contract: Contract, table: TableContract) -> tuple[list[FileResult], int]:
        """Load the new files of one table; return their results and how many were there before."""
        folder = (self._inbox / contract.deliveries).resolve()
        files = [file for file in sorted((self._inbox / contract.deliveries).glob(table.files)) if file.is_file()]
        # A link may not lead out of the source's folder into another hospital's.
        files = [file for file in files if file.resolve().is_relative_to(folder)]
        landed = [land_bytes(file, inbox=self._inbox, vault=self._home.vault) for file in files]
        unique = list({file.sha256: file for file in landed}.values())
        entity = table.entity.name
        with postgres.connect(self._home) as guard, postgres.connect(self._home, autocommit=True) as register:
            batches.lock(guard, contract.source_id)
            known = batches.loaded(register, contract.source_id, entity)
            new = [file for file in unique if file.sha256 not in known]
            if not new:
                return [], len(landed)
            with register.transaction():
                again = batches.receive(register, source_id=contract.source_id, entity=entity, landed=new)
            results = self._load(register, contract, table, new, again)
        return results, len(landed) - len(new)

    def _load(
        self,
        register: postgres.Connection,
        contract: Contract,
        table: TableContract,
        files: list[Landed],
        again: list[str],
    ) -> list[FileResult]:
        entity = table.entity.name
        loader = self._loader(contract, table)
        refused: list[FileResult] = []
        taken: list[tuple[Landed, str]] = []
        for file, opened in _opened(files, table):
            batch = batches.batch_id(contract.source_id, entity, file)
            try:
                loader.add(Batch(batch, file.name), opened())
            except Refusal as error:
                batches.refuse(register, batch=batch, error=error)
                refused.append(FileResult(contract.source_id, entity, file.name, "refused", reason=error.reason))
            else:
                taken.append((file, batch))

        def write() -> list[Counts]:
            if again:
                raw.forget_batches(self._lake, entity, again)
            return loader.commit()

        counts = self._retried(write) if taken else []
        snapshot = lake.snapshot(self._lake)
        with register.transaction():
            for (_, batch), count in zip(taken, counts, strict=True):
                batches.settle(register, batch=batch, counts=count, snapshot=snapshot)
        loaded = [
            FileResult(contract.source_id, entity, file.name, "loaded", counts=count)
            for (file, _), count in zip(taken, counts, strict=True)
        ]
        return loaded + refused

    def _loader(self, contract: Contract, table: TableContract) -> Loader:
        fixed = {"currency": contract.currency, "origin": contract.origin}
        names = {field.name for field in table.entity.fields}
        return Loader(
            self._lake,
            source_id=contract.source_id,
            table=table,
            constants={name: value for name, value in fixed.items() if name in names},
            pseudonyms=self._pseudonyms,
            delivered_on=self._delivered_on.isoformat(),
        )

    def _retried(self, work: Callable[[], T]) -> T:
        """Run ``work`` in one lake transaction; a commit that lost a race against another writer is done again."""
        for attempt in range(1, _ATTEMPTS + 1):
            self._lake.execute("BEGIN TRANSACTION")
            try:
                result = work()
                self._lake.execute("COMMIT")
            except duckdb.TransactionException:
                self._lake.execute("ROLLBACK")
                if attempt == _ATTEMPTS:
                    raise
            except BaseException:
                self._lake.execute("ROLLBACK")
                raise
            else:
                return result
        raise AssertionError("unreachable: the last attempt returns or raises")


def _opened(files: Sequence[Landed], table: TableContract) -> Iterator[tuple[Landed, Callable[[], Delivery]]]:
    """Open files in order; small ones are read whole by two threads, some ahead of whoever takes them."""
    with ThreadPoolExecutor(max_workers=2) as readers:
        for start in range(0, len(files), _AHEAD):
            some = files[start : start + _AHEAD]
            whole = {file.sha256: readers.submit(_whole, file, table) for file in some if file.size <= _SMALL_BYTES}
            for file in some:
                reading = whole.get(file.sha256)
                yield file, reading.result if reading else partial(read, file.path, name=file.name, table=table)


def _whole(file: Landed, table: TableContract) -> Delivery:
    delivery = read(file.path, name=file.name, table=table)
    delivery.batches = iter(list(delivery.batches))
    return delivery
