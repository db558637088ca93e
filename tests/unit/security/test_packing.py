"""Packed values come back, in just their bits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.security.packing import in_ring, pack, packed_bytes, unpack

BITS = [*range(1, 33), 64]


@settings(deadline=None, derandomize=True, max_examples=300)
@given(st.sampled_from(BITS), st.integers(0, 100), st.integers(0, 99))
def test_values_come_back(bits, length, seed):
    values = np.random.default_rng(seed).integers(0, 2**bits - 1, length, dtype=np.uint64, endpoint=True)
    data = pack(in_ring(values, bits), bits)
    assert len(data) == packed_bytes(length, bits)
    np.testing.assert_array_equal(unpack(data, length, bits), values)


@pytest.mark.parametrize("bits", BITS)
def test_no_bit_is_wasted_on_many_values(bits):
    assert packed_bytes(2**20, bits) == 2**20 * bits // 8


@pytest.mark.parametrize("bits", [1, 7, 20, 31])
def test_only_the_low_bits_count(bits):
    values = np.arange(1_000, dtype=np.uint32) * np.uint32(2_654_435_761)
    np.testing.assert_array_equal(unpack(pack(values, bits), 1_000, bits), values & np.uint32(2**bits - 1))


def test_sums_in_a_ring_are_sums_modulo_its_bits():
    rng = np.random.default_rng(0)
    values = rng.integers(0, 2**16, (32, 500), dtype=np.uint64)
    masks = rng.integers(0, 2**32, (32, 500), dtype=np.uint64).astype(np.uint32)
    masked = [unpack(pack(in_ring(v, 21) + m, 21), 500, 21) for v, m in zip(values, masks, strict=True)]
    total = np.sum(masked, axis=0, dtype=np.uint32) - np.sum(masks, axis=0, dtype=np.uint32)
    np.testing.assert_array_equal(total & np.uint32(2**21 - 1), values.sum(axis=0))
