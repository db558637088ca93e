"""No protection: the server sees every vector, in as few bits as it needs. For statistics that a source may show."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from headwater.security.identity import Entropy, Identity
from headwater.security.packing import pack, packed_bytes, unpack
from headwater.security.pact import Pact
from headwater.security.protection import PROTECTIONS, Protection
from headwater.security.single import SingleMember, SingleServer
from headwater.types import Fixed

__all__ = ["CLEAR", "Clear"]


@dataclass(frozen=True)
class _InClear:
    """Vectors in the bits that one of them needs."""

    pact: Pact

    @property
    def bits(self) -> int:
        """Bits of every value."""
        return self.pact.span.bits(1)

    def written(self, lifted: Fixed) -> bytes:
        """Return a member's vector as it travels."""
        return pack(lifted, self.bits)

    def read(self, body: bytes) -> Fixed:
        """See ``Travel``."""
        if len(body) != packed_bytes(self.pact.length, self.bits):
            raise ValueError("another length")
        return np.asarray(unpack(body, self.pact.length, self.bits), dtype=np.uint64)

    def added(self, one: Fixed, other: Fixed) -> Fixed:
        """See ``Travel``."""
        return np.asarray(one + other)

    def kept(self, summed: Fixed) -> bytes:
        """See ``Travel``; sums are wider than vectors."""
        return summed.astype("<u8").tobytes()

    def restored(self, kept: bytes) -> Fixed:
        """See ``Travel``."""
        return np.frombuffer(kept, dtype="<u8").astype(np.uint64)

    def opened(self, summed: Fixed, members: int) -> Fixed:
        """See ``Travel``."""
        return self.pact.span.lowered(summed, members)


class Clear(Protection):
    """Vectors travel as they are."""

    name: ClassVar[str] = "clear"
    minimum: ClassVar[int] = 1
    reveals: ClassVar[Literal["each", "sum"]] = "each"

    def server(self, pact: Pact, *, state: bytes = b"") -> SingleServer[Fixed]:
        """Return the server."""
        self.require(pact)
        return SingleServer(pact, _InClear(pact), fewest=self.minimum, state=state)

    def member(
        self, pact: Pact, name: str, identity: Identity, entropy: Entropy, *, state: bytes = b""
    ) -> SingleMember:
        """Return the member; it needs no secrets."""
        self.require(pact)
        return SingleMember(pact, name, identity, _InClear(pact).written, state)


CLEAR = Clear()
PROTECTIONS.register("clear")(CLEAR)
