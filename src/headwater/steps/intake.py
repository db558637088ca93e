"""Intake: the new files of one table are loaded, and a file that was sent again takes the place of the earlier one.

What a folder of deliveries becomes does not depend on how often, or in how many interrupted attempts, it was landed:
files load in the order of their names, corrections after them, and a file's name is its place.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TypeVar

import duckdb

from headwater.adapters import batches, lake, postgres, raw
from headwater.adapters.batches import Difference, Live, Unfinished, batch_id
from headwater.adapters.home import Home
from headwater.adapters.inbox import Event, post
from headwater.adapters.postgres import Connection
from headwater.claims.contract import Contract, TableContract
from headwater.claims.guarding import guard_place
from headwater.claims.kept import written
from headwater.claims.landing import Landed, land_bytes, landed_before, shown_name
from headwater.claims.loading import Batch, Counts, Loader
from headwater.claims.pseudonyms import Pseudonyms
from headwater.claims.reading import Delivery, read
from headwater.errors import Message, Refusal

__all__ = ["FileResult", "Inbox", "TableIntake", "retried"]

_AHEAD = 8
_SMALL_BYTES = 32 << 20
_SHRUNK = 0.95
_READING = 2
"""Raised when a text comes to be read, or its cleaning to be recorded, another way: all is then read again."""

T = TypeVar("T")


@dataclass(frozen=True)
class FileResult:
    """What became of one file in one canonical table.

    Parameters
    ----------
    state : ``loaded``, ``refused``, or ``held`` until somebody decides
    reason : why it was not loaded, and what to do about it
    difference : against the file of the same name that it took the place of, or None
    """

    source_id: str
    entity: str
    file_name: str
    state: str
    counts: Counts | None = None
    reason: Message | None = None
    difference: Difference | None = None


@dataclass(frozen=True)
class Inbox:
    """Where deliveries lie and what reading them needs; later dates than ``delivered_on`` are faults."""

    home: Home
    folder: Path
    pseudonyms: Pseudonyms
    delivered_on: date


class TableIntake:
    """Loads one table of one source over one connection to the lake."""

    def __init__(
        self, inbox: Inbox, connection: duckdb.DuckDBPyConnection, contract: Contract, table: TableContract
    ) -> None:
        self._inbox = inbox
        self._vault = inbox.home.vault
        self._lake = connection
        self._contract = contract
        self._table = table
        self._entity = table.entity.name
        self._digest = _digest(table)

    def run(self) -> tuple[list[FileResult], int]:
        """Load what is new; return the results of new files and how many were there before."""
        landed, odd = self._landed()
        unique = list({file.sha256: file for file in landed}.values())
        home, source = self._inbox.home, self._contract.source_id
        with postgres.connect(home) as guard, postgres.connect(home, autocommit=True) as register:
            batches.lock(guard, source)
            self._register = register
            batches.keep_contract(register, digest=self._digest, body=written(self._table))
            self._refresh()
            # What an interrupted landing left is finished first: the inbox may not hold those files any more.
            unfinished = batches.unfinished(register, source, self._entity)
            results = self._take([self._again(batch) for batch in unfinished]) if unfinished else []
            self._refresh()
            new = [file for file in unique if self._is_new(file)]
            # A contract that was mended reads again what it had read before, also what the inbox no longer holds.
            stale = [batch for batch in self._live.values() if batch.contract != self._digest]
            files = {file.sha256: file for file in [*map(self._again, stale), *new]}
            results += self._take(list(files.values())) if files else []
        taken = {file.sha256 for file in new} | {batch.sha256 for batch in unfinished}
        return odd + results, sum(file.sha256 not in taken for file in landed)

    def _refresh(self) -> None:
        source = self._contract.source_id
        self._live = {batch.sha256: batch for batch in batches.live(self._register, source, self._entity)}
        self._decided = batches.decisions(self._register, source, self._entity)

    def _landed(self) -> tuple[list[Landed], list[FileResult]]:
        """Land the table's files; refuse what lies among them and is none, e.g. a pipe or a link to elsewhere."""
        inbox, landed, odd = self._inbox.folder, [], []
        folder = inbox / self._contract.deliveries
        for file in sorted(folder.glob(self._table.files)):
            if file.is_dir() and not file.is_symlink():
                continue
            name = shown_name(file.relative_to(inbox).as_posix())
            try:
                guard_place(file, folder=folder, name=name)
            except Refusal as error:
                odd.append(FileResult(self._contract.source_id, self._entity, name, "refused", reason=error.told))
            else:
                landed.append(self._apart(land_bytes(file, inbox=inbox, vault=self._vault), file))
        return landed, odd

    def _apart(self, landed: Landed, file: Path) -> Landed:
        """Keep files apart whose names differ in what is hidden of them: a file's name is its place."""
        if "***" not in landed.name:
            return landed
        name = file.relative_to(self._inbox.folder).as_posix().encode("utf-8", "backslashreplace").decode()
        return replace(landed, name=landed.name.replace("***", f"***{self._inbox.pseudonyms.token(name)[-8:]}"))

    def _is_new(self, file: Landed) -> bool:
        if file.sha256 in self._live:
            return self._live[file.sha256].contract != self._digest
        return file.sha256 not in self._decided or self._decided[file.sha256] == "accept"

    def _again(self, batch: Live | Unfinished) -> Landed:
        return landed_before(batch.sha256, name=batch.file_name, vault=self._vault)

    def _take(self, files: list[Landed]) -> list[FileResult]:
        """Load files and, where they take the place of earlier ones, all that was judged against those."""
        superseded, held = self._superseded(files)
        files = [file for file in files if file.sha256 not in {waiting.sha256 for waiting, _ in held}]
        results = [self._hold(file, rows) for file, rows in held]
        if superseded:
            gone = {batch.sha256 for batch in superseded.values()}
            judged = [batch for batch in self._live.values() if batch.sha256 not in gone and _judged(batch)]
            # Rows that a correction took the place of are nowhere but in their files.
            if any(batch.rows_replaced for batch in self._live.values()):
                judged = [batch for batch in self._live.values() if batch.sha256 not in gone]
            files = list({file.sha256: file for file in [*map(self._again, judged), *files]}.values())
        files.sort(key=lambda file: (file.name, file.sha256))
        # Registered before anything leaves the lake, all of them: whatever happens now, the next landing finishes it.
        again = self._receive(files)
        if self._table.corrections is not None:
            self._withdraw([*superseded.values(), *(self._live[f.sha256] for f in files if f.sha256 in self._live)])
        for corrects in (False, True):
            some = [file for file in files if self._corrects(file.name) == corrects]
            mine = {sha256: batch for sha256, batch in superseded.items() if any(f.sha256 == sha256 for f in some)}
            if some:
                results += self._load(some, mine, again=again, corrects=corrects)
        return results

    def _corrects(self, name: str) -> bool:
        return self._table.corrections is not None and PurePosixPath(name).match(self._table.corrections)

    def _superseded(self, files: Sequence[Landed]) -> tuple[dict[str, Live], list[tuple[Landed, int]]]:
        """Return the batch whose place each file takes, and the files that shrank too much to take it unasked."""
        places = {batch.file_name: batch for batch in self._live.values()}
        superseded: dict[str, Live] = {}
        held = []
        for file in files:
            earlier = places.get(file.name)
            if earlier is None or earlier.sha256 == file.sha256:
                continue
            rows = self._rows(file)
            if rows is None:
                continue
            if rows < _SHRUNK * earlier.rows_in and self._decided.get(file.sha256) != "accept":
                held.append((file, rows))
            else:
                superseded[file.sha256] = earlier
        return superseded, held

    def _rows(self, file: Landed) -> int | None:
        """Return how many rows a file brings, None if it cannot be read, which loading will tell."""
        loader = self._loader()
        try:
            loader.add(Batch("", file.name), read(file.path, name=file.name, table=self._table))
        except Refusal:
            return None
        return loader.rows_of_last()

    def _hold(self, file: Landed, rows: int) -> FileResult:
        earlier = next(batch for batch in self._live.values() if batch.file_name == file.name)
        error = Refusal(
            "E-FILE-SHRUNK",
            Message(
                f"文件 {file.name} 由 {earlier.rows_in} 行减为 {rows} 行。",
                f"File {file.name} shrank from {earlier.rows_in} rows to {rows}.",
            ),
            Message(
                "等待批准或退回；此前的数据仍有效。", "It waits for approval or return; the earlier data stays live."
            ),
        )
        self._receive([file])
        batches.hold(self._register, batch=self._id(file), error=error, rows_in=rows)
        return self._result(file, "held", reason=error.told)

    def _id(self, file: Landed) -> str:
        return batch_id(self._contract.source_id, self._entity, file.sha256)

    def _event(self, file: Landed, snapshot: int) -> Event:
        source = self._contract.source_id
        return Event(source, "delivery", batch_id=self._id(file), sha256=file.sha256, snapshot_id=snapshot)

    def _receive(self, files: Sequence[Landed]) -> list[str]:
        with self._register.transaction():
            return batches.receive(
                self._register,
                source_id=self._contract.source_id,
                entity=self._entity,
                landed=files,
                contract=self._digest,
            )

    def _withdraw(self, outdated: Sequence[Live]) -> None:
        """Take corrections back before the rows that they took the place of come again."""
        corrections = [batch.batch_id for batch in outdated if self._corrects(batch.file_name)]
        retried(self._lake, self._register, lambda: raw.vanish(self._lake, self._entity, corrections))

    def _load(
        self, files: Sequence[Landed], superseded: dict[str, Live], *, again: Sequence[str], corrects: bool
    ) -> list[FileResult]:
        known = [self._id(file) for file in files if self._id(file) in set(again)]
        loader = self._loader()
        refused: list[FileResult] = []
        taken: list[Landed] = []
        for file, opened in _opened(files, self._table):
            try:
                loader.add(Batch(self._id(file), file.name), opened())
            except Refusal as error:
                batches.refuse(self._register, batch=self._id(file), error=error)
                refused.append(self._result(file, "refused", reason=error.told))
            else:
                taken.append(file)
        replaced = {file.sha256: superseded[file.sha256] for file in taken if file.sha256 in superseded}

        def write() -> tuple[list[Counts], dict[str, Difference]]:
            raw.remember(self._lake, self._table.entity, list(replaced.values()))
            raw.forget_batches(self._lake, self._entity, known)
            raw.vanish(self._lake, self._entity, [batch.batch_id for batch in replaced.values()])
            counts = loader.commit(corrects=corrects)
            return counts, {file.sha256: self._compare(file, replaced) for file in taken if file.sha256 in replaced}

        if not taken:
            return refused
        counts, differences = retried(self._lake, self._register, write)
        self._settle(taken, counts, replaced, differences)
        loaded = [
            self._result(file, "loaded", counts=count, difference=differences.get(file.sha256))
            for file, count in zip(taken, counts, strict=True)
        ]
        return loaded + refused

    def _compare(self, file: Landed, replaced: dict[str, Live]) -> Difference:
        earlier = replaced[file.sha256]
        raw.close_items(self._lake, self._entity, earlier=earlier.batch_id, by=self._id(file))
        return raw.difference(self._lake, self._table.entity, earlier=earlier.batch_id, batch=self._id(file))

    def _settle(
        self,
        taken: Sequence[Landed],
        counts: Sequence[Counts],
        replaced: dict[str, Live],
        differences: dict[str, Difference],
    ) -> None:
        snapshot = lake.snapshot(self._lake)
        with self._register.transaction():
            for file, count in zip(taken, counts, strict=True):
                batches.settle(self._register, batch=self._id(file), counts=count, snapshot=snapshot)
                post(self._register, self._event(file, snapshot))
            for sha256, earlier in replaced.items():
                by = batch_id(self._contract.source_id, self._entity, sha256)
                batches.supersede(self._register, batch=earlier.batch_id, by=by)
                batches.note_difference(self._register, batch=by, earlier=earlier, difference=differences[sha256])

    def _result(
        self,
        file: Landed,
        state: str,
        *,
        counts: Counts | None = None,
        reason: Message | None = None,
        difference: Difference | None = None,
    ) -> FileResult:
        return FileResult(self._contract.source_id, self._entity, file.name, state, counts, reason, difference)

    def _loader(self) -> Loader:
        fixed = {"currency": self._contract.currency, "origin": self._contract.origin}
        names = {field.name for field in self._table.entity.fields}
        return Loader(
            self._lake,
            source_id=self._contract.source_id,
            table=self._table,
            constants={name: value for name, value in fixed.items() if name in names},
            pseudonyms=self._inbox.pseudonyms,
            delivered_on=self._inbox.delivered_on.isoformat(),
        )


def retried(connection: duckdb.DuckDBPyConnection, register: Connection, work: Callable[[], T]) -> T:
    """Run ``work`` in one lake transaction; if it lost a race against another writer of raw, once more, alone."""
    # The lake lets nobody delete from a table that another has added to meanwhile, be it another source's rows.
    with batches.writing(register, alone=False):
        try:
            return _transacted(connection, work)
        except duckdb.TransactionException:
            pass
    with batches.writing(register, alone=True):
        return _transacted(connection, work)


def _transacted(connection: duckdb.DuckDBPyConnection, work: Callable[[], T]) -> T:
    connection.execute("BEGIN TRANSACTION")
    try:
        result = work()
        connection.execute("COMMIT")
    except BaseException:
        # A commit that failed has ended the transaction already.
        with suppress(duckdb.TransactionException):
            connection.execute("ROLLBACK")
        raise
    return result


def _judged(batch: Live) -> bool:
    """Tell whether some of a batch's rows left because of others, which may have gone since."""
    return batch.rows_duplicate > 0 or batch.rows_quarantined > 0


def _digest(table: TableContract) -> str:
    """Return the digest of what decides how a file is read: the contract of its table and the table's fields."""
    fields = [(field.name, field.type, field.required) for field in table.entity.fields]
    content = (fields, table.format, table.encoding, table.sheet, table.header_row, table.columns, table.each)
    return hashlib.sha256(repr((_READING, content, table.nulls, table.corrections)).encode()).hexdigest()[:16]


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
