"""Events are values: the same text, the same thing; what is unknown is refused."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.errors import Refusal
from headwater.security.events import (
    KINDS,
    Approximate,
    Composed,
    Concentrated,
    DiscreteGaussian,
    Gaussian,
    Laplace,
    NonPrivate,
    Repeated,
    Skellam,
    Subsampled,
    digest,
    from_json,
    kinds,
    to_json,
)
from headwater.security.tally import NOTHING, tally_of

sizes = st.floats(1e-3, 1e6)
atoms = st.one_of(
    st.builds(Gaussian, sizes),
    st.builds(Laplace, sizes),
    st.builds(DiscreteGaussian, sizes),
    st.builds(Skellam, sizes, sizes, sizes),
    st.builds(Concentrated, sizes),
    st.builds(Approximate, sizes, st.floats(0, 0.5)),
    st.builds(Subsampled, st.builds(Gaussian, sizes), st.floats(1e-6, 1)),
    st.just(NonPrivate()),
)
events = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.builds(Composed, st.lists(inner, max_size=3).map(tuple)), st.builds(Repeated, inner, st.integers(1, 1000))
    ),
    max_leaves=6,
)


@given(events)
def test_json_gives_the_event_back(event):
    again = from_json(to_json(event))
    assert again == event
    assert hash(again) == hash(event)
    assert digest(again) == digest(event)


@given(st.lists(events, max_size=5), st.randoms(use_true_random=False))
def test_a_tally_is_the_same_in_every_order_nested_or_not_and_as_text(found, random):
    tally = NOTHING.plus(Composed(tuple(found)))
    random.shuffle(found)
    other = NOTHING
    for event in found:
        other = other.plus(event)
    assert other == tally
    assert tally_of(tally.to_json()) == tally


def test_repetition_is_addition():
    event = Composed((Gaussian(3), Laplace(2)))
    assert NOTHING.plus(Repeated(event, 3)) == NOTHING.plus(event).plus(event).plus(event)
    assert NOTHING.plus(event, 0) == NOTHING


def test_gaussian_releases_add_up_in_squares_and_never_too_little():
    tally = NOTHING.plus(Gaussian(3), 7).plus(Gaussian(0.1))
    assert tally.mu == pytest.approx(math.sqrt(7 / 9 + 100), rel=1e-12)
    assert 0 <= tally.gaussian - (Fraction(7, 9) + 1 / Fraction(0.1) ** 2) * 2**80 <= 8


def test_kinds_are_those_of_the_parts():
    assert kinds(Composed((Repeated(Gaussian(1), 2), Laplace(1)))) == {"gaussian", "laplace"}
    assert kinds(Subsampled(Gaussian(1), 0.5)) == {"gaussian"}
    assert kinds(NonPrivate()) == {"non_private"}
    assert len(KINDS) == 10


@pytest.mark.parametrize(
    "text",
    [
        *("", "1", "[]", "null", "{}", '{"kind":"exponential"}', '{"kind":"gaussian"}', '{"kind":[]}'),
        '{"kind":"gaussian","noise":1,"more":2}',
        '{"kind":"composed","events":{"kind":"gaussian","noise":1}}',
        '{"kind":"subsampled","rate":0.1,"event":{"kind":"laplace","noise":1}}',
        '{"kind":"repeated","times":1,"event":' * 30 + '{"kind":"gaussian","noise":1}' + "}" * 30,
    ],
)
def test_an_unknown_event_is_refused(text):
    with pytest.raises(Refusal) as refusal:
        from_json(text)
    assert refusal.value.code == "E-EVENT-UNKNOWN"


@pytest.mark.parametrize(
    "made",
    [
        *(lambda: Gaussian(0), lambda: Gaussian(-1), lambda: Gaussian(math.nan), lambda: Gaussian(math.inf)),
        *(lambda: Gaussian(True), lambda: Gaussian("1"), lambda: Approximate(1, 1), lambda: Approximate(1, -0.1)),
        *(lambda: Subsampled(Gaussian(1), 1.5), lambda: Repeated(Gaussian(1), 0), lambda: Repeated(Gaussian(1), 1.5)),
        *(lambda: Skellam(1, 0, 1), lambda: Approximate(1, "0"), lambda: from_json('{"kind":"gaussian","noise":NaN}')),
    ],
)
def test_numbers_that_cannot_be_are_refused(made):
    with pytest.raises(Refusal) as refusal:
        made()
    assert refusal.value.code == "E-EVENT-RANGE"


def test_something_else_is_no_event():
    for made in (lambda: Composed((1,)), lambda: Repeated(None, 2), lambda: Subsampled(Laplace(1), 0.1)):
        with pytest.raises(Refusal) as refusal:
            made()
        assert refusal.value.code == "E-EVENT-UNKNOWN"


@pytest.mark.parametrize("text", ["", "{}", '{"gaussian":1}', NOTHING.to_json().replace("0", "0.5"), "[]"])
def test_a_tally_of_another_text_is_refused(text):
    with pytest.raises(Refusal) as refusal:
        tally_of(text)
    assert refusal.value.code == "E-TALLY"
