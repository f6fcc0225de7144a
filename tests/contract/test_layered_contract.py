"""The substrate contract on simulated layered networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import pytest

from hil.contract import check_substrate
from hil.energy import Term
from hil.errors import UsageError
from hil.substrate import Drive
from tests.contract.wrappers import Bare, Full, Noisy

Build = Callable[..., Any]

KINDS: dict[str, dict[str, Any]] = {
    "ideal_one_hidden": {"hidden": (6,)},
    "ideal_two_hidden_biased": {"hidden": (5, 4), "biased": (True, True, True)},
    "ideal_last_biased": {"hidden": (4,), "biased": (False, True)},
    "linear_no_hidden": {"hidden": (), "neurons": "linear"},
    "linear_one_hidden": {"hidden": (3,), "neurons": "linear", "n_signals": 1},
    "shockley_amplified": {"hidden": (5,), "neurons": "shockley_pairs", "gains": (4.0, 0.25)},
    "shockley_two_hidden_amplified": {
        "hidden": (4, 3),
        "neurons": "shockley_pairs",
        "gains": (4.0, 0.25),
        "biased": (True, False, True),
    },
    "many_outputs": {"hidden": (7,), "n_outputs": 66},
    "limited_nudge": {"hidden": (4,), "max_nudge_amps": 1e-4, "max_input_volts": 0.5},
    "coarse": {"hidden": (5, 4), "tolerance": 1e-2},
    "one_node_a_layer": {"hidden": (1, 1)},
    "more_threads_than_rows": {"hidden": (1, 2), "n_signals": 1, "n_outputs": 1, "threads": 4},
}


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("kind", KINDS)
def test_layered_substrates_honour_the_contract(build: Build, kind: str, precision: str) -> None:
    check_substrate(lambda: build(**KINDS[kind], precision=precision).substrate)


@pytest.mark.parametrize("seed", [1, 2])
def test_other_draws_honour_the_contract_too(build: Build, seed: int) -> None:
    rng = np.random.default_rng(seed)
    check_substrate(lambda: build((5,), seed=int(rng.integers(1000))).substrate, rng)


def test_parallel_kernels_honour_the_contract(build: Build) -> None:
    before = numba.get_num_threads()
    numba.set_num_threads(min(2, numba.config.NUMBA_NUM_THREADS))
    try:
        check_substrate(lambda: build((5,), threads=3).substrate)
    finally:
        numba.set_num_threads(before)


def test_equal_row_blocks_give_equal_bits(build: Build) -> None:
    """Whatever the number of threads that work on them."""
    results = []
    before = numba.get_num_threads()
    for threads in (1, 2):
        numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
        try:
            substrate = build((7, 5), n_signals=9, n_outputs=3, threads=2).substrate
            rng = np.random.default_rng(0)
            inputs = rng.uniform(-1.0, 1.0, (4, 9))
            nudge = rng.uniform(-1e-4, 1e-4, (4, 3))
            states = [substrate.settle(Drive(inputs, n)) for n in (nudge, -nudge)]
            terms = [Term(c, s.node_volts) for c, s in zip((1.0, -1.0), states, strict=True)]
            substrate.descend(terms, [1e-3, 1e-3, 1e-3])
            results.append([s.node_volts for s in states] + [substrate.read_conductance()])
        finally:
            numba.set_num_threads(before)
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_wrapper_honours_the_contract(build: Build) -> None:
    check_substrate(lambda: Full(build((4, 3)).substrate))


def test_a_substrate_without_abilities_honours_the_contract(build: Build) -> None:
    check_substrate(lambda: Bare(build((4,)).substrate))


def test_stated_noise_is_allowed_and_understated_noise_is_not(build: Build) -> None:
    check_substrate(lambda: Noisy(build((4,)).substrate, noise_volts=Noisy.rms_volts))
    with pytest.raises(AssertionError, match="V apart"):
        check_substrate(lambda: Noisy(build((4,)).substrate, noise_volts=1e-3 * Noisy.rms_volts))


@pytest.mark.parametrize("spoilt", [np.nan, np.inf])
@pytest.mark.parametrize("node", [0, 8, -1])
@pytest.mark.parametrize("balanced", [True, False])
def test_a_spoilt_state_is_refused_and_leaves_finite_conductances(
    build: Build, balanced: bool, node: int, spoilt: float
) -> None:
    substrate = build((7, 5), n_signals=9, n_outputs=3).substrate
    volts = substrate.settle(Drive(np.full((2, 9), 0.5))).node_volts
    other = volts.copy()
    other[1, node] = spoilt
    terms = [Term(1.0, other), Term(-1.0 if balanced else 0.5, volts)]
    with pytest.raises(UsageError, match="not finite"):
        substrate.descend(terms, [1e-3, 1e-3, 1e-3])
    assert np.isfinite(substrate.read_conductance()).all()


def test_write_counts_must_be_counts(build: Build) -> None:
    substrate = build((4,)).substrate
    n = substrate.spec.topology.n_devices
    for wrong in (np.zeros(n), np.zeros(n + 1, np.int64), np.full(n, -1)):
        with pytest.raises(UsageError):
            substrate.load_write_counts(wrong)
    np.testing.assert_array_equal(substrate.write_counts(), 0)


def test_descending_by_what_is_no_step_is_refused(build: Build) -> None:
    substrate = build((4,), precision="float32").substrate
    n_inputs = substrate.spec.topology.inputs.size
    volts = substrate.settle(Drive(np.full((2, n_inputs), 0.5))).node_volts
    terms = [Term(1.0, volts), Term(-1.0, volts)]
    none = [Term(1.0, volts[:0])]
    before = substrate.read_conductance()
    for arguments, options in (
        ((terms, [1e39, 1.0]), {}),
        ((terms, [1.0, 1.0]), {"sign_only": True, "dead_zone": np.nan}),
        ((terms, [1.0, 1.0]), {"sign_only": True, "dead_zone": -1.0}),
        ((none, [1.0, 1.0]), {}),
    ):
        with pytest.raises(UsageError):
            substrate.descend(*arguments, **options)
    np.testing.assert_array_equal(substrate.read_conductance(), before)
