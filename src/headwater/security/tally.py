"""What releases add up to, before anybody asks how much privacy that costs.

Gaussian and concentrated releases add up to one number each; it is kept in whole units and rounded up, so that the sum
is exact, the same in every order, and never too small. All others are counted by kind.
"""

import json
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from math import ceil, sqrt
from typing import Any

from headwater.errors import Message, Refusal
from headwater.security.events import (
    Composed,
    Concentrated,
    DiscreteGaussian,
    Event,
    Gaussian,
    NonPrivate,
    Repeated,
    event_of,
    to_json,
)

__all__ = ["NOTHING", "Tally", "tally_of"]

_UNIT = 2**80


@dataclass(frozen=True)
class Tally:
    """The composition of some releases.

    Parameters
    ----------
    gaussian : Σ 1 / noise² of Gaussian releases, in units of 2**-80
    concentrated : Σ ρ of concentrated and discrete Gaussian releases, in the same units
    others : other events and how often each happened, by the events' texts
    unbounded : whether a release without noise is among them
    """

    gaussian: int = 0
    concentrated: int = 0
    others: tuple[tuple[Event, int], ...] = ()
    unbounded: bool = False

    @property
    def mu(self) -> float:
        """Sensitivity of the one Gaussian release with noise 1 that all Gaussian releases amount to."""
        return sqrt(self.gaussian / _UNIT)

    @property
    def rho(self) -> float:
        """Σ ρ of what is known to be concentrated."""
        return self.concentrated / _UNIT

    def plus(self, event: Event, times: int = 1) -> "Tally":
        """Return the tally with an event that happened ``times`` more; 0 times change nothing."""
        if isinstance(event, Composed):
            found = self
            for part in event.events:
                found = found.plus(part, times)
            return found
        if isinstance(event, Repeated):
            return self.plus(event.event, times * event.times)
        if times == 0:
            return self
        if isinstance(event, NonPrivate):
            return replace(self, unbounded=True)
        if isinstance(event, Gaussian):
            return replace(self, gaussian=self.gaussian + times * _squared(event.noise))
        if isinstance(event, DiscreteGaussian):
            return replace(self, concentrated=self.concentrated + times * _units(1 / (2 * Fraction(event.noise) ** 2)))
        if isinstance(event, Concentrated):
            return replace(self, concentrated=self.concentrated + times * _units(Fraction(event.rho)))
        counts = dict(self.others)
        counts[event] = counts.get(event, 0) + times
        return replace(self, others=tuple(sorted(counts.items(), key=lambda item: to_json(item[0]))))

    def to_json(self) -> str:
        """Return the one text of a tally."""
        plain: dict[str, Any] = {"gaussian": self.gaussian, "concentrated": self.concentrated}
        plain["others"] = [[json.loads(to_json(event)), times] for event, times in self.others]
        return json.dumps(plain | {"unbounded": self.unbounded}, sort_keys=True, separators=(",", ":"))


NOTHING = Tally()
"""No release at all."""


@lru_cache(maxsize=4096)
def tally_of(text: str) -> Tally:
    """Return the tally of its text; any other text is refused."""
    try:
        plain = json.loads(text)
        others = tuple((event_of(event), int(times)) for event, times in plain["others"])
        found = Tally(int(plain["gaussian"]), int(plain["concentrated"]), others, plain["unbounded"] is True)
    except (KeyError, TypeError, ValueError) as error:
        raise _unreadable(text) from error
    if found.to_json() != text:
        raise _unreadable(text)
    return found


@lru_cache(maxsize=4096)
def _squared(noise: float) -> int:
    return _units(1 / Fraction(noise) ** 2)


def _units(amount: Fraction) -> int:
    return ceil(amount * _UNIT)


def _unreadable(text: str) -> Refusal:
    return Refusal(
        "E-TALLY",
        Message(
            f"隐私账目的合计无法读取：{text[:80]}。", f"The tally of a privacy account cannot be read: {text[:80]}."
        ),
        Message("请以 headwater ledger prove 核对账目。", "Recompute it with headwater ledger prove."),
    )
