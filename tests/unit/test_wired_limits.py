"""Without wires, and with hardly any, the network is the layered one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hil.substrate import Drive
from tests.unit.wired_networks import Build, wire

Array = NDArray[np.float64]

CASES: dict[str, dict[str, Any]] = {
    "no hidden layer": {"hidden": (), "neurons": "linear", "biased": (True,)},
    "one hidden layer": {"hidden": (9,), "biased": (True, True)},
    "deep": {"hidden": (7, 6, 5), "biased": (True, False, True, True)},
    "pairs and amplifiers": {
        "hidden": (6, 5),
        "neurons": "shockley_pairs",
        "gains": (4.0, 0.25),
        "biased": (True, True, True),
    },
}


def drive(substrate: Any, seed: int = 3) -> Drive:
    topology = substrate.spec.topology
    rng = np.random.default_rng(seed)
    inputs = rng.uniform(-1.0, 1.0, (6, topology.inputs.size))
    return Drive(inputs, rng.uniform(-1e-4, 1e-4, (6, topology.outputs.size)))


@pytest.mark.parametrize("case", CASES)
def test_no_wires_leave_the_layered_network(build: Build, case: str) -> None:
    built = build(n_signals=8, n_outputs=3, **CASES[case])
    given = drive(built.substrate)
    ours = wire(built, 0.0, 0.0).settle(given)
    theirs = built.substrate.settle(given)
    assert ours.ok.all()
    assert ours.node_volts.dtype == theirs.node_volts.dtype
    scale = np.abs(theirs.node_volts).max()
    np.testing.assert_allclose(ours.node_volts, theirs.node_volts, rtol=0.0, atol=1e-11 * scale)


@pytest.mark.parametrize("sides", [(1.0, 1.0), (1.0, 0.0), (0.0, 1.0)])
@pytest.mark.parametrize("case", CASES)
def test_the_effect_of_tiny_wires_is_proportional_to_them(
    build: Build, case: str, sides: tuple[float, float]
) -> None:
    built = build(n_signals=8, n_outputs=3, **CASES[case])
    given = drive(built.substrate)
    without = built.substrate.settle(given).node_volts

    def effect(ohms: float) -> Array:
        settled = wire(built, ohms * sides[0], ohms * sides[1]).settle(given)
        assert settled.ok.all()
        found: Array = settled.node_volts - without
        return found

    small, large = effect(1e-3), effect(1e-2)
    assert 1e-7 < np.abs(small).max() < 1e-3
    np.testing.assert_allclose(10.0 * small, large, rtol=0.0, atol=0.02 * np.abs(large).max())


def test_single_precision_holds_what_double_precision_finds(build: Build) -> None:
    single = build((9,), precision="float32", n_signals=8)
    double = build((9,), precision="float64", n_signals=8)
    volts = []
    for built in (single, double):
        substrate = wire(built, 2.0, 1.0)
        substrate.load_conductance(single.substrate.read_conductance())
        volts.append(substrate.settle(drive(substrate)).node_volts)
    assert [v.dtype.name for v in volts] == ["float32", "float64"]
    np.testing.assert_allclose(volts[0], volts[1], rtol=0.0, atol=1e-5)
