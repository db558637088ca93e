"""Groups are large enough for their protection, and every member stands in exactly one."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.aggregation import IN_CLEAR, UNDER_MASKS, Group, Mechanism, Tier, Tree, group
from headwater.errors import Refusal
from headwater.security import PROTECTIONS


def tree(**cities: str) -> Tree:
    return Tree.of({source: city for city, names in cities.items() for source in names.split()}, root="region")


def everyone(of: Tree, mechanism: Mechanism) -> dict[str, Mechanism]:
    return dict.fromkeys(of.sources, mechanism)


def joins(tier: str, mechanism: Mechanism, *members: str, strand: str = "") -> Group:
    return Group(tier, tuple((member, mechanism) for member in members), strand)


def test_large_cities_combine_themselves():
    shape = tree(north="a b c", south="d e f g")
    groups = group(shape, everyone(shape, UNDER_MASKS))
    assert groups == (
        joins("north", UNDER_MASKS, "a", "b", "c"),
        joins("south", UNDER_MASKS, "d", "e", "f", "g"),
        joins("region", IN_CLEAR, "north", "south"),
    )


def test_small_cities_join_at_the_region():
    shape = tree(north="a b c", south="d e", east="f")
    groups = group(shape, everyone(shape, UNDER_MASKS))
    assert joins("region", UNDER_MASKS, "d", "e", "f") in groups
    assert joins("region", IN_CLEAR, "north") in groups
    assert {one.tier for one in groups} == {"north", "region"}


def test_a_lone_source_draws_the_smallest_city_up():
    shape = tree(north="a b c d", south="e f g", east="h")
    groups = group(shape, everyone(shape, UNDER_MASKS))
    assert groups == (
        joins("north", UNDER_MASKS, "a", "b", "c", "d"),
        joins("region", IN_CLEAR, "north"),
        joins("region", UNDER_MASKS, "e", "f", "g", "h"),
    )


def test_protections_do_not_mix():
    shape = tree(north="a b c d")
    groups = group(shape, {"a": IN_CLEAR, "b": UNDER_MASKS, "c": UNDER_MASKS, "d": UNDER_MASKS})
    assert groups == (
        joins("north", IN_CLEAR, "a"),
        joins("north", UNDER_MASKS, "b", "c", "d"),
        joins("region", IN_CLEAR, "north"),
    )


def test_cities_may_mask_their_sums_too():
    shape = tree(north="a", south="b", east="c")
    groups = group(
        shape, {**everyone(shape, IN_CLEAR), "north": UNDER_MASKS, "south": UNDER_MASKS, "east": UNDER_MASKS}
    )
    assert groups[-1] == joins("region", UNDER_MASKS, "east", "north", "south")


def test_a_city_that_combined_nothing_says_nothing():
    shape = tree(north="a", south="b", east="c")
    assert group(shape, everyone(shape, UNDER_MASKS)) == (joins("region", UNDER_MASKS, "a", "b", "c"),)


def test_too_few_in_the_whole_region_is_refused():
    shape = tree(north="a b", south="c d")
    with pytest.raises(Refusal, match=r"\['a', 'b'\]") as caught:
        group(shape, {"a": UNDER_MASKS, "b": UNDER_MASKS, "c": IN_CLEAR, "d": IN_CLEAR})
    assert caught.value.code == "E-GROUP-SMALL"


def test_a_strand_is_of_those_that_have_a_mechanism():
    shape = tree(north="a b", south="c")
    groups = group(shape, {"a": IN_CLEAR, "c": IN_CLEAR}, strand="open")
    assert groups == (
        joins("north", IN_CLEAR, "a", strand="open"),
        joins("south", IN_CLEAR, "c", strand="open"),
        joins("region", IN_CLEAR, "north", "south", strand="open"),
    )


def test_a_strand_of_nobody_is_refused():
    with pytest.raises(Refusal, match=r"\['a', 'b'\]") as caught:
        group(tree(north="a b"), {"north": IN_CLEAR})
    assert caught.value.code == "E-TIER-PROTECTION"


def test_noise_of_a_members_own_separates_nobody_and_shared_noise_does():
    own, shared = Mechanism("masked", "sender", 1.0, 1e-6), Mechanism("masked", "group", 1.0, 1e-6)
    shape = tree(north="a b c d e f")
    groups = group(shape, {"a": own, "b": UNDER_MASKS, "c": UNDER_MASKS, "d": shared, "e": shared, "f": shared})
    assert joins("north", shared, "d", "e", "f") in groups
    assert Group("north", (("a", own), ("b", UNDER_MASKS), ("c", UNDER_MASKS))) in groups


@pytest.mark.parametrize("words", [("masked", "sender"), ("clear", "nobody", 1.0, 1e-6), ("clear", "group", 1.0, 1e-6)])
def test_noise_goes_with_what_it_costs_and_with_what_carries_it(words):
    with pytest.raises(Refusal, match="E-MECHANISM"):
        Mechanism(*words)


def test_an_unknown_protection_is_refused():
    with pytest.raises(Refusal, match="rot13"):
        group(tree(north="a"), {"a": Mechanism("rot13")})


trees = st.dictionaries(
    st.integers(0, 30).map(lambda n: f"h{n:02d}"),
    st.tuples(st.sampled_from(["n", "s", "e", "w"]), st.sampled_from([IN_CLEAR, UNDER_MASKS])),
    min_size=1,
    max_size=20,
)


@settings(deadline=None, derandomize=True, max_examples=200)
@given(trees)
def test_every_member_stands_in_one_large_enough_group(places):
    shape = Tree.of({source: city for source, (city, _) in places.items()}, root="region")
    mechanisms = {source: mechanism for source, (_, mechanism) in places.items()}
    if 0 < list(mechanisms.values()).count(UNDER_MASKS) < 3:
        with pytest.raises(Refusal, match="E-GROUP-SMALL"):
            group(shape, mechanisms)
        return
    groups = group(shape, mechanisms)
    members = [member for planned in groups for member in planned.members]
    assert len(members) == len(set(members))
    assert set(places) <= set(members)
    for planned in groups:
        assert len(planned.members) >= PROTECTIONS[planned.protection].minimum
        assert all(mechanisms.get(member, IN_CLEAR) == mechanism for member, mechanism in planned.mechanisms)


def test_three_tiers_lift_only_as_far_as_needed():
    west = Tier("west", (), (Tier("w1", ("a", "b")), Tier("w2", ("c",))))
    shape = Tree(Tier("country", (), (west, Tier("east", ("d", "e", "f")))))
    groups = group(shape, everyone(shape, UNDER_MASKS))
    assert joins("west", UNDER_MASKS, "a", "b", "c") in groups
    assert groups[-1] == joins("country", IN_CLEAR, "east", "west")
