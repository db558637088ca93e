"""What a stay was billed: lines whose amounts are quantity times the hospital's price and whose sum is the stay's cost.

A stay's target cost is spent on what every stay has (bed, consultation, nursing), on its operations with their
consumables and anaesthesia, and then on tests, treatments, drugs and materials drawn for its disease. Quantities are
whole, so the sum differs a little from the target; the front page shows the sum.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from headwater.simulation.hospitals import Hospital, Region
from headwater.simulation.local import LocalItems, local_items
from headwater.simulation.reference import diseases, items, operations
from headwater.simulation.stays import Place, Stays
from headwater.simulation.streams import Part
from headwater.types import Vector

__all__ = ["Lines", "Payment", "bill", "pay"]

Indices = npt.NDArray[np.int64]

_KINDS = ("03", "04", "05", "08", "drug")
_CHANCE = np.array([0.12, 0.25, 0.16, 0.12, 0.35])
_WEIGHT = np.array([1.7, 0.9, 0.8, 1.2, 1.05])
_CATEGORIES = {"05": ("05", "12", "14")}
_FITTING_DRUG = 0.6
_DRUGS_OF = {
    "A": "J", "B": "J", "C": "L", "D": "B", "E": "A", "F": "N", "G": "N", "H": "S", "I": "C", "J": "R", "K": "A",
    "L": "D", "M": "M", "N": "G", "O": "G", "P": "J", "Q": "J", "R": "B", "S": "M", "T": "J", "U": "R", "W": "J",
    "X": "J", "Z": "L",
}  # fmt: skip
# Most of a stay's target cost that one line may take; dearer ones are left out where noise made the stay too cheap.
_MOST_OF_OPERATION = 0.9
_MOST_OF_OTHERS = 0.45
_MOST_OF_A_DAY_ITEM = 0.08
_SPENT_ON_REST = 0.12
_FURTHER_LINES = 21.4
_REVERSED = 0.002
_RATIO = {True: {3: 85, 2: 88, 1: 92}, False: {3: 65, 2: 72, 1: 80}}
_DEDUCTIBLE_FEN = {3: 90_000, 2: 50_000, 1: 20_000}


@dataclass(frozen=True, eq=False)
class Lines:
    """l billed lines, those of one stay together.

    Parameters
    ----------
    stay : (l,) place of the stay
    item : (l,) place of the item
    rank : (l,) number of the line within its stay, from 1
    count : (l,) quantity; negative in a line that reverses another
    amount_fen : (l,) quantity times local price
    minute : (l,) minutes since 1970-01-01
    """

    stay: Indices
    item: Indices
    rank: Indices
    count: Indices
    amount_fen: Indices
    minute: Indices

    def __len__(self) -> int:
        return len(self.stay)


@dataclass(frozen=True, eq=False)
class Payment:
    """Who pays for n stays, in fen; ``total`` is the sum of the lines and of ``fund`` and ``patient``."""

    total: Indices
    fund: Indices
    patient: Indices


@dataclass(frozen=True, eq=False)
class _Pools:
    """Items by pool and price: ``start`` and ``stop`` bound a pool in ``item`` and ``price``, both sorted by price."""

    item: Indices
    price: Vector
    start: Indices
    stop: Indices
    fitting: Indices


@lru_cache(maxsize=8)
def _pools(region: Region, hospital: Hospital) -> _Pools:
    local, table = local_items(region, hospital), items()
    letters = sorted({item.group[0] for item in table if item.kind == "drug"})
    pools = [
        [n for n, item in enumerate(table) if local.carried[n] and _in_pool(item.kind, item.category, kind)]
        for kind in _KINDS
    ]
    pools += [[n for n in pools[-1] if table[n].group[0] == letter] for letter in letters]
    ordered = [np.array(sorted(pool, key=lambda n: local.price_fen[n]), dtype=np.int64) for pool in pools]
    stop = np.cumsum([len(pool) for pool in ordered])
    item = np.concatenate(ordered)
    fitting = np.array([len(_KINDS) + letters.index(_DRUGS_OF[letter]) for letter in diseases().letter])
    return _Pools(item, local.price_fen[item].astype(np.float64), stop - [len(pool) for pool in ordered], stop, fitting)


def _in_pool(kind: str, category: str, pool: str) -> bool:
    return kind == "drug" if pool == "drug" else category in _CATEGORIES.get(pool, (pool,)) and kind != "drug"


@lru_cache(maxsize=1)
def _places() -> dict[str, Indices]:
    """Return the places of items that have a part of their own, by that part."""
    table = items()
    services = [n for n, item in enumerate(table) if item.kind == "service"]
    parts = {
        "bed": [n for n in services if table[n].base == "普通床位费"],
        "visit": [n for n in services if table[n].base == "住院诊察费"],
        "nursing": [n for n in services if table[n].base == "分级护理"],
        "anaesthesia": [n for n in services if table[n].base == "全身麻醉"],
        "operation": services[-len(operations().code) :],
    }
    models = {
        name: [n for n, item in enumerate(table) if item.name == name] for name in operations().consumable if name
    }
    parts["consumable"] = [models[name][0] if name else -1 for name in operations().consumable]
    return {name: np.array(places) for name, places in parts.items()}


def bill(place: Place, stays: Stays, cost: Vector) -> Lines:
    """Return the lines of the stays.

    Parameters
    ----------
    cost : (n,) target in yuan
    """
    rng, local = place.rng(Part.LINES), local_items(place.region, place.hospital)
    target = cost * 100
    stay, item, count = _fixed(rng, stays, local, target)
    spent = np.bincount(stay, weights=count * local.price_fen[item], minlength=len(stays))
    rest = np.maximum(target - spent, _SPENT_ON_REST * target)
    more = _further(rng, stays, _pools(place.region, place.hospital), rest)
    stay, item, count = (np.concatenate(pair) for pair in zip((stay, item, count), more, strict=True))
    begin, end = stays.begin[stay], stays.end[stay]
    minute = begin + (rng.random(len(stay)) * (end - begin)).astype(np.int64)
    stay, item, count, minute = _billed_again(rng, stay, item, count, minute)
    order = np.argsort(stay, kind="stable")
    stay, item, count, minute = stay[order], item[order], count[order], minute[order]
    per_stay = np.bincount(stay, minlength=len(stays))
    rank = np.arange(len(stay)) - np.repeat(np.cumsum(per_stay) - per_stay, per_stay) + 1
    return Lines(stay, item, rank, count, count * local.price_fen[item], minute)


def _billed_again(
    rng: np.random.Generator, stay: Indices, item: Indices, count: Indices, minute: Indices
) -> tuple[Indices, Indices, Indices, Indices]:
    """Reverse a few lines by negative ones and bill them again, which leaves every sum as it was."""
    chosen = np.flatnonzero(rng.random(len(stay)) < _REVERSED)
    return (
        np.concatenate([stay, stay[chosen], stay[chosen]]),
        np.concatenate([item, item[chosen], item[chosen]]),
        np.concatenate([count, -count[chosen], count[chosen]]),
        np.concatenate([minute, minute[chosen], minute[chosen]]),
    )


def _fixed(
    rng: np.random.Generator, stays: Stays, local: LocalItems, target: Vector
) -> tuple[Indices, Indices, Indices]:
    """Return stay, item and quantity of what follows from the stay itself."""
    n, places = len(stays), _places()
    everyone = np.arange(n)
    parts = [(everyone, _by_day(rng, stays, local, target, part), stays.days) for part in ("bed", "visit", "nursing")]
    most = [np.full(n, np.inf)] * 3
    for slot in range(stays.operations.shape[1]):
        done = np.flatnonzero(stays.operations[:, slot] >= 0)
        operation = stays.operations[done, slot]
        parts.append((done, places["operation"][operation], np.ones(len(done), dtype=np.int64)))
        most.append(_MOST_OF_OPERATION * target[done])
        used = places["consumable"][operation] >= 0
        # The three models of a consumable stand one after another.
        model = places["consumable"][operation[used]] + rng.integers(0, 3, int(used.sum()))
        parts.append((done[used], model, operations().pieces[operation[used]]))
        most.append(_MOST_OF_OTHERS * target[done[used]])
    asleep = np.flatnonzero(((stays.operations >= 0) & operations().anaesthesia[stays.operations]).any(axis=1))
    kind = places["anaesthesia"][rng.integers(0, len(places["anaesthesia"]), len(asleep))]
    parts.append((asleep, kind, np.ones(len(asleep), dtype=np.int64)))
    most.append(_MOST_OF_OTHERS * target[asleep])
    stay, item, count = (np.concatenate(column) for column in zip(*parts, strict=True))
    kept = count * local.price_fen[item] <= np.concatenate(most)
    return stay[kept], item[kept], count[kept]


def _by_day(rng: np.random.Generator, stays: Stays, local: LocalItems, target: Vector, part: str) -> Indices:
    """Return the item that every stay is billed a day; the cheapest one where others would weigh too much."""
    options = _places()[part]
    chosen = options[rng.integers(0, len(options), len(stays))]
    dear = stays.days * local.price_fen[chosen] > _MOST_OF_A_DAY_ITEM * target
    return np.where(dear, options[np.argmin(local.price_fen[options])], chosen)


def _further(rng: np.random.Generator, stays: Stays, pools: _Pools, rest: Vector) -> tuple[Indices, Indices, Indices]:
    """Spend what is left on drawn lines: shares are gamma distributed, prices fit the share, quantities are whole."""
    n = len(stays)
    lines = 4 + rng.poisson(np.clip((_FURTHER_LINES - 4) * np.sqrt((1 + stays.days) / 9.0), 1, 60))
    stay = np.repeat(np.arange(n), lines)
    kind = np.searchsorted(np.cumsum(_CHANCE)[:-1], rng.random(len(stay)), side="right")
    share = rng.standard_gamma(1.1, len(stay)) * _WEIGHT[kind] + 1e-6
    budget = rest[stay] * share / np.bincount(stay, weights=share, minlength=n)[stay]
    fits = (kind == len(_KINDS) - 1) & (rng.random(len(stay)) < _FITTING_DRUG)
    pool = np.where(fits, pools.fitting[stays.disease[stay]], kind)
    affordable = _affordable(pools, pool, budget)
    # The dearer ones of the affordable items are preferred, so that quantities stay small.
    place = pools.start[pool] + (np.sqrt(0.2 + 0.8 * rng.random(len(stay))) * affordable).astype(np.int64)
    count = np.maximum(np.rint(budget / pools.price[place]), 1).astype(np.int64)
    return stay, pools.item[place], count


def _affordable(pools: _Pools, pool: Indices, budget: Vector) -> Indices:
    """Return how many items of its pool every budget can buy, at least 1."""
    count = np.empty(len(pool), dtype=np.int64)
    for number in range(len(pools.start)):
        mask = pool == number
        prices = pools.price[pools.start[number] : pools.stop[number]]
        count[mask] = np.searchsorted(prices, budget[mask], side="right")
    return np.maximum(count, 1)


def pay(place: Place, stays: Stays, lines: Lines) -> Payment:
    """Split every stay's cost between fund and patient, in whole fen; divisions round in the fund's favour.

    The patient pays the items' own shares and the deductible first, then a part of the rest.
    """
    own = np.array([item.share for item in items()])[lines.item]
    covered = lines.amount_fen * (100 - own) // 100
    n, level = len(stays), place.hospital.level
    total = np.bincount(lines.stay, weights=lines.amount_fen, minlength=n).astype(np.int64)
    eligible = np.bincount(lines.stay, weights=covered, minlength=n).astype(np.int64)
    ratio = np.where(stays.employee, _RATIO[True][level], _RATIO[False][level])
    fund = np.maximum(eligible - _DEDUCTIBLE_FEN[level], 0) * ratio // 100
    return Payment(total=total, fund=fund, patient=total - fund)
