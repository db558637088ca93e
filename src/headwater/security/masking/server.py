"""The side that adds masked vectors: it hands on what members need, and opens the sum of the survivors.

What it keeps is small beside the vectors: a running sum, and the short messages. Fewer than the quorum at the end of
any phase ends the round; then no vector can be unmasked, for each still carries its owner's seed.
"""

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from functools import partial

import numpy as np
from cryptography.hazmat.primitives.ciphers import CipherContext

from headwater.security.desk import SEAL_BYTES, Desk, Occasion
from headwater.security.identity import framed, unframed
from headwater.security.masking.graph import neighbourhoods, thresholds
from headwater.security.masking.member import KEY_BYTES, PHASES, SEALED_SHARES, SHARE, occasion
from headwater.security.masking.shamir import join
from headwater.security.masking.streams import add_masks, key_of, pair_stream, public_of, shared_secret, stream
from headwater.security.packing import in_ring, pack, packed_bytes, unpack
from headwater.security.pact import Pact
from headwater.security.refusals import aborted, late, odd, spoilt
from headwater.types import Fixed

__all__ = ["MaskedServer"]

_PUBLICS, _SHARES, _MASKED, _AGREED, _OPENED = range(PHASES)
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
        present = self._present(phase - 1)
        head = bytes([phase]) + self._pact.bitmap(present)
        if phase == _AGREED:
            return dict.fromkeys(present, head)
        if phase == _OPENED:
            signers = present[: self._numbers.quorum]
            signatures = b"".join(self._desk.seen[_AGREED, name][:SEAL_BYTES] for name in signers)
            head = bytes([phase]) + self._pact.bitmap(signers) + signatures
        return {name: head + self._relayed(phase, name) for name in present}

    def take(self, sender: str, message: bytes) -> None:
        """Keep an answer; a masked vector is added and let go."""
        phase = len(self._heard) - 1
        while len(self._occasions) <= phase:
            lists = [self._present(past) for past in range(len(self._occasions))]
            self._occasions.append(occasion(self._pact, len(lists), lists))
        body = self._desk.take(self._occasions, sender, message, partial(self._form, phase, sender))
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
        return tuple(sorted(self._heard[phase]))

    def _around(self, name: str) -> tuple[str, ...]:
        if not self._hoods:
            self._hoods = neighbourhoods(self._pact.digest, self._present(_PUBLICS), self._numbers.degree)
        return self._hoods[name]

    def _relayed(self, phase: int, name: str) -> bytes:
        """Return its neighbours' keys, the shares they sealed for it, or what they signed with their vectors."""
        if phase == _OPENED:
            others = [other for other in self._targets(name) if other != name and other in self._heard[_MASKED]]
            return b"".join(self._desk.seen[_MASKED, other] for other in others)
        others = [other for other in self._around(name) if other != name and other in self._heard[phase - 1]]
        if phase == _SHARES:
            return b"".join(
                self._desk.seen[_PUBLICS, other][:SEAL_BYTES] + self._heard[_PUBLICS][other] for other in others
            )
        return b"".join(self._box(other, name) for other in others)

    def _box(self, sender: str, receiver: str) -> bytes:
        place = [other for other in self._around(sender) if other != sender].index(receiver)
        start = KEY_BYTES + SEALED_SHARES * place
        return self._heard[_SHARES][sender][start : start + SEALED_SHARES]

    def _form(self, phase: int, sender: str, body: bytes) -> None:
        """Refuse a body that this sender cannot mean in this phase."""
        if self._over or self._opened or (phase and sender not in self._heard[phase - 1]):
            raise late(sender)
        if len(body) != self._expected(phase, sender):
            raise odd(sender)
        if phase == _PUBLICS:
            # A key that agrees with nobody would stop all its neighbours: its owner is left out instead.
            for public in (body[:KEY_BYTES], body[KEY_BYTES:]):
                shared_secret(_ANY_KEY, sender, public)

    def _expected(self, phase: int, sender: str) -> int:
        if phase == _PUBLICS:
            return 2 * KEY_BYTES
        if phase == _MASKED:
            return packed_bytes(self._pact.length, self._pact.bits)
        if phase == _SHARES:
            return KEY_BYTES + SEALED_SHARES * (len(self._around(sender)) - 1)
        return 0 if phase == _AGREED else SHARE * len(self._targets(sender))

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
            told = {holder: self._told_shares(holder) for holder in holders}
            rows = [[told[holder][name] for holder in holders] for name in names]
            for name, secret in zip(names, join(places, rows, KEY_BYTES), strict=True):
                if secret is None or not self._fits(name, secret):
                    self._over = True
                    raise spoilt(name)
                secrets[name] = secret
        return secrets

    def _told_shares(self, holder: str) -> dict[str, bytes]:
        """Return what a holder opened, by whose secret it is of."""
        body = self._heard[_OPENED][holder]
        return {name: body[SHARE * at : SHARE * (at + 1)] for at, name in enumerate(self._targets(holder))}

    def _fits(self, name: str, secret: bytes) -> bool:
        """Return whether a secret is the one that its owner bound itself to."""
        if name in self._heard[_MASKED]:
            return hashlib.sha256(secret).digest() == self._heard[_SHARES][name][:KEY_BYTES]
        return public_of(key_of(secret)) == self._public(name)


def _flat(heard: dict[str, bytes]) -> bytes:
    return framed(*(part for name, body in heard.items() for part in (name.encode(), body)))


def _paired(data: bytes) -> dict[str, bytes]:
    parts = unframed(data)
    return {name.decode(): body for name, body in zip(parts[::2], parts[1::2], strict=True)}
