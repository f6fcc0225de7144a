"""Generators go on with the same bits from an array."""

from __future__ import annotations

import numpy as np
import pytest

from hil.errors import UsageError
from sim_backend.generators import generator_array, generator_state

KINDS = [np.random.PCG64, np.random.PCG64DXSM, np.random.MT19937, np.random.Philox]


@pytest.mark.parametrize("kind", KINDS)
def test_a_stored_generator_goes_on_with_the_same_bits(kind: type) -> None:
    rng = np.random.Generator(kind(3))
    rng.integers(0, 9, 3, np.int32)  # leaves half a word over
    kept = generator_array(rng)
    assert kept.dtype == np.uint8
    expected = rng.integers(0, 9, 5, np.int32), rng.standard_normal(100)
    other = np.random.Generator(kind(4))
    other.bit_generator.state = generator_state(kept, other)
    np.testing.assert_array_equal(other.integers(0, 9, 5, np.int32), expected[0])
    np.testing.assert_array_equal(other.standard_normal(100), expected[1])


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros(3, np.uint8),
        np.frombuffer(b"[1, 2]", np.uint8),
        np.frombuffer(b'{"bit_generator": "PCG64"}', np.uint8),
        generator_array(np.random.Generator(np.random.MT19937(1))),
    ],
)
def test_what_is_no_such_state_is_refused(wrong: np.ndarray) -> None:
    rng = np.random.default_rng(5)
    before = rng.bit_generator.state
    with pytest.raises(UsageError, match="noise generator"):
        generator_state(wrong, rng)
    assert rng.bit_generator.state == before
