"""Consumables: what they are, material, size or model, maker, registration number."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np

from headwater.claims.coding.kinds.common import numerals, unmarked
from headwater.claims.coding.kinds.contrasts import compare_contrasts
from headwater.claims.coding.kinds.drug import maker
from headwater.claims.coding.kinds.kind import Attribute, Kind, Parsed, agreed
from headwater.claims.coding.normalising import squeeze
from headwater.claims.coding.quantities import compare_numbers, numbers
from headwater.claims.coding.states import State, compare_exactly, compare_models, compare_words

__all__ = ["CONSUMABLE"]

_MAKER = re.compile(r"\(([^()]*(?:公司|医械|医疗|器械|科技|制药|药业|厂))\)")
_NOISE = re.compile(r"规格型?号?[:/]?|型号[:/]?")
_HEAD = re.compile(r"^\(([^()]+)\)([^()]{2,})$")
_TAIL = re.compile(r"^([^ (]*[\u4e00-\u9fff]{2}[^ (]*)[ (](.+?)\)?$")


@lru_cache(maxsize=1 << 16)
def _parts(name: str) -> tuple[str, str]:
    """Return what it is, and what a name says of size or model."""
    if head := _HEAD.match(name):
        return head[2], head[1]
    if tail := _TAIL.match(name):
        return tail[1], tail[2]
    return name, ""


def _torn(column: str, name: str, parts: Sequence[str]) -> bool:
    """Return whether a name says another size or model than its column."""
    if not column or not parts[1] or column in name:
        return False
    return all(compare_words(part, column) is State.CONFLICT for part in parts)


def read(fields: Mapping[str, Sequence[str]]) -> Parsed:
    """Read consumables; see ``kinds.kind.Parsed``."""
    made = [found.group(1) if (found := _MAKER.search(name)) else "" for name in fields["name"]]
    names = [numerals(unmarked(_MAKER.sub("", name))) for name in fields["name"]]
    specs = [numerals(_NOISE.sub("", spec)) for spec in fields["spec"]]
    parts = [_parts(name) for name in names]
    columns, whole = squeeze(specs), squeeze([_NOISE.sub("", name) for name in names])
    told = [squeeze(part) for part in parts]
    torn = np.array([_torn(*row) for row in zip(columns, whole, told, strict=True)], dtype=np.bool_)
    models = [column or tail for column, (_, tail) in zip(columns, told, strict=True)]
    makers, _ = agreed([maker(text) for text in fields["maker"]], [maker(text) for text in made], compare_words)
    text = [name if model in name else name + model for name, model in zip(whole, columns, strict=True)]
    values = {
        "model": models,
        "contrasts": text,
        "numbers": [numbers(f"{name} {spec}") for name, spec in zip(names, specs, strict=True)],
        "material": squeeze(fields["material"]),
        "maker": makers,
        "licence": squeeze(fields["licence"]),
        "base": [base for base, _ in told],
    }
    return Parsed(text, values, torn)


CONSUMABLE = Kind(
    name="consumable",
    fields=("spec", "material", "maker", "licence"),
    attributes=(
        Attribute("model", compare_models, weight=0.15),
        Attribute("contrasts", compare_contrasts("consumable")),
        Attribute("numbers", compare_numbers, weight=0.05),
        Attribute("material", compare_words, blocks=False),
        Attribute("maker", compare_words, weight=0.1),
        Attribute("licence", compare_exactly, weight=0.3),
    ),
    read=read,
    # Strength, maker and licence speak too, and names are short.
    alike=0.0,
    vouching=(("licence",), ("maker", "model")),
)
