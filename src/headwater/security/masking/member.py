"""One member of a masked round: it reads what the server tells, and answers once in each of five phases.

publics (two X25519 keys) → shares (of its mask key and of its own seed, each in a box for each holder) → masked (the
vector) → agreed (one list of survivors, signed) → opened (for each survivor the key of the box with the share of its
seed, for each lost member that of its mask key; never both of one member).

A member opens another's seed only if that one signed its vector for the very lists of keys and shares that the opener
was told: a server that tells a victim another list, so that all its masks are with members called lost, gets nothing.

All its randomness comes from one secret, so a step that is repeated after a crash says the same.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from headwater.security.desk import SEAL_BYTES, TRACE_BYTES, Occasion, sealed, trace_of
from headwater.security.identity import Entropy, Identity, digest_of, framed, unframed
from headwater.security.masking.boxes import (
    KEY,
    KEY_BYTES,
    SEED,
    around,
    box_keys,
    boxes_for,
    occasion,
    opened,
    sealed_box,
)
from headwater.security.masking.graph import thresholds
from headwater.security.masking.shamir import split
from headwater.security.masking.streams import (
    add_masks,
    expanding,
    key_of,
    pair_stream,
    public_of,
    shared_secret,
    stream,
)
from headwater.security.packing import in_ring, pack
from headwater.security.pact import Pact
from headwater.security.protection import Values
from headwater.security.refusals import bad_share, foreign, lists, odd, other_words, unsigned

__all__ = ["PHASES", "MaskedMember"]

PHASES = 5


@dataclass(frozen=True)
class _Known:
    """What the server has told so far.

    Parameters
    ----------
    present : lists of those present after each phase
    publics : keys of the neighbours, and its own
    boxes : by owner, the keys of the two boxes with shares of its secrets
    """

    present: tuple[tuple[str, ...], ...] = ()
    publics: Mapping[str, bytes] = field(default_factory=dict)
    boxes: Mapping[str, tuple[bytes, bytes]] = field(default_factory=dict)


class MaskedMember:
    """A member's state is its secret and what it was told and answered."""

    def __init__(self, pact: Pact, name: str, identity: Identity, entropy: Entropy, state: bytes = b"") -> None:
        if pact.keys.get(name) != identity.public:
            raise foreign(name)
        self._pact, self._name, self._identity = pact, name, identity
        self._numbers = thresholds(len(pact.group))
        parts = unframed(state)
        self._secret = parts[0] if parts else entropy(KEY_BYTES)
        drawn = expanding(self._secret, b"headwater member", pact.digest)
        self._cipher, self._mask_secret, self._seed = key_of(drawn(KEY_BYTES)), drawn(KEY_BYTES), drawn(KEY_BYTES)
        self._key = key_of(self._mask_secret)
        self._public = public_of(self._cipher) + public_of(self._key)
        self._agreements: dict[bytes, bytes] = {}
        self._log: list[tuple[bytes, bytes]] = []
        self._known = _Known()
        for told, answer in zip(parts[1::2], parts[2::2], strict=True):
            self._known = self._read(len(self._log), told[1:])
            self._log.append((told, answer))

    def answer(self, told: bytes, values: Values) -> bytes:
        """Return the signed answer; see ``Member``. A refusal leaves the state as it was."""
        phase, done = told[0] if told else PHASES, len(self._log)
        if phase < done and self._log[phase][0] == told:
            return self._log[phase][1]
        if phase != done or phase >= PHASES:
            raise other_words(self._name)
        known = self._read(phase, told[1:])
        body = self._say(phase, known, values)
        answer = sealed(occasion(self._pact, phase, known.present), self._name, self._identity, body)
        self._known = known
        self._log.append((told, answer))
        return answer

    def to_bytes(self) -> bytes:
        """Return secret and log; keep it where others cannot read it, and no longer than the round lasts."""
        return framed(self._secret, *(part for entry in self._log for part in entry))

    # What the server says, held against what is known.

    def _read(self, phase: int, words: bytes) -> _Known:
        readers: tuple[Callable[[bytes], _Known], ...] = (
            self._read_nothing,
            self._read_publics,
            self._read_shares,
            self._read_survivors,
            self._read_signatures,
        )
        return readers[phase](words)

    def _read_nothing(self, words: bytes) -> _Known:
        if words:
            raise other_words(self._name)
        return _Known()

    def _read_publics(self, words: bytes) -> _Known:
        present, rest = self._list(words, self._pact.group)
        holders = around(self._pact, present, self._name)
        others = [other for other in holders if other != self._name]
        publics = {self._name: self._public}
        for other, message in zip(others, self._parts(rest, others, SEAL_BYTES + 2 * KEY_BYTES), strict=True):
            if not Occasion(self._pact, 0).signed(other, trace_of(message)):
                raise unsigned(other)
            publics[other] = message[SEAL_BYTES:]
        return replace(self._known, present=(present,), publics={name: publics[name] for name in holders})

    def _read_shares(self, words: bytes) -> _Known:
        present, rest = self._list(words, self._known.present[0])
        owners = [owner for owner in self._known.publics if owner in present]
        try:
            told = boxes_for(owners, rest)
        except ValueError as error:
            raise odd(self._name) from error
        keys = {owner: self._box_keys(self._known.publics[owner], owner, self._name) for owner in owners}
        for owner in owners:
            if any(opened(key, box) is None for key, box in zip(keys[owner], told[owner], strict=True)):
                raise bad_share(owner)
        return replace(self._known, present=(*self._known.present, present), boxes=keys)

    def _read_survivors(self, words: bytes) -> _Known:
        present, rest = self._list(words, self._known.present[1])
        if rest:
            raise lists(self._name)
        return replace(self._known, present=(*self._known.present, present))

    def _read_signatures(self, words: bytes) -> _Known:
        """Hold enough signatures against the lists that this member knows: no other lists can have as many."""
        present = self._known.present
        signers, rest = self._names(words, present[2])
        size = SEAL_BYTES * len(signers)
        vectors, agreement = (occasion(self._pact, phase, present) for phase in (2, 3))
        for other, signature in zip(signers, self._parts(rest[:size], signers, SEAL_BYTES), strict=True):
            if not agreement.signed(other, trace_of(signature)):
                raise lists(self._name)
        others = [owner for owner in self._known.boxes if owner in present[2] and owner != self._name]
        for other, trace in zip(others, self._parts(rest[size:], others, TRACE_BYTES), strict=True):
            if not vectors.signed(other, trace):
                raise lists(self._name)
        return self._known

    def _list(self, words: bytes, within: tuple[str, ...]) -> tuple[tuple[str, ...], bytes]:
        """Return the names that stand at the head of the words, and the rest; a list without oneself is refused."""
        present, rest = self._names(words, within)
        if self._name not in present:
            raise lists(self._name)
        return present, rest

    def _names(self, words: bytes, within: tuple[str, ...]) -> tuple[tuple[str, ...], bytes]:
        """Return the names that stand at the head of the words, and the rest; too few or wrong ones are refused."""
        pact = self._pact
        head, rest = words[: pact.bitmap_bytes], words[pact.bitmap_bytes :]
        if len(head) < pact.bitmap_bytes:
            raise lists(self._name)
        present = pact.listed(head)
        sound = pact.bitmap(present) == head and set(present) <= set(within)
        if not sound or len(present) < self._numbers.quorum:
            raise lists(self._name)
        return present, rest

    def _parts(self, data: bytes, names: list[str] | tuple[str, ...], size: int) -> list[bytes]:
        if len(data) != size * len(names):
            raise odd(self._name)
        return [data[start : start + size] for start in range(0, len(data), size)]

    # What it says.

    def _say(self, phase: int, known: _Known, values: Values) -> bytes:
        if phase == 0:
            return self._public
        if phase == 1:
            return self._say_shares(known)
        if phase == 2:
            return self._say_masked(known, values)
        return b"" if phase == 3 else self._say_opened(known)

    def _say_shares(self, known: _Known) -> bytes:
        holders = list(known.publics)
        places = [self._pact.group.index(holder) + 1 for holder in holders]
        drawn = expanding(self._secret, b"headwater shares", self._pact.digest)
        shares = [split(secret, places, self._numbers.shares, drawn) for secret in (self._mask_secret, self._seed)]
        said = [hashlib.sha256(self._seed).digest()]
        for at, holder in enumerate(holders):
            keys = self._box_keys(known.publics[holder], self._name, holder)
            said += [sealed_box(keys[kind], shares[kind][at]) for kind in (KEY, SEED)]
        return b"".join(said)

    def _say_masked(self, known: _Known, values: Values) -> bytes:
        pact, own = self._pact, (self._name, self._public[KEY_BYTES:])
        masked = in_ring(pact.lifted(self._name, values()), pact.bits)
        streams = [(True, stream(self._seed, b"headwater own mask", pact.digest, self._name.encode()))]
        for other in known.boxes.keys() - {self._name}:
            public = known.publics[other][KEY_BYTES:]
            shared = shared_secret(self._key, other, public)
            streams.append((self._name < other, pair_stream(shared, pact.digest, own, (other, public))))
        add_masks(masked, streams)
        return pack(masked, pact.bits)

    def _say_opened(self, known: _Known) -> bytes:
        told = digest_of(words for words, _ in self._log[1:3])
        survived = set(known.present[2])
        return told + b"".join(keys[SEED if owner in survived else KEY] for owner, keys in known.boxes.items())

    def _box_keys(self, public: bytes, sender: str, receiver: str) -> tuple[bytes, bytes]:
        """Return the keys of both boxes from ``sender`` to ``receiver``; ``public`` is of the other, or its own."""
        if public not in self._agreements:
            other = receiver if sender == self._name else sender
            self._agreements[public] = shared_secret(self._cipher, other, public[:KEY_BYTES])
        return box_keys(self._agreements[public], self._pact, sender, receiver)
