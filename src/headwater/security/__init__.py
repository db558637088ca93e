"""Protections of a sum, one a file; importing this package registers them all."""

from headwater.security.clear import CLEAR
from headwater.security.identity import Entropy, Identity
from headwater.security.masked import MASKED
from headwater.security.pact import KeyOf, Pact, Span
from headwater.security.protection import PROTECTIONS, Carry, Member, Played, Protection, Server, Session, play

__all__ = [
    "CLEAR",
    "Carry",
    "Entropy",
    "Identity",
    "KeyOf",
    "MASKED",
    "Member",
    "PROTECTIONS",
    "Pact",
    "Played",
    "Protection",
    "Server",
    "Session",
    "Span",
    "play",
]
