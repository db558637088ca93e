"""Aggregates: many rows of one table become one value of a cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from headwater.claims.indicators.faults import FormulaRefusal
from headwater.claims.indicators.fields import HOME
from headwater.claims.indicators.syntax import Call, Name, Number
from headwater.claims.indicators.terms import Term, both, kind_words
from headwater.claims.indicators.units import NONE

if TYPE_CHECKING:
    from headwater.claims.indicators.checking import Checker

__all__ = ["FUNCTIONS", "aggregate"]

FUNCTIONS: Mapping[str, str] = {
    "sum": "sum(x where …)",
    "count": "count(where …), count(table), count(x) / count(distinct x where …)",
    "avg": "avg(x where …)",
    "min": "min(x where …)",
    "max": "max(x where …)",
    "median": "median(x where …)",
    "quantile": "quantile(x, 0.9 where …)",
    "share_of": "share_of(x where …) / share_of(condition)",
    "if": "if(condition, a, b)",
}
"""Function → how it is written."""


def aggregate(checker: Checker, node: Call) -> Term:
    """Return what an aggregate means: the table whose rows it counts follows from its fields."""
    if checker.is_inside:
        raise checker.fault("nested", node)
    if node.distinct and node.name != "count":
        raise _misused(checker, node)
    table = _table(checker, node)
    where = None
    if node.where is not None:
        where = checker.rows(node.where, table)
        if where.kind != "condition":
            raise checker.fault("type", node.where, **kind_words(wanted="condition", found=where.kind))
    if node.name == "count":
        return _count(checker, node, table, where)
    if node.name == "share_of":
        return _share(checker, node, table, where)
    return _number(checker, node, table, where)


def _table(checker: Checker, node: Call) -> str:
    """Return the table whose rows count: the one beside stays that its fields are of."""
    names = [one for one in node.walk() if isinstance(one, Name)]
    if _counts_table(checker, node):
        found = names.pop(0).name
    else:
        named = (one.table for one in names if one.table in checker.catalogue.tables and one.table != HOME)
        found = next(named, None) or HOME
    for name in names:
        table = checker.field(name, found).table
        if found not in (HOME, table) and table != HOME:
            raise checker.fault("two_tables", name, one=found, other=table)
        found = table if found == HOME else found
    return found


def _counts_table(checker: Checker, node: Call) -> bool:
    """Tell whether this is ``count(table)``."""
    if node.name != "count" or len(node.arguments) != 1 or node.distinct:
        return False
    (counted,) = node.arguments
    return isinstance(counted, Name) and counted.table is None and counted.name in checker.catalogue.tables


def _count(checker: Checker, node: Call, table: str, where: Term | None) -> Term:
    row = checker.catalogue.tables[table].row
    if not node.distinct and (not node.arguments or _counts_table(checker, node)):
        return _made(checker, Term("count", "number", row, table=table, where=where))
    if len(node.arguments) != 1:
        raise _misused(checker, node)
    (counted,) = node.arguments
    if not node.distinct:
        value = checker.rows(counted, table)
        return _made(checker, Term("count", "number", row, args=(value,), table=table, where=where))
    if not isinstance(counted, Name):
        raise _misused(checker, node)
    field = checker.field(counted, table)
    unit = field.unit if field.kind == "identifier" else NONE
    value = Term("field", field.kind, field.unit, field=field)
    return _made(checker, Term("distinct", "number", unit, args=(value,), table=table, where=where))


def _share(checker: Checker, node: Call, table: str, where: Term | None) -> Term:
    if len(node.arguments) != 1:
        raise _misused(checker, node)
    value = checker.rows(node.arguments[0], table)
    if value.kind == "condition" and where is None:
        missing = Term("missing", "condition", args=(value,)).sized()
        counted = Term("count", "number", checker.catalogue.tables[table].row, table=table)
        part = _made(checker, replace(counted, where=value))
        whole = _made(checker, replace(counted, where=Term("not", "condition", args=(missing,)).sized()))
    elif value.kind == "number" and where is not None:
        summed = Term("sum", "number", value.unit, args=(value,), table=table)
        part, whole = _made(checker, replace(summed, where=where)), _made(checker, summed)
    else:
        raise _misused(checker, node)
    return Term("/", "number", args=(part.sized(), whole.sized()), is_exact=False, is_required=False)


def _number(checker: Checker, node: Call, table: str, where: Term | None) -> Term:
    if len(node.arguments) != (2 if node.name == "quantile" else 1):
        raise _misused(checker, node)
    value = checker.rows(node.arguments[0], table)
    if value.kind != "number":
        raise checker.fault("type", node.arguments[0], **kind_words(wanted="number", found=value.kind))
    share = Decimal("0.5") if node.name == "median" else None
    if node.name == "quantile":
        given = node.arguments[1]
        if not isinstance(given, Number) or given.unit not in (None, NONE) or not 0 <= given.value <= 1:
            raise checker.fault("share", given)
        share = given.value
    op = node.name if share is None else "quantile"
    return _made(checker, Term(op, "number", value.unit, args=(value,), value=share, table=table, where=where))


def _made(checker: Checker, term: Term) -> Term:
    """Return an aggregate over the rows that are in the scope."""
    required = term.op in ("count", "distinct") or (term.op == "sum" and term.args[0].is_required)
    return replace(term, where=both(checker.scope, term.where), is_exact=False, is_required=required)


def _misused(checker: Checker, node: Call) -> FormulaRefusal:
    return checker.fault("arguments", node, name=node.name, usage=FUNCTIONS[node.name])
