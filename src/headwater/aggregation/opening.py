"""What nodes are told of a group before it speaks, signed by the region."""

from collections.abc import Mapping
from dataclasses import dataclass

from headwater.aggregation.exposure import Exposure
from headwater.aggregation.sitting import Sitting
from headwater.federation import wire
from headwater.federation.wire import travels
from headwater.security.identity import digest_of
from headwater.security.pact import Pact

__all__ = ["PLAY", "SPEAK", "Opening", "Play"]

SPEAK, PLAY = b"speak", b"play"
"""What a message to a node begins with: answer one phase as a member; play a group as its tier."""


@travels("opening")
@dataclass(frozen=True)
class Opening:
    """What one member is told: whom it joins, who adds, what it says and who will see it.

    Parameters
    ----------
    purpose, run : as in a task
    adder : Ed25519 public key of whoever adds, and signs what is told in every phase
    asked : SHA-256 of the question, of a source; empty for a tier
    sums : of a tier, the rounds of its own groups whose sum it says; empty for a source
    seen : of a source, all that will be seen of it, lowest tier first
    """

    purpose: str
    run: str
    sitting: Sitting
    pact: Pact
    adder: bytes
    asked: bytes
    sums: tuple[str, ...]
    seen: tuple[Exposure, ...]

    def __post_init__(self) -> None:
        if not self.sitting.agrees(self.pact) or bool(self.sums) == bool(self.asked):
            raise ValueError("another group's pact, or both a question and sums, or neither")


@travels("play")
@dataclass(frozen=True)
class Play:
    """What a tier is told that plays a group.

    Parameters
    ----------
    openings : by member that has something to say, its task with the signature, and its opening, both as they travel
    """

    purpose: str
    run: str
    sitting: Sitting
    pact: Pact
    openings: Mapping[str, tuple[bytes, bytes]]

    def __post_init__(self) -> None:
        if not self.sitting.agrees(self.pact) or set(self.openings) != set(self.sitting.present):
            raise ValueError("another group's pact, or openings of others than are present")

    @property
    def words(self) -> bytes:
        """SHA-256 of what is asked, whenever and for however long it was signed."""
        openings = (digest_of([name.encode(), text]) for name, (_, text) in sorted(self.openings.items()))
        return digest_of([self.purpose.encode(), self.run.encode(), wire.written(self.sitting), *openings])
