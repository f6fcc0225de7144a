"""What devices themselves see is the gradient; what the ends of their lines say is biased."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hil.energy import Term
from hil.errors import SettleError, UsageError
from hil.substrate import Drive
from sim_backend.layered.network import SolverOptions
from sim_backend.wired.adapter import WiredSubstrate
from tests.unit.wired_networks import wire

Array = NDArray[np.float64]
Build = Callable[..., Any]

BETA = 1e-7
"""In siemens.  Where ideal diodes leave a whole layer at 0 V the estimate errs in proportion."""

CASES: dict[str, dict[str, Any]] = {
    "no hidden layer": {"hidden": (), "neurons": "linear", "biased": (True,)},
    "ideal diodes": {"hidden": (6,), "biased": (True, True)},
    "pairs": {"hidden": (5, 4), "neurons": "shockley_pairs", "biased": (True, False, True)},
    "amplifiers": {"hidden": (5, 4), "neurons": "shockley_pairs", "gains": (4.0, 0.25)},
    "ideal diodes and amplifiers": {"hidden": (5, 4), "gains": (2.0, 1.0)},
}
OHMS = {"both": (40.0, 60.0), "words": (90.0, 0.0), "bits": (0.0, 90.0)}


def example(substrate: WiredSubstrate, batch: int = 4) -> tuple[Array, Array]:
    """Inputs and targets."""
    rng = np.random.default_rng(6)
    topology = substrate.spec.topology
    inputs = rng.uniform(-1.0, 1.0, (batch, topology.inputs.size))
    return inputs, rng.uniform(-0.1, 0.1, (batch, topology.outputs.size))


def loss(substrate: WiredSubstrate, siemens: Array, inputs: Array, targets: Array) -> float:
    substrate.load_conductance(siemens)
    settled = substrate.settle(Drive(inputs))
    assert settled.ok.all()
    gap = settled.node_volts[:, substrate.spec.topology.outputs] - targets
    return float(0.5 * np.sum(gap**2))


def nudged(substrate: WiredSubstrate, inputs: Array, targets: Array, beta: float) -> Drive:
    free = substrate.settle(Drive(inputs)).node_volts[:, substrate.spec.topology.outputs]
    return Drive(inputs, beta * (targets - free))


def weights(substrate: WiredSubstrate) -> Array:
    """Of the groups, one a device."""
    sizes = [group.n_devices for group in substrate.spec.topology.groups]
    return np.repeat(substrate.spec.energy.weights, sizes)


@pytest.mark.parametrize("ohms", OHMS)
@pytest.mark.parametrize("case", CASES)
def test_own_drops_give_the_gradient_of_the_loss(build: Build, case: str, ohms: str) -> None:
    substrate = wire(build(n_signals=5, n_outputs=3, **CASES[case]), *OHMS[ohms])
    siemens = substrate.read_conductance()
    inputs, targets = example(substrate)
    plus = nudged(substrate, inputs, targets, BETA)
    minus = nudged(substrate, inputs, targets, -BETA)
    found = weights(substrate) * substrate.own_contrast(minus, plus) / (2.0 * BETA)
    step = 1e-4 * siemens.max()
    rng = np.random.default_rng(0)
    direct = []
    chosen = rng.permutation(siemens.size)[:24]
    for k in chosen:
        moved = np.zeros(siemens.size)
        moved[k] = step
        rise = loss(substrate, siemens + moved, inputs, targets)
        direct.append((rise - loss(substrate, siemens - moved, inputs, targets)) / (2.0 * step))
    scale = np.abs(found).max()
    np.testing.assert_allclose(found[chosen], direct, rtol=0.0, atol=2e-5 * scale)


def line_contrast(substrate: WiredSubstrate, first: Drive, second: Drive) -> Array:
    """What the controller estimates, by the spec's energy."""
    states = [substrate.settle(drive).node_volts for drive in (first, second)]
    terms = [Term(-1.0, states[0]), Term(1.0, states[1])]
    return np.asarray(substrate.spec.energy.contrast(terms)) / weights(substrate)


def test_the_report_says_what_the_controller_gets_wrong(build: Build) -> None:
    substrate = wire(build((6,), n_signals=7, n_outputs=3), 30.0, 20.0)
    inputs, targets = example(substrate)
    free, plus = Drive(inputs), nudged(substrate, inputs, targets, 1e-4)
    bias = substrate.wire_bias(free, plus)
    assert bias.examples == len(inputs)
    own, line = substrate.own_contrast(free, plus), line_contrast(substrate, free, plus)
    for group, part in zip(bias.groups, substrate.spec.topology.slices, strict=True):
        norms = np.linalg.norm(own[part]), np.linalg.norm(line[part])
        cosine = own[part] @ line[part] / (norms[0] * norms[1])
        assert group.cosine == pytest.approx(cosine, rel=1e-6)
        apart = np.linalg.norm(line[part] - own[part]) / norms[0]
        assert group.norm_error == pytest.approx(apart, rel=1e-5)
        assert group.contrast_volts2 == pytest.approx(norms[0], rel=1e-9)
        assert 0.0 < group.cosine < 1.0 - 1e-6
        assert group.drop_error > 1e-3
    lines = bias.report().splitlines()
    assert len(lines) == 1 + len(bias.groups)
    assert f"{bias.groups[1].cosine:.6f}" in lines[2]


def test_a_single_device_behind_two_segments_has_a_known_bias(build: Build) -> None:
    """Its own drop is that between line ends times ``1 / (1 + g (r_word + r_bit))``.

    With nothing else at the output no current flows freely, so that the nudge alone makes a drop.
    """
    built = build((), "linear", n_signals=1, n_outputs=1)
    substrate = wire(built, 200.0, 300.0)
    g = float(substrate.read_conductance()[0])
    bias = substrate.wire_bias(
        Drive(np.array([[0.4]])), Drive(np.array([[0.4]]), np.full((1, 1), 1e-4))
    )
    lost = 1.0 + 500.0 * g
    assert bias.groups[0].norm_error == pytest.approx(lost**2 - 1.0)
    assert bias.groups[0].cosine == pytest.approx(1.0)
    assert bias.groups[0].contrast_volts2 == pytest.approx(0.5 * (1e-4 / g) ** 2)


def test_the_bias_vanishes_with_the_wires(build: Build) -> None:
    built = build((6,), n_signals=7, n_outputs=3)
    found = []
    for ohms in (0.0, 0.01, 0.1):
        substrate = wire(built, ohms, ohms)
        inputs, targets = example(substrate)
        found.append(substrate.wire_bias(Drive(inputs), nudged(substrate, inputs, targets, 1e-4)))
    for none, small, large in zip(*(bias.groups for bias in found), strict=True):
        assert none.drop_error < 1e-14
        assert none.norm_error < 1e-12
        assert none.cosine == pytest.approx(1.0, abs=1e-12)
        assert large.drop_error == pytest.approx(10.0 * small.drop_error, rel=0.05)
        assert large.norm_error == pytest.approx(10.0 * small.norm_error, rel=0.05)


def test_examples_are_taken_in_blocks_without_a_trace(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    substrate = wire(build((6,), n_signals=7, n_outputs=3), 30.0, 20.0)
    inputs, targets = example(substrate, batch=7)
    drives = Drive(inputs), nudged(substrate, inputs, targets, 1e-4)
    whole = substrate.wire_bias(*drives)
    monkeypatch.setattr("sim_backend.wired.network._MOST_AT_ONCE", 90)
    for one, other in zip(whole.groups, substrate.wire_bias(*drives).groups, strict=True):
        assert one.drop_error == pytest.approx(other.drop_error, rel=1e-12)
        assert one.norm_error == pytest.approx(other.norm_error, rel=1e-12)


def test_only_pairs_of_equal_inputs_that_settle_are_compared(build: Build) -> None:
    built = build((6,), n_signals=7, n_outputs=3)
    substrate = wire(built, 30.0, 20.0)
    inputs, _ = example(substrate)
    with pytest.raises(UsageError, match="same inputs"):
        substrate.wire_bias(Drive(inputs), Drive(0.5 * inputs))
    pairs = build((6,), "shockley_pairs", n_signals=7, n_outputs=3)
    hopeless = wire(pairs, 30.0, 20.0, SolverOptions(1e-12, 1))
    with pytest.raises(SettleError, match="no example settles"):
        hopeless.wire_bias(Drive(inputs), Drive(inputs))
