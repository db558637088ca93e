"""Which sums an installation ever revealed, and whether more of them would lay a source open."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from headwater.adapters import audit, ledger, revealed
from headwater.adapters.home import Home
from headwater.adapters.revealed import Cohort
from headwater.aggregation.grouping import Group
from headwater.errors import Message, Refusal
from headwater.federation.division import LIMIT, leverage
from headwater.security import PROTECTIONS
from headwater.security.requirement import Requirement
from headwater.steps.ledger import opened
from headwater.types import SourceId

__all__ = ["Revealed", "hidden_cohorts"]


@dataclass(frozen=True)
class Revealed:
    """The cohorts of an installation's sums without noise, over all its valuations and joint models.

    All months and tasks count as the same records of a source: what one month adds to another is small beside what
    both share, and who would know it apart needs no more than one sum of each. Sums with noise are not kept here, as
    every one of them is paid for in the privacy ledger.
    """

    home: Home
    region: str

    def record(self, cohorts: tuple[Cohort, ...]) -> None:
        """Keep cohorts that are about to be revealed, all or none; committed before anybody is asked.

        Raises
        ------
        Refusal
            ``E-COHORT-REVEALED`` if a source's leverage over all that was ever revealed would exceed ``LIMIT``
        """
        self._keep(cohorts, for_good=True)

    def permit(self, cohorts: tuple[Cohort, ...]) -> None:
        """Refuse what ``record`` would refuse; nothing is kept."""
        self._keep(cohorts, for_good=False)

    def _keep(self, cohorts: tuple[Cohort, ...], *, for_good: bool) -> None:
        if not cohorts:
            return
        with opened(self.home) as connection, connection.transaction(force_rollback=not for_good):
            before = revealed.locked(connection)
            source, reached = _most([*before, *cohorts])
            # What was revealed before reveals nothing new, whatever it came to.
            if not {frozenset(one) for one in cohorts} <= {frozenset(one) for one in before} and reached > LIMIT + 1e-9:
                raise _exposed(source, reached, len(before), len(cohorts))
            revealed.add(connection, cohorts, region=self.region, at=ledger.clock(connection))
            if new := sorted({tuple(sorted(one)) for one in cohorts} - set(before)):
                audit.add(self.home, connection, "revealed", {"region": self.region, "cohorts": new})


def hidden_cohorts(groups: Sequence[Group], rules: Mapping[SourceId, Requirement]) -> tuple[Cohort, ...]:
    """Return the members of every sum without noise that groups will reveal, as far as sums must hide them.

    Whose own statistic the region may see anyway is left out, as if it were known: the others then hide among fewer.
    """
    below: dict[tuple[str, str], set[SourceId]] = {}
    found: dict[Cohort, None] = {}
    for group in groups:
        inside: set[SourceId] = set()
        for name, mechanism in group.mechanisms:
            if mechanism.noise == "nobody":
                inside |= below.get((group.strand, name), {name})
        below.setdefault((group.strand, group.tier), set()).update(inside)
        hidden = tuple(sorted(source for source in inside if rules[source].sees["statistic"] != "region"))
        if hidden and PROTECTIONS[group.protection].reveals == "sum":
            found[hidden] = None
    return tuple(found)


def _most(cohorts: list[Cohort]) -> tuple[SourceId, float]:
    """Return the source that all the sums together come closest to, and its leverage."""
    names = sorted({name for cohort in cohorts for name in cohort})
    places = {name: place for place, name in enumerate(names)}
    masks = np.zeros((len(cohorts), len(names)), dtype=np.bool_)
    for mask, cohort in zip(masks, cohorts, strict=True):
        mask[[places[name] for name in cohort]] = True
    found = leverage(masks)
    return names[int(found.argmax())], float(found.max())


def _exposed(source: SourceId, reached: float, before: int, more: int) -> Refusal:
    return Refusal(
        "E-COHORT-REVEALED",
        Message(
            f"以往已公开 {before} 个和数；再公开 {more} 个，来源“{source}”的杠杆值将达 {reached:.3f}，超过上限 "
            f"{LIMIT:g}。不同月份按同一批记录计。",
            f"{before} sums were revealed before; with {more} more the leverage of source {source} would reach "
            f"{reached:.3f}, above {LIMIT:g}. All months count as the same records.",
        ),
        Message(
            "请对与以往完全相同的一组来源求和，或改用 private_sums（加噪并记账）。",
            "Ask the very same sources as before, or use private_sums, whose noise is paid for in the ledger.",
        ),
    )
