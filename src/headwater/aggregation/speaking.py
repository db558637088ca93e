"""A node's side: it answers signed tasks, as a member of groups, and as a tier that plays its own.

What it said is kept before it is sent: after a restart the same words get the same answer, and in a round that is known
nothing else is ever answered, also when all but that has been forgotten.
"""

import typing
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any

import headwater.federation.bounded
import headwater.federation.private
import headwater.valuation.averaging  # noqa: F401  # importing them lets their questions arrive
from headwater.aggregation.adding import Adder
from headwater.aggregation.opening import PLAY, SPEAK, Opening, Play
from headwater.aggregation.sitting import Heard
from headwater.errors import HeadwaterError, Message, Refusal
from headwater.federation import wire
from headwater.federation.line import refused, said
from headwater.registry import Registry
from headwater.security import PROTECTIONS, Entropy, Identity, Protection
from headwater.security.desk import SEAL_BYTES
from headwater.security.identity import framed, unframed
from headwater.security.task import Task, digest, opened, other_words
from headwater.statistics.statistic import Statistic
from headwater.types import Fixed

__all__ = ["Host", "Shelf", "Speaker"]

_SPOKEN, _ASKED, _PLAYED = "spoken/", "asked/", "played/"


class Host(typing.Protocol):
    """What a node lets its region have."""

    @property
    def purposes(self) -> Collection[str]:
        """For what it may be asked at all."""
        ...

    def permit(self, opening: Opening, question: Any) -> None:
        """Refuse what the node's own policy forbids, before anything is computed; None is asked of a tier."""
        ...

    def answer(self, opening: Opening, question: Any) -> Statistic:
        """Return the statistic, everything that it costs debited; asked once a round."""
        ...


class Shelf(typing.Protocol):
    """Keeps what must survive a restart, where others cannot read it."""

    def read(self, name: str) -> bytes | None:
        """Return what was written last under a name."""
        ...

    def write(self, name: str, kept: bytes) -> None:
        """Keep it; when this returns it is on disk."""
        ...

    def names(self) -> Iterator[str]:
        """Yield all names."""
        ...


@dataclass(frozen=True)
class _Round:
    """What a node keeps of a round in which it speaks, its question apart.

    Parameters
    ----------
    asked : digest of the opening, which stays when all else is forgotten
    member : its state, secrets included
    """

    expires: int
    asked: bytes
    opening: bytes
    member: bytes

    def to_bytes(self) -> bytes:
        return framed(self.expires.to_bytes(8, "big"), self.asked, self.opening, self.member)

    @staticmethod
    def from_bytes(kept: bytes) -> "_Round":
        expires, *rest = unframed(kept)
        return _Round(int.from_bytes(expires, "big"), *rest)


@dataclass(frozen=True)
class _Played:
    """What a tier keeps of a group that it played.

    Parameters
    ----------
    asked : digest of what it was asked, which stays when all else is forgotten
    total : its sum, if there was one
    said_in : the round in which it said the sum
    """

    expires: int
    asked: bytes
    heard: bytes
    total: bytes
    said_in: str

    def to_bytes(self) -> bytes:
        return framed(self.expires.to_bytes(8, "big"), self.asked, self.heard, self.total, self.said_in.encode())

    @staticmethod
    def from_bytes(kept: bytes) -> "_Played":
        expires, asked, heard, total, said_in = unframed(kept)
        return _Played(int.from_bytes(expires, "big"), asked, heard, total, said_in.decode())


@dataclass(frozen=True)
class Speaker:
    """One node.

    Parameters
    ----------
    entropy, noise : where keys, and what is added to vectors, come from
    region : Ed25519 public key of who may ask
    clock : seconds since 1970 (UTC)
    adder : of a tier, how it plays its groups
    protections : as in ``Adder``
    """

    name: str
    identity: Identity
    entropy: Entropy
    noise: Entropy
    region: bytes
    host: Host
    shelf: Shelf
    clock: Callable[[], float]
    adder: Adder | None = None
    protections: Mapping[str, Protection] | Registry[Protection] = field(default_factory=lambda: PROTECTIONS)
    _alone: Lock = field(default_factory=Lock, init=False, repr=False)

    def hear(self, message: bytes) -> bytes:
        """Return the answer to a message, or the refusal; nothing that arrives makes it raise."""
        try:
            with self._alone:
                return said(self._done(message))
        except HeadwaterError as error:
            return refused(error)
        except Exception as error:  # noqa: BLE001  # whatever breaks is told, without what it was about
            return refused(_broken(type(error).__name__))

    def forget(self) -> None:
        """Let go of rounds whose time is over; that they were, and what was asked in them, is kept."""
        with self._alone:
            now = self.clock()
            for name in list(self.shelf.names()):
                kind, round_id = f"{name.partition('/')[0]}/", name.partition("/")[2]
                spoken = self._kept(round_id) if kind == _SPOKEN else None
                played = self._played(round_id) if kind == _PLAYED else None
                if spoken is not None and spoken.opening and now > spoken.expires:
                    self.shelf.write(name, replace(spoken, opening=b"", member=b"").to_bytes())
                    self.shelf.write(_ASKED + round_id, b"")
                if played is not None and played.heard and now > played.expires:
                    self.shelf.write(name, replace(played, heard=b"", total=b"").to_bytes())

    def _done(self, message: bytes) -> bytes:
        try:
            kind, *parts = unframed(message)
        except ValueError as error:
            raise _unreadable() from error
        if kind == SPEAK and len(parts) in (2, 5):
            return self._speak(*parts)
        if kind == PLAY and len(parts) == 3 and self.adder is not None:
            return self._play(self.adder, *parts)
        raise _unreadable()

    # As a member.

    def _speak(self, sealed: bytes, told: bytes, *first: bytes) -> bytes:
        if first:
            self._open(*first)
        # Whose signature it takes stands in the round's opening, so its name is read before anything is believed.
        round_id = wire.read(sealed[SEAL_BYTES:], Task).round_id
        kept = self._kept(round_id)
        if kept is None or not kept.opening:
            raise _unopened(round_id)
        opening = wire.read(kept.opening, Opening)
        task = self._asked(sealed, told, key=opening.adder)
        meant = (opening.purpose, opening.run, opening.pact.digest, told[:1])
        if (task.purpose, task.run, task.pact, bytes([task.phase % 256])) != meant:
            raise _unreadable()
        protection = self.protections[opening.pact.protection]
        member = protection.member(opening.pact, self.name, self.identity, self.entropy, state=kept.member)
        answer = member.answer(told, lambda: self._vector(opening))
        if (state := member.to_bytes()) != kept.member:
            self.shelf.write(_SPOKEN + round_id, replace(kept, member=state).to_bytes())
        return answer

    def _open(self, sealed: bytes, text: bytes, question: bytes) -> None:
        """Keep what a round is about, once the node's own policy permits it."""
        task = self._asked(sealed, text, key=self.region)
        opening = wire.read(text, Opening)
        meant = (opening.purpose, opening.run, opening.pact.round_id, opening.pact.digest)
        if (task.purpose, task.run, task.round_id, task.pact) != meant or self.name not in opening.sitting.present:
            raise _unreadable()
        known = self._kept(task.round_id)
        if known is not None and known.asked != digest(text):
            raise other_words(task.round_id)
        if known is not None:
            if known.opening and task.expires > known.expires:
                self.shelf.write(_SPOKEN + task.round_id, replace(known, expires=task.expires).to_bytes())
            return
        if opening.asked and opening.asked != digest(question):
            raise _unreadable()
        self.host.permit(opening, wire.question(question) if opening.asked else None)
        self.shelf.write(_ASKED + task.round_id, question if opening.asked else b"")
        self.shelf.write(_SPOKEN + task.round_id, _Round(task.expires, digest(text), text, b"").to_bytes())

    def _kept(self, round_id: str) -> _Round | None:
        kept = self.shelf.read(_SPOKEN + round_id)
        return None if kept is None else _Round.from_bytes(kept)

    def _vector(self, opening: Opening) -> Fixed:
        """Return what the node says, with its noise: of its own statistic, or of the sum that it heard as a tier."""
        round_id = opening.pact.round_id
        if opening.sums:
            said = Statistic.total([self._sum(name, round_id) for name in opening.sums])
        else:
            said = self.host.answer(opening, wire.question(self.shelf.read(_ASKED + round_id) or b""))
        return opening.sitting.vector(self.name, said, self.noise)

    def _asked(self, sealed: bytes, asked: bytes, *, key: bytes) -> Task:
        return opened(sealed, asked, node=self.name, key=key, purposes=self.host.purposes, now=self.clock())

    # As a tier.

    def _play(self, adder: Adder, sealed: bytes, text: bytes, question: bytes) -> bytes:
        task = self._asked(sealed, text, key=self.region)
        asked = wire.read(text, Play)
        meant = (asked.purpose, asked.run, asked.pact.round_id, asked.pact.digest, asked.sitting.group.tier)
        if (task.purpose, task.run, task.round_id, task.pact, self.name) != meant:
            raise _unreadable()
        kept = self._played(task.round_id)
        if kept is not None and kept.asked != asked.words:
            raise other_words(task.round_id)
        if kept is not None and not kept.heard:
            raise _unopened(task.round_id)
        if kept is None:
            played, form = adder.play(asked, question), asked.sitting
            total = b"" if played.total is None else Statistic(form.kind, form.shape, played.total).to_bytes()
            heard = wire.written(Heard.of(asked.pact, played))
            kept = _Played(task.expires, asked.words, heard, total, "")
            self.shelf.write(_PLAYED + task.round_id, kept.to_bytes())
        return kept.heard

    def _played(self, round_id: str) -> _Played | None:
        kept = self.shelf.read(_PLAYED + round_id)
        return None if kept is None else _Played.from_bytes(kept)

    def _sum(self, played: str, round_id: str) -> Statistic:
        """Return the sum of a group that was played here, for one round alone: noise drawn twice could be averaged."""
        kept = self._played(played)
        if kept is None or not kept.total:
            raise _unopened(played)
        if kept.said_in not in ("", round_id):
            raise other_words(played)
        self.shelf.write(_PLAYED + played, replace(kept, said_in=round_id).to_bytes())
        return Statistic.from_bytes(kept.total)


def _unreadable() -> Refusal:
    return Refusal(
        "E-TASK-FORM",
        Message("收到的不是任务，或各部分互不相符。", "This is no task, or its parts do not belong together."),
        Message("请核对双方的版本后重新签发。", "Check that both ends run the same release, and sign it anew."),
    )


def _unopened(round_id: str) -> Refusal:
    return Refusal(
        "E-TASK-UNOPENED",
        Message(f"本节点没有轮次“{round_id}”，或已结束。", f"The round {round_id!r} is unknown here, or over."),
        Message("请以新的轮次重新开始。", "Start anew, in a new round."),
    )


def _broken(kind: str) -> HeadwaterError:
    return HeadwaterError(
        "E-NODE-FAULT",
        Message(f"节点内部出错（{kind}）。", f"The node broke down ({kind})."),
        Message("请该节点的管理员查看其日志。", "Let whoever runs the node see its log."),
    )
