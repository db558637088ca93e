"""Characters that tell the names of a reference apart, against every pair of names looked at one by one."""

from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from headwater.claims.coding import Matcher
from headwater.claims.coding.distinctions import Distinctions
from headwater.claims.coding.kinds import Parsed
from headwater.claims.coding.reference import Reference

NAMES = ("上腔静脉损伤", "下腔静脉损伤", "腔静脉损伤", "肝囊肿", "肾囊肿", "肝炎后硬化伴肾衰竭", "骨盆多处骨折")


def among(*names: str, codes: tuple[int, ...] = ()) -> Distinctions:
    owner = np.array(codes or range(len(names)), dtype=np.int64)
    nothing = np.zeros(len(names), dtype=np.bool_)
    listed = [f"{code}" for code in sorted(set(owner.tolist()))]
    entries = Parsed(list(names), {}, nothing)
    return Distinctions.among(Reference(listed, listed, entries, np.arange(len(names) + 1), owner, np.ones(len(names))))


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("下腔静脉损伤", "上腔静脉损伤"),
        ("上腔静脉损伤", "腔静脉损伤"),
        ("腔静脉损伤", "上腔静脉损伤"),
        ("右腔静脉损伤", "上腔静脉损伤"),
        ("肾炎后硬化伴肾衰竭", "肝炎后硬化伴肾衰竭"),
        ("肾炎后硬化伴肝衰竭", "肝炎后硬化伴肾衰竭"),
        ("骨盆上骨折", "骨盆多处骨折"),
    ],
)
def test_what_tells_two_references_apart_is_no_slip_anywhere(name: str, entry: str):
    assert among(*NAMES).differ(name, entry)


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("骨盆多处骨拆", "骨盆多处骨折"),
        ("骨盆多处折", "骨盆多处骨折"),
        ("静脉损伤上腔", "上腔静脉损伤"),
        ("肝囊种", "肝囊肿"),
        ("肝囊肿", "肝囊肿"),
    ],
)
def test_a_slip_in_any_other_character_is_one(name: str, entry: str):
    assert not among(*NAMES).differ(name, entry)


def test_two_spellings_of_one_code_tell_nothing():
    assert not among("肝囊肿", "肾囊肿", codes=(0, 0)).differ("肾囊肿", "肝囊肿")


@given(st.lists(st.text("上下肝肾炎", min_size=1, max_size=5), min_size=1, max_size=7, unique=True))
def test_every_two_names_one_character_apart_differ_both_ways_and_nobody_else_is_told(names):
    told = among(*names)
    near = [(one, other) for one, other in combinations(names, 2) if Levenshtein.distance(one, other) == 1]
    assert all(told.differ(one, other) and told.differ(other, one) for one, other in near)
    assert bool(told.needed) == bool(near)


def test_a_neighbour_of_a_reference_is_left_to_a_person_also_where_no_table_names_the_difference():
    organs = "棘棱梗梢"
    names = [f"{organ}{what}" for organ in organs for what in ("区异物残留", "区旧伤疤", "区皮下硬结", "区表面糜烂")]
    names += ["全段溃破", "远段狭窄", "末段扭转", "起段肥厚"]
    absent = "梢区皮下硬结"
    kept = [name for name in names if name != absent]
    matcher = Matcher.fit(pa.table({"code": [f"C{n}" for n in range(len(kept))], "name": kept}), kind="diagnosis")
    assert "auto" not in matcher.match(pa.table({"name": [absent]}))["decision"].to_pylist()
    assert set(matcher.match(pa.table({"name": kept}))["decision"].to_pylist()) == {"auto"}
