"""How a message leaves its sender: how it travels, and who adds noise to it."""

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

from headwater.errors import Message, Refusal
from headwater.federation.wire import travels
from headwater.security.events import Event
from headwater.security.gaussian_noise import GaussianNoise
from headwater.security.protection import PROTECTIONS
from headwater.security.shared_noise import SharedNoise

__all__ = ["IN_CLEAR", "UNDER_MASKS", "Adder", "Mechanism"]

Adder: TypeAlias = Literal["nobody", "sender", "group"]
"""Who adds noise: nobody; the sender, alone; all members of its group, a share each."""


@travels("mechanism")
@dataclass(frozen=True, order=True)
class Mechanism:
    """What protects one edge of the tree.

    Noise of a source's own is local, a tier's own is central; shares of a group stand once in its sum.

    Parameters
    ----------
    protection : name in ``PROTECTIONS``
    noise : who adds it
    epsilon, delta : what one release then costs whoever stands below; ∞ and 0 without noise

    >>> Mechanism("masked", "group", 0.5, 1e-7).label, Mechanism("clear").label
    ('masked, shared noise (0.5, 1e-07)', 'clear')
    """

    protection: str
    noise: Adder = "nobody"
    epsilon: float = math.inf
    delta: float = 0.0

    def __post_init__(self) -> None:
        protection = PROTECTIONS[self.protection]
        if (self.noise == "nobody") != (self.epsilon == math.inf):
            raise _unclaimed(self.noise, self.epsilon)
        if self.noise == "group" and not protection.bears_shares:
            raise _no_shares(self.protection)

    @property
    def company(self) -> "Mechanism":
        """What members of one group have in common: noise of a sender's own concerns nobody else."""
        return Mechanism(self.protection) if self.noise == "sender" else self

    @property
    def label(self) -> str:
        """One line for tables and logs."""
        added = {"nobody": "", "sender": ", own noise", "group": ", shared noise"}[self.noise]
        return self.protection + (f"{added} ({self.epsilon:g}, {self.delta:g})" if added else "")

    def drawn(self, members: int, *, l2: float | None, length: int) -> GaussianNoise | SharedNoise | None:
        """Return the noise that one member of a group of so many adds to ``length`` values.

        Parameters
        ----------
        l2 : by how many steps of the grid one record, exchanged for another, can move a source's vector; without it
            noise is refused with ``E-NOISE-SENSITIVITY``
        """
        if self.noise == "nobody":
            return None
        if self.noise == "sender":
            return GaussianNoise.of(self.epsilon, self.delta, l2=l2, length=length)
        return SharedNoise.of(self.epsilon, self.delta, members=members, l2=l2, length=length)

    def event(self, members: int, *, l2: float | None, length: int) -> Event | None:
        """Return the most that a ledger may have to debit for a release: as few survive as end a round."""
        noise = self.drawn(members, l2=l2, length=length)
        if isinstance(noise, SharedNoise):
            return noise.event(noise.fewest)
        return noise.event if noise else None


IN_CLEAR = Mechanism("clear")
UNDER_MASKS = Mechanism("masked")


def _unclaimed(noise: str, epsilon: float) -> Refusal:
    return Refusal(
        "E-MECHANISM-NOISE",
        Message(
            f"噪声“{noise}”与 ε = {epsilon:g} 不符：加噪须给出有限的 ε，不加噪则不给。",
            f"Noise added by {noise} does not go with an epsilon of {epsilon:g}: noise has a finite one.",
        ),
        Message("请同时给出加噪方与 ε、δ。", "Name who adds noise together with epsilon and delta."),
    )


def _no_shares(protection: str) -> Refusal:
    return Refusal(
        "E-MECHANISM-SHARES",
        Message(f"“{protection}”不能承载分摊噪声。", f"{protection!r} cannot carry shares of noise."),
        Message(
            "请改用 masked：人数不足时它不给出合计。", "Take masked: it gives no sum where too few shares are in it."
        ),
    )
