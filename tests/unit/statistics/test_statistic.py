"""Statistics beyond the conformance suite: equality, messages and refusals."""

from itertools import accumulate

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from headwater.errors import Refusal
from headwater.statistics import Statistic

vectors = arrays(np.int64, 4, elements=st.integers(-(2**58), 2**58)).map(lambda v: v.view(np.uint64))


def make(values, *, kind="gram", shape=(2,)):
    return Statistic(kind, shape, np.asarray(values, dtype=np.uint64))


@settings(deadline=None, derandomize=True)
@given(st.lists(vectors, min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_any_order_and_any_tree_give_the_same_bits(values, random):
    statistics = [make(v) for v in values]
    flat = Statistic.total(statistics)
    random.shuffle(statistics)
    while len(statistics) > 1:
        left, right = (statistics.pop(random.randrange(len(statistics))) for _ in range(2))
        statistics.append(left.merge(right))
    assert statistics[0] == flat
    assert statistics[0].digest == flat.digest


@settings(deadline=None, derandomize=True)
@given(st.lists(vectors, min_size=2, max_size=6))
def test_removing_each_leaves_the_rest(values):
    statistics = [make(v) for v in values]
    total = Statistic.total(statistics)
    for place in range(len(statistics)):
        rest = Statistic.total(statistics[:place] + statistics[place + 1 :])
        assert total.subtract(statistics[place]) == rest


def test_equality_needs_kind_shape_and_every_bit():
    one = make([1, 2, 3])
    assert one == make([1, 2, 3])
    assert hash(one) == hash(make([1, 2, 3]))
    for other in (make([1, 2, 4]), make([1, 2, 3], kind="update"), make([1, 2, 3], shape=(3,))):
        assert one != other
        assert one.digest != other.digest
    assert one != "gram"


def test_subtract_refuses_overflow():
    least = make([2**63])
    with pytest.raises(Refusal) as caught:
        least.subtract(make([1]))
    assert caught.value.code == "E-STATISTIC-OVERFLOW"


def test_negative_sums_do_not_count_as_overflow():
    minus = make([2**64 - 5])
    assert minus.merge(minus).subtract(minus) == minus


def test_total_of_nothing_is_refused():
    with pytest.raises(Refusal) as caught:
        Statistic.total([])
    assert caught.value.code == "E-STATISTIC-EMPTY"


@pytest.mark.parametrize("values", [np.zeros(2), np.zeros((1, 2), dtype=np.uint64), np.zeros(2, dtype=np.int64)])
def test_only_vectors_of_uint64(values):
    with pytest.raises(TypeError):
        Statistic("gram", (1,), values)


def test_writing_through_is_impossible():
    with pytest.raises(ValueError, match="read-only"):
        make([1, 2]).values[0] = np.uint64(9)


@settings(deadline=None, derandomize=True)
@given(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 40).map(lambda n: n << 28), max_size=200))
@example([2**63, 2**63 - 1, 2**64 - 1, 0] * 30)
def test_packing_loses_nothing_and_never_lengthens(numbers):
    statistic = make(numbers)
    message = statistic.to_bytes()
    assert Statistic.from_bytes(message) == statistic
    assert len(message) == statistic.nbytes <= 16 + 8 * len(numbers)


def test_sums_on_a_coarse_grid_travel_in_few_bytes():
    rng = np.random.default_rng(0)
    counts = rng.integers(-40, 40, 1_000)
    assert make((counts << 28).view(np.uint64)).nbytes < 1.6 * 1_000
    assert make(rng.integers(0, 2**63, 1_000).tolist()).nbytes <= 8_016


@pytest.mark.parametrize("spoil", [lambda m: m[:-1], lambda m: m[: len(m) // 2], lambda m: m + b"x"])
def test_packed_messages_cut_short_or_drawn_out_are_refused(spoil):
    whole = make([5 << 28] * 100).to_bytes()
    assert whole[:4] == b"HWS2"
    with pytest.raises(Refusal) as caught:
        Statistic.from_bytes(spoil(whole))
    assert caught.value.code == "E-STATISTIC-MESSAGE"


@pytest.mark.parametrize(
    "message", [b"", b"HWS1", b"HWS2" + bytes(20), make([1, 2]).to_bytes()[:-1], b"HWS1" + b"\xff" * 8]
)
def test_broken_messages_are_refused(message):
    with pytest.raises(Refusal) as caught:
        Statistic.from_bytes(message)
    assert caught.value.code == "E-STATISTIC-MESSAGE"


def test_every_truncation_is_refused_or_another_statistic():
    whole = make([1, 2, 3]).to_bytes()
    for cut in accumulate([1] * (len(whole) - 1)):
        try:
            assert Statistic.from_bytes(whole[:cut]) != make([1, 2, 3])
        except Refusal as refusal:
            assert refusal.code == "E-STATISTIC-MESSAGE"  # noqa: PT017
