"""Diagnosis: names in clinical words."""

from headwater.claims.coding.kinds.clinical import ATTRIBUTES, read
from headwater.claims.coding.kinds.kind import Kind

__all__ = ["DIAGNOSIS"]

DIAGNOSIS = Kind(name="diagnosis", fields=(), attributes=ATTRIBUTES, read=read)
