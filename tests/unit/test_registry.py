"""A registry lists by name, refuses a second use of a name, and names what it knows."""

import pytest

from headwater.errors import Refusal
from headwater.registry import Registry


@pytest.fixture
def fruits() -> Registry[int]:
    registry: Registry[int] = Registry("fruit")
    registry.register("pear")(1)
    registry.register("apple")(2)
    return registry


def test_register_returns_the_thing(fruits):
    thing = object()
    assert Registry("thing").register("one")(thing) is thing


def test_lists_by_name(fruits):
    assert list(fruits) == ["apple", "pear"]
    assert len(fruits) == 2
    assert fruits["pear"] == 1


def test_second_use_of_a_name_is_an_error(fruits):
    with pytest.raises(ValueError, match="fruit 'pear' is registered twice"):
        fruits.register("pear")(3)
    assert fruits["pear"] == 1


def test_unknown_name_is_refused_with_what_is_known(fruits):
    with pytest.raises(Refusal, match="apple, pear") as caught:
        fruits["plum"]
    assert caught.value.code == "E-UNKNOWN-NAME"
    assert "plum" in caught.value.reason.zh
