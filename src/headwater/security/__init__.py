"""Protections of a sum, one a file; importing this package registers them all."""

from headwater.security.clear import CLEAR
from headwater.security.masked import MASKED
from headwater.security.protection import PROTECTIONS, Entropy, Member, Protection

__all__ = [
    "CLEAR",
    "Entropy",
    "MASKED",
    "Member",
    "PROTECTIONS",
    "Protection",
]
