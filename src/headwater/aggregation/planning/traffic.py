"""How many bytes a round takes, in closed form: what a plan foresees is what is then sent."""

from dataclasses import dataclass
from functools import lru_cache

from headwater.errors import Message, Refusal
from headwater.security.desk import SEAL_BYTES, TRACE_BYTES
from headwater.security.limbs import DEGREE, Limbs
from headwater.security.masking.boxes import BOX, BOX_KEY, KEY_BYTES
from headwater.security.masking.graph import thresholds
from headwater.security.masking.member import PHASES
from headwater.security.packing import packed_bytes
from headwater.security.pact import Pact, Span

__all__ = ["CIPHERTEXT_BYTES", "Traffic", "neighbours", "traffic", "units"]

CIPHERTEXT_BYTES = 58_990
"""Of one fresh ciphertext; SEAL compresses what it writes, so it is known by measurement, to a part in 1,000."""


@dataclass(frozen=True)
class Traffic:
    """Bytes of one member in one round: what it sends upwards, what it is told."""

    sent: int
    told: int


@lru_cache(maxsize=4096)
def traffic(protection: str, *, members: int, length: int, span: Span | None) -> Traffic:
    """Return the bytes of each member of a group in which nobody is lost.

    Parameters
    ----------
    protection : clear, masked or ckks; any other is refused with ``E-TRAFFIC-UNKNOWN``
    length : values in every vector
    span : bounds of every value; without them values travel in 64 bits

    Raises
    ------
    Refusal
        also ``E-PACT-SPAN`` and, of encrypted sums, ``E-LIMBS-ROOM``
    """
    pact = _pact(protection, members, length, span)
    if protection == "clear":
        return Traffic(SEAL_BYTES + packed_bytes(length, pact.span.bits(1)), 1)
    if protection == "ckks":
        return Traffic(SEAL_BYTES + units(protection, members=members, length=length, span=span) * CIPHERTEXT_BYTES, 1)
    if protection == "masked":
        return _masked(pact)
    raise Refusal(
        "E-TRAFFIC-UNKNOWN",
        Message(f"不知“{protection}”的通信量。", f"Nobody told how many bytes {protection!r} takes."),
        Message("请在 aggregation/planning/traffic.py 中写明。", "Say so in aggregation/planning/traffic.py."),
    )


def neighbours(protection: str, *, members: int) -> int:
    """Return with how many others each member agrees on masks."""
    return thresholds(members).degree if protection == "masked" else 0


@lru_cache(maxsize=4096)
def units(protection: str, *, members: int, length: int, span: Span | None) -> int:
    """Return in how many pieces a vector is worked on: ciphertexts, or values."""
    if protection != "ckks":
        return length
    return -(-Limbs.of(_pact(protection, members, length, span)).slots(length) // (DEGREE // 2))


def _masked(pact: Pact) -> Traffic:
    """Five signed messages: keys, two boxes a holder, the vector, nothing, keys of boxes; what is told in between."""
    numbers = thresholds(len(pact.group))
    holders = numbers.degree + 1
    said = 2 * KEY_BYTES + (KEY_BYTES + 2 * BOX * holders) + (KEY_BYTES + BOX_KEY * holders)
    told = (SEAL_BYTES + 2 * KEY_BYTES) * numbers.degree + 2 * BOX * holders + TRACE_BYTES * numbers.degree
    return Traffic(
        PHASES * SEAL_BYTES + said + packed_bytes(pact.length, pact.bits),
        PHASES + (PHASES - 1) * pact.bitmap_bytes + told + SEAL_BYTES * numbers.quorum,
    )


def _pact(protection: str, members: int, length: int, span: Span | None) -> Pact:
    """Return a pact of nobody in particular: bytes depend on numbers alone."""
    return Pact.of(protection, {str(place): b"" for place in range(members)}, round_id="", length=length, span=span)
