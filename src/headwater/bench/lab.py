"""A lake in memory that lands deliveries as the product does: same readers, loader, profiles and suites, no servers.

What a trial changes is rolled back, so that history is landed once.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from headwater.adapters import profile, raw
from headwater.claims.canonical import ENTITIES
from headwater.claims.contract import Contract, TableContract
from headwater.claims.loading import CLEANED_COLUMNS, QUARANTINE_COLUMNS, Batch, Loader, raw_columns
from headwater.claims.pseudonyms import Pseudonyms
from headwater.claims.reading import read
from headwater.content import bounds, profiles
from headwater.content.profiles import ProfileSuite
from headwater.content.quality import Deviation
from headwater.errors import Refusal

__all__ = ["Lab", "Landing"]

_AT = datetime(2030, 1, 1, tzinfo=UTC)


@dataclass
class Landing:
    """What became of some files: refusals by code, and quarantined rows by code."""

    refused: list[str] = field(default_factory=list)
    faults: dict[str, int] = field(default_factory=dict)


class Lab:
    """One lake in memory and the contracts of its sources."""

    def __init__(self, contracts: Mapping[str, Contract]) -> None:
        self.contracts = contracts
        self.connection = duckdb.connect(":memory:")
        self.connection.execute("SET enable_progress_bar = false; ATTACH ':memory:' AS lake; USE lake")
        for schema in ("raw", "quality"):
            self.connection.execute(f"CREATE SCHEMA lake.{schema}")
        tables = {name: raw_columns(entity) for name, entity in ENTITIES.items()}
        for name, columns in (tables | {"quarantine": QUARANTINE_COLUMNS, "cleaned": CLEANED_COLUMNS}).items():
            body = ", ".join(f'"{column}" {kind}' for column, kind in columns)
            self.connection.execute(f"CREATE TABLE lake.raw.{name} ({body})")
        self._sent: list[dict[str, object]] = []
        self._pseudonyms = Pseudonyms(bytes(32))
        self._clock = 0

    def close(self) -> None:
        """Forget everything."""
        self.connection.close()

    def land(self, source: str, files: Sequence[Path]) -> Landing:
        """Load files of one source into the raw tables; a name that was there before is superseded."""
        contract, done = self.contracts[source], Landing()
        for table in contract.tables:
            mine = [file for file in files if file.match(table.files)]
            if mine:
                self._table(contract, table, mine, done)
        raw.register_hospital(self.connection, contract)
        return done

    def _table(self, contract: Contract, table: TableContract, files: Sequence[Path], done: Landing) -> None:
        source, entity = contract.source_id, table.entity
        fixed = {"currency": contract.currency, "origin": contract.origin}
        loader = Loader(
            self.connection,
            source_id=source,
            table=table,
            constants={name: value for name, value in fixed.items() if name in {f.name for f in entity.fields}},
            pseudonyms=self._pseudonyms,
            delivered_on="2030-01-01",
        )
        taken = []
        for file in files:
            self._clock += 1
            batch = f"{source}-{entity.name}-{self._clock}"
            try:
                loader.add(Batch(batch, file.name), read(file, name=file.name, table=table))
            except Refusal as error:
                done.refused.append(error.code)
            else:
                self._supersede(source, entity.name, file.name)
                taken.append((batch, file.name))
        for (batch, name), counts in zip(taken, loader.commit() if taken else [], strict=True):
            self._sent.append(
                {
                    "source_id": source,
                    "entity": entity.name,
                    "batch_id": batch,
                    "file_name": name,
                    "rows_in": counts.rows_in,
                    "rows_quarantined": counts.rows_quarantined,
                    "rows_duplicate": counts.rows_duplicate,
                    "sent_at": self._clock,
                }
            )
            rows = self.connection.execute(
                "SELECT code, count(*) FROM lake.raw.quarantine WHERE batch_id = $batch GROUP BY 1", {"batch": batch}
            ).fetchall()
            for code, count in rows:
                done.faults[code] = done.faults.get(code, 0) + int(count)

    def _supersede(self, source: str, entity: str, name: str) -> None:
        held = [
            row for row in self._sent if (row["source_id"], row["entity"], row["file_name"]) == (source, entity, name)
        ]
        for row in held:
            self.connection.execute(
                f"DELETE FROM lake.raw.{entity} WHERE batch_id = $batch", {"batch": row["batch_id"]}
            )
            self._sent.remove(row)

    def measure(self) -> profile.Profiled:
        """Measure what is new; nothing is kept."""
        return profile.measure(self.connection, pa.Table.from_pylist(self._sent, schema=profile.SENT), at=_AT)

    def keep(self, suites: Sequence[ProfileSuite] = ()) -> tuple[Deviation, ...]:
        """Measure what is new, judge it, and keep both."""
        measured = self.measure()
        profile.bind(self.connection, suites)
        profile.save(self.connection, profile.accept(self.connection, measured))
        return profile.deviations(self.connection)

    def judge(self, suites: Sequence[ProfileSuite]) -> tuple[Deviation, ...]:
        """Measure what is new and judge it; nothing is kept."""
        self.measure()
        profile.bind(self.connection, suites)
        return profile.deviations(self.connection)

    def propose(self, standing: Sequence[ProfileSuite] = ()) -> tuple[ProfileSuite, ...]:
        """Return suites from the accepted history; where it says too little, what stands remains."""
        new = profiles.suites(bounds.derive(profile.history(self.connection)))
        named = {suite.name for suite in new}
        return (*new, *(suite for suite in standing if suite.name not in named))

    @contextmanager
    def trial(self) -> Iterator[None]:
        """Roll back whatever happens inside."""
        sent = list(self._sent)
        self.connection.execute("BEGIN")
        try:
            yield
        finally:
            self.connection.execute("ROLLBACK")
            self._sent = sent
