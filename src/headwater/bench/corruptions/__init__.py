"""Ways in which a delivery goes wrong, each by its name: what the checks must notice. One family a file."""

from headwater.bench.corruptions import (
    amounts,
    catalogue,
    cross_table,
    deliveries,
    identities,
    population,
    structure,
    time,
    values,
)
from headwater.bench.corruptions.corruption import CORRUPTIONS, Corruption
from headwater.bench.corruptions.month import Month, Sheet

__all__ = [
    "CORRUPTIONS",
    "Corruption",
    "Month",
    "Sheet",
    "amounts",
    "catalogue",
    "cross_table",
    "deliveries",
    "identities",
    "population",
    "structure",
    "time",
    "values",
]
