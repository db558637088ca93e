"""Consumables: what they are, material, size or model, maker, registration number."""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from headwater.claims.coding.kinds.common import numerals, unmarked
from headwater.claims.coding.kinds.drug import maker
from headwater.claims.coding.kinds.kind import Attribute, Kind, Parsed, agreed
from headwater.claims.coding.normalising import squeeze
from headwater.claims.coding.quantities import compare_numbers, numbers
from headwater.claims.coding.states import compare_exactly, compare_words

__all__ = ["CONSUMABLE"]

_MAKER = re.compile(r"\(([^()]*(?:公司|医械|医疗|器械|科技|制药|药业|厂))\)")
_TAIL = re.compile(r"^([^ (]*[\u4e00-\u9fff]{2}[^ (]*)[ (](.+?)\)?$")


def read(fields: Mapping[str, Sequence[str]]) -> Parsed:
    """Read consumables; see ``kinds.kind.Parsed``."""
    made = [found.group(1) if (found := _MAKER.search(name)) else "" for name in fields["name"]]
    names = [numerals(unmarked(_MAKER.sub("", name))) for name in fields["name"]]
    specs = [numerals(spec) for spec in fields["spec"]]
    tails = [found.groups() if (found := _TAIL.match(name)) else (name, "") for name in names]
    models = squeeze(specs)
    told = squeeze([tail for _, tail in tails])
    makers, _ = agreed([maker(text) for text in fields["maker"]], [maker(text) for text in made], compare_words)
    whole = [
        name if not model or model in name else name + model for name, model in zip(squeeze(names), models, strict=True)
    ]
    values = {
        "model": [stated or found for stated, found in zip(models, told, strict=True)],
        "numbers": [numbers(f"{name} {spec}") for name, spec in zip(names, specs, strict=True)],
        "material": squeeze(fields["material"]),
        "maker": makers,
        "licence": squeeze(fields["licence"]),
        "base": squeeze([name for name, _ in tails]),
    }
    return Parsed(whole, values, np.zeros(len(names), dtype=np.bool_))


CONSUMABLE = Kind(
    name="consumable",
    fields=("spec", "material", "maker", "licence"),
    attributes=(
        Attribute("model", compare_words, weight=0.15),
        Attribute("numbers", compare_numbers, weight=0.05),
        Attribute("material", compare_words, blocks=False),
        Attribute("maker", compare_words, weight=0.1),
        Attribute("licence", compare_exactly, weight=0.3),
    ),
    read=read,
)
