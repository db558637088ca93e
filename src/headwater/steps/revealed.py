"""Which sums an installation ever revealed, and whether more of them would lay a source open."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa

from headwater.adapters import audit, ledger, revealed
from headwater.adapters.features import Region
from headwater.adapters.home import Home
from headwater.adapters.postgres import Connection
from headwater.adapters.revealed import Cohort, Records
from headwater.aggregation.exposure import Sight, sights
from headwater.aggregation.grouping import Group
from headwater.errors import Message, Refusal
from headwater.federation.division import LIMIT, leverage
from headwater.security.requirement import VIEWERS, Requirement, Viewer
from headwater.steps.ledger import opened
from headwater.types import SourceId

__all__ = ["LaidOpen", "Revealed", "fingerprints", "hidden_cohorts"]

_NEARER = 1e-9
"""By how much a leverage must differ to be another."""
_FEWEST = 3
"""Of how many members records must have changed before their sum may be revealed again: as many as masks hide."""
_NAMED = 12
"""How many sources a refusal names."""


class LaidOpen(Refusal):
    """Sums that would lay a source open, with those that were revealed before.

    ``source`` is the one that they come closest to, ``leverage`` how close: 1 where a difference of sums is the source.
    """

    def __init__(self, reason: Message, remedy: Message, *, source: SourceId, leverage: float) -> None:
        super().__init__("E-COHORT-REVEALED", reason, remedy)
        self.source, self.leverage = source, leverage


@dataclass(frozen=True)
class Revealed:
    """The cohorts of an installation's sums without noise, over all its valuations and joint models.

    All months and tasks count as the same records of a source: what one month adds to another is small beside what
    both share, and who would know it apart needs no more than one sum of each. But the same cohort twice tells what
    changed in between: where that is the records of one or two members, of which perhaps one stay withdrew, the second
    sum is refused. Sums with noise are not kept here, as every one of them is paid for in the privacy ledger.

    Parameters
    ----------
    records : what the sums are of; without them only names are held against each other
    """

    home: Home
    region: str
    records: Records = field(default_factory=dict)

    def record(self, seen: tuple[Cohort, ...], together: tuple[Cohort, ...] = ()) -> None:
        """Keep cohorts that are about to be revealed, all or none; committed before anything leaves a source.

        Parameters
        ----------
        seen : by the region
        together : by tiers and the region, as ``hidden_cohorts`` gives them

        Raises
        ------
        LaidOpen
            ``E-COHORT-REVEALED`` if a source's leverage over all that was ever revealed would exceed ``LIMIT``, or the
            records of too few members changed since the same sum was revealed
        """
        self._keep(seen, together, for_good=True)

    def permit(self, seen: tuple[Cohort, ...], together: tuple[Cohort, ...] = ()) -> None:
        """Refuse what ``record`` would refuse; nothing is kept."""
        self._keep(seen, together, for_good=False)

    def admit(self, seen: tuple[Cohort, ...], together: tuple[Cohort, ...] = ()) -> None:
        """Keep what was revealed otherwise than permitted, as somebody was lost on the way: it cannot be taken back."""
        with opened(self.home) as connection, connection.transaction():
            self._add(connection, seen, together)

    def _keep(self, seen: tuple[Cohort, ...], together: tuple[Cohort, ...], *, for_good: bool) -> None:
        if not seen and not together:
            return
        with opened(self.home) as connection, connection.transaction(force_rollback=not for_good):
            before, apart = revealed.locked(connection), revealed.locked(connection, viewer="tier")
            _require_hidden(before, seen, {name for cohort in (*before, *seen) for name in cohort})
            # Tiers and region together saw all that the region saw; whom tiers may see need not hide from them.
            shy = {name for cohort in (*apart, *together) for name in cohort}
            _require_hidden([*before, *apart], [*seen, *together], shy)
            self._require_many_changed(connection, seen, "region")
            self._require_many_changed(connection, together, "tier")
            self._add(connection, seen, together)

    def _require_many_changed(self, connection: Connection, cohorts: tuple[Cohort, ...], viewer: Viewer) -> None:
        """Refuse a cohort whose sum, less an earlier one, would be of the records of one or two members alone."""
        for cohort in cohorts:
            for earlier in revealed.records_of(connection, cohort, viewer=viewer):
                mine = earlier.keys() & self.records.keys()
                changed = sorted(name for name in mine if earlier[name] != self.records[name])
                if 0 < len(changed) < _FEWEST:
                    raise _difference(changed)

    def _add(self, connection: Connection, seen: tuple[Cohort, ...], together: tuple[Cohort, ...]) -> None:
        viewers: tuple[tuple[Viewer, tuple[Cohort, ...]], ...] = (("region", seen), ("tier", together))
        for viewer, cohorts in viewers:
            before = revealed.locked(connection, viewer=viewer)
            at = ledger.clock(connection)
            revealed.add(connection, cohorts, region=self.region, at=at, viewer=viewer, records=self.records)
            if new := sorted({tuple(sorted(one)) for one in cohorts} - set(before)):
                told = {"region": self.region, "viewer": viewer, "cohorts": new}
                audit.add(self.home, connection, "revealed", told)


def fingerprints(region: Region) -> Records:
    """Return of every source a text that changes when a stay comes, leaves or gets another cost or month.

    It stands on what every task reads, so that it is the same for all of them, and its cost is one hash a stay.
    """
    return {source.source_id: _fingerprint(source.table) for source in region.sources}


def _fingerprint(table: pa.Table) -> str:
    hashes = pd.util.hash_pandas_object(table.select(["month", "cost"]).to_pandas(), index=False)
    # A sum of 64-bit integers wraps, and is the same in whatever order.
    return f"{int(hashes.to_numpy(dtype=np.uint64).sum()):016x}"


def hidden_cohorts(
    groups: Sequence[Group], rules: Mapping[SourceId, Requirement]
) -> tuple[tuple[Cohort, ...], tuple[Cohort, ...]]:
    """Return the members of every sum without noise that groups reveal, as far as it must hide them.

    First of those that the region sees, without the sources whose own statistic it may see anyway; then of those that
    anybody sees, without the sources whose own statistic tiers may see. Whoever is left out is as good as known there:
    the others then hide among fewer.
    """
    seen: dict[Cohort, None] = {}
    together: dict[Cohort, None] = {}
    for sight in sights(groups):
        if sight.viewer == "region":
            seen[_hidden(sight, rules, "region")] = None
        together[_hidden(sight, rules, "tier")] = None
    return tuple(filter(None, seen)), tuple(filter(None, together))


def _hidden(sight: Sight, rules: Mapping[SourceId, Requirement], viewer: Viewer) -> Cohort:
    """Return those in it whose own statistic such a viewer may not see."""
    circle = VIEWERS.index(viewer)
    return tuple(sorted(name for name in sight.sources if VIEWERS.index(rules[name].sees["statistic"]) < circle))


def _require_hidden(before: Sequence[Cohort], more: Sequence[Cohort], names: set[SourceId]) -> None:
    """Refuse more cohorts if one of the names would no longer be hidden.

    Nor is one asked again that the books have laid open: a cohort that lost somebody was kept as planned and as it was,
    so what was planned may never have been revealed. To others that are laid open, what does not come closer does
    nothing.
    """
    stood, asked = _leverages(before), {name for cohort in more for name in cohort}
    beyond = {
        source: found
        for source, found in _leverages([*before, *more]).items()
        if source in names and found > LIMIT + _NEARER and (source in asked or found > stood.get(source, 0.0) + _NEARER)
    }
    if beyond:
        source = max(beyond, key=lambda one: (round(beyond[one], 6), one in asked, one))
        raise _exposed(source, beyond[source], before, more)


def _leverages(cohorts: Sequence[Cohort]) -> dict[SourceId, float]:
    """Return how close all the sums together come to each source."""
    names = sorted({name for cohort in cohorts for name in cohort})
    places = {name: place for place, name in enumerate(names)}
    masks = np.zeros((len(cohorts), len(names)), dtype=np.bool_)
    for mask, cohort in zip(masks, cohorts, strict=True):
        mask[[places[name] for name in cohort]] = True
    return dict(zip(names, leverage(masks).tolist(), strict=True))


def _exposed(source: SourceId, reached: float, before: Sequence[Cohort], more: Sequence[Cohort]) -> LaidOpen:
    return LaidOpen(
        Message(
            f"以往已公开 {len(before)} 个和数；再公开 {len(more)} 个，来源“{source}”的杠杆值将达 {reached:.3f}，"
            f"超过上限 {LIMIT:g}。不同月份按同一批记录计。",
            f"{len(before)} sums were revealed before; with {len(more)} more the leverage of source {source} would "
            f"reach {reached:.3f}, above {LIMIT:g}. All months count as the same records.",
        ),
        _remedy(before, more),
        source=source,
        leverage=reached,
    )


def _difference(changed: Sequence[SourceId]) -> LaidOpen:
    names = _named(set(changed))
    return LaidOpen(
        Message(
            f"同一组来源的和数此前已公开；此后只有 {names} 的记录有变（例如有人撤回），两次之差即为其变化。",
            f"The sum of these very sources was revealed before, and only the records of {names} changed since, for "
            "example as somebody withdrew: the difference would be that change.",
        ),
        Message(
            f"待至少 {_FEWEST} 个来源有新记录（如下一月送报）后再汇聚；或改为加噪并记账。",
            f"Join again once {_FEWEST} of them have other records, as after the next month's deliveries; or ask "
            "with noise, which is paid for in the ledger.",
        ),
        source=changed[0],
        leverage=1 / len(changed),
    )


def _remedy(before: Sequence[Cohort], more: Sequence[Cohort]) -> Message:
    """Return who is to be added or left out, that every new sum may be the one of those before that it is nearest."""
    missing: set[SourceId] = set()
    for cohort in map(set, more):
        missing |= min(map(set, before), key=lambda one: (len(one ^ cohort), sorted(one)), default=cohort)
    asked, known = ({name for cohort in cohorts for name in cohort} for cohorts in (more, before))
    missing, beyond = missing - asked, asked - known
    zh = [f"加上 {_named(missing)}"] * bool(missing) + [f"去掉 {_named(beyond)}"] * bool(beyond)
    en = [f"add {_named(missing)}"] * bool(missing) + [f"leave out {_named(beyond)}"] * bool(beyond)
    return Message(
        f"请对与以往完全相同的一组来源求和：{'，'.join(zh) or '分组须与以往相同'}；"
        "或改为加噪并记账（估值：private_sums；汇聚：由来源在要求中规定）。"
        + "已退出的来源无法加上：请另行组合（headwater value）或加噪。"
        * bool(missing),
        f"Ask for sums of the very same sources as before: {', '.join(en) or 'in the same groups'}; or ask "
        "with noise, which is paid for in the ledger (value: private_sums; aggregate: as requirements say)."
        + " Whoever withdrew cannot be added: then in other company (headwater value), or with noise."
        * bool(missing),
    )


def _named(sources: set[SourceId]) -> str:
    return ", ".join(sorted(sources)[:_NAMED]) + " …" * (len(sources) > _NAMED)
