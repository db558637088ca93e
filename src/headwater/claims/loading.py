"""Loading: delivered text becomes canonical rows, quarantined rows and duplicates, and nothing else.

For every batch, rows in = loaded + quarantined + duplicate, and so for the sum of money. Texts are read once each
(:mod:`headwater.claims.valuing`), work on rows is SQL in DuckDB. Cost grows linearly with the delivered rows; checking
keys against what the source delivered before reads that source's key columns only.
"""

from dataclasses import dataclass
from decimal import Decimal

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headwater.claims.canonical import Entity
from headwater.claims.closing import close_items
from headwater.claims.compiling import SQL_TYPES
from headwater.claims.contract import TableContract
from headwater.claims.contradictions import contradictions
from headwater.claims.faults import FAULTS
from headwater.claims.judging import REMAINING, anything, canonical_values, judge, row_key
from headwater.claims.macros import macros
from headwater.claims.pseudonyms import Pseudonyms
from headwater.claims.reading import ROW, Delivery
from headwater.claims.rows import BATCH, ITEM, Rows, Typed
from headwater.claims.valuing import Reader
from headwater.errors import Refusal

__all__ = ["CLEANED_COLUMNS", "QUARANTINE_COLUMNS", "Batch", "Counts", "Loader", "raw_columns"]

_CHUNK_ROWS = 1_000_000

QUARANTINE_COLUMNS: tuple[tuple[str, str], ...] = tuple(
    (name, "BIGINT" if name == "row_no" else "VARCHAR")
    for name in (
        *("source_id", "entity", "batch_id", "file_name", "row_no", "field", "code", "value"),
        *("reason_zh", "reason_en", "fix_zh", "fix_en", "row_key", "closed_by"),
    )
)
"""Columns of ``raw.quarantine``: one row a fault, open until a batch closes it."""

CLEANED_COLUMNS: tuple[tuple[str, str], ...] = tuple(
    (name, "BIGINT" if name == "row_no" else "VARCHAR")
    for name in ("source_id", "entity", "batch_id", "row_no", "field", "rules", "raw", "clean")
)
"""Columns of ``raw.cleaned``: one row a cell whose reading changed its text, with the rules that did it."""

_ROW = f'"{BATCH}", "{ROW}", "{ITEM}"'


@dataclass(frozen=True)
class Batch:
    """One delivered file on its way into one canonical table."""

    batch_id: str
    file_name: str


@dataclass(frozen=True)
class Counts:
    """What became of a batch: rows, and money in the delivery's currency.

    ``rows_replaced`` are rows of earlier batches that a correction took the place of.
    """

    rows_in: int
    rows_loaded: int
    rows_quarantined: int
    rows_duplicate: int
    money_in: Decimal
    money_loaded: Decimal
    money_quarantined: Decimal
    money_duplicate: Decimal
    columns_ignored: int
    rows_replaced: int = 0


def raw_columns(entity: Entity) -> tuple[tuple[str, str], ...]:
    """Return the names and DuckDB types of ``raw.<entity>``."""
    origin = (("source_id", "VARCHAR"), ("batch_id", "VARCHAR"), ("row_no", "BIGINT"))
    return (*origin, *((field.name, SQL_TYPES[field.type]) for field in entity.fields))


class Loader:
    """Loads batches of one source into one canonical table, inside the caller's transaction.

    Parameters
    ----------
    connection : DuckDB with the lake attached as ``lake``
    source_id : whose rows they are
    table : the contract of the table
    constants : canonical fields fixed by the source's contract
    pseudonyms : what replaces identifiers of persons
    delivered_on : ISO date; later dates in the data are faults
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        *,
        source_id: str,
        table: TableContract,
        constants: dict[str, str],
        pseudonyms: Pseudonyms,
        delivered_on: str,
    ) -> None:
        self._sql = connection
        self._source = {"source": source_id}
        self._table = table
        self._entity = table.entity
        for statement in macros():
            connection.execute(statement)
        reader = Reader(connection, pseudonyms=pseudonyms, delivered_on=delivered_on, nulls=table.nulls)
        self._rows = Rows(table, constants=constants, reader=reader)
        self._present = {field.name for field in self._rows.fields}
        self._row_key = row_key(self._entity)
        self._batches: list[Batch] = []
        self._held: list[tuple[int, pa.RecordBatch]] = []
        self._typed: list[Typed] = []
        self._misshapen: dict[int, list[int]] = {}
        self._ignored: list[int] = []

    def add(self, batch: Batch, delivery: Delivery) -> None:
        """Read one file to its end; nothing reaches the lake yet."""
        number = len(self._batches)
        try:
            for block in delivery.batches:
                self._held.append((number, block))
                if sum(held.num_rows for _, held in self._held) >= _CHUNK_ROWS:
                    self._take()
        except Refusal:
            # A file that turns out unreadable half way is refused whole.
            self._forget(number)
            raise
        self._misshapen[number] = delivery.misshapen
        self._batches.append(batch)
        self._ignored.append(len(set(delivery.header) - set(self._table.delivered_columns)))

    def rows_of_last(self) -> int:
        """Return how many rows the file that was added last brings."""
        self._take()
        number = len(self._batches) - 1
        typed = sum(int(pc.sum(pc.equal(part.rows.column(BATCH), number)).as_py() or 0) for part in self._typed)
        return typed + len(self._misshapen[number])

    def _forget(self, number: int) -> None:
        self._held = [(of, block) for of, block in self._held if of != number]
        self._misshapen.pop(number, None)
        self._typed = [
            Typed(
                part.rows.filter(pc.not_equal(part.rows.column(BATCH), number)),
                part.faults.filter(pc.not_equal(part.faults.column("batch"), number)),
                part.cleaned.filter(pc.not_equal(part.cleaned.column("batch"), number)),
            )
            for part in self._typed
        ]

    def _take(self) -> None:
        """Type what is held: many small files at once, as a statement costs more than the rows of a small file."""
        if not self._held:
            return
        block = pa.Table.from_batches([block for _, block in self._held])
        numbers = np.repeat([of for of, _ in self._held], [block.num_rows for _, block in self._held])
        self._held = []
        self._typed += self._rows.read(block.append_column(BATCH, pa.array(numbers, pa.int32())))

    def commit(self, *, corrects: bool = False) -> list[Counts]:
        """Write loaded and quarantined rows of every added batch to the lake and count them.

        Parameters
        ----------
        corrects : a row takes the place of an earlier batch's row of the same key, where otherwise it would conflict
        """
        self._take()
        if not self._typed:
            self._typed = self._rows.read(_no_rows(self._table))
        self._register()
        judge(self._sql, self._entity, source=self._source["source"], present=self._present, corrects=corrects)
        self._write()
        counts = self._count()
        for name in ("typed", "cleaned", "batches"):
            self._sql.unregister(name)
        for name in ("fault", "removed", "replaced"):
            self._sql.execute(f"DROP TABLE {name}")
        return counts

    def _register(self) -> None:
        """Give DuckDB the rows and their batches, and find the faults that several fields show together."""
        # Rows carry their numbers, so the order in which threads write them does not matter.
        self._sql.execute("SET preserve_insertion_order = false")
        self._sql.register("typed", pa.concat_tables([part.rows for part in self._typed]))
        self._sql.register("cleaned", pa.concat_tables([part.cleaned for part in self._typed]))
        found = pa.concat_tables([part.faults for part in self._typed])
        self._sql.register("found", found)
        self._sql.execute("CREATE OR REPLACE TEMP TABLE fault AS SELECT * FROM found")
        self._sql.unregister("found")
        names = {
            "batch": pa.array(range(len(self._batches)), pa.int32()),
            "batch_id": pa.array([batch.batch_id for batch in self._batches], pa.string()),
            "file_name": pa.array([batch.file_name for batch in self._batches], pa.string()),
        }
        self._sql.register("batches", pa.table(names))
        lines = [(number, row) for number, rows in self._misshapen.items() for row in rows]
        if lines:
            shapeless = {"batch": [line[0] for line in lines], "row_no": [line[1] for line in lines]}
            self._sql.register("misshapen", pa.table(shapeless))
            self._sql.execute("INSERT INTO fault SELECT batch, row_no, 0, NULL, 'E-ROW-SHAPE', NULL FROM misshapen")
            self._sql.unregister("misshapen")
        self._contradict()

    def _contradict(self) -> None:
        parts = contradictions(self._entity.name, self._typed[0].rows.column_names)
        if not parts:
            return
        # Few rows are faulty: one scan finds them, and only they are looked at fault by fault.
        anything = " OR ".join(f"coalesce({condition}, false)" for *_, condition in parts)
        each = " UNION ALL ".join(
            f"SELECT {_ROW}, '{field}', '{code}', hw_masked(CAST(\"{field}\" AS VARCHAR)) FROM odd WHERE {condition}"
            for field, code, condition in parts
        )
        self._sql.execute(f"INSERT INTO fault WITH odd AS MATERIALIZED (SELECT * FROM typed WHERE {anything}) {each}")

    def _write(self) -> None:
        values = ", ".join(f"{value}" for _, value in canonical_values(self._entity, self._present))
        rest = REMAINING if anything(self._sql, "removed") else ""
        self._sql.execute(
            f"INSERT INTO lake.raw.{self._entity.name} ({_names(raw_columns(self._entity))}) "
            f'SELECT $source, b.batch_id, t."{ROW}", {values} '
            f'FROM typed t JOIN batches b ON t."{BATCH}" = b.batch {rest}',
            self._source,
        )
        self._write_quarantine()
        if anything(self._sql, "cleaned"):
            self._sql.execute(
                f"INSERT INTO lake.raw.cleaned ({_names(CLEANED_COLUMNS)}) "
                "SELECT $source, $entity, b.batch_id, c.row_no, c.field, c.rules, c.raw, c.clean "
                "FROM cleaned c JOIN batches b USING (batch) "
                "ANTI JOIN removed r ON (c.batch = r.batch AND c.row_no = r.row_no AND c.item = r.item)",
                {**self._source, "entity": self._entity.name},
            )

    def _write_quarantine(self) -> None:
        if anything(self._sql, "fault"):
            key = f'CASE WHEN t."{ROW}" IS NOT NULL AND NOT hw_names_person({self._row_key}) THEN {self._row_key} END'
            words = {
                "code": list(FAULTS),
                "reason_zh": [fault.reason.zh for fault in FAULTS.values()],
                "reason_en": [fault.reason.en for fault in FAULTS.values()],
                "fix_zh": [fault.fix.zh for fault in FAULTS.values()],
                "fix_en": [fault.fix.en for fault in FAULTS.values()],
            }
            self._sql.register("words", pa.table(words))
            self._sql.execute(
                f"INSERT INTO lake.raw.quarantine ({_names(QUARANTINE_COLUMNS)}) "
                "SELECT $source, $entity, b.batch_id, b.file_name, f.row_no, f.field, "
                "f.code, f.value, w.reason_zh, w.reason_en, w.fix_zh, w.fix_en, "
                f"{key}, NULL "
                "FROM fault f JOIN batches b USING (batch) JOIN words w USING (code) "
                f'LEFT JOIN typed t ON (t."{BATCH}" = f.batch AND t."{ROW}" = f.row_no AND t."{ITEM}" = f.item)',
                {**self._source, "entity": self._entity.name},
            )
            self._sql.unregister("words")

        close_items(self._sql, self._entity, source=self._source["source"])

    def _count(self) -> list[Counts]:
        money = f'"{self._entity.money}"' if self._entity.money in self._present else "0::DECIMAL(18,2)"
        rows = self._sql.execute(
            "WITH came AS ("
            f'SELECT "{BATCH}" AS batch, count(*) AS n, sum({money}) AS m FROM typed GROUP BY ALL), '
            "shapeless AS (SELECT batch, count(*) AS n FROM fault WHERE code = 'E-ROW-SHAPE' GROUP BY batch), "
            f"kept AS (SELECT batch_id, count(*) AS n, sum({money}) AS m FROM lake.raw.{self._entity.name} "
            "WHERE source_id = $source AND batch_id IN (SELECT batch_id FROM batches) GROUP BY batch_id), "
            f"gone AS (SELECT r.batch, r.verdict, count(*) AS n, sum({money}) AS m FROM removed r LEFT JOIN typed t "
            f'ON (t."{BATCH}" = r.batch AND t."{ROW}" = r.row_no AND t."{ITEM}" = r.item) GROUP BY ALL), '
            "changed AS (SELECT batch, count(*) AS n FROM replaced GROUP BY batch) "
            "SELECT coalesce(c.n, 0) + coalesce(s.n, 0), coalesce(k.n, 0), coalesce(q.n, 0), coalesce(d.n, 0), "
            "coalesce(c.m, 0), coalesce(k.m, 0), coalesce(q.m, 0), coalesce(d.m, 0), coalesce(x.n, 0) FROM batches b "
            "LEFT JOIN came c USING (batch) LEFT JOIN shapeless s USING (batch) LEFT JOIN kept k USING (batch_id) "
            "LEFT JOIN gone q ON (q.batch = b.batch AND q.verdict = 'quarantined') "
            "LEFT JOIN gone d ON (d.batch = b.batch AND d.verdict = 'duplicate') "
            "LEFT JOIN changed x ON (x.batch = b.batch) ORDER BY b.batch",
            self._source,
        ).fetchall()
        return [
            Counts(
                rows_in=row[0],
                rows_loaded=row[1],
                rows_quarantined=row[2],
                rows_duplicate=row[3],
                money_in=Decimal(row[4]),
                money_loaded=Decimal(row[5]),
                money_quarantined=Decimal(row[6]),
                money_duplicate=Decimal(row[7]),
                columns_ignored=ignored,
                rows_replaced=row[8],
            )
            for row, ignored in zip(rows, self._ignored, strict=True)
        ]


def _names(columns: tuple[tuple[str, str], ...]) -> str:
    # By name, as a column that was added to a table later stands last in it.
    return ", ".join(f'"{name}"' for name, _ in columns)


def _no_rows(table: TableContract) -> pa.Table:
    columns = {column: pa.array([], pa.string()) for column in table.delivered_columns}
    return pa.table({**columns, ROW: pa.array([], pa.int64()), BATCH: pa.array([], pa.int32())})
