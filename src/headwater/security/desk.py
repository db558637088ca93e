"""The server's desk: every message is opened, held against who signed what, and taken once."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from headwater.errors import Message, Refusal
from headwater.security.identity import Identity, framed, signed_by, unframed
from headwater.security.pact import Pact
from headwater.security.refusals import late, unsigned

__all__ = ["Desk", "Equivocation", "Evidence", "Occasion", "SEAL_BYTES", "TRACE_BYTES", "sealed", "trace_of"]

SEAL_BYTES = 64
"""What a signature adds to every message."""

TRACE_BYTES = SEAL_BYTES + 32
"""What is kept of every message."""


@dataclass(frozen=True)
class Occasion:
    """What a message is said to: pact, phase, and what its sender was told that all must know alike."""

    pact: Pact
    phase: int
    known: bytes = b""

    def subject(self, name: str, digest: bytes) -> tuple[bytes, ...]:
        """Return what is signed."""
        return self.pact.digest, bytes([self.phase]), self.known, name.encode(), digest

    def signed(self, name: str, trace: bytes) -> bool:
        """Return whether ``name`` signed a message of this trace on this occasion."""
        public = self.pact.keys.get(name, b"")
        return signed_by(public, trace[:SEAL_BYTES], *self.subject(name, trace[SEAL_BYTES:]))


def sealed(occasion: Occasion, name: str, identity: Identity, body: bytes) -> bytes:
    """Return the message: a signature over occasion, sender and digest of the body, then the body."""
    return identity.sign(*occasion.subject(name, hashlib.sha256(body).digest())) + body


def trace_of(message: bytes) -> bytes:
    """Return the 96 bytes that prove a message was signed: the signature, and the digest of the body."""
    return message[:SEAL_BYTES] + hashlib.sha256(memoryview(message)[SEAL_BYTES:]).digest()


@dataclass(frozen=True)
class Evidence:
    """Two different messages of one phase, each signed by one sender: proof to anybody who knows the pact."""

    sender: str
    occasion: Occasion
    first: bytes
    second: bytes

    def holds(self) -> bool:
        """Return whether both are signed and differ in what they say."""
        traces = (self.first, self.second)
        apart = self.first[SEAL_BYTES:] != self.second[SEAL_BYTES:]
        return apart and all(self.occasion.signed(self.sender, trace) for trace in traces)


class Equivocation(Refusal):
    """A member said two things in one phase."""

    def __init__(self, evidence: Evidence) -> None:
        super().__init__(
            "E-ROUND-TWICE",
            Message(
                f"“{evidence.sender}”在第 {evidence.occasion.phase} 阶段签署了两条不同的消息。",
                f"{evidence.sender!r} signed two different messages in phase {evidence.occasion.phase}.",
            ),
            Message(
                "请保留证据并核查该成员；本轮不受影响。", "Keep the evidence, examine it; the round is not affected."
            ),
        )
        self.evidence = evidence


@dataclass
class Desk:
    """What was taken in which phase, as traces: enough to know a repetition and to prove a contradiction."""

    seen: dict[tuple[int, str], bytes] = field(default_factory=dict)

    def take(
        self, occasions: Sequence[Occasion], sender: str, message: bytes, form: Callable[[bytes], None]
    ) -> bytes | None:
        """Return the body of a new message, None for one that was taken before; refuse anything else.

        Parameters
        ----------
        occasions : those of all phases up to this one
        form : refuses a body that this sender cannot mean in this phase
        """
        phase, trace = len(occasions) - 1, trace_of(message)
        if any(self.seen.get((past, sender)) == trace for past in range(phase + 1)):
            return None
        signed = next((past for past in range(phase, -1, -1) if occasions[past].signed(sender, trace)), None)
        if signed is None:
            raise unsigned(sender)
        first = self.seen.get((signed, sender))
        if first is not None:
            raise Equivocation(Evidence(sender, occasions[signed], first, trace))
        if signed < phase:
            raise late(sender)
        body = message[SEAL_BYTES:]
        form(body)
        self.seen[phase, sender] = trace
        return body

    def to_bytes(self) -> bytes:
        """Return the traces."""
        return framed(*(bytes([phase]) + trace + name.encode() for (phase, name), trace in self.seen.items()))

    @staticmethod
    def from_bytes(state: bytes) -> "Desk":
        """Read what ``to_bytes`` wrote."""
        parts = unframed(state)
        return Desk({(part[0], part[97:].decode()): part[1:97] for part in parts})
