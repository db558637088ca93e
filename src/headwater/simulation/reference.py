"""The region's own reference: diseases, operations, drugs, consumables and services, none of them official.

Codes have the shape of national codes and no more: makers, approval numbers and codes are invented.
"""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources

import numpy as np
import numpy.typing as npt

from headwater.types import Vector

__all__ = ["Diseases", "Item", "Operations", "diseases", "items", "operations", "rows"]

Indices = npt.NDArray[np.int64]

_DRUG_MAKERS = (
    *(
        "楚源制药",
        "云泽药业",
        "青屏制药",
        "澍禾药业",
        "砚川制药",
        "霁和药业",
        "泓屿生物",
        "栎坪制药",
        "葭湖药业",
        "穆岭制药",
    ),
    *("汀澜药业", "槐序制药", "朔野生物", "昀杉药业", "麓笙制药", "沅桐药业", "旻溪制药", "砾洲药业"),
)
_DEVICE_MAKERS = (
    *("楚源医械", "云泽医疗", "青屏器械", "澍禾医疗", "砚川医械", "霁和医疗"),
    *("泓屿医械", "栎坪医疗", "葭湖器械", "穆岭医疗", "汀澜医械", "槐序医疗"),
)
_CLASS_SHARE = {"01": 0, "02": 10, "03": 100}
_IMPLANT_SHARE = 30


@cache
def rows(table: str) -> tuple[Mapping[str, str], ...]:
    """Return the rows of one packaged table by its stem."""
    file = resources.files("headwater.simulation").joinpath("tables", f"{table}.csv")
    return tuple(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))


def _column(table: str, name: str) -> Vector:
    return np.array([float(row[name]) for row in rows(table)])


@dataclass(frozen=True, eq=False)
class Operations:
    """The m operations.

    Parameters
    ----------
    effect : (m,) added to the logarithm of a stay's cost
    price_fen : (m,) price of the operation's service at a hospital of level 3
    anaesthesia : (m,) whether it needs general or regional anaesthesia
    consumable : name of the consumable that it uses, or an empty string
    pieces : (m,) how many of them
    """

    code: tuple[str, ...]
    name: tuple[str, ...]
    effect: Vector
    price_fen: Indices
    anaesthesia: npt.NDArray[np.bool_]
    consumable: tuple[str, ...]
    pieces: Indices


@lru_cache(maxsize=1)
def operations() -> Operations:
    """Return the operations, ICD-9-CM-3 in shape."""
    table = rows("operations")
    return Operations(
        code=tuple(row["code"] for row in table),
        name=tuple(row["name"] for row in table),
        effect=_column("operations", "effect"),
        price_fen=np.array([round(100 * float(row["price"])) for row in table]),
        anaesthesia=_column("operations", "anaesthesia") > 0,
        consumable=tuple(row["consumable"] for row in table),
        pieces=np.array([int(row["pieces"]) for row in table]),
    )


@dataclass(frozen=True, eq=False)
class Diseases:
    """The d diseases.

    Parameters
    ----------
    weight : (d,) share among main diagnoses, in any unit; 0 for codes that only stand beside others
    effect : (d,) added to the logarithm of a stay's cost
    days : (d,) median days of stay
    male : (d,) share of men
    age, age_sd : (d,) years
    winter : (d,) relative amplitude of the yearly wave that peaks in January
    emergency : (d,) share of emergency admissions
    beside : (d,) weight among further diagnoses
    grave : (d,) whether it raises the risk of death
    operations : (d, m) probability of each operation
    """

    code: tuple[str, ...]
    name: tuple[str, ...]
    weight: Vector
    effect: Vector
    days: Vector
    male: Vector
    age: Vector
    age_sd: Vector
    winter: Vector
    emergency: Vector
    beside: Vector
    grave: npt.NDArray[np.bool_]
    operations: Vector

    @property
    def letter(self) -> tuple[str, ...]:
        """First letter of every code."""
        return tuple(code[0] for code in self.code)


@lru_cache(maxsize=1)
def diseases() -> Diseases:
    """Return the diseases, ICD-10 in shape."""
    table = rows("diseases")
    place = {code: number for number, code in enumerate(operations().code)}
    chances = np.zeros((len(table), len(place)))
    for number, row in enumerate(table):
        for part in filter(None, row["operations"].split("|")):
            code, chance = part.split(":")
            chances[number, place[code]] = float(chance)
    return Diseases(
        code=tuple(row["code"] for row in table),
        name=tuple(row["name"] for row in table),
        weight=_column("diseases", "weight"),
        effect=_column("diseases", "effect"),
        days=np.maximum(_column("diseases", "days"), 1.0),
        male=_column("diseases", "male"),
        age=_column("diseases", "age"),
        age_sd=_column("diseases", "age_sd"),
        winter=_column("diseases", "winter"),
        emergency=_column("diseases", "emergency"),
        beside=_column("diseases", "beside"),
        grave=np.array([row["grave"] == "1" for row in table]),
        operations=chances,
    )


@dataclass(frozen=True)
class Item:
    """One thing that can be billed, under its regional code.

    Parameters
    ----------
    kind : drug, consumable or service
    base : name without form, model or maker
    group : class of the drug or consumable, category of the service
    flag : antibiotic_1..3, narcotic, toxic, implant, or empty
    category : charge category, 01 to 14
    level : reimbursement class: 01 full, 02 in part, 03 not at all
    share : percent of the price that the patient pays first
    """

    kind: str
    code: str
    name: str
    base: str
    group: str
    flag: str
    form: str
    spec: str
    material: str
    maker: str
    licence: str
    unit: str
    price_fen: int
    category: str
    level: str
    share: int


@lru_cache(maxsize=1)
def items() -> tuple[Item, ...]:
    """Return drugs, consumables and services, in this order."""
    return (*_drugs(), *_consumables(), *_services())


def _drugs() -> Iterator[Item]:
    for number, row in enumerate(rows("drugs")):
        # Every other drug is also sold by a second, cheaper maker: the same thing under another code.
        makers = (number, number + 7) if number % 2 == 0 else (number,)
        for rank, maker in enumerate(makers):
            price = float(row["price"]) * (1.0, 0.72)[rank]
            yield _drug(row, number, (row["form"], row["strength"], row["pack"]), maker, price)
        other = (row["other_form"], row["other_strength"], row["other_pack"])
        yield _drug(row, number, other, number + 3, float(row["other_price"]))


def _drug(row: Mapping[str, str], number: int, shape: tuple[str, str, str], maker: int, price: float) -> Item:
    form, strength, pack = shape
    patent = row["class"].startswith("Z")
    forms = sorted({row[name] for row in rows("drugs") for name in ("form", "other_form")})
    place, maker = forms.index(form), maker % len(_DRUG_MAKERS)
    spec = sum(map(ord, strength + pack)) % 90 + 10
    if patent:
        code = f"ZA{row['class'][1:]}{number % 1000:03d}{place:03d}{spec:02d}{maker:03d}{price * 10 % 1000:03.0f}"
    else:
        code = f"X{row['class']}{number:03d}A{place:03d}{spec:02d}{maker:03d}{price * 10 % 1e5:05.0f}"
    return Item(
        kind="drug",
        code=code,
        name=_drug_name(row["name"], form),
        base=row["name"],
        group=row["class"],
        flag=row["flag"],
        form=form,
        spec=f"{strength}*{pack}",
        material="",
        maker=_DRUG_MAKERS[maker],
        licence=f"楚药准字{'Z' if patent else 'H'}{20000000 + number * 1000 + place * 20 + maker}",
        unit=pack[-1],
        price_fen=round(price * 100),
        category="11" if patent else "09",
        level=row["level"],
        share=_CLASS_SHARE[row["level"]],
    )


def _drug_name(base: str, form: str) -> str:
    if form == "注射用粉针":
        return f"注射用{base}"
    return base if base.endswith(form) else base + form


def _consumables() -> Iterator[Item]:
    for number, row in enumerate(rows("consumables")):
        implant = row["implant"] == "1"
        for rank, model in enumerate(row["models"].split("|")):
            maker = (number + 5 * rank) % len(_DEVICE_MAKERS)
            yield Item(
                kind="consumable",
                code=f"{row['class']}{number:02d}{rank + 1:03d}{maker + 1:05d}{sum(map(ord, model)) % 100000:05d}",
                name=row["name"],
                base=row["name"],
                group=row["class"],
                flag="implant" if implant else "",
                form="",
                spec=model,
                material=row["material"],
                maker=_DEVICE_MAKERS[maker],
                licence=f"楚械注准{20180000 + number * 10 + rank}",
                unit=row["unit"],
                price_fen=round(100 * float(row["price"]) * (1.0, 1.25, 1.6)[rank]),
                category="08",
                level="02" if implant or float(row["price"]) >= 100 else "01",
                share=_IMPLANT_SHARE if implant else 10 if float(row["price"]) >= 100 else 0,
            )


def _services() -> Iterator[Item]:
    for number, row in enumerate(rows("services")):
        for rank, part in enumerate(row["parts"].split("|")):
            price = float(row["price"]) * (1 + 0.18 * rank)
            yield _service(f"{row['name']}({part})", row["name"], row["unit"], price, (row["category"], number, rank))
    for number, row in enumerate(rows("operations")):
        yield _service(row["name"], row["name"], "次", float(row["price"]), ("06", 500 + number, 0))


def _service(name: str, base: str, unit: str, price: float, place: tuple[str, int, int]) -> Item:
    category, number, rank = place
    level = "03" if category == "14" else "02" if price >= 400 else "01"
    return Item(
        kind="service",
        code=f"00{category}{number:03d}{rank:02d}000000",
        name=name,
        base=base,
        group=category,
        flag="",
        form="",
        spec="",
        material="",
        maker="",
        licence="",
        unit=unit,
        price_fen=round(price * 10) * 10,
        category=category,
        level=level,
        share=_CLASS_SHARE[level],
    )
