"""Messages and words that were changed, replayed, borrowed or signed by another: each refused, the state as it was.

Every protection, every phase, both sides. What a member may say of its own accord is no attack here: another vector
within the bounds, other keys of its own.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from headwater.bench.tiers_stage import Stage
from headwater.errors import Refusal
from headwater.security import Identity, Protection, Span
from headwater.security.desk import SEAL_BYTES, Occasion, sealed
from headwater.security.masking.boxes import occasion
from headwater.types import Fixed

__all__ = ["Mutated", "mutated"]

T = TypeVar("T")

_NAMES = tuple(f"h{place}" for place in range(5))
_VALUES = 3
_A_STAGE = 400
"""Mutations of one phase on one stage."""
_AGREED, _OPENED = 3, 4
_BROKEN = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
"""What must not happen to whoever is told nonsense."""


@dataclass
class Mutated:
    """What became of messages that nobody meant.

    Parameters
    ----------
    refused : by kind and side
    same : those that were, byte for byte, what had been said already: nothing changed
    other_list : words that a lying server may say, another long enough list of survivors: the member's answer fits
        nothing that the server was to tell, and is refused there
    won : what was neither, with the kind, protection and phase
    """

    refused: Counter[str] = field(default_factory=Counter)
    same: int = 0
    other_list: int = 0
    won: list[str] = field(default_factory=list)

    @property
    def tried(self) -> int:
        """How many there were."""
        return sum(self.refused.values()) + self.same + self.other_list + len(self.won)


def mutated(count: int, protections: Sequence[Protection], *, seed: int) -> Mutated:
    """Try ``count`` mutations, as many of each phase of each protection, and require the right sum in the end.

    The first stage on which one wins is the last: it is spoilt for all that would come after.
    """
    rng, found, turn = np.random.default_rng(seed), Mutated(), 0
    while found.tried < count and not found.won:
        for protection in protections:
            _stage(protection, rng, found, turn, min(_A_STAGE, -(-count // (2 * len(protections)))))
        turn += 1
    return found


def _stage(protection: Protection, rng: np.random.Generator, found: Mutated, turn: int, each: int) -> None:
    span = Span(-700, 700) if turn % 2 else None
    before = Stage(protection, _vectors(rng), span, f"before {turn}", seed=turn).play()
    stage = Stage(protection, _vectors(rng), span, f"now {turn}", seed=turn)
    phases = len(before.said)
    while stage.server.total is None:
        attack = _Attack(stage, before, len(stage.said), rng, found)
        told = stage.server.told()
        for _ in range(each // (2 * phases)):
            attack.words(told)
        stage.ask()
        for place, (name, message) in enumerate(stage.said[-1].items()):
            for _ in range(each // (2 * phases * len(_NAMES))):
                attack.message()
            if found.won:
                return
            if place < 2:
                stage.server.take(name, message)
                attack.delivered.add(name)
        stage.deliver()
    if not stage.is_right:
        found.won.append(f"{protection.name}: a wrong sum")


def _vectors(rng: np.random.Generator) -> dict[str, Fixed]:
    return {name: rng.integers(-700, 700, _VALUES).view(np.uint64) for name in _NAMES}


@dataclass(frozen=True)
class _Attack:
    """Mutations in one phase of a stage, beside a round of the same members that was played before."""

    stage: Stage
    before: Stage
    phase: int
    rng: np.random.Generator
    found: Mutated
    delivered: set[str] = field(default_factory=set)

    def message(self) -> None:
        """Bring the server a message that its sender did not mean."""
        sender = self._one(_NAMES)
        kind, message = self._message(sender)
        if message == self.stage.said[-1][sender] and sender not in self.delivered:
            return
        state = self.stage.server.to_bytes()
        said = any(answers.get(sender) == message for answers in self.stage.said)
        try:
            self.stage.server.take(sender, message)
        except Refusal:
            self._refused(f"server: {kind}", self.stage.server.to_bytes() == state)
        except _BROKEN as error:
            self._won(f"{kind}: {error!r}")
        else:
            self._same(kind, said and self.stage.server.to_bytes() == state)

    def words(self, told: Mapping[str, bytes]) -> None:
        """Tell a member what the server does not say."""
        name = self._one(_NAMES)
        kind, words = self._words(name, told)
        if words == told[name]:
            return
        member = self.stage.members[name]
        state, known = member.to_bytes(), any(words == past[name] for past in self.stage.told)
        try:
            answer = self.stage.answer(name, words)
        except Refusal:
            self._refused(f"member: {kind}", member.to_bytes() == state)
        except _BROKEN as error:
            self._won(f"{kind}: {error!r}")
        else:
            if known:
                self._same(kind, member.to_bytes() == state)
                return
            self.stage.members[name] = self.stage.member(name, state)
            self._answered(kind, name, answer)

    def _answered(self, kind: str, name: str, answer: bytes) -> None:
        """Judge an answer to words that were not the server's."""
        state = self.stage.server.to_bytes()
        try:
            self.stage.server.take(name, answer)
        except Refusal:
            if self.phase == _AGREED and self.stage.server.to_bytes() == state:
                self.found.other_list += 1
                return
        self._won(f"{kind}: answered")

    def _message(self, sender: str) -> tuple[str, bytes]:
        mine, theirs = self.stage.said[-1][sender], self._one(list(self.stage.said[-1].values()))
        kind = self._one(("tamper", "splice", "replay", "cross-round", "wrong key", "wrong pact", "signed nonsense"))
        if kind == "tamper":
            return kind, self._changed(mine)
        if kind == "splice":
            other = theirs if theirs != mine else mine[::-1]
            return kind, self._one(
                (mine[:SEAL_BYTES] + other[SEAL_BYTES:] + b"\0", other[:SEAL_BYTES] + mine[SEAL_BYTES:])
            )
        if kind == "replay":
            phase = int(self.rng.integers(len(self.stage.said)))
            return kind, self.stage.said[phase][self._one(_NAMES)]
        if kind == "cross-round":
            return kind, self.before.said[int(self.rng.integers(len(self.before.said)))][sender]
        if kind == "wrong key":
            identity = self._one((Identity(self.rng.bytes(32)), self.stage.identities[self._another(sender)]))
            return kind, sealed(self._occasion(self.phase), sender, identity, mine[SEAL_BYTES:])
        if kind == "wrong pact":
            other_phase = (self.phase + 1 + int(self.rng.integers(7))) % 8
            said = self._one((Occasion(self.before.pact, self.phase), Occasion(self.stage.pact, other_phase, b"other")))
            return kind, sealed(said, sender, self.stage.identities[sender], mine[SEAL_BYTES:])
        if sender in self.delivered and self.rng.integers(2):
            return "second story", self._signed(sender, self._spoilt(mine[SEAL_BYTES:]))
        return kind, self._nonsense(sender, mine[SEAL_BYTES:])

    def _nonsense(self, sender: str, body: bytes) -> bytes:
        """Return what a member signs that keeps to no form: another length, or keys that open nothing."""
        if self.phase == _OPENED and self.rng.integers(2):
            return self._signed(sender, self._spoilt(body))
        size = int(self.rng.integers(2 * len(body) + 2))
        return self._signed(sender, (body + self.rng.bytes(len(body) + 9))[: size + (size == len(body))])

    def _signed(self, sender: str, body: bytes) -> bytes:
        return sealed(self._occasion(self.phase), sender, self.stage.identities[sender], body)

    def _spoilt(self, body: bytes) -> bytes:
        """Return a body with one bit changed, or of one byte where there was none."""
        if not body:
            return self.rng.bytes(1)
        at, bit = int(self.rng.integers(len(body))), int(self.rng.integers(8))
        return body[:at] + bytes([body[at] ^ 1 << bit]) + body[at + 1 :]

    def _occasion(self, phase: int) -> Occasion:
        if len(self.before.said) == 1:
            return Occasion(self.stage.pact, phase)
        return occasion(self.stage.pact, phase, (_NAMES,) * phase)

    def _words(self, name: str, told: Mapping[str, bytes]) -> tuple[str, bytes]:
        kind = self._one(("tamper", "replay", "cross-round"))
        if kind == "tamper":
            return kind, self._changed(told[name])
        if kind == "replay":
            return kind, self._one([told, *self.stage.told])[self._one(_NAMES)]
        return kind, self._one(self.before.told)[name]

    def _changed(self, data: bytes) -> bytes:
        """Return bytes with a bit, or one to three of them changed, cut short, or longer."""
        how = int(self.rng.integers(4))
        if how == 0:
            return data[: int(self.rng.integers(len(data)))]
        if how == 1:
            return data + self.rng.bytes(int(self.rng.integers(1, 40)))
        if how == 2:
            return self._spoilt(data)
        changed = bytearray(data)
        for at in set(self.rng.integers(len(data), size=int(self.rng.integers(1, 4))).tolist()):
            changed[at] ^= int(self.rng.integers(1, 256))
        return bytes(changed)

    def _another(self, name: str) -> str:
        return self._one([other for other in _NAMES if other != name])

    def _one(self, choices: Sequence[T]) -> T:
        return choices[int(self.rng.integers(len(choices)))]

    def _refused(self, kind: str, is_unmoved: bool) -> None:
        if is_unmoved:
            self.found.refused[kind] += 1
        else:
            self._won(f"{kind}: refused, but not as it was")

    def _same(self, kind: str, is_same: bool) -> None:
        if is_same:
            self.found.same += 1
        else:
            self._won(f"{kind}: taken")

    def _won(self, how: str) -> None:
        self.found.won.append(f"{self.stage.protection.name}, phase {self.phase}: {how}")
