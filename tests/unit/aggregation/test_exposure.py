"""Who sees what of a source follows from the groups, and a requirement can be held against it."""

from headwater.aggregation import IN_CLEAR, UNDER_MASKS, Mechanism, Tree, group
from headwater.aggregation.exposure import exposures
from headwater.security.events import DiscreteGaussian, NonPrivate, Skellam

TREE = Tree.of({"a": "north", "b": "north", "c": "north", "d": "south"}, root="region")


def seen(mechanisms):
    found = exposures(group(TREE, mechanisms), l2=5.0, length=10)
    return {source: [(one.tier, one.viewer, one.shown, one.event) for one in many] for source, many in found.items()}


def test_a_lone_source_in_a_clear_city_is_seen_by_the_region_too():
    shown = seen(dict.fromkeys("abc", UNDER_MASKS) | {"d": IN_CLEAR})
    assert shown["a"] == [("north", "tier", "sum", NonPrivate()), ("region", "region", "sum", NonPrivate())]
    assert shown["d"] == [("south", "tier", "statistic", NonPrivate()), ("region", "region", "statistic", NonPrivate())]


def test_noise_of_a_city_protects_against_the_region_and_not_against_the_city():
    noisy = Mechanism("clear", "sender", 0.5, 1e-7)
    (tier, _), (_, region) = (
        seen(dict.fromkeys("abc", UNDER_MASKS) | {"d": IN_CLEAR, "north": noisy})["a"],
        seen(dict.fromkeys("abc", UNDER_MASKS) | {"d": IN_CLEAR, "north": noisy})["b"],
    )
    assert tier == ("north", "tier", "sum", NonPrivate())
    assert region[:3] == ("region", "region", "sum")
    assert isinstance(region[3], DiscreteGaussian)


def test_noise_of_sources_stays_in_what_is_seen_above():
    own, shared = Mechanism("clear", "sender", 0.5, 1e-7), Mechanism("masked", "group", 0.5, 1e-7)
    shown = seen(dict.fromkeys("abc", shared) | {"d": own})
    assert [type(event) for *_, event in shown["a"]] == [Skellam, Skellam]
    assert [type(event) for *_, event in shown["d"]] == [DiscreteGaussian, DiscreteGaussian]
