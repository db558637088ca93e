"""A round under attack: server and members in one process, with all that was told and said."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from headwater.checks.protections import seeded_entropy
from headwater.security import Entropy, Identity, Member, Pact, Protection, Server, Span
from headwater.types import Fixed

__all__ = ["Stage"]


@dataclass
class Stage:
    """One round, played phase by phase.

    Parameters
    ----------
    vectors : (length,) values of each member
    seed : of all keys; two stages of one seed have the same members
    told, said : by phase, what each member was told and what it answered
    """

    protection: Protection
    vectors: Mapping[str, Fixed]
    span: Span | None = None
    round_id: str = "round"
    seed: int = 0
    told: list[Mapping[str, bytes]] = field(default_factory=list)
    said: list[Mapping[str, bytes]] = field(default_factory=list)
    pact: Pact = field(init=False)
    server: Server = field(init=False)
    members: dict[str, Member] = field(init=False)
    identities: dict[str, Identity] = field(init=False)
    entropy: Entropy = field(init=False)

    def __post_init__(self) -> None:
        self.entropy = seeded_entropy(self.seed)
        self.identities = {name: Identity(self.entropy(32)) for name in sorted(self.vectors)}
        self.pact = Pact.of(
            self.protection.name,
            {name: identity.public for name, identity in self.identities.items()},
            round_id=self.round_id,
            length=next(iter(self.vectors.values())).size,
            span=self.span,
            holder=self.protection.key_of,
        )
        self.server = self.protection.server(self.pact)
        self.members = {name: self.member(name) for name in self.pact.group}

    def member(self, name: str, state: bytes = b"") -> Member:
        """Return a member, at the beginning or from its state."""
        return self.protection.member(self.pact, name, self.identities[name], self.entropy, state=state)

    def answer(self, name: str, told: bytes) -> bytes:
        """Return what a member answers to words, or let it refuse."""
        return self.members[name].answer(told, lambda: self.vectors[name])

    def ask(self) -> None:
        """Let all answer in this phase; nothing is delivered yet."""
        self.told.append(self.server.told())
        self.said.append({name: self.answer(name, words) for name, words in self.told[-1].items()})

    def deliver(self) -> None:
        """Bring the answers of this phase to the server, and end it."""
        for name, message in self.said[-1].items():
            self.server.take(name, message)
        self.server.close()

    def play(self) -> "Stage":
        """Play to the end."""
        while self.server.total is None:
            self.ask()
            self.deliver()
        return self

    @property
    def is_right(self) -> bool:
        """Whether the sum is the plain sum."""
        plain = sum(self.vectors.values(), np.zeros(self.pact.length, dtype=np.uint64))
        return self.server.total is not None and bool((self.server.total == plain).all())
