"""The side that adds masked vectors: it hands on what members need, and opens the sum of the survivors.

What it keeps is small beside the vectors: a running sum, and the short messages. Fewer than the quorum at the end of
any phase ends the round; then no vector can be unmasked, for each still carries its owner's seed.
"""

from collections import defaultdict
from collections.abc import Mapping
from functools import partial

import numpy as np
from cryptography.hazmat.primitives.ciphers import CipherContext

from headwater.security.desk import SEAL_BYTES, Desk, Occasion
from headwater.security.identity import framed, unframed
from headwater.security.masking.boxes import BOX, BOX_KEY, KEY, KEY_BYTES, SEED, SHARE, occasion, opened
from headwater.security.masking.evidence import Misdealing, Misdealt, Misopened, Misopening, fits
from headwater.security.masking.graph import neighbourhoods, thresholds
from headwater.security.masking.member import PHASES
from headwater.security.masking.shamir import join
from headwater.security.masking.streams import add_masks, key_of, pair_stream, shared_secret, stream
from headwater.security.packing import in_ring, pack, packed_bytes, unpack
from headwater.security.pact import Pact
from headwater.security.refusals import aborted, late, odd
from headwater.types import Fixed

__all__ = ["MaskedServer"]

_PUBLICS, _SHARES, _MASKED, _AGREED, _OPENED = range(PHASES)
_DIGEST = 32
_ANY_KEY = key_of(bytes(KEY_BYTES))


class MaskedServer:
    """Collects five phases of one pact."""

    def __init__(self, pact: Pact, state: bytes = b"") -> None:
        self._pact, self._numbers = pact, thresholds(len(pact.group))
        parts = unframed(state)
        self._desk = Desk.from_bytes(parts[0] if parts else b"")
        self._sum = in_ring(np.zeros(pact.length, dtype=np.uint64), pact.bits)
        if parts:
            self._sum += unpack(parts[1], pact.length, 8 * self._sum.itemsize)
        self._over = bool(parts and parts[2] == b"over")
        self._opened = bool(parts and parts[2] == b"opened")
        self._occasions: list[Occasion] = []
        self._lists: dict[int, tuple[str, ...]] = {}
        self._hoods: Mapping[str, tuple[str, ...]] = {}
        self._heard = [_paired(part) for part in parts[3:]] if parts else [{}]

    def to_bytes(self) -> bytes:
        """Return the state: traces, running sum, and the short messages of each phase."""
        mark = b"opened" if self._opened else b"over" * self._over
        total = pack(self._sum, 8 * self._sum.itemsize)
        return framed(self._desk.to_bytes(), total, mark, *(_flat(phase) for phase in self._heard))

    @property
    def total(self) -> Fixed | None:
        """The sum of the survivors' vectors."""
        if not self._opened:
            return None
        pact = self._pact
        lifted = self._sum.astype(np.uint64) & np.uint64(2**pact.bits - 1)
        return pact.span.lowered(lifted, len(self.survivors))

    @property
    def survivors(self) -> tuple[str, ...]:
        """Those whose masked vector was taken in time."""
        return self._present(_MASKED) if len(self._heard) > _MASKED else ()

    def told(self) -> dict[str, bytes]:
        """Return what each member still present must hear in this phase."""
        phase = len(self._heard) - 1
        if self._over or self._opened:
            return {}
        if phase == _PUBLICS:
            return dict.fromkeys(self._pact.group, bytes([phase]))
        head = self._head(phase)
        return {name: head + self._relayed(phase, name) for name in self._present(phase - 1)}

    def take(self, sender: str, message: bytes) -> None:
        """Keep an answer; a masked vector is added and let go."""
        phase = len(self._heard) - 1
        while len(self._occasions) <= phase:
            lists = [self._present(past) for past in range(len(self._occasions))]
            self._occasions.append(occasion(self._pact, len(lists), lists))
        body = self._desk.take(self._occasions, sender, message, partial(self._form, phase, sender, message))
        if body is None:
            return
        if phase == _MASKED:
            self._sum += unpack(body, self._pact.length, self._pact.bits)
        self._heard[phase][sender] = b"" if phase == _MASKED else body

    def close(self) -> None:
        """End the phase; see ``Server``."""
        if self._opened:
            return
        present = len(self._heard[-1])
        if self._over or present < self._numbers.quorum:
            self._over = True
            raise aborted(present, self._numbers.quorum)
        if len(self._heard) < PHASES:
            self._heard.append({})
            return
        self._open()

    def _present(self, phase: int) -> tuple[str, ...]:
        if phase not in self._lists:
            present = tuple(sorted(self._heard[phase]))
            if phase == len(self._heard) - 1:
                return present
            self._lists[phase] = present
        return self._lists[phase]

    def _around(self, name: str) -> tuple[str, ...]:
        if not self._hoods:
            self._hoods = neighbourhoods(self._pact.digest, self._present(_PUBLICS), self._numbers.degree)
        return self._hoods[name]

    def _head(self, phase: int) -> bytes:
        """Return what all are told alike in a phase after the first: who is present, or who agreed."""
        if phase != _OPENED:
            return bytes([phase]) + self._pact.bitmap(self._present(phase - 1))
        signers = self._present(_AGREED)[: self._numbers.quorum]
        signatures = (self._desk.seen[_AGREED, name][:SEAL_BYTES] for name in signers)
        return bytes([phase]) + self._pact.bitmap(signers) + b"".join(signatures)

    def _relayed(self, phase: int, name: str) -> bytes:
        """Return its neighbours' keys, the boxes for it, or what its neighbours signed with their vectors."""
        others = [other for other in self._around(name) if other != name]
        if phase == _SHARES:
            return b"".join(self._said(_PUBLICS, other) for other in others)
        if phase == _MASKED:
            return b"".join(self._boxes(owner, name) for owner in self._targets(name))
        if phase == _OPENED:
            return b"".join(self._desk.seen[_MASKED, other] for other in others if other in self._heard[_MASKED])
        return b""

    def _said(self, phase: int, name: str) -> bytes:
        """Return a short message as it came."""
        return self._desk.seen[phase, name][:SEAL_BYTES] + self._heard[phase][name]

    def _boxes(self, owner: str, holder: str) -> bytes:
        start = KEY_BYTES + 2 * BOX * self._around(owner).index(holder)
        return self._heard[_SHARES][owner][start : start + 2 * BOX]

    def _form(self, phase: int, sender: str, message: bytes, body: bytes) -> None:
        """Refuse a body that this sender cannot mean in this phase."""
        if self._over or self._opened or (phase and sender not in self._heard[phase - 1]):
            raise late(sender)
        if len(body) != self._expected(phase, sender):
            raise odd(sender)
        if phase == _PUBLICS:
            # A key that agrees with nobody would stop all its neighbours: its owner is left out instead.
            for public in (body[:KEY_BYTES], body[KEY_BYTES:]):
                shared_secret(_ANY_KEY, sender, public)
        if phase == _OPENED:
            self._require_opened(sender, message)

    def _require_opened(self, sender: str, message: bytes) -> None:
        """Refuse, with evidence, keys that do not open their boxes: their sender is left out."""
        keys, boxes = (self._head(phase) + self._relayed(phase, sender) for phase in (_SHARES, _MASKED))
        opening = Misopening(self._pact, sender, self.survivors, (keys, boxes), message)
        try:
            lies = opening.owners()
        except ValueError as error:
            raise odd(sender) from error
        if lies:
            raise Misopened(opening)

    def _expected(self, phase: int, sender: str) -> int:
        if phase == _PUBLICS:
            return 2 * KEY_BYTES
        if phase == _MASKED:
            return packed_bytes(self._pact.length, self._pact.bits)
        if phase == _SHARES:
            return KEY_BYTES + 2 * BOX * len(self._around(sender))
        return 0 if phase == _AGREED else _DIGEST + BOX_KEY * len(self._targets(sender))

    def _targets(self, holder: str) -> list[str]:
        """Return those of whose secrets a member holds shares."""
        return [name for name in self._around(holder) if name in self._heard[_SHARES]]

    # Opening.

    def _open(self) -> None:
        """Take away the survivors' own masks, and the masks that survivors shared with those who were lost."""
        secrets = self._secrets()
        survivors = set(self.survivors)
        streams = []
        for name, secret in secrets.items():
            if name in survivors:
                own = stream(secret, b"headwater own mask", self._pact.digest, name.encode())
                streams.append((False, own))
            else:
                streams.extend(self._pairs(name, secret))
        add_masks(self._sum, streams)
        self._opened = True

    def _pairs(self, lost: str, secret: bytes) -> list[tuple[bool, CipherContext]]:
        """Return the streams that survivors shared with a lost member, so signed that they cancel."""
        found = []
        key, mine = key_of(secret), (lost, self._public(lost))
        for other in self._around(lost):
            if other in self._heard[_MASKED]:
                theirs = (other, self._public(other))
                shared = shared_secret(key, other, theirs[1])
                found.append((lost < other, pair_stream(shared, self._pact.digest, mine, theirs)))
        return found

    def _public(self, name: str) -> bytes:
        return self._heard[_PUBLICS][name][KEY_BYTES:]

    def _secrets(self) -> dict[str, bytes]:
        """Return survivors' seeds and lost members' keys; one missing, or not its owner's, ends the round."""
        by_holders: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for name in self._present(_SHARES):
            present = [holder for holder in self._around(name) if holder in self._heard[_OPENED]]
            by_holders[tuple(present[: self._numbers.shares])].append(name)
        secrets = {}
        for holders, names in by_holders.items():
            if len(holders) < self._numbers.shares:
                self._over = True
                raise aborted(len(holders), self._numbers.shares)
            places = [self._pact.group.index(holder) + 1 for holder in holders]
            rows = [[self._share(name, holder) for holder in holders] for name in names]
            for name, secret in zip(names, join(places, rows, KEY_BYTES), strict=True):
                if secret is None or not self._fits(name, secret):
                    self._over = True
                    raise Misdealt(self._misdealing(name, holders))
                secrets[name] = secret
        return secrets

    def _kind(self, owner: str) -> int:
        """Which of a member's secrets is opened."""
        return SEED if owner in self._heard[_MASKED] else KEY

    def _key(self, owner: str, holder: str) -> bytes:
        """Return the key that a holder gave for a box."""
        start = _DIGEST + BOX_KEY * self._targets(holder).index(owner)
        return self._heard[_OPENED][holder][start : start + BOX_KEY]

    def _share(self, owner: str, holder: str) -> bytes:
        boxes, kind = self._boxes(owner, holder), self._kind(owner)
        # Every key was tried when it came.
        return opened(self._key(owner, holder), boxes[BOX * kind : BOX * (kind + 1)]) or bytes(SHARE)

    def _fits(self, name: str, secret: bytes) -> bool:
        """Return whether a secret is the one that its owner bound itself to."""
        return fits(secret, self._kind(name), self._heard[_PUBLICS][name], self._heard[_SHARES][name])

    def _misdealing(self, owner: str, holders: tuple[str, ...]) -> Misdealing:
        return Misdealing(
            self._pact,
            owner,
            self._present(_PUBLICS),
            self._kind(owner),
            self._said(_PUBLICS, owner),
            self._said(_SHARES, owner),
            {holder: self._key(owner, holder) for holder in holders},
        )


def _flat(heard: dict[str, bytes]) -> bytes:
    return framed(*(part for name, body in heard.items() for part in (name.encode(), body)))


def _paired(data: bytes) -> dict[str, bytes]:
    parts = unframed(data)
    return {name.decode(): body for name, body in zip(parts[::2], parts[1::2], strict=True)}
