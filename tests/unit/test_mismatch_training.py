"""Equilibrium propagation in situ: what it learns takes the mismatch into account."""

from __future__ import annotations

import numpy as np
import pytest

import hil
from hil.composition import Experiment
from sim_backend.layered.adapter import LayeredSubstrate
from sim_backend.layered.network import LayeredNetwork
from sim_backend.memristors.interface import as_arrays
from sim_backend.mismatch.config import MismatchConfig
from sim_backend.mismatch.layered import draw_layers, mismatched_layers

GAINS = {"forward_gain": 4.0, "backward_gain": 0.25}
REAL = MismatchConfig(
    amplifier_gain_spread=0.2,
    reciprocity_spread=0.2,
    amplifier_offset_volts=0.01,
    diode_offset_volts=0.01,
)


def experiment(epochs: int) -> Experiment:
    overrides = {
        "epochs": epochs,
        "threads": 1,
        "substrate.amplifiers": GAINS,
        "rule.rates": [2e-6, 2e-5],
    }
    return hil.build(hil.resolve("iris", overrides=overrides))


def mismatched(nominal: LayeredSubstrate, seed: int) -> LayeredSubstrate:
    """The substrate on another chip, with the same conductances and the same nominal figures."""
    network, spec = nominal._network, nominal.spec
    drawn = draw_layers(REAL, network.circuit, True, np.random.default_rng(seed))
    assert any(np.any(values != 1.0) for values in as_arrays(drawn).values())
    return LayeredSubstrate(
        LayeredNetwork(
            mismatched_layers(network.circuit, drawn),
            network.conductance_siemens,
            network.options,
            network.dtype,
        ),
        spec.topology,
        amplified=True,
        energy_weights=nominal._weights,
        window_siemens=spec.window_siemens,
        pulse_siemens=spec.pulse_siemens,
        max_input_volts=spec.max_input_volts,
        max_nudge_amps=spec.max_nudge_amps,
    )


@pytest.mark.parametrize("seed", [1, 2])
def test_iris_is_learned_with_twenty_percent_of_mismatch(seed: int) -> None:
    with experiment(epochs=60) as made:
        nominal = made.substrate
        assert isinstance(nominal, LayeredSubstrate)
        here = made.trainer.substrate = mismatched(nominal, seed)
        made.train()
        _, in_situ = made.evaluate()
        # The same conductances on another chip do worse: this one's mismatch was learned.
        made.trainer.substrate = other = mismatched(nominal, seed + 100)
        other.load_conductance(here.read_conductance())
        _, moved = made.evaluate()
    assert in_situ.unsettled == 0
    assert in_situ.error_percent < 8.0
    assert moved.cost_volts2 > 1.5 * in_situ.cost_volts2
