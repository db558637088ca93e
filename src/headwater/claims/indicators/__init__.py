"""Indicators that a bureau defines without code: parsed, checked for types and units, compiled to SQL.

>>> parse("sum(drug_amount) / sum(fee_line_amount)").references
()
"""

from headwater.claims.indicators.compiling import APART, Months, compile_sql
from headwater.claims.indicators.definition import DIRECTIONS, Indicator, from_document, to_document
from headwater.claims.indicators.faults import FAULTS, FormulaRefusal, Source, Span
from headwater.claims.indicators.fields import HOME, Catalogue, Field, Table, catalogue
from headwater.claims.indicators.parsing import parse
from headwater.claims.indicators.resolving import Checked, check
from headwater.claims.indicators.syntax import Formula
from headwater.claims.indicators.units import BASES, CURRENCIES, Unit, parse_unit

__all__ = [
    "APART",
    "BASES",
    "CURRENCIES",
    "DIRECTIONS",
    "FAULTS",
    "HOME",
    "Catalogue",
    "Checked",
    "Field",
    "Formula",
    "FormulaRefusal",
    "Indicator",
    "Months",
    "Source",
    "Span",
    "Table",
    "Unit",
    "catalogue",
    "check",
    "compile_sql",
    "from_document",
    "parse",
    "parse_unit",
    "to_document",
]
