import re
from collections import Counter

import numpy as np

from headwater.simulation.reference import diseases, items, operations


def test_diseases_are_icd10_in_shape_and_cover_its_letters() -> None:
    table = diseases()
    assert len(set(table.code)) == len(table.code) >= 150
    assert all(re.fullmatch(r"[A-Z]\d{2}\.(\d{3}|x00)", code) for code in table.code)
    assert len(set(table.letter)) >= 22
    # External causes and states after treatment never are the reason of a stay.
    never_main = {code for code, weight in zip(table.code, table.weight, strict=True) if weight == 0}
    assert never_main == {"W19.900", "X59.900", "Z85.900", "Z95.500"}


def test_operations_are_icd9_in_shape_and_use_known_consumables() -> None:
    table, names = operations(), {item.name for item in items() if item.kind == "consumable"}
    assert len(set(table.code)) == len(table.code) >= 40
    assert all(re.fullmatch(r"\d{2}\.\d{4}", code) for code in table.code)
    assert {name for name in table.consumable if name} <= names
    assert np.all(diseases().operations.sum(axis=0) > 0)


def test_items_have_codes_of_national_length_each_once() -> None:
    table = items()
    count = Counter(item.kind for item in table)
    assert count["drug"] >= 300
    assert count["consumable"] >= 120
    assert count["service"] >= 200
    assert len({item.code for item in table}) == len(table)
    for item in table:
        length = {"drug": 20 if item.category == "11" else 23, "consumable": 20, "service": 15}[item.kind]
        assert len(item.code) == length, item
        assert item.price_fen > 0
    assert len({(item.name, item.spec, item.maker) for item in table}) == len(table)


def test_special_drugs_are_flagged() -> None:
    flags = Counter(item.flag for item in items())
    assert {"antibiotic_1", "antibiotic_2", "antibiotic_3", "narcotic", "toxic", "implant"} <= set(flags)
