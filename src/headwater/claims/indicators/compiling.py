"""From terms to SQL: any number of indicators of one grain become one SELECT, which reads each table once.

Every name in it comes from the catalogue and every other word from here; texts are quoted and hold no quote. Each
aggregate is one column however many indicators use it. Sums are exact; values are binary fractions. A sum of no rows is
0, a sum of rows that all lack the value is unknown, and so is what is divided by 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from headwater.claims.indicators.fields import HOME, Catalogue
from headwater.claims.indicators.resolving import Checked
from headwater.claims.indicators.terms import AGGREGATES, Term

__all__ = ["APART", "Months", "compile_sql"]

APART = ("currency", "origin")
"""What is never added up: every cell is of one currency, with real and generated data apart."""

_KEY = "stay_id"


Months = tuple[date | None, date | None]
"""First days of months: the first that counts and the first that no longer does, None where there is no such end."""


def compile_sql(checked: Sequence[Checked], catalogue: Catalogue, *, months: Months = (None, None)) -> str:
    """Return one SELECT that computes indicators of one grain.

    Parameters
    ----------
    months : only stays discharged in these

    Returns
    -------
    str
        its columns are the grain, :data:`APART`, ``indicator``, ``version``, ``value`` in the indicator's unit, and
        ``stays``: how many stays of the cell are in the scope, at least 1
    """
    grain = checked[0].indicator.grain
    if any(one.indicator.grain != grain for one in checked):
        raise ValueError("indicators of one query have one grain")
    columns = _Columns()
    structs = [_struct(one, columns) for one in checked]
    keys = _keys(grain, catalogue)
    parts = [_table(name, columns.of[name], keys, catalogue, months) for name in columns.of]
    joins = "".join(
        f"\nLEFT JOIN {_quoted('of_' + name)} ON "
        + " AND ".join(
            f"{_quoted('of_' + HOME)}.{key} IS NOT DISTINCT FROM {_quoted('of_' + name)}.{key}" for key in keys
        )
        for name in columns.of
        if name != HOME
    )
    selected = ", ".join(f"{_quoted('of_' + HOME)}.{key}" for key in keys)
    unnested = ",\n    ".join(structs)
    return (
        f"WITH {', '.join(parts)},\nlong AS (\n  SELECT {selected}, unnest([\n    {unnested}\n  ], recursive := true)\n"
        f"  FROM {_quoted('of_' + HOME)}{joins}\n)\nSELECT * FROM long WHERE stays > 0"
    )


@dataclass
class _Columns:
    """The aggregates of each table: SQL of an aggregate → its column."""

    of: dict[str, dict[str, str]] = field(default_factory=lambda: {HOME: {}})

    def named(self, table: str, sql: str) -> str:
        """Return the column that holds an aggregate, qualified."""
        held = self.of.setdefault(table, {})
        name = held.setdefault(sql, f"a{len(held)}")
        return f"{_quoted('of_' + table)}.{name}"


def _struct(one: Checked, columns: _Columns) -> str:
    value = _double(one.term, columns)
    value = value if one.size == 1 else f"({value} / {one.size:f})"
    stays = columns.named(HOME, "count(*)" + _filter(one.rows))
    return (
        f"{{'indicator': '{one.indicator.name}', 'version': {one.indicator.version}, "
        f"'value': CASE WHEN isfinite({value}) THEN {value} END, 'stays': {stays}}}"
    )


def _keys(grain: Sequence[str], catalogue: Catalogue) -> dict[str, str]:
    """Return the columns of the grain and what they are of a stay; a text that a stay lacks is ``unknown``."""
    keys = {}
    for name in dict.fromkeys((*grain, *APART)):
        held = catalogue.tables[HOME].fields[name]
        column = f"{_quoted(HOME)}.{_quoted(name)}"
        known = held.is_required or held.kind not in ("text", "identifier")
        keys[_quoted(name)] = column if known else f"coalesce({column}, 'unknown')"
    return keys


def _table(name: str, aggregates: dict[str, str], keys: dict[str, str], catalogue: Catalogue, months: Months) -> str:
    selected = [f"{sql} AS {key}" for key, sql in keys.items()]
    selected += [f"{sql} AS {column}" for sql, column in aggregates.items()]
    home = catalogue.tables[HOME]
    source = f"{home.relation} AS {_quoted(HOME)}"
    if name != HOME:
        source = (
            f"{catalogue.tables[name].relation} AS {_quoted(name)} INNER JOIN {source} "
            f"ON {_quoted(name)}.{_KEY} = {_quoted(HOME)}.{_KEY}"
        )
    wanted = f"{_quoted(HOME)}.is_valid"
    for sign, month in zip((">=", "<"), months, strict=True):
        wanted += f" AND {_quoted(HOME)}.discharge_month {sign} DATE '{month.isoformat()}'" if month else ""
    groups = ", ".join(str(place) for place in range(1, len(keys) + 1))
    body = ",\n    ".join(selected)
    return (
        f"{_quoted('of_' + name)} AS (\n  SELECT\n    {body}\n  FROM {source}\n  WHERE {wanted}\n  GROUP BY {groups}\n)"
    )


def _double(term: Term, columns: _Columns | None) -> str:
    return f"CAST({_sql(term, columns)} AS DOUBLE)"


def _sql(term: Term, columns: _Columns | None = None) -> str:
    """Return the SQL of a term: of rows where ``columns`` is None, else of a cell, whose aggregates become columns."""
    if term.op in AGGREGATES:
        if columns is None:
            raise AssertionError("an aggregate holds no aggregate")
        return _aggregate(term, columns)
    if term.op in ("number", "text", "date", "truth"):
        return _constant(term)
    if term.op == "field":
        return _column(term)
    if term.op in ("*", "/"):
        left, right = (_double(arg, columns) for arg in term.args)
        return f"({left} * {right})" if term.op == "*" else f"({left} / nullif({right}, 0))"
    if term.op in ("+", "-"):
        left, right = (_sql(arg, columns) if term.is_exact else _double(arg, columns) for arg in term.args)
        return f"({left} {term.op} {right})"
    return _condition(term, [_sql(arg, columns) for arg in term.args])


def _condition(term: Term, args: list[str]) -> str:
    first = args[0]
    if term.op == "neg":
        return f"(-{first})"
    if term.op == "not":
        return f"(NOT {first})"
    if term.op == "missing":
        return f"({first} IS NULL)"
    if term.op == "in":
        return f"({first} IN ({', '.join(args[1:])}))"
    if term.op == "starts":
        return f"starts_with({first}, {args[1]})"
    if term.op == "if":
        # Where the condition is unknown, so is what follows from it.
        return f"(CASE WHEN {first} THEN {args[1]} WHEN NOT {first} THEN {args[2]} END)"
    return f"({first} {term.op.upper()} {args[1]})"


def _constant(term: Term) -> str:
    if term.op == "number":
        return f"{term.value:f}"
    if term.op == "date":
        return f"DATE '{term.value}'"
    if term.op == "truth":
        return "true" if term.value else "false"
    text = str(term.value).replace("'", "''")
    return f"'{text}'"


def _column(term: Term) -> str:
    if term.field is None:
        raise AssertionError("a field has a column")
    column = f"{_quoted(term.field.table)}.{_quoted(term.field.name)}"
    return f"CAST({column} AS DATE)" if term.kind == "date" else column


def _aggregate(term: Term, columns: _Columns) -> str:
    """Return an aggregate of a cell; a cell without rows of the table has counts and sums of 0."""
    condition = _filter(term.where)
    args = [_sql(arg) for arg in term.args]
    if term.op == "count":
        return f"coalesce({columns.named(term.table, f'count({args[0] if args else chr(42)}){condition}')}, 0)"
    if term.op == "distinct":
        return f"coalesce({columns.named(term.table, f'count(DISTINCT {args[0]}){condition}')}, 0)"
    if term.op == "quantile":
        sql = f"quantile_cont(CAST({args[0]} AS DOUBLE), {term.value:f})"
        return columns.named(term.table, sql + condition)
    column = columns.named(term.table, f"{term.op}({args[0]}){condition}")
    if term.op != "sum":
        return column
    if term.args[0].is_required:
        return f"coalesce({column}, 0)"
    rows = columns.named(term.table, "count(*)" + condition)
    return f"(CASE WHEN coalesce({rows}, 0) = 0 THEN 0 ELSE {column} END)"


def _filter(where: Term | None) -> str:
    return "" if where is None else f" FILTER (WHERE {_sql(where)})"


def _quoted(name: str) -> str:
    return f'"{name}"'
