"""A node of an installation of its own: its policy, ledger and audit chain decide what its region is told.

The region's word is taken for who sees what above the node's own tier, and for noise that is added there: it is signed,
and kept. What the node can tell by itself, it does: who adds, under which protection, and what its own noise is worth.
"""

import secrets
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from headwater.adapters import audit
from headwater.adapters.home import Home
from headwater.adapters.shelf import Shelf
from headwater.aggregation.adding import Adder
from headwater.aggregation.exposure import Exposure
from headwater.aggregation.opening import Opening
from headwater.aggregation.speaking import Speaker
from headwater.claims.keys import key_at
from headwater.errors import Message, Refusal
from headwater.federation import Source
from headwater.federation.bounded import BoundedQuestion
from headwater.federation.line import Line
from headwater.registry import Registry
from headwater.security import PROTECTIONS, Entropy, Identity, Protection
from headwater.security.at_once import AtOnce
from headwater.security.events import NonPrivate, to_json
from headwater.security.requirement import Shown, Viewer
from headwater.statistics import Statistic
from headwater.steps.ledger import Books, opened, requirements

__all__ = ["Kit", "Means", "Policy", "identity", "node"]


@dataclass(frozen=True)
class Kit:
    """What a node was given when it joined.

    Parameters
    ----------
    name : its own
    region : the region's
    key : Ed25519 public key of the region
    """

    name: str
    region: str
    key: bytes


@dataclass(frozen=True)
class Policy:
    """What the requirement files of a node let go; see ``aggregation.speaking.Host``.

    Parameters
    ----------
    source : the node's records; None at a tier that has none of its own
    """

    home: Home
    kit: Kit
    source: Source | None = None

    @property
    def purposes(self) -> Collection[str]:
        """Those that a requirement of this node names, as the files are now."""
        return {purpose for rule in requirements(self.home) if rule.covers(self.kit.name) for purpose in rule.purposes}

    def permit(self, opening: Opening, question: Any) -> None:
        """Refuse what the requirement forbids; what was decided stands in the audit log first.

        Raises
        ------
        Refusal
            ``E-NODE-SEEN``, ``E-NODE-NOISE``, ``E-NODE-RECORDS``, and what requirements and the ledger refuse
        """
        told: dict[str, Any] = {"round": opening.pact.round_id, "run": opening.run, "purpose": opening.purpose}
        told |= {"pact": opening.pact.digest.hex(), "asked": opening.asked.hex() or list(opening.sums)}
        try:
            if not opening.sums:
                seen, books = {self.kit.name: self._seen(opening, question)}, self._books(opening)
                books.permit(seen)
                # Found out only when it speaks, others would have paid for a round that ends.
                books.afford(seen)
        except Refusal as refusal:
            self._enter("task", told | {"refused": refusal.code})
            raise
        self._enter("task", told)

    def answer(self, opening: Opening, question: Any) -> Statistic:
        """Return the statistic of the node's records, debited in its own ledger before any noise is drawn."""
        if self.source is None:
            raise self._refused("RECORDS", "没有自己的记录", "it has no records of its own")
        seen, books = {self.kit.name: self._seen(opening, question)}, self._books(opening)
        (guarded,) = books.guarded([self.source], seen)
        statistic = guarded.answer(question)
        books.reserve(seen)
        events = [to_json(one.event) for one in seen[self.kit.name]]
        self._enter("answer", {"round": opening.pact.round_id, "seen": events})
        return statistic

    def _enter(self, kind: str, told: Mapping[str, Any]) -> None:
        with opened(self.home) as connection, connection.transaction():
            audit.add(self.home, connection, kind, told)

    def _books(self, opening: Opening) -> Books:
        return Books(self.home, opening.purpose, opening.pact.protection)

    def _seen(self, opening: Opening, question: Any) -> Sequence[Exposure]:
        """Return all that will be seen, its first part as this node works it out itself.

        Noise counts only where the question says how far one record moves its answer: a region that claims less than
        that would have the node add too little.
        """
        sitting, mechanism = opening.sitting, dict(opening.sitting.group.mechanisms)[self.kit.name]
        viewer: Viewer = "region" if sitting.group.tier == self.kit.region else "tier"
        shown: Shown = "statistic" if PROTECTIONS[opening.pact.protection].reveals == "each" else "sum"
        event = mechanism.event(len(sitting.group.members), l2=sitting.l2, length=sitting.length)
        own = Exposure(sitting.group.tier, viewer, shown, opening.pact.protection, event or NonPrivate())
        told = opening.seen[0] if opening.seen else None
        if told is None or replace(told, event=own.event) != own:
            raise self._refused("SEEN", "所述可见范围与本组不符", "what is said to be seen is not what is")
        if event is not None:
            family = question.family if isinstance(question, BoundedQuestion) else None
            if family is None or (family.l2, family.length) != (sitting.l2, sitting.length):
                raise self._refused("NOISE", "噪声的灵敏度与问题不符", "noise is not measured by what is asked")
        return [replace(one, event=own.event) if one.event == told.event else one for one in opening.seen]

    def _refused(self, code: str, zh: str, en: str) -> Refusal:
        return Refusal(
            f"E-NODE-{code}",
            Message(f"节点“{self.kit.name}”不回答：{zh}。", f"The node {self.kit.name} does not answer: {en}."),
            Message("请区域核对其计划后以新的轮次重发。", "Let the region see to its plan, and ask in a new round."),
        )


def identity(home: Home) -> Identity:
    """Return the node's signing key, made on the first call; it stands in the vault and never leaves it."""
    return Identity(key_at(home.vault / "node.key"))


@dataclass(frozen=True)
class Means:
    """What a node works with, besides its installation.

    Parameters
    ----------
    line : of a tier, how its members are reached
    seconds : of a tier, how long a phase waits for them
    """

    line: Line | None = None
    seconds: float = 60.0
    clock: Callable[[], float] = time.time
    entropy: Entropy = secrets.token_bytes
    protections: Mapping[str, Protection] | Registry[Protection] = field(default_factory=lambda: PROTECTIONS)


def node(home: Home, kit: Kit, source: Source | None = None, *, means: Means | None = None) -> Speaker:
    """Return the node as it stands: what it said before it was stopped, it says again, and nothing else."""
    own, means = identity(home), means or Means()
    adder = None
    if means.line is not None:
        asking = AtOnce(means.seconds)
        adder = Adder(own, means.line, asking, means.clock, 2 * means.seconds, means.protections)
    return Speaker(
        name=kit.name,
        identity=own,
        entropy=means.entropy,
        noise=means.entropy,
        region=kit.key,
        host=Policy(home, kit, source),
        shelf=Shelf.of(home),
        clock=means.clock,
        adder=adder,
        protections=means.protections,
    )
