"""How often the sources can still answer under the caps that hold now."""

from collections import Counter, defaultdict
from dataclasses import asdict, dataclass
from typing import Any

from headwater.adapters import accounting, ledger
from headwater.adapters.home import Home
from headwater.adapters.ledger import Account
from headwater.content.requirements import requirement_for
from headwater.errors import Refusal
from headwater.security.events import Event, Gaussian, from_json, to_json
from headwater.security.requirement import Requirement
from headwater.security.tally import NOTHING, Tally
from headwater.statistics.gaussian import noise_for
from headwater.steps.ledger import opened, requirements
from headwater.types import SourceId

__all__ = ["Forecast", "Foreseen", "forecast"]


@dataclass(frozen=True)
class Foreseen:
    """How often one source can still answer for one purpose.

    Parameters
    ----------
    event : the usual one, as JSON
    epsilon : what it costs alone
    month, lifetime : how many more fit
    """

    source_id: SourceId
    purpose: str
    event: str
    epsilon: float
    month: int
    lifetime: int


@dataclass(frozen=True)
class Forecast:
    """How many more releases fit, by source and purpose."""

    lines: tuple[Foreseen, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {"forecast": [asdict(line) for line in self.lines]}


def forecast(home: Home, *, source: SourceId | None = None, epsilon: float | None = None) -> Forecast:
    """Return how many more releases of the usual kind fit under the caps that hold now.

    Parameters
    ----------
    epsilon : take a Gaussian release of this ε at the requirement's δ instead of each account's most frequent event
    """
    known = requirements(home)
    with opened(home) as connection:
        month = f"{ledger.clock(connection):%Y-%m}"
        tallies = {one.account: one.tally for one in ledger.balances(connection, source=source)}
        usual: dict[tuple[SourceId, str], Counter[str]] = defaultdict(Counter)
        for entry in ledger.entries(connection, source=source):
            usual[entry.source_id, entry.purpose][entry.event] += 1
    lines = []
    for (name, purpose), events in sorted(usual.items()):
        try:
            rule = requirement_for(known, name, purpose)
        except Refusal:
            # What a source has withdrawn since then it will not answer again.
            continue
        most = max(events.items(), key=lambda item: (item[1], item[0]))[0]
        event = Gaussian(noise_for(epsilon, rule.delta)) if epsilon else from_json(most)
        lines.append(_foreseen(tallies, rule, (name, purpose, month), event))
    return Forecast(tuple(lines))


def _foreseen(
    tallies: dict[Account, Tally], rule: Requirement, of: tuple[SourceId, str, str], event: Event
) -> Foreseen:
    source, purpose, month = of
    fitting = {}
    for period in (month, "lifetime"):
        counts = []
        for name, caps in (("", rule.caps), (purpose, rule.purposes[purpose])):
            tally = tallies.get(Account(rule.patients, source, "", name, period), NOTHING)
            cap = caps.lifetime if period == "lifetime" else caps.month
            counts.append(accounting.fits(tally, event, delta=rule.delta, cap=cap))
        fitting[period] = min(counts)
    ever = fitting["lifetime"]
    alone = accounting.epsilon(NOTHING.plus(event), rule.delta)
    return Foreseen(source, purpose, to_json(event), alone, min(fitting[month], ever), ever)
