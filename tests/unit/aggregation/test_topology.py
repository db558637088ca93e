"""Trees: every name once, every source somewhere."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.aggregation import Tier, Tree
from headwater.errors import Refusal

cities = st.dictionaries(
    st.integers(0, 99).map(lambda n: f"h{n}"), st.sampled_from(["north", "south", "east"]), min_size=1
)


@settings(deadline=None, derandomize=True)
@given(cities)
def test_every_source_reports_to_its_city(places):
    tree = Tree.of(places, root="region")
    assert sorted(tree.sources) == sorted(places)
    for tier in tree.root.walk():
        assert all(places[source] == tier.name for source in tier.sources)
    assert [tier.name for tier in tree.root.tiers] == sorted(set(places.values()))


def test_order_of_declaration_does_not_matter():
    assert Tree.of({"a": "n", "b": "s"}, root="r") == Tree.of({"b": "s", "a": "n"}, root="r")


def test_lower_tiers_come_first():
    deep = Tree(Tier("country", ("x",), (Tier("region", (), (Tier("city", ("a", "b")),)),)))
    assert [tier.name for tier in deep.root.walk()] == ["city", "region", "country"]
    assert deep.sources == ("a", "b", "x")


@pytest.mark.parametrize("places", [{}, {"a": "a"}, {"a": "region"}, {"region": "north"}])
def test_empty_trees_and_shared_names_are_refused(places):
    with pytest.raises(Refusal) as caught:
        Tree.of(places, root="region")
    assert caught.value.code == "E-TREE-NAMES"
