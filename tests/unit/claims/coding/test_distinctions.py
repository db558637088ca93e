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


def test_a_list_of_numbered_names_is_told_apart_without_looking_at_all_pairs():
    names = [f"第{chr(0x4E00 + n)}号" for n in range(3000)]
    told = among(*names)
    assert sum(len(rivals) for rivals in told.rivals.values()) < 3 * len(names)
    assert told.differ("第号", names[7])
    assert told.differ(names[8], names[7])


def test_an_absent_neighbour_is_left_to_a_person_and_the_twin_without_distinctions_is_sure_of_another(monkeypatch):
    """No table names the difference: the reference itself has it in other names."""
    things = ("区术后异物长期残留", "区陈旧伤疤反复破裂", "区皮下硬结不断增大", "区表面糜烂长期不愈")
    names = [f"{where}{thing}" for where in "棘棱" for thing in things]
    names += ["骨盆多处骨折畸形愈合", "远段狭窄并发血栓形成", "末段扭转致使肠壁坏死", "起段肥厚影响正常进食"]
    names.remove(absent := "棱区皮下硬结不断增大")
    reference = pa.table({"code": [f"C{n}" for n in range(len(names))], "name": names})

    def decisions(name: list[str]) -> set[str]:
        return set(Matcher.fit(reference, kind="service").match(pa.table({"name": name}))["decision"].to_pylist())

    assert (decisions([absent]), decisions(names)) == ({"review"}, {"auto"})
    monkeypatch.setattr(Distinctions, "among", lambda _: Distinctions.none())
    assert decisions([absent]) == {"auto"}
