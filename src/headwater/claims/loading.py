"""Loading: delivered text becomes canonical rows, quarantined rows and duplicates, and nothing else.

For every batch, rows in = loaded + quarantined + duplicate, and so for the sum of money. All work on rows is SQL in
DuckDB; Python only streams blocks of text in. Cost grows linearly with the delivered rows; checking keys against what
the source delivered before reads that source's key columns only.
"""

from dataclasses import dataclass
from decimal import Decimal

import duckdb
import numpy as np
import pyarrow as pa

from headwater.claims.canonical import Entity, Field
from headwater.claims.compiling import BATCH, ITEM, SQL_TYPES, faults_sql, macros, values_sql
from headwater.claims.contract import TableContract
from headwater.claims.faults import FAULTS
from headwater.claims.pseudonyms import Pseudonyms
from headwater.claims.reading import ROW, Delivery
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


@dataclass(frozen=True)
class Batch:
    """One delivered file on its way into one canonical table."""

    batch_id: str
    file_name: str


@dataclass(frozen=True)
class Counts:
    """What became of a batch: rows, and money in the delivery's currency."""

    rows_in: int
    rows_loaded: int
    rows_quarantined: int
    rows_duplicate: int
    money_in: Decimal
    money_loaded: Decimal
    money_quarantined: Decimal
    money_duplicate: Decimal
    columns_ignored: int


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
        self._source_id = source_id
        self._table = table
        self._entity = table.entity
        self._constants = constants
        self._pseudonyms = pseudonyms
        self._delivered_on = delivered_on
        self._fields = ", ".join(f'"{field.name}"' for field in self._entity.fields)
        self._keys = ", ".join(f'"{name}"' for name in self._entity.key)
        # A key part that a row lacks equals the same lack in another row.
        self._key_values = ", ".join(_key_value(self._entity.field(name)) for name in self._entity.key)
        self._batches: list[Batch] = []
        self._held: list[tuple[int, pa.RecordBatch]] = []
        self._ignored: list[int] = []
        # Rows carry their numbers, so the order in which threads write them does not matter.
        connection.execute("SET preserve_insertion_order = false")
        for statement in macros():
            connection.execute(statement)
        self._reset()

    def _reset(self) -> None:
        columns = {column: pa.array([], pa.string()) for column in self._table.delivered_columns}
        numbers = {ROW: pa.array([], pa.int64()), BATCH: pa.array([], pa.int32())}
        self._sql.register("incoming", pa.table({**columns, **numbers}))
        self._sql.execute(f"CREATE OR REPLACE TEMP TABLE typed AS {self._values()}")
        self._sql.execute(
            "CREATE OR REPLACE TEMP TABLE fault "
            "(batch INTEGER, row_no BIGINT, item INTEGER, field VARCHAR, code VARCHAR, value VARCHAR)"
        )

    def _values(self) -> str:
        return values_sql(self._table, relation="incoming", constants=self._constants)

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
            self._held = [(of, block) for of, block in self._held if of != number]
            self._sql.execute(f'DELETE FROM typed WHERE "{BATCH}" = {number}')
            raise
        if delivery.misshapen:
            rows = pa.table({"row_no": pa.array(delivery.misshapen, pa.int64())})
            self._sql.register("misshapen", rows)
            self._sql.execute(f"INSERT INTO fault SELECT {number}, row_no, 0, NULL, 'E-ROW-SHAPE', NULL FROM misshapen")
            self._sql.unregister("misshapen")
        self._batches.append(batch)
        self._ignored.append(len(set(delivery.header) - set(self._table.delivered_columns)))

    def _take(self) -> None:
        """Type what is held: many small files at once, as a statement costs more than the rows of a small file."""
        if not self._held:
            return
        chunk = pa.Table.from_batches([block for _, block in self._held])
        numbers = np.repeat([of for of, _ in self._held], [block.num_rows for _, block in self._held])
        chunk = self._pseudonymised(chunk).append_column(BATCH, pa.array(numbers, pa.int32()))
        self._held = []
        self._sql.register("incoming", chunk)
        self._sql.execute(f"INSERT INTO typed {self._values()}")
        self._sql.unregister("incoming")

    def _pseudonymised(self, chunk: pa.Table) -> pa.Table:
        rules = dict(self._table.columns)
        for field in self._entity.fields:
            rule = rules.get(field.name)
            if field.type in ("person", "identity") and rule is not None and rule.column is not None:
                place = chunk.schema.get_field_index(rule.column)
                chunk = chunk.set_column(
                    place, rule.column, self._pseudonyms.tokens(chunk.column(place), nulls=self._table.nulls)
                )
        return chunk

    def commit(self) -> list[Counts]:
        """Write loaded and quarantined rows of every added batch to the lake and count them."""
        names = pa.table(
            {
                "batch": pa.array(range(len(self._batches)), pa.int32()),
                "batch_id": pa.array([batch.batch_id for batch in self._batches], pa.string()),
                "file_name": pa.array([batch.file_name for batch in self._batches], pa.string()),
            }
        )
        self._sql.register("batches", names)
        self._take()
        faults = faults_sql(self._table, typed="typed", delivered_on=self._delivered_on)
        self._sql.execute(f"INSERT INTO fault {faults}")
        self._split()
        self._write()
        counts = self._count()
        self._sql.unregister("batches")
        for name in ("typed", "fault", "doubled", "removed"):
            self._sql.execute(f"DROP TABLE {name}")
        return counts

    def _split(self) -> None:
        """Decide which rows leave: quarantined for a fault or a conflicting key, or duplicate of an earlier row."""
        self._sql.execute(
            "CREATE OR REPLACE TEMP TABLE removed AS "
            "SELECT DISTINCT batch, row_no, item, 'quarantined' AS verdict FROM fault"
        )
        good = (
            f'typed t ANTI JOIN removed r ON (t."{BATCH}" = r.batch AND t."{ROW}" = r.row_no AND t."{ITEM}" = r.item)'
        )
        earlier = f"lake.raw.{self._entity.name} WHERE source_id = $source"
        self._sql.execute(
            f"CREATE OR REPLACE TEMP TABLE doubled AS SELECT {self._keys} FROM "
            f"(SELECT {self._key_values} FROM {good} UNION ALL SELECT {self._key_values} FROM {earlier}) "
            f"GROUP BY ALL HAVING count(*) > 1",
            {"source": self._source_id},
        )
        content = "{" + ", ".join(f"'{field.name}': \"{field.name}\"" for field in self._entity.fields) + "}"
        self._sql.execute(
            "CREATE OR REPLACE TEMP TABLE repeated AS "
            "WITH rows AS ("
            f"SELECT * FROM (SELECT -1 AS batch, row_no, 0 AS item, {self._key_values}, {content} AS content "
            f"FROM {earlier}) SEMI JOIN doubled USING ({self._keys}) "
            f'UNION ALL SELECT * FROM (SELECT t."{BATCH}" AS batch, "{ROW}" AS row_no, "{ITEM}" AS item, '
            f"{self._key_values}, {content} FROM {good}) SEMI JOIN doubled USING ({self._keys})"
            "), ranked AS (SELECT *, first_value(content) OVER same AS first_content, row_number() OVER same AS place "
            f"FROM rows WINDOW same AS (PARTITION BY {self._keys} ORDER BY batch, row_no, item)) "
            "SELECT batch, row_no, item, content IS NOT DISTINCT FROM first_content AS is_same "
            "FROM ranked WHERE place > 1 AND batch >= 0",
            {"source": self._source_id},
        )
        self._sql.execute("INSERT INTO removed SELECT batch, row_no, item, 'duplicate' FROM repeated WHERE is_same")
        self._sql.execute(
            "INSERT INTO removed SELECT batch, row_no, item, 'quarantined' FROM repeated WHERE NOT is_same"
        )
        self._sql.execute(
            "INSERT INTO fault SELECT batch, row_no, item, $key, 'E-KEY-CONFLICT', NULL FROM repeated "
            "WHERE NOT is_same",
            {"key": self._entity.key[-1]},
        )
        self._sql.execute("DROP TABLE repeated")

    def _write(self) -> None:
        self._sql.execute(
            f'INSERT INTO lake.raw.{self._entity.name} SELECT $source, b.batch_id, t."{ROW}", {self._fields} '
            f'FROM typed t JOIN batches b ON t."{BATCH}" = b.batch '
            f'ANTI JOIN removed r ON (t."{BATCH}" = r.batch AND t."{ROW}" = r.row_no AND t."{ITEM}" = r.item)',
            {"source": self._source_id},
        )
        words = pa.table(
            {
                "code": [fault.code for fault in FAULTS.values()],
                "reason_zh": [fault.reason.zh for fault in FAULTS.values()],
                "reason_en": [fault.reason.en for fault in FAULTS.values()],
                "fix_zh": [fault.fix.zh for fault in FAULTS.values()],
                "fix_en": [fault.fix.en for fault in FAULTS.values()],
            }
        )
        self._sql.register("words", words)
        # A value that contains something shaped like an identity number is masked, whatever field it stands in, and
        # before it is cut; what a separator or an exponent hides is masked as well.
        self._sql.execute(
            "INSERT INTO lake.raw.quarantine "
            "SELECT $source, $entity, b.batch_id, b.file_name, f.row_no, f.field, f.code, "
            "left(regexp_replace(f.value, '[0-9](?:[ .-]?[0-9]){12,16}[ -]?[0-9XxEe](?:\\+[0-9]+)?', '***', 'g'), 64), "
            "w.reason_zh, w.reason_en, w.fix_zh, w.fix_en, NULL, NULL "
            "FROM fault f JOIN batches b USING (batch) JOIN words w USING (code)",
            {"source": self._source_id, "entity": self._entity.name},
        )
        self._sql.unregister("words")

    def _count(self) -> list[Counts]:
        money = f'"{self._entity.money}"' if self._entity.money else "0::DECIMAL(18,2)"
        rows = self._sql.execute(
            "WITH came AS ("
            f'SELECT "{BATCH}" AS batch, count(*) AS n, sum({money}) AS m FROM typed GROUP BY ALL), '
            "shapeless AS (SELECT batch, count(*) AS n FROM fault WHERE code = 'E-ROW-SHAPE' GROUP BY batch), "
            f"kept AS (SELECT batch_id, count(*) AS n, sum({money}) AS m FROM lake.raw.{self._entity.name} "
            "WHERE source_id = $source AND batch_id IN (SELECT batch_id FROM batches) GROUP BY batch_id), "
            f"gone AS (SELECT r.batch, r.verdict, count(*) AS n, sum({money}) AS m FROM removed r LEFT JOIN typed t "
            f'ON (t."{BATCH}" = r.batch AND t."{ROW}" = r.row_no AND t."{ITEM}" = r.item) GROUP BY r.batch, r.verdict) '
            "SELECT coalesce(c.n, 0) + coalesce(s.n, 0), coalesce(k.n, 0), coalesce(q.n, 0), coalesce(d.n, 0), "
            "coalesce(c.m, 0), coalesce(k.m, 0), coalesce(q.m, 0), coalesce(d.m, 0) FROM batches b "
            "LEFT JOIN came c USING (batch) LEFT JOIN shapeless s USING (batch) LEFT JOIN kept k USING (batch_id) "
            "LEFT JOIN gone q ON (q.batch = b.batch AND q.verdict = 'quarantined') "
            "LEFT JOIN gone d ON (d.batch = b.batch AND d.verdict = 'duplicate') ORDER BY b.batch",
            {"source": self._source_id},
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
            )
            for row, ignored in zip(rows, self._ignored, strict=True)
        ]


def _key_value(field: Field) -> str:
    return f'coalesce("{field.name}", \'\') AS "{field.name}"' if field.type in ("code", "text") else f'"{field.name}"'
