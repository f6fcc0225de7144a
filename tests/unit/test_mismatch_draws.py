"""What is drawn: its statistics, its independence, and that it can be kept.

Bounds are those that a right generator breaks once in some 1e5 tests (4.4 standard errors), for
the fixed seeds of the tests.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError
from scipy import stats

from hil.errors import ConfigurationError
from sim_backend.lot import Lot
from sim_backend.memristors.interface import as_arrays, from_arrays
from sim_backend.mismatch.circuits import draw_circuit
from sim_backend.mismatch.config import MismatchConfig
from sim_backend.mismatch.drawn import CircuitMismatch, LayeredMismatch
from sim_backend.mismatch.layered import draw_layers
from sim_backend.nodal.elements import (
    GROUND,
    Amplifier,
    Circuit,
    Diode,
    DiodeModel,
    Element,
    IdealDiode,
)
from tests.unit.mismatch_networks import ALL, nominal

PARTS = 10_000
CONFIDENCE = 1.0 - 1e-5
SIGMAS = float(stats.norm.ppf(0.5 + CONFIDENCE / 2))

Array = NDArray[np.float64]


def draws(spreads: dict[str, float], seed: int = 0, n: int = PARTS) -> LayeredMismatch:
    return LayeredMismatch.draw(MismatchConfig(**spreads), n, np.random.default_rng(seed))


def assert_normal(values: Array, mean: float, rms: float) -> None:
    """Mean, standard deviation and shape (Kolmogorov and Smirnov)."""
    flat = values.ravel()
    assert abs(flat.mean() - mean) < SIGMAS * rms / math.sqrt(flat.size)
    assert abs(flat.std() - rms) < SIGMAS * rms / math.sqrt(2 * flat.size)
    assert stats.kstest(flat, "norm", (mean, rms)).pvalue > 1.0 - CONFIDENCE


@pytest.mark.parametrize(
    ("spread", "array"),
    [
        ("amplifier_gain_spread", "gain_factor"),
        ("reciprocity_spread", "ratio_factor"),
        ("ideality_spread", "ideality_factor"),
    ],
)
@pytest.mark.parametrize("relative", [0.02, 0.2, 1.0])
def test_relative_spreads_are_lognormal(spread: str, array: str, relative: float) -> None:
    factors = getattr(draws({spread: relative}), array)
    assert factors.shape == (PARTS,)
    assert np.all(factors > 0)
    assert_normal(np.log(factors), 0.0, math.sqrt(math.log1p(relative**2)))
    # What it is called: the standard deviation over the mean; its error by the bootstrap.
    rng = np.random.default_rng(1)
    again = [rng.choice(factors, PARTS) for _ in range(200)]
    error = np.std([sample.std() / sample.mean() for sample in again])
    assert abs(factors.std() / factors.mean() - relative) < 2 * SIGMAS * error


def test_saturation_currents_are_spread_in_their_logarithm() -> None:
    factors = draws({"saturation_spread": 0.7}).saturation_factor
    assert factors.shape == (2, PARTS)
    assert_normal(np.log(factors), 0.0, 0.7)
    # The diodes of a pair are independent.
    assert abs(np.corrcoef(np.log(factors))[0, 1]) < SIGMAS / math.sqrt(PARTS)


def test_what_has_either_sign_is_normal() -> None:
    drawn = draws(
        {
            "amplifier_offset_volts": 0.005,
            "diode_offset_volts": 0.02,
            "temperature_spread_kelvin": 2.0,
            "temperature_kelvin_shift": 30.0,
        }
    )
    assert_normal(drawn.amplifier_offset_volts, 0.0, 0.005)
    assert_normal(drawn.diode_offset_volts, 0.0, 0.02)
    assert drawn.diode_offset_volts.shape == (2, PARTS)
    assert_normal(drawn.kelvin_shift, 30.0, 2.0)


def test_draws_are_independent_of_one_another() -> None:
    drawn = as_arrays(draws(ALL))
    rows = np.concatenate([np.atleast_2d(values) for values in drawn.values()])
    ranks = stats.spearmanr(rows, axis=1).statistic
    others = ranks[~np.eye(len(rows), dtype=bool)]
    pairs = others.size / 2
    assert np.abs(others).max() * math.sqrt(PARTS) < stats.norm.ppf(1 - 0.5e-5 / pairs)


@pytest.mark.parametrize("name", ALL)
def test_no_spread_moves_the_draws_of_another(name: str) -> None:
    whole, without = (as_arrays(draws(a, n=9)) for a in (ALL, ALL | {name: 0.0}))
    changed = {key for key in whole if not np.array_equal(whole[key], without[key])}
    assert len(changed) == 1


def test_seeds_differ_and_equal_ones_do_not() -> None:
    one, same, other = (as_arrays(draws(ALL, seed, 20)) for seed in (3, 3, 4))
    for name, values in one.items():
        np.testing.assert_array_equal(values, same[name])
        assert not np.any(values == other[name])


def test_nothing_asked_for_changes_nothing() -> None:
    for name, values in as_arrays(draws({}, n=50)).items():
        assert np.all(values == (1.0 if name.endswith("_factor") else 0.0)), name


ELEMENTS: tuple[Element, ...] = (
    Amplifier("a1", "1", "2", 4.0, 0.25),
    *(Diode(f"d{k}", "1", GROUND, DiodeModel()) for k in range(3)),
    *(IdealDiode(f"i{k}", "2", GROUND) for k in range(2)),
)


def test_draws_of_circuits_and_layers_agree_in_distribution() -> None:
    config, rng = MismatchConfig(**ALL), np.random.default_rng(0)
    drawn = CircuitMismatch.draw(config, PARTS, PARTS, PARTS, rng)
    layers = draws(ALL, 1)
    for name, values in as_arrays(layers).items():
        mine = getattr(drawn, name)
        assert stats.ks_2samp(mine, values.ravel()).pvalue > 1.0 - CONFIDENCE, name
    assert_normal(drawn.ideal_offset_volts, 0.0, ALL["diode_offset_volts"])


def test_a_circuit_gets_one_draw_a_part() -> None:
    config = MismatchConfig(**ALL)
    drawn = draw_circuit(config, Circuit(ELEMENTS), np.random.default_rng(0))
    shapes = {name: values.size for name, values in as_arrays(drawn).items()}
    assert shapes["gain_factor"] == shapes["ratio_factor"] == 1
    assert shapes["saturation_factor"] == shapes["diode_offset_volts"] == 3
    assert shapes["ideal_offset_volts"] == 2


@pytest.mark.parametrize("of_layers", [True, False])
def test_chips_can_be_kept(of_layers: bool) -> None:
    config = MismatchConfig(**ALL)
    circuit = nominal((3, 2), "shockley_pairs")

    def draw(rng: np.random.Generator) -> Any:
        if of_layers:
            return draw_layers(config, circuit, True, rng)
        return draw_circuit(config, Circuit(ELEMENTS), rng)

    first = Lot((1,))
    one = first.draw("mismatch", draw)
    assert {values.size for values in first.arrays.values()} <= {1, 2, 3, 5, 10}
    kept = Lot((2,), first.arrays).draw("mismatch", draw)
    stored = from_arrays(Lot((2,)).draw("mismatch", draw), as_arrays(one))
    for name, values in as_arrays(one).items():
        np.testing.assert_array_equal(getattr(kept, name), values)
        np.testing.assert_array_equal(getattr(stored, name), values)


# --- what cannot be asked for ------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
def test_mismatch_of_parts_that_are_not_there_is_refused(name: str) -> None:
    config = MismatchConfig(**{name: ALL[name]})
    of_amplifier = name in ("amplifier_gain_spread", "reciprocity_spread", "amplifier_offset_volts")
    of_offset = name == "diode_offset_volts"
    rng = np.random.default_rng(0)
    for amplified in (True, False):
        for kind in ("linear", "ideal_diodes", "shockley_pairs"):
            circuit = nominal((4,), kind, (4.0, 0.25) if amplified else None)
            fits = (
                amplified
                if of_amplifier
                else kind == "shockley_pairs" or (of_offset and kind == "ideal_diodes")
            )
            if fits:
                draw_layers(config, circuit, amplified, rng)
                continue
            with pytest.raises(ConfigurationError, match=f"mismatch.{name} is .* leave it at 0"):
                draw_layers(config, circuit, amplified, rng)
    with pytest.raises(ConfigurationError, match=f"mismatch.{name}"):
        draw_circuit(config, Circuit(()), rng)


def test_a_stack_without_hidden_layers_has_no_parts() -> None:
    circuit = nominal((), "shockley_pairs")
    for name, value in ALL.items():
        with pytest.raises(ConfigurationError, match=name):
            draw_layers(MismatchConfig(**{name: value}), circuit, True, np.random.default_rng(0))
    drawn = draw_layers(MismatchConfig(), circuit, True, np.random.default_rng(0))
    assert drawn.gain_factor.size == 0


@pytest.mark.parametrize("name", [name for name in ALL if name != "temperature_kelvin_shift"])
@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf, 1e3, True])
def test_spreads_are_checked(name: str, value: float) -> None:
    with pytest.raises(ValidationError):
        MismatchConfig(**{name: value})
