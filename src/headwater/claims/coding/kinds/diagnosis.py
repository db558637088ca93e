"""Diagnoses: names in clinical words; see ``tables/telling.csv`` for those that tell one from another."""

from headwater.claims.coding.kinds.clinical import attributes, read
from headwater.claims.coding.kinds.kind import Kind

__all__ = ["DIAGNOSIS"]

DIAGNOSIS = Kind(name="diagnosis", fields=(), attributes=attributes("diagnosis"), read=read)
