"""The ways a source's statistic can climb, and which of them its requirement permits."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from headwater.aggregation.mechanism import Adder, Mechanism
from headwater.security import PROTECTIONS
from headwater.security.events import DiscreteGaussian, Event, NonPrivate, Skellam
from headwater.security.requirement import Forbidden, Release, Requirement, Shown, Viewer
from headwater.types import SourceId

__all__ = ["Claim", "Route", "bears_sum", "claim_of", "objection", "routes"]

_EVENTS: dict[Adder, Event] = {
    "nobody": NonPrivate(),
    "sender": DiscreteGaussian(1.0),
    "group": Skellam(1.0, 1.0, 1.0),
}
"""One release of each kind: whether a kind is permitted does not depend on how much noise there is."""


@dataclass(frozen=True, order=True)
class Claim:
    """What one release may cost."""

    epsilon: float
    delta: float

    def within(self, other: "Claim") -> bool:
        """Whether it costs no more than the other."""
        return self.epsilon <= other.epsilon and self.delta <= other.delta

    def __str__(self) -> str:
        return f"{self.epsilon:g} {self.delta:g}"


@dataclass(frozen=True, order=True)
class Route:
    """How a source's statistic reaches the region.

    Parameters
    ----------
    source : how it leaves the source
    tier : how its tier's sum leaves the tier; None where the source speaks to the region itself
    """

    source: Mechanism
    tier: Mechanism | None = None

    @property
    def top(self) -> Mechanism:
        """How it reaches the region."""
        return self.tier or self.source

    @property
    def kind(self) -> str:
        """By whom there is noise: exact, local, shared (at the tier), pooled (at the region) or central."""
        if self.top.noise == "group":
            return "pooled"
        if self.tier and self.tier.noise == "sender":
            return "central"
        return {"nobody": "exact", "sender": "local", "group": "shared"}[self.source.noise]

    @property
    def noise(self) -> Adder:
        """Who added that of its statistic which the region sees."""
        return self.source.noise if self.top.noise == "nobody" else self.top.noise

    @property
    def claim(self) -> Claim | None:
        """What it costs; None without noise."""
        noisy = self.tier if self.tier and self.tier.noise != "nobody" else self.source
        return None if noisy.noise == "nobody" else Claim(noisy.epsilon, noisy.delta)

    @property
    def strand(self) -> str:
        """With whom it is added all the way: those with the same noise, who leave their tier alike."""
        said = [self.kind, *([str(self.claim)] if self.claim else []), self.top.protection]
        return " ".join(said)


def claim_of(requirement: Requirement, purpose: str) -> Claim | None:
    """Return the most that one release for the purpose may cost; None where it is not allowed."""
    if purpose not in requirement.purposes:
        return None
    return Claim(min(requirement.caps.release, requirement.purposes[purpose].release), requirement.delta)


def routes(own: Claim, claims: Collection[Claim], *, travel: Collection[str]) -> Iterator[Route]:
    """Yield every route: of the source's own noise, and of noise with others that costs no more.

    Parameters
    ----------
    own : the most that the source allows
    claims : those of all sources, each of which may be that of a group
    travel : protections that there are
    """
    plain = [Mechanism(name) for name in sorted(travel)]
    own_noise = [Mechanism(name, "sender", own.epsilon, own.delta) for name in sorted(travel)]
    within = sorted(claim for claim in claims if claim.within(own))
    bearing = [name for name in sorted(travel) if PROTECTIONS[name].bears_shares]
    shares = [Mechanism(name, "group", claim.epsilon, claim.delta) for name in bearing for claim in within]
    central = [Mechanism(name, "sender", claim.epsilon, claim.delta) for name in sorted(travel) for claim in within]
    for source in (*plain, *own_noise, *shares):
        yield Route(source)
        yield from (Route(source, tier) for tier in plain)
    for source in plain:
        yield from (Route(source, tier) for tier in (*shares, *central))


def objection(
    route: Route, requirement: Requirement, source: SourceId, purpose: str, *, alone: bool
) -> Forbidden | None:
    """Return why a requirement does not permit a route; None if it does.

    Parameters
    ----------
    alone : whether the source is the only one of its tier in its strand, so that the tier's sum is its own
    """
    try:
        for viewer, shown, mechanism, noise in _seen(route, alone=alone):
            requirement.permit(
                Release("", source, purpose, _EVENTS[noise], tier=viewer, shown=shown, protection=mechanism.protection)
            )
    except Forbidden as refusal:
        return refusal
    return None


def bears_sum(mechanism: Mechanism, viewer: Viewer, noise: Adder, asked: tuple[Requirement, SourceId, str]) -> bool:
    """Whether a requirement permits that a viewer gets a sum by a mechanism, for a source and a purpose."""
    requirement, source, purpose = asked
    try:
        requirement.permit(
            Release("", source, purpose, _EVENTS[noise], tier=viewer, shown="sum", protection=mechanism.protection)
        )
    except Forbidden:
        return False
    return True


def _seen(route: Route, *, alone: bool) -> Iterator[tuple[Viewer, Shown, Mechanism, Adder]]:
    """Yield what is seen on the way, as ``exposures`` tells it of groups."""
    each = PROTECTIONS[route.source.protection].reveals == "each"
    own: Shown = "statistic" if each else "sum"
    if route.tier is None:
        yield "region", own, route.source, route.source.noise
        return
    yield "tier", own, route.source, route.source.noise
    bare = alone and PROTECTIONS[route.tier.protection].reveals == "each"
    yield "region", "statistic" if bare else "sum", route.tier, route.noise
