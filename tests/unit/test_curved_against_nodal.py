"""Stacks of curved devices against the general solver, which gets them drawn as single curves.

The two share the description of the network and the curves, but no equation: the one expands
them into products of functions of rows and columns, the other takes every device's own drop.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hil.substrate import Drive
from sim_backend.curved.adapter import CurvedSubstrate
from sim_backend.layered.adapter import LayeredSubstrate
from sim_backend.layered.network import LayeredNetwork, SolverOptions
from sim_backend.memristors.conduction import Conduction, Cubic, Linear, Sinh
from sim_backend.nodal.elements import Curve
from sim_backend.nodal.solver import Solver
from tests.unit.curved_stacks import CURVES, circuit, drives, mismatched, substrate

Array = NDArray[np.float64]

CLOSE = 1e-9
"""Largest difference, relative to the largest voltage."""

GAINS = (4.0, 0.25)
SHAPES: dict[str, dict[str, Any]] = {
    "no hidden layer": {"hidden": (), "kind": "linear"},
    "ideal": {"hidden": (6,), "kind": "ideal_diodes", "biased": (True, True)},
    "clipped": {"hidden": (5,), "kind": "ideal_pairs", "biased": (False, True)},
    "linear": {"hidden": (4,), "kind": "linear"},
    "pairs": {"hidden": (4,), "kind": "pairs", "gains": GAINS},
    "unequal pairs": {"hidden": (4,), "kind": "unequal_pairs"},
    "deep": {"hidden": (5, 4), "kind": "ideal_diodes", "gains": GAINS},
    "deep pairs": {"hidden": (3, 4, 3), "kind": "pairs", "biased": (True, False, True, True)},
}


def general(of: CurvedSubstrate, inputs: Array, nudges: Array | None) -> Array:
    """(batch, n_nodes) by the general solver."""
    drawn = of.circuit(inputs[0], None if nudges is None else nudges[0])
    assert sum(isinstance(e, Curve) for e in drawn.elements) == of.spec.topology.n_devices
    levels = {f"vin{k}": inputs[:, k] for k in range(inputs.shape[1])}
    if nudges is not None:
        levels |= {f"inudge{k}": nudges[:, k] for k in range(nudges.shape[1])}
    solver = Solver(drawn)
    solution = solver.solve(levels)
    assert solution.ok.all()
    volts = dict(zip(solver.nodes, solution.node_volts.T, strict=True))
    return np.stack([volts[name] for name in of.node_names()], axis=1)


def assert_agree(of: CurvedSubstrate, inputs: Array, nudges: Array | None) -> None:
    settled = of.settle(Drive(inputs, nudges))
    assert settled.ok.all()
    expected = general(of, inputs, nudges)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(settled.node_volts, expected, rtol=0.0, atol=CLOSE * scale)


@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize("shape", SHAPES)
def test_networks_of_all_kinds(shape: str, curve: str) -> None:
    more = SHAPES[shape]
    tolerance = 1e-11 if "gains" in more else 1e-12
    of = substrate(circuit(**more), CURVES[curve], gains=more.get("gains"), tolerance=tolerance)
    inputs, nudges = drives(of)
    assert_agree(of, inputs, None)
    assert_agree(of, inputs, nudges)


@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize("hidden", [(5,), (4, 3)])
@pytest.mark.parametrize("kind", ["ideal_diodes", "unequal_pairs"])
def test_amplifiers_that_differ(kind: str, hidden: tuple[int, ...], curve: str) -> None:
    """With several layers of them there is no co-content; the laws of Kirchhoff remain."""
    gains = (2.0, 0.5)
    given = mismatched(circuit(hidden, kind, gains=gains), np.random.default_rng(3))
    of = substrate(given, CURVES[curve], gains=gains, tolerance=1e-11)
    inputs, nudges = drives(of)
    assert_agree(of, inputs, nudges)


def test_amplifiers_of_gain_one_with_offsets() -> None:
    """Their terms merge with those of the crossbar before."""
    given = mismatched(circuit((4,), "ideal_diodes", gains=(1.0, 0.7)), np.random.default_rng(3))
    one = dataclasses.replace(given.layers[0], forward_gain=np.ones(4))
    given = dataclasses.replace(given, layers=(one, given.layers[1]))
    for curve in CURVES.values():
        of = substrate(given, curve, gains=(1.0, 0.7))
        assert_agree(of, *drives(of))


@pytest.mark.parametrize("curve", [Linear(), Cubic(0.0), Sinh(1e-6)])
@pytest.mark.parametrize("shape", SHAPES)
def test_straight_curves_are_resistors(shape: str, curve: Conduction) -> None:
    more = SHAPES[shape]
    of = substrate(circuit(**more), curve, gains=more.get("gains"), tolerance=1e-9)
    spec = of.spec
    network = LayeredNetwork(circuit(**more), of.read_conductance(), SolverOptions(1e-12))
    straight = LayeredSubstrate(
        network,
        spec.topology,
        amplified="gains" in more,
        energy_weights=(1.0,) * len(spec.topology.groups),
        window_siemens=spec.window_siemens,
        pulse_siemens=spec.pulse_siemens,
        max_input_volts=spec.max_input_volts,
        max_nudge_amps=spec.max_nudge_amps,
    )
    inputs, nudges = drives(of)
    found = of.settle(Drive(inputs, nudges))
    expected = straight.settle(Drive(inputs, nudges))
    assert found.ok.all()
    np.testing.assert_allclose(found.node_volts, expected.node_volts, rtol=0, atol=1e-9)


def test_many_outputs_go_another_way_and_agree() -> None:
    of = substrate(circuit((4,), "ideal_diodes", n_outputs=66), Cubic(2.0))
    assert_agree(of, *drives(of, batch=2))


def test_the_comparison_notices_another_curve() -> None:
    of = substrate(circuit((4,), "ideal_diodes"), Cubic(2.0))
    other = substrate(circuit((4,), "ideal_diodes"), Cubic(2.1))
    inputs, nudges = drives(of)
    gap = np.abs(of.settle(Drive(inputs, nudges)).node_volts - general(other, inputs, nudges))
    assert gap.max() > 1e-4


def test_the_drawing_follows_the_programming() -> None:
    of = substrate(circuit((4,), "ideal_diodes", biased=(True, False)), Sinh(3.0))
    inputs, nudges = drives(of)
    of.pulse(np.random.default_rng(1).integers(-20, 20, of.spec.topology.n_devices))
    assert_agree(of, inputs, nudges)
