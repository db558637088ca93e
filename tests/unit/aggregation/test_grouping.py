"""Groups are large enough for their protection, and every member stands in exactly one."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.aggregation import Tier, Tree
from headwater.aggregation.grouping import Group, group
from headwater.errors import Refusal
from headwater.security import PROTECTIONS


def tree(**cities: str) -> Tree:
    return Tree.of({source: city for city, names in cities.items() for source in names.split()}, root="region")


def everyone(of: Tree, protection: str) -> dict[str, str]:
    return dict.fromkeys(of.sources, protection)


def test_large_cities_combine_themselves():
    shape = tree(north="a b c", south="d e f g")
    grouping = group(shape, everyone(shape, "masked"))
    assert grouping.groups == (
        Group("north", "masked", ("a", "b", "c")),
        Group("south", "masked", ("d", "e", "f", "g")),
        Group("region", "clear", ("north", "south")),
    )
    assert grouping.notes == ()


def test_small_cities_join_at_the_region():
    shape = tree(north="a b c", south="d e", east="f")
    grouping = group(shape, everyone(shape, "masked"))
    assert Group("region", "masked", ("d", "e", "f")) in grouping.groups
    assert Group("region", "clear", ("north",)) in grouping.groups
    assert [note.en for note in grouping.notes] == [
        "east does not combine f (masked): they join the tier above.",
        "south does not combine d, e (masked): they join the tier above.",
    ]
    assert "并入上一级" in grouping.notes[0].zh


def test_a_lone_source_draws_the_smallest_city_up():
    shape = tree(north="a b c d", south="e f g", east="h")
    grouping = group(shape, everyone(shape, "masked"))
    assert grouping.groups == (
        Group("north", "masked", ("a", "b", "c", "d")),
        Group("region", "clear", ("north",)),
        Group("region", "masked", ("e", "f", "g", "h")),
    )
    assert "south does not combine e, f, g" in grouping.notes[1].en


def test_protections_do_not_mix():
    shape = tree(north="a b c d")
    grouping = group(shape, {"a": "clear", "b": "masked", "c": "masked", "d": "masked"})
    assert grouping.groups == (
        Group("north", "clear", ("a",)),
        Group("north", "masked", ("b", "c", "d")),
        Group("region", "clear", ("north",)),
    )


def test_cities_may_mask_their_sums_too():
    shape = tree(north="a", south="b", east="c")
    grouping = group(shape, {**everyone(shape, "clear"), "north": "masked", "south": "masked", "east": "masked"})
    assert grouping.groups[-1] == Group("region", "masked", ("east", "north", "south"))


def test_a_city_that_combined_nothing_says_nothing():
    shape = tree(north="a", south="b", east="c")
    assert group(shape, everyone(shape, "masked")).groups == (Group("region", "masked", ("a", "b", "c")),)


def test_too_few_in_the_whole_region_is_refused():
    shape = tree(north="a b", south="c d")
    with pytest.raises(Refusal, match=r"\['a', 'b'\]") as caught:
        group(shape, {"a": "masked", "b": "masked", "c": "clear", "d": "clear"})
    assert caught.value.code == "E-GROUP-SMALL"


def test_a_source_without_a_protection_is_refused():
    with pytest.raises(Refusal, match=r"\['b'\]") as caught:
        group(tree(north="a b"), {"a": "clear"})
    assert caught.value.code == "E-TIER-PROTECTION"


def test_an_unknown_protection_is_refused():
    with pytest.raises(Refusal, match="rot13"):
        group(tree(north="a"), {"a": "rot13"})


trees = st.dictionaries(
    st.integers(0, 30).map(lambda n: f"h{n:02d}"),
    st.tuples(st.sampled_from(["n", "s", "e", "w"]), st.sampled_from(["clear", "masked"])),
    min_size=1,
    max_size=20,
)


@settings(deadline=None, derandomize=True, max_examples=200)
@given(trees)
def test_every_member_stands_in_one_large_enough_group(places):
    shape = Tree.of({source: city for source, (city, _) in places.items()}, root="region")
    protections = {source: protection for source, (_, protection) in places.items()}
    if 0 < list(protections.values()).count("masked") < 3:
        with pytest.raises(Refusal, match="E-GROUP-SMALL"):
            group(shape, protections)
        return
    groups = group(shape, protections).groups
    members = [member for planned in groups for member in planned.members]
    assert len(members) == len(set(members))
    assert set(places) <= set(members)
    for planned in groups:
        assert len(planned.members) >= PROTECTIONS[planned.protection].minimum
        assert all(protections.get(member, "clear") == planned.protection for member in planned.members)


def test_three_tiers_lift_only_as_far_as_needed():
    west = Tier("west", (), (Tier("w1", ("a", "b")), Tier("w2", ("c",))))
    shape = Tree(Tier("country", (), (west, Tier("east", ("d", "e", "f")))))
    groups = group(shape, everyone(shape, "masked")).groups
    assert Group("west", "masked", ("a", "b", "c")) in groups
    assert groups[-1] == Group("country", "clear", ("east", "west"))
