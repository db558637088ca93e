"""Who lied when secrets were opened, in what they signed: proof to anybody who knows the pact.

Nobody who keeps to the protocol can be named, whoever conspires: a holder tells which boxes it was told and gives their
keys, so it contradicts itself or nobody; an owner's honest boxes open to the shares it dealt, and these to its secret.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from headwater.errors import Message, Refusal
from headwater.security.desk import SEAL_BYTES, trace_of
from headwater.security.identity import digest_of
from headwater.security.masking.boxes import BOX_KEY, KEY_BYTES, SEED, around, boxes_for, occasion, opened
from headwater.security.masking.graph import thresholds
from headwater.security.masking.shamir import join
from headwater.security.masking.streams import key_of, public_of
from headwater.security.pact import Pact

__all__ = ["Misdealing", "Misdealt", "Misopened", "Misopening", "fits"]

_DIGEST = 32


@dataclass(frozen=True)
class Misopening:
    """A holder signed keys that do not open the boxes that it says it was told.

    Parameters
    ----------
    survivors : whose seeds, and not whose keys, it was to open
    told : the words with its neighbours' keys, and those with its boxes
    message : its opening
    """

    pact: Pact
    holder: str
    survivors: tuple[str, ...]
    told: tuple[bytes, bytes]
    message: bytes

    def owners(self) -> tuple[str, ...]:
        """Return whose boxes are not opened; ValueError if the opening is not of these words."""
        pact, body = self.pact, self.message[SEAL_BYTES:]
        if body[:_DIGEST] != digest_of(self.told):
            raise ValueError("of other words")
        gave_keys, gave_shares = self._lists()
        targets = [name for name in around(pact, gave_keys, self.holder) if name in gave_shares]
        boxes = boxes_for(targets, self.told[1][1 + pact.bitmap_bytes :])
        if len(body) != _DIGEST + BOX_KEY * len(targets):
            raise ValueError("another number of keys")
        keys = (body[start : start + BOX_KEY] for start in range(_DIGEST, len(body), BOX_KEY))
        given = zip(targets, keys, strict=True)
        return tuple(owner for owner, key in given if opened(key, boxes[owner][owner in self.survivors]) is None)

    def holds(self) -> bool:
        """Return whether the holder signed this, and some key does not open its box."""
        said = occasion(self.pact, 4, (*self._lists(), self.survivors))
        try:
            return said.signed(self.holder, trace_of(self.message)) and bool(self.owners())
        except (ValueError, KeyError):
            return False

    def _lists(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        pact, end = self.pact, 1 + self.pact.bitmap_bytes
        return pact.listed(self.told[0][1:end]), pact.listed(self.told[1][1:end])


@dataclass(frozen=True)
class Misdealing:
    """An owner signed boxes whose shares do not give the secret that it bound itself to.

    Parameters
    ----------
    present : who gave keys, as the owner signed it
    kind : ``KEY`` or ``SEED``
    public, dealt : its signed messages of keys and of shares
    keys : by holder, that of its box
    """

    pact: Pact
    owner: str
    present: tuple[str, ...]
    kind: int
    public: bytes
    dealt: bytes
    keys: Mapping[str, bytes]

    def holds(self) -> bool:
        """Return whether the owner signed this, and enough keys open its boxes to something else than its secret."""
        signed = occasion(self.pact, 0, ()).signed(self.owner, trace_of(self.public)) and occasion(
            self.pact, 1, (self.present,)
        ).signed(self.owner, trace_of(self.dealt))
        if not signed or len(self.keys) != thresholds(len(self.pact.group)).shares:
            return False
        try:
            boxes = boxes_for(around(self.pact, self.present, self.owner), self.dealt[SEAL_BYTES + KEY_BYTES :])
            shares = [opened(key, boxes[holder][self.kind]) for holder, key in self.keys.items()]
        except (ValueError, KeyError):
            return False
        found = [share for share in shares if share is not None]
        if len(found) < len(shares):
            return False
        places = [self.pact.group.index(holder) + 1 for holder in self.keys]
        secret = join(places, [found], KEY_BYTES)[0]
        return not fits(secret, self.kind, self.public[SEAL_BYTES:], self.dealt[SEAL_BYTES:])


def fits(secret: bytes | None, kind: int, public: bytes, dealt: bytes) -> bool:
    """Return whether a secret is the one that its owner bound itself to, given the bodies of keys and of shares."""
    if secret is None:
        return False
    if kind == SEED:
        return hashlib.sha256(secret).digest() == dealt[:KEY_BYTES]
    return public_of(key_of(secret)) == public[KEY_BYTES:]


class Misopened(Refusal):
    """A holder gave keys that do not open its boxes; the round goes on without it while enough others are left."""

    def __init__(self, evidence: Misopening) -> None:
        owners = ", ".join(evidence.owners())
        super().__init__(
            "E-ROUND-OPENING",
            Message(
                f"“{evidence.holder}”签署的钥匙打不开 {owners} 给它的份额：它在说谎。",
                f"The keys that {evidence.holder!r} signed do not open what {owners} dealt to it: it lies.",
            ),
            Message(
                "请保留证据并核查该成员；本轮不受影响。", "Keep the evidence, examine it; the round is not affected."
            ),
        )
        self.evidence = evidence


class Misdealt(Refusal):
    """An owner dealt shares that do not give its secret: without it the sum cannot be opened, and the round ends."""

    def __init__(self, evidence: Misdealing) -> None:
        super().__init__(
            "E-ROUND-SPOILT",
            Message(
                f"“{evidence.owner}”分出的份额还原不出它承诺的秘密：它在说谎；本轮作废。",
                f"The shares that {evidence.owner!r} dealt do not give its secret: it lies. The round ends.",
            ),
            Message(
                "请保留证据，核查该成员，并与其余成员重新开始一轮。",
                "Keep the evidence, examine it, and start a new round with the others.",
            ),
        )
        self.evidence = evidence
