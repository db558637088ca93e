"""Delivered text against what was loaded of it: cell by cell, row by row, every difference explained or counted.

Works on relations of an own DuckDB in memory: ``file`` (:mod:`headwater.claims.rereading`), ``loaded`` (the raw rows
with ``batch``, ``row_no`` and the canonical fields), ``cleaned`` (batch, row_no, field, rules, raw, clean),
``quarantined`` (batch, row_no) and ``keys`` (key fields of all rows of the source). A cell that was passed through
reads the same; any other must be among the cleaned ones with the text before and after. A row that was not loaded must
be quarantined, or its key must be in the table, as it repeats a row or was corrected. Cost grows with the cells, at one
comparison each; only cells that read differently are looked at one by one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from headwater.claims.canonical import Field
from headwater.claims.compiling import PERSONAL, SQL_TYPES
from headwater.claims.contract import ColumnRule, TableContract
from headwater.claims.rereading import BLANK, USES, place
from headwater.claims.undoing import MACROS, keeps

__all__ = ["ROWS", "Compared", "compare"]

ROWS = ""
"""The column name under which the rows as such are reported."""

_KEY = "batch, row_no, item"
_NUMBER = "DECIMAL(27,8)"


@dataclass(frozen=True)
class Compared:
    """One column of one file before and after loading.

    Parameters
    ----------
    batch : number of the file
    column : canonical field, or ``ROWS``
    kind : ``exact``, ``cleaned`` where a rule changed a cell, ``token`` where persons' numbers became tokens
    rows_before, rows_after : delivered rows, and those that were loaded
    changed : cells that a cleaning rule wrote another way; of ``ROWS``: rows in quarantine, repeated or corrected
    distance : total variation between the distributions of texts before and of values after, 0 to 1
    shift : 1-Wasserstein distance between what reads as a number before and after, in the column's unit (days for
        dates and times); None where nothing changed or nothing reads as a number
    unexplained : cells or rows that differ for no reason on record
    row : the first such row of the file, or None
    """

    batch: int
    column: str
    kind: str
    rows_before: int
    rows_after: int
    changed: int = 0
    distance: float = 0.0
    shift: float | None = None
    unexplained: int = 0
    row: int | None = None


def compare(connection: duckdb.DuckDBPyConnection, table: TableContract) -> list[Compared]:
    """Compare every file in ``file`` with what was loaded of it."""
    for macro in MACROS:
        connection.execute(f"CREATE OR REPLACE TEMP MACRO {macro}")
    columns = _columns(table)
    _deliver(connection, table, columns)
    rows = _rows(connection, table, columns)
    counts = {found.batch: (found.rows_before, found.rows_after) for found in rows}
    plain = [column for column in columns if column.field.type not in PERSONAL]
    _explain(connection, table, plain)
    cells = _cells(connection)
    shifts = _shifts(connection, [column for column in plain if any(name == column.name for _, name in cells)])
    tokens = [column for column in columns if column.field.type in PERSONAL]
    found = [item for column in tokens for item in _tokens(connection, column.name, counts)]
    for batch, (before, after) in counts.items():
        for column in plain:
            changed, distance, unexplained, row = cells.get((batch, column.name), (0, 0.0, 0, None))
            shift = shifts.get((batch, column.name)) if changed or unexplained else None
            kind = "cleaned" if changed else "exact"
            found.append(Compared(batch, column.name, kind, before, after, changed, distance, shift, unexplained, row))
    return [*rows, *found]


@dataclass(frozen=True)
class _Column:
    """A canonical field with its rule and the expression of its delivered text, one for each slot.

    Files that are ``is_typed`` hold numbers and dates beside texts.
    """

    field: Field
    rule: ColumnRule
    texts: tuple[str, ...]
    is_typed: bool

    @property
    def name(self) -> str:
        return self.field.name

    @property
    def number(self) -> str:
        """The expression of what the text ``d`` reads as: a number, or a time; NULL if it does not."""
        text = f'd."{self.name}"'
        if self.field.type in ("date", "time"):
            return _time(text, self.rule, is_typed=self.is_typed)
        scale = f" * {self.rule.scale}::DECIMAL(9,6)" if self.rule.scale else ""
        return f"TRY_CAST({text} AS {_NUMBER if not scale else 'DECIMAL(24,8)'}){scale}"

    @property
    def same(self) -> str:
        """The condition that the text ``d`` reads as the value ``l``."""
        text, value = f"coalesce(d.\"{self.name}\", '')", f'l."{self.name}"'
        if self.field.type in ("text", "code"):
            plain = f"{text} = coalesce({value}, '')"
            if not self.is_typed:
                return plain
            # A number or a date has no writing of its own, and a sheet writes a date as a number.
            date = f"TRY_CAST({value} AS TIMESTAMP) = coalesce(TRY_CAST({text} AS TIMESTAMP), vf_serial({text}))"
            number = f"regexp_matches({text}, '[.e]') AND TRY_CAST({text} AS DOUBLE) = TRY_CAST({value} AS DOUBLE)"
            return f"({plain} OR ({number}) OR ({date}))"
        read = f"CAST({self.number} AS {SQL_TYPES[self.field.type]})" if self._is_time else self.number
        if not self._is_time and not self.rule.scale:
            # Doubles compare ten times as fast; what they cannot tell apart has more digits than any amount.
            equal = f"TRY_CAST({text} AS DOUBLE) = CAST({value} AS DOUBLE)"
            return f"CASE WHEN {value} IS NULL THEN {text} = '' WHEN {equal} THEN true ELSE {read} = {value} END"
        return f"CASE WHEN {value} IS NULL THEN {text} = '' ELSE {read} = {value} END"

    @property
    def _is_time(self) -> bool:
        return self.field.type in ("date", "time")


def _time(text: str, rule: ColumnRule, *, is_typed: bool) -> str:
    if rule.format is not None:
        return f"try_strptime({text}, {_literal(rule.format)})"
    serial = f", vf_serial({text})" if is_typed else ""
    # By length, as an attempt that fails costs several that do not.
    compact = f"WHEN 8 THEN try_strptime({text}, '%Y%m%d') WHEN 14 THEN try_strptime({text}, '%Y%m%d%H%M%S')"
    return f"coalesce(CASE length({text}) {compact} END, TRY_CAST({text} AS TIMESTAMP){serial})"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _columns(table: TableContract) -> list[_Column]:
    """Return the fields that a delivered column or a constant of the contract fills."""
    slots = [dict(slot) for slot in table.each.slots] if table.each is not None else [{}]
    rules = {name: [rule] * len(slots) for name, rule in table.columns}
    rules |= {name: [ColumnRule(column=slot.get(name)) for slot in slots] for slot in slots for name in slot}
    return [
        _Column(
            table.entity.field(name),
            mine[0],
            tuple(_text(table, table.entity.field(name), rule) for rule in mine),
            table.format in ("xlsx", "parquet"),
        )
        for name, mine in rules.items()
    ]


def _text(table: TableContract, field: Field, rule: ColumnRule) -> str:
    """Return the expression of a field's delivered text in ``file``, as the contract names values."""
    if rule.column is None:
        return _literal(rule.value) if rule.value else "NULL"
    text = place(table, rule.column, USES.get(field.type, "plain"))
    if rule.values:
        cases = " ".join(f"WHEN {_literal(old)} THEN {_literal(new)}" for old, new in rule.values)
        text = f"CASE {text} {cases} ELSE {text} END"
    if rule.only is not None:
        other = place(table, rule.only[0])
        text = f"CASE WHEN upper(trim(vf_narrow({other}))) = {_literal(rule.only[1])} THEN {text} END"
    return text


def _blank(table: TableContract, text: str) -> str:
    words = ", ".join(_literal(word.upper()) for word in (*BLANK, *table.nulls))
    return f"(coalesce(upper(trim(vf_narrow({text}))), '') IN ({words}))"


def _deliver(connection: duckdb.DuckDBPyConnection, table: TableContract, columns: Sequence[_Column]) -> None:
    """Make ``delivered``, the rows as the table should have them, and ``placed``, those that were loaded."""
    parts = []
    for number in range(1 if table.each is None else len(table.each.slots)):
        texts = ", ".join(f'{column.texts[number]} AS "{column.name}"' for column in columns)
        filled = ""
        if table.each is not None:
            mine = [name for name, _ in table.each.slots[number]]
            empty = [_blank(table, column.texts[number]) for column in columns if column.name in mine]
            filled = f" WHERE NOT ({' AND '.join(empty)})"
        item = number + 1 if table.each is not None else 0
        parts.append(f"SELECT batch, row_no, {item} AS item, {texts} FROM file{filled}")
    # Finding the filled slots costs more than keeping their rows.
    kept = "VIEW" if table.each is None else "TABLE"
    connection.execute(f"CREATE OR REPLACE TEMP {kept} delivered AS {' UNION ALL '.join(parts)}")
    rank = f'CAST("{table.each.rank}" AS INTEGER)' if table.each is not None else "0"
    connection.execute(f"CREATE OR REPLACE TEMP VIEW placed AS SELECT *, {rank} AS item FROM loaded")


def _rows(connection: duckdb.DuckDBPyConnection, table: TableContract, columns: Sequence[_Column]) -> list[Compared]:
    """Account for every row: loaded, quarantined, repeated or corrected, and none that was not delivered."""
    _gone(connection, table, columns)
    rows = connection.execute(
        "WITH odd AS (SELECT batch, row_no FROM gone SEMI JOIN lost USING (key) WHERE open UNION ALL "
        f"SELECT batch, row_no FROM placed l ANTI JOIN delivered d USING ({_KEY}) UNION ALL "
        f"SELECT batch, row_no FROM placed GROUP BY {_KEY} HAVING count(*) > 1), "
        "came AS (SELECT batch, count(*) AS n FROM delivered GROUP BY 1), "
        "kept AS (SELECT batch, count(*) AS n FROM placed GROUP BY 1), "
        "left_out AS (SELECT batch, count(*) AS n FROM gone GROUP BY 1), "
        "bad AS (SELECT batch, count(*) AS n, min(row_no) AS first FROM odd GROUP BY 1) "
        "SELECT batch, coalesce(came.n, 0), coalesce(kept.n, 0), coalesce(left_out.n, 0), coalesce(bad.n, 0), "
        "bad.first FROM batches LEFT JOIN came USING (batch) LEFT JOIN kept USING (batch) "
        "LEFT JOIN left_out USING (batch) LEFT JOIN bad USING (batch) ORDER BY 1"
    ).fetchall()
    return [
        Compared(batch, ROWS, "exact", came, kept, left, bad / max(came, kept, 1), None, bad, first)
        for batch, came, kept, left, bad, first in rows
    ]


def _gone(connection: duckdb.DuckDBPyConnection, table: TableContract, columns: Sequence[_Column]) -> None:
    """Make ``gone``, the rows that were not loaded, and ``lost``, those of their keys that the table does not have.

    Where quarantine holds a row it is not ``open`` why it is gone.
    """
    names = {column.name: column for column in columns}
    keys = [name for name in table.entity.key if name in names or name == _rank(table)]
    texts = ", ".join(f"'{name}': {'item' if name == _rank(table) else f'd.{name}'}" for name in keys)
    read = [f"d.key.{name}" if name == _rank(table) else _key(table, names[name]) for name in keys]
    same = " AND ".join(
        f"coalesce(CAST({text} AS VARCHAR), '') = coalesce(CAST(k.{name} AS VARCHAR), '')"
        for name, text in zip(keys, read, strict=True)
    )
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE gone AS SELECT d.batch, d.row_no, {{{texts}}} AS key, q.row_no IS NULL AS open "
        f"FROM (FROM delivered ANTI JOIN placed USING ({_KEY})) d LEFT JOIN quarantined q USING (batch, row_no)"
    )
    # A key is read once, however many rows repeat it.
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE lost AS "
        f"SELECT key FROM (SELECT DISTINCT key FROM gone WHERE open) d ANTI JOIN keys k ON {same}"
    )


def _rank(table: TableContract) -> str | None:
    return table.each.rank if table.each is not None else None


def _key(table: TableContract, column: _Column) -> str:
    """Return the expression of a key's delivered text as the table has it, however it was written."""
    text = f"trim(d.key.{column.name})"
    if column.field.type != "text":
        text = f"vf_narrow({text})"
    if column.field.type not in ("text", "code"):
        return f"TRY_CAST({text} AS {SQL_TYPES[column.field.type]})"
    text = text if column.field.type == "text" else f"upper({text})"
    if column.rule.width is not None:
        short = f"length({text}) < {column.rule.width} AND regexp_full_match({text}, '[0-9]+')"
        text = f"CASE WHEN {short} THEN lpad({text}, {column.rule.width}, '0') ELSE {text} END"
    return f"CASE WHEN NOT {_blank(table, text)} THEN {text} END"


def _kept(table: TableContract, column: _Column) -> str:
    """Return the condition that the value ``l`` says what the text ``d`` says."""
    text, value = f"coalesce(d.\"{column.name}\", '')", f'l."{column.name}"'
    keeps_it = keeps(column.field, column.rule, text=text, value=value)
    return f"CASE WHEN {value} IS NULL THEN {_blank(table, f'vf_bare({text})')} ELSE {keeps_it} END"


def _explain(connection: duckdb.DuckDBPyConnection, table: TableContract, columns: Sequence[_Column]) -> None:
    """Make ``odd``: the cells that do not read the same, and whether a cleaning explains each.

    It must be on record with the text before and after, and the value must still say what the text says.
    """
    alike = " AND ".join(f"coalesce({column.same}, false)" for column in columns)
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE apart AS "
        f"SELECT d, l FROM delivered d JOIN placed l USING ({_KEY}) WHERE NOT ({alike})"
    )
    counts = ", ".join(f"count(*) FILTER ({column.same} IS NOT true)" for column in columns)
    differ = connection.execute(f"SELECT {counts} FROM apart").fetchone() or ()
    # A statement about all columns costs more to plan than to run.
    none = "SELECT 0 AS batch, 0::BIGINT AS row_no, '' AS field, '' AS text, '' AS value, true AS kept WHERE false"
    parts = " UNION ALL ".join(
        [none]
        + [
            f'SELECT d.batch, d.row_no, \'{column.name}\', d."{column.name}", CAST(l."{column.name}" AS VARCHAR), '
            f"{_kept(table, column)} FROM apart WHERE {column.same} IS NOT true"
            for column, count in zip(columns, differ, strict=True)
            if count
        ]
    )
    # Records are cut at 64 characters, and what looks like an identity number is masked in them.
    before = (
        "c.raw = left(coalesce(o.text, ''), 64) OR contains(c.raw, '***') "
        "OR TRY_CAST(c.raw AS DOUBLE) = TRY_CAST(o.text AS DOUBLE)"
    )
    after = "c.clean IS NOT DISTINCT FROM left(o.value, 64) OR contains(coalesce(c.clean, ''), '***')"
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE odd AS WITH o AS ({parts}) "
        "SELECT o.*, coalesce(kept, false) AND EXISTS (FROM cleaned c WHERE "
        f"c.batch = o.batch AND c.row_no = o.row_no AND c.field = o.field AND ({before}) AND ({after})) AS told FROM o"
    )


def _cells(
    connection: duckdb.DuckDBPyConnection,
) -> dict[tuple[int, str], tuple[int, float, int, int | None]]:
    """Return, by file and column, the changed cells, how far the distribution moved, and what nothing explains."""
    rows = connection.execute(
        "WITH moved AS (SELECT batch, field, v, sum(n) AS n FROM (SELECT batch, field, text AS v, 1 AS n FROM odd "
        "UNION ALL SELECT batch, field, value, -1 FROM odd) GROUP BY ALL), "
        "far AS (SELECT batch, field, sum(abs(n)) / 2 AS n FROM moved GROUP BY ALL), "
        "bad AS (SELECT batch, field, count(*) FILTER (NOT told) AS n, min(row_no) FILTER (NOT told) AS first "
        "FROM odd GROUP BY ALL), "
        "ruled AS (SELECT batch, field, count(*) AS n FROM cleaned GROUP BY ALL), "
        "size AS (SELECT batch, count(*) AS n FROM placed GROUP BY ALL) "
        "SELECT batch, field, coalesce(ruled.n, 0), coalesce(far.n / size.n, 0), coalesce(bad.n, 0), bad.first "
        "FROM ruled FULL JOIN bad USING (batch, field) LEFT JOIN far USING (batch, field) JOIN size USING (batch)"
    ).fetchall()
    return {(batch, name): (changed, float(far), bad, first) for batch, name, changed, far, bad, first in rows}


def _shifts(connection: duckdb.DuckDBPyConnection, columns: Sequence[_Column]) -> dict[tuple[int, str], float]:
    """Return, by file and column, the 1-Wasserstein distance between what reads as a number before and after.

    The values are counted once; what differed before is told by the cells that do not read the same.
    """
    found = {}
    for column in columns:
        if column.field.type in ("text", "code"):
            continue
        unit = "epoch(CAST({} AS TIMESTAMP)) / 86400" if column.field.type in ("date", "time") else "CAST({} AS DOUBLE)"
        odd = f"FROM apart WHERE {column.same} IS NOT true"
        held = unit.format(f'l."{column.name}"')
        before, after = unit.format(column.number), unit.format(f'"{column.name}"')
        rows = connection.execute(
            f"WITH b AS (SELECT batch, {after} AS v, count(*) AS n FROM placed GROUP BY ALL), "
            f"a AS (FROM b UNION ALL SELECT d.batch, {held}, -count(*) {odd} GROUP BY ALL "
            f"UNION ALL SELECT d.batch, {before}, count(*) {odd} GROUP BY ALL), "
            "mass AS (SELECT batch, v, n / sum(n) OVER (PARTITION BY batch) AS p FROM "
            "(SELECT batch, v, sum(n) AS n FROM a WHERE v IS NOT NULL GROUP BY ALL HAVING sum(n) > 0) UNION ALL "
            "SELECT batch, v, -n / sum(n) OVER (PARTITION BY batch) FROM b WHERE v IS NOT NULL), "
            "steps AS (SELECT batch, v, sum(p) AS p FROM mass GROUP BY ALL), "
            "walk AS (SELECT batch, sum(p) OVER w AS p, lead(v) OVER w - v AS gap FROM steps "
            "WINDOW w AS (PARTITION BY batch ORDER BY v)) "
            "SELECT batch, coalesce(sum(abs(p) * gap), 0) FROM walk WHERE batch IN (SELECT batch FROM a WHERE v IS NOT "
            "NULL GROUP BY batch HAVING sum(n) > 0) GROUP BY batch"
        ).fetchall()
        found.update({(batch, column.name): float(distance) for batch, distance in rows})
    return found


def _tokens(connection: duckdb.DuckDBPyConnection, name: str, counts: dict[int, tuple[int, int]]) -> list[Compared]:
    """Tell whether every number became one token, every token stands for one number, and none came or went."""
    rows = connection.execute(
        f'WITH pair AS (SELECT batch, d."{name}" AS a, l."{name}" AS b, count(*) AS n, min(row_no) AS first '
        f"FROM delivered d JOIN placed l USING ({_KEY}) GROUP BY ALL), "
        "judged AS (SELECT *, count(*) OVER (PARTITION BY a) AS tokens, count(*) OVER (PARTITION BY b) AS numbers "
        "FROM (SELECT a, b, min(first) AS first FROM pair GROUP BY ALL)), "
        "bad AS (SELECT a, b FROM judged WHERE (a IS NULL) <> (b IS NULL) OR tokens > 1 OR numbers > 1) "
        "SELECT p.batch, sum(p.n), min(p.first) FROM pair p JOIN bad q "
        "ON p.a IS NOT DISTINCT FROM q.a AND p.b IS NOT DISTINCT FROM q.b GROUP BY 1"
    ).fetchall()
    bad = {batch: (int(n), first) for batch, n, first in rows}
    count = "SELECT batch, count(*) FROM cleaned WHERE field = $name GROUP BY 1"
    ruled = dict(connection.execute(count, {"name": name}).fetchall())
    found = []
    for batch, (before, after) in counts.items():
        wrong, first = bad.get(batch, (0, None))
        changed = ruled.get(batch, 0)
        found.append(Compared(batch, name, "token", before, after, changed, wrong / max(after, 1), None, wrong, first))
    return found
