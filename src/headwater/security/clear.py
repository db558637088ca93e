"""No protection: the server sees every vector. Fit for statistics that a source may show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from headwater.security.protection import PROTECTIONS, Entropy, require_group, require_messages, require_range
from headwater.types import Fixed

__all__ = ["CLEAR", "Clear"]


@dataclass(frozen=True)
class _ClearMember:
    members: int

    def public(self) -> bytes:
        """Return nothing: members need not know each other."""
        return b""

    def protect(self, values: Fixed, publics: Mapping[str, bytes]) -> bytes:
        """Return the values as they are, little-endian."""
        require_range(values, self.members)
        return values.astype("<u8").tobytes()


@dataclass(frozen=True)
class Clear:
    """Vectors travel as they are."""

    name: str = "clear"
    minimum: int = 1
    reveals: Literal["each", "sum"] = "each"

    def join(self, name: str, group: Sequence[str], round_id: str, entropy: Entropy) -> _ClearMember:
        """Return the member called ``name``."""
        return _ClearMember(len(require_group(name, group, self.minimum)))

    def combine(self, messages: Mapping[str, bytes], group: Sequence[str], *, round_id: str) -> Fixed:
        """Return the sum of the vectors; a missing member is refused."""
        length = require_messages(messages, group)
        total = np.zeros(length // 8, dtype=np.uint64)
        for message in messages.values():
            total += np.frombuffer(message, dtype="<u8")
        return total


CLEAR = Clear()
PROTECTIONS.register("clear")(CLEAR)
