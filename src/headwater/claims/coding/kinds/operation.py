"""Operation: names in clinical words."""

from headwater.claims.coding.kinds.clinical import ATTRIBUTES, read
from headwater.claims.coding.kinds.kind import Kind

__all__ = ["OPERATION"]

OPERATION = Kind(name="operation", fields=(), attributes=ATTRIBUTES, read=read)
