r"""Who masks with whom, and how many must be left: derived from the size of the group alone.

Of n members at most ``lost`` = n // 3 may be lost and ``colluding`` may tell the server all they know; at least three
honest members must be left, or the sum would tell two what the third said.

- *Quorum* q = (n + colluding) // 2 + 1 sign the one list of survivors. Two lists would need 2q - colluding > n honest
  signatures, and an honest member signs once: so there is one list or none. q <= n - lost bounds ``colluding``.
- *Small groups* (up to 64): everybody masks with everybody, and q shares open a secret. Colluders hold fewer than q.
- *Large groups* (Bell et al. 2020): a circulant graph over a hashed order, each with ``degree`` neighbours; its owner
  and they hold the shares of a secret, h = degree + 1 in all. ``degree`` is the least, and then ``shares`` = t the
  most, for which, by hypergeometric tails and the union over all members,

  - some member has t or more colluders among its holders with probability <= 2**-40,
  - some member has fewer than t survivors among its holders with probability <= 2**-20 (the round then ends safely),
  - the lost and colluding cut the ring twice, which takes two runs of degree/2: n**2/2 * ((lost + colluding)/n)**degree
    <= 2**-40.

  A server that chooses whom it calls lost still gets nothing below t survivors around each member it opens, so what it
  gets is a sum over at least t members less those colluding among them. One that chooses the hashed order (by trying
  round ids) is not covered: members must agree on the round id.

At 1/3 lost and n/20 colluding: 128 members have 38 neighbours and 12 of 39 holders open a secret; 1,024 have 70, and 24
of 71; 10,000 have 86, and 29 of 87.

Source: Bell, Bonawitz, Gascón, Lepoint, Raykova 2020, Secure single-server aggregation with (poly)logarithmic overhead.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

__all__ = ["Thresholds", "neighbourhoods", "thresholds"]

_COMPLETE = 64
_FEWEST = 3
_SECRECY = 2.0**-40
_FAILURE = 2.0**-20
_LARGE_COLLUSION = 20


@dataclass(frozen=True)
class Thresholds:
    """The numbers of a group.

    Parameters
    ----------
    degree : neighbours of each member
    shares : of a secret's holders, how many open it
    quorum : members that must be left at every phase
    lost, colluding : how many may be, at the same time
    """

    degree: int
    shares: int
    quorum: int
    lost: int
    colluding: int


@lru_cache(maxsize=256)
def thresholds(members: int) -> Thresholds:
    """Return the numbers of a group of at least three."""
    lost = min(members // 3, members - _FEWEST)
    left = members - lost
    colluding = max(0, min(left - _FEWEST, 2 * left - members - 1))
    if members > _COMPLETE:
        colluding = members // _LARGE_COLLUSION
    quorum = max(_FEWEST, (members + colluding) // 2 + 1)
    degree, shares = members - 1, quorum
    if members > _COMPLETE:
        degree, shares = _sparse(members, lost, colluding)
    return Thresholds(degree, shares, quorum, lost, colluding)


def _sparse(members: int, lost: int, colluding: int) -> tuple[int, int]:
    # Two thirds of a second to import, for groups of more than 64 alone: no command waits for it otherwise.
    from scipy.stats import hypergeom

    for degree in range(2, members - 1, 2):
        cut = members**2 / 2 * ((lost + colluding) / members) ** degree
        # The owner is one of the holders: it neither colludes nor opens its own secret against itself.
        fewest = 1 + int(hypergeom.isf(_SECRECY / members, members - 1, colluding, degree))
        most = int(hypergeom.ppf(_FAILURE / members, members, members - lost, degree + 1))
        if cut <= _SECRECY and fewest <= most:
            return degree, most
    return members - 1, (members + colluding) // 2 + 1


@lru_cache(maxsize=16)
def neighbourhoods(plan_digest: bytes, present: tuple[str, ...], degree: int) -> Mapping[str, tuple[str, ...]]:
    """Return every present member's neighbours and itself, sorted."""
    if degree >= len(present) - 1:
        return dict.fromkeys(present, present)
    ring = sorted(present, key=lambda name: hashlib.sha256(plan_digest + name.encode()).digest())
    size, reach = len(ring), degree // 2
    return {
        name: tuple(sorted({ring[(place + step) % size] for step in range(-reach, reach + 1)}))
        for place, name in enumerate(ring)
    }
