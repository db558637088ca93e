"""The hospitals of the region: who they are, how good their data is, when that changes, and how much they deliver."""

from dataclasses import dataclass
from datetime import date
from functools import cache, lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from headwater.errors import Message, Refusal
from headwater.simulation.layouts import Layout, layout
from headwater.types import Vector

__all__ = ["PROVINCE", "Counts", "Hospital", "Regime", "Region", "roster", "schedule"]

Counts = npt.NDArray[np.int64]

PROVINCE = "楚源省"
"""The invented province that every hospital stands in."""

Regime = Literal["good", "noisy", "biased", "upcoded", "irrelevant"]
"""What a hospital's costs tell about the region's law.

good        the region's law and its ordinary noise
noisy       the region's law under four times the noise
biased      another law of prices
upcoded     the region's law, but many main diagnoses on record are dearer than the true ones
irrelevant  costs that no feature explains
"""

_LAST_MONTH = (2025, 12)
_SMALL_STAYS = 600


@dataclass(frozen=True)
class Region:
    """What is simulated.

    Parameters
    ----------
    hospitals : how many, 1 to 400
    months : how many, 1 to 120; the last one is always December 2025
    stays : of all hospitals together; every hospital has at least one stay in every month that it delivers
    seed : of all random streams
    dirt : whether files carry faults
    """

    hospitals: int = 12
    months: int = 24
    stays: int = 60_000
    seed: int = 20260101
    dirt: bool = True

    def __post_init__(self) -> None:
        for name, low, high in (("hospitals", 1, 400), ("months", 1, 120), ("seed", 0, 2**63 - 1)):
            if not low <= getattr(self, name) <= high:
                raise _refused(name, getattr(self, name), f"{low}–{high}")
        if self.stays < self.hospitals * self.months:
            raise _refused("stays", self.stays, f"≥ {self.hospitals * self.months}")

    def month(self, number: int) -> date:
        """Return the first day of the month with this number, from 0."""
        count = _LAST_MONTH[0] * 12 + _LAST_MONTH[1] - self.months + number
        return date(count // 12, count % 12 + 1, 1)


def _refused(name: str, value: int, allowed: str) -> Refusal:
    return Refusal(
        "E-SIMULATION-SIZE",
        Message(f"模拟参数 {name}={value} 不可用。", f"The simulation cannot run with {name}={value}."),
        Message(f"允许范围：{allowed}。", f"Allowed: {allowed}."),
    )


@dataclass(frozen=True)
class Hospital:
    """One source.

    Parameters
    ----------
    number : from 1
    role : good, turns_bad, turns_good, noisy, biased, upcoded, irrelevant, duplicate or tiny
    share : of the region's stays, before normalisation
    before, after : regimes before and from month ``change`` on
    change : number of the first month of the second regime, or None
    outages : numbers of the months without deliveries
    copies : number of the hospital whose stays this one repeats, or None
    """

    number: int
    name_zh: str
    name_en: str
    level: int
    city: str
    role: str
    share: float
    before: Regime
    after: Regime
    change: int | None
    outages: tuple[int, ...]
    copies: int | None

    @property
    def source(self) -> str:
        """Name of the source, e.g. ``h0101``."""
        return f"h{100 + self.number:04d}"

    @property
    def code(self) -> str:
        """Code of the hospital, e.g. ``H0101``."""
        return self.source.upper()

    @property
    def layout(self) -> Layout:
        """How it writes its files."""
        return layout(self.number)

    def regime(self, month: int) -> Regime:
        """Return what the month's costs follow."""
        return self.before if self.change is None or month < self.change else self.after


# name, English name, level, city, role, share
_DEFAULT: tuple[tuple[str, str, int, str, str, float], ...] = (
    ("江城市第一人民医院", "Jiangcheng First People's Hospital", 3, "江城市", "good", 0.17),
    ("江城市中心医院", "Jiangcheng Central Hospital", 3, "江城市", "turns_bad", 0.12),
    ("江城市北郊医院", "Jiangcheng North Suburb Hospital", 2, "江城市", "biased", 0.08),
    ("云泽市湖畔卫生院", "Yunze Lakeside Health Centre", 1, "云泽市", "tiny", 0.004),
    ("云泽市人民医院", "Yunze People's Hospital", 3, "云泽市", "good", 0.14),
    ("云泽市第二医院", "Yunze Second Hospital", 2, "云泽市", "noisy", 0.08),
    ("青屏市人民医院", "Qingping People's Hospital", 3, "青屏市", "turns_good", 0.09),
    ("江城市东湾分院", "Jiangcheng East Bay Branch Hospital", 3, "江城市", "duplicate", 0.06),
    ("青屏市康复医院", "Qingping Rehabilitation Hospital", 2, "青屏市", "irrelevant", 0.07),
    ("青屏市中医院", "Qingping Hospital of Chinese Medicine", 2, "青屏市", "outage", 0.11),
    ("云泽市仁和医院", "Yunze Renhe Hospital", 2, "云泽市", "upcoded", 0.06),
    ("江城市南浦社区医院", "Jiangcheng Nanpu Community Hospital", 1, "江城市", "small", 0.016),
)
_CITIES = (("江城市", "Jiangcheng"), ("云泽市", "Yunze"), ("青屏市", "Qingping"))
_FURTHER_ROLES = (
    *("good", "noisy", "good", "biased", "turns_bad", "good", "tiny", "upcoded"),
    *("turns_good", "outage", "irrelevant", "good", "duplicate"),
)
_REGIMES: dict[str, tuple[Regime, Regime]] = {
    "turns_bad": ("good", "noisy"),
    "turns_good": ("noisy", "good"),
    "noisy": ("noisy", "noisy"),
    "biased": ("biased", "biased"),
    "upcoded": ("upcoded", "upcoded"),
    "irrelevant": ("irrelevant", "irrelevant"),
}
# Shares of the period after which a change or an outage begins.
_CHANGE_AT = {"turns_bad": 0.55, "turns_good": 0.40}
_OUTAGES = {"outage": (0.60, 2), "small": (0.30, 1)}


@cache
def roster(region: Region) -> tuple[Hospital, ...]:
    """Return the region's hospitals: the first twelve are fixed, others follow a fixed cycle of roles."""
    return tuple(_hospital(number, region.months) for number in range(1, region.hospitals + 1))


def _hospital(number: int, months: int) -> Hospital:
    zh, en, level, city, role, share = _DEFAULT[number - 1] if number <= len(_DEFAULT) else _further(number)
    before, after = _REGIMES.get(role, ("good", "good"))
    changes = role in _CHANGE_AT and months >= 2
    return Hospital(
        number=number,
        name_zh=zh,
        name_en=en,
        level=level,
        city=city,
        role=role,
        share=share,
        before=before,
        after=after,
        change=max(1, int(months * _CHANGE_AT[role])) if changes else None,
        outages=_outages(role, months),
        copies=1 if role == "duplicate" else None,
    )


def _further(number: int) -> tuple[str, str, int, str, str, float]:
    rng = np.random.default_rng((number, 1))
    city, city_en = _CITIES[number % len(_CITIES)]
    role = _FURTHER_ROLES[(number - len(_DEFAULT) - 1) % len(_FURTHER_ROLES)]
    drawn = int(rng.choice((1, 2, 3), p=(0.2, 0.5, 0.3)))
    # Who repeats another hospital's stays claims its level too.
    level = {"tiny": 1, "duplicate": _DEFAULT[0][2]}.get(role, drawn)
    share = 0.004 if role == "tiny" else (0.02, 0.05, 0.10)[level - 1] * rng.uniform(0.7, 1.3)
    return f"{city}第{number}医院", f"{city_en} Hospital No. {number}", level, city, role, share


def _outages(role: str, months: int) -> tuple[int, ...]:
    if role not in _OUTAGES or months < 4:
        return ()
    start, most = _OUTAGES[role]
    first = int(months * start)
    return tuple(range(first, min(first + min(most, months // 6 + 1), months)))


@lru_cache(maxsize=8)
def schedule(region: Region) -> Counts:
    """Return how many stays every hospital delivers in every month, (hospitals, months); their sum is ``stays``.

    Months follow a mild winter wave. Sources called tiny, and the one that writes workbooks, stop at 600 stays.
    """
    hospitals = roster(region)
    season = np.array([1 + 0.12 * np.cos(2 * np.pi * (region.month(m).month - 1) / 12) for m in range(region.months)])
    weights = np.array([hospital.share for hospital in hospitals])[:, None] * season
    for place, hospital in enumerate(hospitals):
        weights[place, list(hospital.outages)] = 0.0
    counts: Counts = (weights > 0).astype(np.int64)
    left = region.stays - int(counts.sum())
    small = np.array([hospital.role == "tiny" or hospital.layout.format == "xlsx" for hospital in hospitals])
    granted = 0
    if small.any() and not small.all():
        theirs = weights * small[:, None]
        granted = min(round(left * theirs.sum() / weights.sum()), _SMALL_STAYS * int(small.sum()))
        counts += _apportioned(theirs, granted)
        weights = weights * ~small[:, None]
    counts += _apportioned(weights, left - granted)
    counts.flags.writeable = False
    return counts


def _apportioned(weights: Vector, total: int) -> Counts:
    """Split ``total`` in proportion to ``weights``; largest remainders are rounded up (Hamilton's method)."""
    exact = weights / weights.sum() * total
    counts: Counts = np.floor(exact).astype(np.int64)
    order = np.argsort(-(exact - counts), axis=None, kind="stable")[: total - int(counts.sum())]
    counts.ravel()[order] += 1
    return counts
