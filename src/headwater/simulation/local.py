"""A hospital's own list of items: its codes, its spellings, its prices."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from headwater.simulation.hospitals import Hospital, Region
from headwater.simulation.layouts import Layout
from headwater.simulation.reference import Item, items
from headwater.simulation.streams import Part, stream

__all__ = ["LocalItems", "local_items"]

Indices = npt.NDArray[np.int64]

_CARRIED = {1: 0.65, 2: 0.88, 3: 1.0}
_PRICE_LEVEL = {1: 0.80, 2: 0.92, 3: 1.0}
_WITH_NATIONAL_CODE = 0.6
_FORM_WORDS: tuple[Mapping[str, str], ...] = (
    {},
    {"注射液": "针", "胶囊": "胶囊剂", "片": "片剂", "颗粒": "颗粒剂", "缓释片": "缓释片剂"},
    {"注射液": "注射剂", "缓释片": "片(缓释)", "肠溶片": "片(肠溶)", "缓释胶囊": "胶囊(缓释)", "分散片": "片(分散)"},
)
_STAR = {"antibiotic_3": "★", "narcotic": "[麻]", "toxic": "[精]"}


@dataclass(frozen=True, eq=False)
class LocalItems:
    """The items of one hospital; all arrays run over the region's items, carried or not.

    Parameters
    ----------
    carried : (i,) whether the hospital has it
    code, name : local code and local spelling
    spec : local spelling of strength, pack or model
    price_fen : (i,) local price
    national : the regional code where the hospital reports it itself, else an empty string
    """

    carried: npt.NDArray[np.bool_]
    code: tuple[str, ...]
    name: tuple[str, ...]
    spec: tuple[str, ...]
    price_fen: Indices
    national: tuple[str, ...]


@lru_cache(maxsize=8)
def local_items(region: Region, hospital: Hospital) -> LocalItems:
    """Return the hospital's list; it depends on the seed and the hospital, not on months or other hospitals."""
    rng = stream(region.seed, Part.CATALOGUE, hospital.number)
    table = items()
    reports = rng.random(len(table)) < _WITH_NATIONAL_CODE
    habit = _Habit.drawn(rng)
    local = [habit.spelled(item, rng) for item in table]
    return LocalItems(
        carried=_carried(rng, table, hospital.level),
        code=_codes(rng, table, hospital.layout),
        name=tuple(name for name, _ in local),
        spec=tuple(spec for _, spec in local),
        price_fen=_prices(rng, table, hospital.level),
        national=tuple(item.code if known else "" for item, known in zip(table, reports, strict=True)),
    )


def _carried(rng: np.random.Generator, table: tuple[Item, ...], level: int) -> npt.NDArray[np.bool_]:
    # What operations, beds and nursing need is at hand everywhere.
    needed = np.array([item.group in ("01", "02", "06", "07") or item.price_fen >= 7000 for item in table])
    needed &= np.array([item.kind != "drug" for item in table])
    return np.asarray(needed | (rng.random(len(table)) < _CARRIED[level]))


def _prices(rng: np.random.Generator, table: tuple[Item, ...], level: int) -> Indices:
    base = np.array([item.price_fen for item in table], dtype=np.float64)
    drug = np.array([item.kind == "drug" for item in table])
    service = np.array([item.kind == "service" for item in table])
    # Drugs are sold without a margin, services cost what the level may charge, consumables what was negotiated.
    spread = np.exp(rng.standard_normal(len(table)) * np.where(drug, 0.02, np.where(service, 0.03, 0.12)))
    price = base * spread * np.where(service, _PRICE_LEVEL[level], 1.0)
    step = np.where(service & (base >= 500), 50, 1)
    whole: Indices = np.maximum(np.rint(price / step) * step, 1).astype(np.int64)
    return whole


def _codes(rng: np.random.Generator, table: tuple[Item, ...], shape: Layout) -> tuple[str, ...]:
    numbers = rng.permutation(len(table) * 3)[: len(table)] + 1
    if shape.codes == "digits":
        return tuple(f"{number:06d}" for number in numbers)
    if shape.codes == "dashed":
        return tuple(f"{item.category}-{number:05d}" for item, number in zip(table, numbers, strict=True))
    letter = {"drug": "Y", "consumable": "H", "service": "F"}
    return tuple(f"{letter[item.kind]}{number:05d}" for item, number in zip(table, numbers, strict=True))


@dataclass(frozen=True)
class _Habit:
    """How one hospital spells names.

    Parameters
    ----------
    forms : which words for dosage forms
    powder : how powders for injection are named
    brackets, times : characters for brackets and for "times"
    shows_spec, shows_maker, shows_class : what is put into the name
    milligrams : grams below one are written as milligrams
    """

    forms: int
    powder: int
    brackets: str
    times: str
    shows_spec: bool
    shows_maker: bool
    shows_class: bool
    milligrams: bool

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> "_Habit":
        return cls(
            forms=int(rng.integers(len(_FORM_WORDS))),
            powder=int(rng.integers(3)),
            brackets=("()", "()", "[]")[rng.integers(3)],
            times=("*", "×", "x")[rng.integers(3)],
            shows_spec=bool(rng.random() < 0.5),
            shows_maker=bool(rng.random() < 0.2),
            shows_class=bool(rng.random() < 0.3),
            milligrams=bool(rng.random() < 0.5),
        )

    def spelled(self, item: Item, rng: np.random.Generator) -> tuple[str, str]:
        """Return local name and local specification."""
        careless = rng.random()
        spec = self._spec(item.spec)
        name = self._drug(item) if item.kind == "drug" else item.name
        if item.kind == "consumable" and careless < 0.35:
            name = name.removeprefix("一次性使用").removeprefix("医用")
        if item.kind == "service":
            name = name if careless > 0.3 else name.replace("(", "-").replace(")", "")
        if item.kind == "consumable" or (item.kind == "drug" and self.shows_spec):
            name = f"{name} {spec}" if careless < 0.7 else f"{name}{self.brackets[0]}{spec}{self.brackets[1]}"
        if item.kind == "drug":
            name = self._tagged(item, name, careless)
        return name, spec

    def _drug(self, item: Item) -> str:
        if item.form == "注射用粉针":
            return (item.name, f"{item.base}粉针", f"{item.base}针(粉)")[self.powder]
        word = _FORM_WORDS[self.forms].get(item.form)
        return (
            item.name if word is None or not item.name.endswith(item.form) else item.name.removesuffix(item.form) + word
        )

    def _tagged(self, item: Item, name: str, careless: float) -> str:
        if self.shows_class and careless < 0.8:
            name = f"{self.brackets[0]}{'甲' if item.level == '01' else '乙'}{self.brackets[1]}{name}"
        if self.shows_maker or careless > 0.93:
            name = f"{name}{self.brackets[0]}{item.maker}{self.brackets[1]}"
        return _STAR.get(item.flag, "") + name if careless > 0.2 else name

    def _spec(self, spec: str) -> str:
        strength, star, pack = spec.partition("*")
        if self.milligrams and strength.endswith("g") and strength[:-1].replace(".", "", 1).isdigit():
            grams = float(strength[:-1])
            if grams < 1:
                strength = f"{grams * 1000:g}mg"
        return strength + star.replace("*", self.times) + pack
