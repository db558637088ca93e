"""Who comes, with what, how ill, for how long: everything of a stay but its money.

Stays are drawn in blocks of one hospital and month, each from streams of its own, so that a block can be made again
whenever another one refers to it: a readmitted patient of last month, or a stay that another hospital copies.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from headwater.simulation.hospitals import Hospital, Region, roster, schedule
from headwater.simulation.layouts import DIAGNOSES, OPERATIONS
from headwater.simulation.reference import diseases, operations
from headwater.simulation.streams import Part, stream
from headwater.types import Vector

__all__ = ["BLOCK", "Place", "Stays", "blocks", "copied_block", "draw"]

Indices = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

BLOCK = 20_000
"""Most stays held in memory at once."""

_READMITTED = 0.07
_ELIGIBLE = "CDEFGIJKMN"
_OLDEST = 93
_MINUTES = 1440
_TOP_COMPLEXITY = {1: 0.35, 2: 0.75, 3: 99.0}
_COMPLEXITY_PULL = {1: -1.2, 2: -0.2, 3: 0.5}


@dataclass(frozen=True)
class Place:
    """One block of one hospital's month; ``size`` stays of which the first is number ``first``."""

    region: Region
    hospital: Hospital
    month: int
    block: int
    first: int
    size: int

    def rng(self, part: Part) -> np.random.Generator:
        """Return the block's stream for one part of the work."""
        return stream(self.region.seed, part, self.hospital.number, self.month, self.block)


@dataclass(frozen=True, eq=False)
class Stays:
    """n stays as they were.

    Parameters
    ----------
    person : (n,) serial number of the patient in the whole region
    male, employee : (n,)
    birth : (n,) days since 1970-01-01
    begin, end : (n,) minutes since 1970-01-01
    days : (n,) days of stay, at least 1
    age : (n,) completed years at admission
    disease : (n,) true main disease
    recorded : (n,) main disease on record, another one where the hospital codes upwards
    others : (n, 7) further diseases, -1 where there is none
    operations : (n, 4) operations in order of weight, -1 where there is none
    severity : (n,) standardised, hidden from the files
    emergency : (n,)
    way : (n,) discharge way, 5 is death
    original : (n,) place of the stay in the copied block, or -1
    """

    person: Indices
    male: Flags
    employee: Flags
    birth: Indices
    begin: Indices
    end: Indices
    days: Indices
    age: Indices
    disease: Indices
    recorded: Indices
    others: Indices
    operations: Indices
    severity: Vector
    emergency: Flags
    way: Indices
    original: Indices

    def __len__(self) -> int:
        return len(self.person)

    def take(self, places: Indices) -> "Stays":
        """Return the stays at these places."""
        return Stays(**{name: getattr(self, name)[places] for name in self.__dataclass_fields__})


@dataclass(frozen=True, eq=False)
class _Arrivals:
    """n patients at the door: who they are and what they suffer from."""

    person: Indices
    male: Flags
    employee: Flags
    birth: Indices
    disease: Indices


def blocks(region: Region, hospital: Hospital, month: int) -> list[Place]:
    """Return the blocks that make up one hospital's month; none in an outage."""
    count = int(schedule(region)[hospital.number - 1, month])
    return [
        Place(region, hospital, month, number, start, min(BLOCK, count - start))
        for number, start in enumerate(range(0, count, BLOCK))
    ]


def draw(place: Place) -> Stays:
    """Return the stays of one block; those of a copying hospital repeat stays of the hospital that it copies."""
    original = copied_block(place)
    if original is not None:
        return _copied(place, draw(original))
    return _coded_upwards(place, _stayed(place, _admitted(place)))


def copied_block(place: Place) -> Place | None:
    """Return the block of another hospital that this one repeats, or None where it does not."""
    if place.hospital.copies is None:
        return None
    theirs = blocks(place.region, roster(place.region)[place.hospital.copies - 1], place.month)
    return theirs[min(place.block, len(theirs) - 1)] if theirs else None


def _copied(place: Place, theirs: Stays) -> Stays:
    rng = place.rng(Part.COPIES)
    chosen = np.sort(np.resize(rng.permutation(len(theirs)), place.size))
    shift = rng.integers(-30, 31, place.size)
    stays = theirs.take(chosen)
    return replace(stays, begin=stays.begin + shift, end=stays.end + shift, original=chosen)


def _arrivals(place: Place) -> _Arrivals:
    """Draw patients as if nobody came back."""
    rng, table, n = place.rng(Part.ARRIVALS), diseases(), place.size
    day = np.datetime64(place.region.month(place.month), "D").astype(np.int64)
    season = 1 + table.winter * np.cos(2 * np.pi * (place.region.month(place.month).month - 1) / 12)
    level = place.hospital.level
    complexity = table.effect + table.operations @ operations().effect
    mix = table.weight * season * np.exp(_COMPLEXITY_PULL[level] * complexity)
    disease = rng.choice(len(mix), size=n, p=mix / mix.sum())
    male = rng.random(n) < table.male[disease]
    age = table.age[disease] + table.age_sd[disease] * rng.standard_normal(n)
    newborn = _is(disease, "P")
    # A child's distribution is folded at zero; mothers are of child-bearing age.
    age = np.where(_is(disease, "O"), np.clip(age, 18, 46), np.clip(np.abs(age), 0.15, _OLDEST))
    age = np.where(newborn, rng.random(n) * 0.05, age)
    employee = rng.random(n) < np.where(age < 18, 0.0, 0.34 + 0.06 * (level == 3))
    serial = ((place.hospital.number * 200 + place.month) * 50 + place.block) * BLOCK + np.arange(n)
    return _Arrivals(serial, male, employee, day - np.floor(age * 365.25).astype(np.int64), disease)


def _is(disease: Indices, letters: str) -> Flags:
    return np.array([letter in letters for letter in diseases().letter])[disease]


def _admitted(place: Place) -> tuple[_Arrivals, Flags]:
    """Return this block's patients and which of them were here last month."""
    here, again = _arrivals(place), np.zeros(place.size, dtype=bool)
    before = blocks(place.region, place.hospital, place.month - 1) if place.month else []
    if place.block >= len(before):
        return here, again
    theirs = _arrivals(before[place.block])
    rng = place.rng(Part.READMISSIONS)
    eligible = np.flatnonzero(_is(theirs.disease, _ELIGIBLE))
    count = min(int(rng.binomial(place.size, _READMITTED)), len(eligible))
    back, seats = rng.permutation(eligible)[:count], rng.permutation(place.size)[:count]
    again[seats] = True
    merged = {}
    for name in ("person", "male", "employee", "birth", "disease"):
        merged[name] = getattr(here, name).copy()
        merged[name][seats] = getattr(theirs, name)[back]
    return _Arrivals(**merged), again


def _span(place: Place) -> tuple[int, int]:
    """Return the number of the month's first day since 1970, and the month's length in days."""
    month = np.datetime64(place.region.month(place.month), "M")
    first, following = month.astype("M8[D]"), (month + 1).astype("M8[D]")
    return int(first.astype(np.int64)), int((following - first).astype(np.int64))


def _stayed(place: Place, admitted: tuple[_Arrivals, Flags]) -> Stays:
    who, again = admitted
    rng, table, n = place.rng(Part.STAYS), diseases(), place.size
    first, length = _span(place)
    years = (first - who.birth) / 365.25
    severity = rng.standard_normal(n) + 0.010 * (years - 55) + 0.15 * (place.hospital.level - 2)
    done = _operated(rng, who.disease, place.hospital.level)
    work = np.where(done >= 0, operations().effect[done], 0.0).sum(axis=1)
    dead = rng.random(n) < 1 / (
        1 + np.exp(6.2 - 0.9 * severity - 0.025 * (years - 60) - 0.9 * table.grave[who.disease])
    )
    log_days = np.log(table.days[who.disease]) + 0.15 * severity + 0.12 * work + 0.38 * rng.standard_normal(n)
    days = np.clip(np.rint(np.exp(log_days - 0.35 * dead)), 1, 120).astype(np.int64)
    last = rng.integers(0, length, n)
    # Whoever came back was discharged last month, so this stay begins in this one.
    last = np.where(again, np.maximum(last, 1), last)
    days = np.where(again, np.minimum(days, last), days)
    end = (first + last) * _MINUTES + rng.integers(8 * 60, 17 * 60, n)
    begin = (first + last - days) * _MINUTES + rng.integers(7 * 60, 22 * 60, n)
    newborn = _is(who.disease, "P")
    birth = np.where(newborn, begin // _MINUTES, np.minimum(who.birth, begin // _MINUTES))
    way = rng.choice((1, 2, 3, 4, 9), size=n, p=(0.91, 0.03, 0.02, 0.03, 0.01))
    return Stays(
        person=who.person,
        male=who.male,
        employee=who.employee,
        birth=birth,
        begin=begin,
        end=end,
        days=days,
        age=_completed_years(birth, begin // _MINUTES),
        disease=who.disease,
        recorded=who.disease,
        others=_beside(rng, who, severity, years),
        operations=done,
        severity=severity,
        emergency=rng.random(n) < _pulled(table.emergency[who.disease], severity),
        way=np.where(dead, 5, way),
        original=np.full(n, -1),
    )


def _pulled(chance: Vector, severity: Vector) -> Vector:
    odds = chance / np.maximum(1 - chance, 1e-9) * np.exp(0.4 * severity)
    return np.asarray(odds / (1 + odds))


def _completed_years(birth: Indices, day: Indices) -> Indices:
    born, there = birth.astype("M8[D]"), day.astype("M8[D]")
    years = (there.astype("M8[Y]") - born.astype("M8[Y]")).astype(np.int64)
    months = there.astype("M8[M]").astype(np.int64) % 12 - born.astype("M8[M]").astype(np.int64) % 12
    in_month = (there - there.astype("M8[M]")).astype(np.int64) - (born - born.astype("M8[M]")).astype(np.int64)
    return np.asarray(years - ((months < 0) | ((months == 0) & (in_month < 0))))


def _operated(rng: np.random.Generator, disease: Indices, level: int) -> Indices:
    """Draw operations, (n, 4), the one with the greatest effect first; small hospitals leave great ones to others."""
    effect = operations().effect
    chance = diseases().operations * np.where(effect <= _TOP_COMPLEXITY[level], 1.0, 0.25 * (level == 2))
    most = int((chance > 0).sum(axis=1).max())
    order = np.argsort(-chance, axis=1, kind="stable")[:, :most]
    candidates = order[disease]
    done = rng.random(candidates.shape) < np.take_along_axis(chance, order, axis=1)[disease]
    weight = np.where(done, effect[candidates], -1.0)
    ranked = np.argsort(-weight, axis=1, kind="stable")
    chosen = np.where(np.take_along_axis(done, ranked, axis=1), np.take_along_axis(candidates, ranked, axis=1), -1)
    padded = np.full((len(disease), OPERATIONS), -1)
    padded[:, : min(most, OPERATIONS)] = chosen[:, :OPERATIONS]
    return padded


def _beside(rng: np.random.Generator, who: _Arrivals, severity: Vector, years: Vector) -> Indices:
    """Draw further diagnoses, (n, 7), without repetition (Gumbel top-k over weights)."""
    table = diseases()
    codes = np.flatnonzero(table.beside > 0)
    letters = np.array(table.letter)[codes]
    n = len(severity)
    count = np.minimum(
        rng.poisson(np.exp(np.clip(-0.15 + 0.28 * severity + 0.012 * (years - 50), -3, 2))), DIAGNOSES - 1
    )
    score = np.log(table.beside[codes]) + rng.gumbel(size=(n, len(codes)))
    score += np.outer(severity, 0.8 * table.grave[codes])
    impossible = (years[:, None] < 35) & (table.age[codes] > 45)
    impossible |= who.male[:, None] & (table.male[codes] < 0.05) | ~who.male[:, None] & (table.male[codes] > 0.95)
    impossible |= who.disease[:, None] == codes
    impossible |= ~_is(who.disease, "ST")[:, None] & np.isin(letters, ["W", "X"])
    score[impossible] = -np.inf
    best = np.argsort(-score, axis=1, kind="stable")[:, : DIAGNOSES - 1]
    fits = np.isfinite(np.take_along_axis(score, best, axis=1)) & (np.arange(DIAGNOSES - 1) < count[:, None])
    return np.where(fits, codes[best], -1)


def _coded_upwards(place: Place, stays: Stays) -> Stays:
    """Replace main diagnoses of half the stays by dearer ones where the hospital does so."""
    if place.hospital.regime(place.month) != "upcoded":
        return stays
    rng, table = place.rng(Part.UPCODING), diseases()
    recorded = stays.recorded.copy()
    for number in np.flatnonzero(rng.random(len(stays)) < 0.5):
        fits = (table.weight > 0) & (table.effect > table.effect[recorded[number]] + 0.15)
        # Nobody believes a man's delivery or an infant's cancer: the dearer disease must suit sex and age.
        fits &= (table.male > 0.05) if stays.male[number] else (table.male < 0.95)
        fits &= np.abs(table.age - stays.age[number]) < 2.5 * table.age_sd + 1
        if fits.any():
            recorded[number] = rng.choice(np.flatnonzero(fits))
    return replace(stays, recorded=recorded)
