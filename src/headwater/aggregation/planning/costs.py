"""What a round costs: seconds of members and tiers, and what a second and a byte are worth."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from headwater.aggregation.planning.traffic import neighbours, traffic, units
from headwater.security.pact import Span

__all__ = ["Bill", "Costs", "Link", "RATES", "Rate"]


@dataclass(frozen=True, order=True)
class Link:
    """How a node speaks upwards and listens to those below.

    Parameters
    ----------
    bytes_per_second : either way
    seconds : until a message arrives
    """

    bytes_per_second: float = 12.5e6
    seconds: float = 0.02

    def carry(self, size: int) -> float:
        """Return the seconds that so many bytes take on the line."""
        return size / self.bytes_per_second


@dataclass(frozen=True)
class Rate:
    """Seconds of one core that a protection takes, by unit: a value, or a ciphertext.

    Parameters
    ----------
    answer : of a member, a unit
    mask : of a member, a unit and neighbour; the tier takes as much for each member when it opens the sum
    agree : of a member, a neighbour
    add : of the tier, a unit and member
    open : of the tier, or who holds the key, a unit
    phases : how often a member is asked
    """

    answer: float
    mask: float = 0.0
    agree: float = 0.0
    add: float = 0.0
    open: float = 0.0
    phases: int = 1


RATES: Mapping[str, Rate] = {
    "clear": Rate(answer=5e-9, add=5e-9),
    "masked": Rate(answer=6e-9, mask=6e-10, agree=3e-4, add=5e-9, open=1e-9, phases=5),
    "ckks": Rate(answer=1.44e-3, add=1.4e-4, open=5.7e-4),
}
"""By protection, on one core of the machine of ``docs/protections.md``."""


@dataclass(frozen=True)
class Bill:
    """What one round of one group takes.

    Parameters
    ----------
    sent, told : bytes of each member
    member, tier : seconds of computing of each member, and of the tier
    working, seconds : from the first word to the sum, without and with what messages are under way
    """

    sent: int
    told: int
    member: float
    tier: float
    working: float
    seconds: float


@dataclass(frozen=True)
class Costs:
    """What is counted when mechanisms and fan-outs are chosen among those of equal noise.

    Parameters
    ----------
    rates : seconds by protection
    second, byte : price of a second until the region has its sum, and of a byte sent by anybody
    sight : of one source's own numbers seen, without noise, by one node: what need not be seen is not shown
    past : of one source that speaks to the region past its tier, by which networks are laid
    node_bytes : most that one node is meant to take in; more is avoided before noise and price are looked at
    link : of nodes of which nothing is told
    """

    rates: Mapping[str, Rate] = field(default_factory=lambda: RATES)
    second: float = 1.0
    byte: float = 1e-8
    sight: float = 1.0
    past: float = 0.05
    node_bytes: float = 3e8
    link: Link = Link()

    def price(self, seconds: float, bytes_sent: int, *, sights: int = 0, past: int = 0) -> float:
        """Return what they are worth together."""
        return self.second * seconds + self.byte * bytes_sent + self.sight * sights + self.past * past

    def bill(self, protection: str, *, members: int, length: int, span: Span | None, links: tuple[Link, Link]) -> Bill:
        """Return what a round takes.

        Parameters
        ----------
        links : the slowest of the members', and the tier's
        """
        rate, bytes_ = self.rates[protection], traffic(protection, members=members, length=length, span=span)
        count, around = (
            units(protection, members=members, length=length, span=span),
            neighbours(protection, members=members),
        )
        member = count * (rate.answer + rate.mask * (around + bool(around))) + rate.agree * around
        tier = count * (members * (rate.add + rate.mask) + rate.open)
        slowest, own = links
        line = max(slowest.carry(bytes_.sent + bytes_.told), own.carry(members * (bytes_.sent + bytes_.told)))
        working = member + tier + line
        return Bill(bytes_.sent, bytes_.told, member, tier, working, working + 2 * rate.phases * slowest.seconds)
