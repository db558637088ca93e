"""Operations: names in clinical words; see ``tables/telling.csv`` for those that tell one from another."""

from headwater.claims.coding.kinds.clinical import attributes, read
from headwater.claims.coding.kinds.kind import Kind

__all__ = ["OPERATION"]

OPERATION = Kind(name="operation", fields=(), attributes=attributes("operation"), read=read)
