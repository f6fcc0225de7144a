"""Kirchhoff's laws on random stacks of curved devices, and what does not settle."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numba
import numpy as np
import pytest
from numpy.typing import NDArray

from hil.errors import ConfigurationError, UsageError
from hil.substrate import Drive, Settled
from hil.topology import layered
from sim_backend.curved.adapter import CurvedSubstrate
from sim_backend.curved.building import build_curved
from sim_backend.layered.circuit import LayeredCircuit, diode_amps, neuron_arrays
from sim_backend.layered.network import SolverOptions
from sim_backend.layered.neurons import ShockleyPairs
from sim_backend.memristors.access import InSeries
from sim_backend.memristors.conduction import Conduction, Cubic, Linear, Sinh
from tests.unit.curved_stacks import WINDOW, circuit, drives, mismatched, substrate

Array = NDArray[np.float64]


def left_over(
    of: CurvedSubstrate, stack: LayeredCircuit, curve: Conduction, volts: Array, nudges: Array
) -> float:
    """Largest current at a node that Kirchhoff's law does not explain, relative to those there.

    Device by device, with no factor of any row or column.  Where next to no current flows, it is
    relative to what the layer's largest voltage would drive.
    """
    g = of.read_conductance()
    topology = of.spec.topology
    parts = [
        (group, g[part].reshape(group.tails.size, group.heads.size))
        for group, part in zip(topology.groups, topology.slices, strict=True)
    ]
    worst = 0.0
    for index, (layer, (group, block)) in enumerate(zip(stack.layers, parts, strict=True)):
        v = volts[:, group.heads]
        amps = curve.amps(volts[:, group.tails, None] - v[:, None, :], block)
        left, flow = amps.sum(axis=1), np.abs(amps).sum(axis=1)
        total = block.sum(axis=0)
        if index + 1 < len(parts):
            behind, block = parts[index + 1]
            total = total + layer.backward_gain * block[: layer.size].sum(axis=1)
            ends = volts[:, behind.tails[: layer.size], None] - volts[:, None, behind.heads]
            amps = layer.backward_gain[:, None] * curve.amps(ends, block[: layer.size])
            left, flow = left - amps.sum(axis=2), flow + np.abs(amps).sum(axis=2)
        else:
            left, flow = left + nudges, flow + np.abs(nudges)
        low, high, saturation, thermal = neuron_arrays(layer)
        if isinstance(layer.neurons, ShockleyPairs):
            up = saturation * np.exp((v - high) / thermal)
            down = saturation * np.exp((low - v) / thermal)
            extra = diode_amps(layer)
            left, flow = left - (up - down), flow + up + down
            left = left if extra is None else left + extra
        else:
            assert np.all((v >= low) & (v <= high))
            left = np.where(v == low, np.maximum(left, 0.0), left)
            left = np.where(v == high, np.minimum(left, 0.0), left)
        scale = np.maximum(np.abs(v).max(1), 1e-6 * np.abs(volts).max(1))[:, None]
        worst = max(worst, float((np.abs(left) / np.maximum(flow, total * scale)).max()))
    return worst


@pytest.mark.parametrize("kind", ["ideal_diodes", "ideal_pairs", "unequal_pairs"])
@pytest.mark.parametrize("depth", [0, 1, 2, 4])
def test_random_stacks_obey_kirchhoff(kind: str, depth: int) -> None:
    rng = np.random.default_rng([depth, len(kind)])
    for _ in range(12):
        hidden = tuple(int(n) for n in rng.integers(1, 7, depth))
        gains = [None, (2.0, 0.5), (1.5, 1.0)][int(rng.integers(3))] if depth else None
        stack = circuit(
            hidden, kind, n_outputs=int(rng.integers(1, 5)), gains=gains,
            biased=tuple(bool(b) for b in rng.integers(0, 2, depth + 1)),
        )  # fmt: skip
        if gains:
            stack = mismatched(stack, rng)
        reach = float(rng.choice([0.01, 0.3, 1.0]))
        curve: Conduction = (
            Cubic(float(10 ** rng.uniform(-2, 3))) if rng.integers(2)
            else Sinh(float(10 ** rng.uniform(-2, 0.6)))
        )  # fmt: skip
        siemens = 10 ** rng.uniform(-6, -2, stack.n_devices)
        of = substrate(stack, curve, gains=gains, siemens=siemens, tolerance=1e-10)
        inputs, nudges = drives(of, batch=4, seed=int(rng.integers(1000)), volts=reach)
        nudges *= float(rng.choice([0.0, 0.1, 10.0]))
        settled = of.settle(Drive(inputs, nudges))
        assert settled.ok.all(), (curve, hidden, reach)
        assert left_over(of, stack, curve, settled.node_volts, nudges) < 1e-8


def test_wide_and_deep_stacks_settle() -> None:
    for hidden in ((300,), (60, 50)):
        stack = circuit(hidden, "ideal_diodes", n_signals=80, n_outputs=10)
        for curve in (Cubic(5.0), Sinh(2.0)):
            of = substrate(stack, curve)
            inputs, nudges = drives(of, batch=8)
            settled = of.settle(Drive(inputs, nudges))
            assert settled.ok.all()
            assert left_over(of, stack, curve, settled.node_volts, nudges) < 1e-10


def test_no_input_is_no_voltage() -> None:
    for curve in (Cubic(5.0), Sinh(2.0)):
        for hidden in ((4,), (4, 3)):
            of = substrate(circuit(hidden, "ideal_diodes"), curve)
            settled = of.settle(Drive(np.zeros((2, 3))))
            assert settled.ok.all()
            assert not settled.node_volts.any()


@pytest.mark.parametrize("curve", [Cubic(5.0), Sinh(2.0)], ids=str)
@pytest.mark.parametrize("hidden", [(4,), (4, 3)])
def test_a_start_from_anywhere_costs_time_only(hidden: tuple[int, ...], curve: Any) -> None:
    of = substrate(circuit(hidden, "pairs"), curve)
    drive = Drive(*drives(of))
    expected = of.settle(drive).node_volts
    for volts in (0.0, 1e3, -1e30, np.inf, np.nan):
        near = Settled(np.full_like(expected, volts), np.ones(5, bool))
        settled = of.settle(drive, near)
        assert settled.ok.all()
        np.testing.assert_allclose(settled.node_volts, expected, rtol=0, atol=1e-11)


@pytest.mark.parametrize("curve", [Cubic(5.0), Sinh(2.0)], ids=str)
@pytest.mark.parametrize("hidden", [(6,), (4, 3)])
def test_what_has_not_settled_is_not_said_to_have(hidden: tuple[int, ...], curve: Any) -> None:
    stack = circuit(hidden, "ideal_diodes")
    of = substrate(stack, curve, max_iterations=1)
    drive = Drive(*drives(of))
    assert not of.settle(drive).ok.any()
    slow, fast = substrate(stack, curve, max_iterations=3), substrate(stack, curve)
    found, expected = slow.settle(drive), fast.settle(drive)
    gaps = np.abs(found.node_volts - expected.node_volts).max(axis=1)
    assert np.all(gaps[found.ok] < 1e-10)


def test_rounding_that_is_too_large_is_not_settled() -> None:
    """Nodes near inputs that are many bends of the curve away from 0 V."""
    stack = circuit((4,), "linear", n_outputs=2)
    of = substrate(stack, Sinh(18.0), tolerance=1e-12)
    drive = Drive(np.full((1, 3), 0.99))
    assert not of.settle(drive).ok.any()
    coarse = substrate(stack, Sinh(5.0), tolerance=1e-6)
    settled = coarse.settle(drive)
    assert settled.ok.all()
    np.testing.assert_allclose(settled.node_volts[:, 3:], 0.99, rtol=1e-6)


def test_curves_too_steep_for_the_inputs_are_refused() -> None:
    stack = circuit((4,), "linear")
    with pytest.raises(ConfigurationError, match="lower the largest input"):
        substrate(stack, Sinh(21.0))
    substrate(stack, Sinh(21.0), max_input_volts=0.5)


def test_curves_that_are_not_separable_are_refused() -> None:
    stack = circuit((4,), "linear")
    with pytest.raises(ConfigurationError, match="take Linear, Cubic"):
        substrate(stack, InSeries(Sinh(1.0), 1e3))
    for curve, bad in ((Cubic, -1.0), (Cubic, np.nan), (Sinh, 0.0), (Sinh, np.inf)):
        with pytest.raises(ValueError, match="takes a finite number"):
            curve(bad)


def test_windows_and_floating_nodes_are_looked_at() -> None:
    stack = circuit((4,), "linear")
    with pytest.raises(ConfigurationError, match="outside the window"):
        substrate(stack, Cubic(1.0), siemens=np.full(stack.n_devices, 1.0))
    siemens = np.full(stack.n_devices, 1e-3)
    siemens.reshape(-1)[0:12].reshape(3, 4)[:, 2] = 0.0
    siemens[12:].reshape(4, 2)[2] = 0.0
    with pytest.raises(ConfigurationError, match=r"node 2 of layer 1 .* would float"):
        substrate(stack, Cubic(1.0), siemens=siemens, window_siemens=(0.0, 1e-2))


@pytest.mark.parametrize("hidden", [(4,), (4, 3)])
def test_a_node_that_comes_to_float_does_not_settle(hidden: tuple[int, ...]) -> None:
    stack = circuit(hidden, "linear")
    of = substrate(stack, Cubic(1.0), window_siemens=(0.0, 1e-2))
    of.load_conductance(np.zeros(stack.n_devices))
    assert not of.settle(Drive(*drives(of))).ok.any()


def test_amplifiers_in_the_topology_must_be_those_of_the_circuit() -> None:
    stack = circuit((4,), "linear")
    with pytest.raises(ConfigurationError, match="where amplifiers are"):
        build_curved(
            stack,
            Linear(),
            np.full(stack.n_devices, 1e-3),
            SolverOptions(1e-9),
            topology=layered(3, (4,), 2),
            amplified=True,
            energy_weights=(1.0, 1.0),
            window_siemens=WINDOW,
            pulse_siemens=1e-5,
            max_input_volts=1.0,
            max_nudge_amps=1.0,
        )


def test_changed_conductances_count_at_once() -> None:
    """What is kept of a batch's inputs is of the conductances it was worked out with."""
    of = substrate(circuit((4,), "ideal_diodes"), Cubic(2.0))
    inputs, nudges = drives(of)
    inputs.flags.writeable = False
    before = of.settle(Drive(inputs, nudges)).node_volts
    of.adjust(np.full(of.spec.topology.n_devices, 1e-4))
    after = of.settle(Drive(inputs, nudges)).node_volts
    fresh = substrate(circuit((4,), "ideal_diodes"), Cubic(2.0), siemens=of.read_conductance())
    np.testing.assert_array_equal(after, fresh.settle(Drive(inputs, nudges)).node_volts)
    assert np.abs(after - before).max() > 1e-4
    with pytest.raises(UsageError):
        of.adjust(np.zeros(3))


def test_inputs_changed_in_place_count() -> None:
    of = substrate(circuit((4,), "ideal_diodes"), Cubic(2.0))
    inputs, _ = drives(of)
    before = of.settle(Drive(inputs)).node_volts
    inputs[0] *= 0.5
    after = of.settle(Drive(inputs)).node_volts
    assert np.abs(after[0] - before[0]).max() > 1e-3
    np.testing.assert_array_equal(after[1:], before[1:])


@pytest.mark.parametrize("curve", [Cubic(5.0), Sinh(2.0)], ids=str)
def test_the_number_of_threads_changes_no_bit(curve: Any) -> None:
    results = []
    before = numba.get_num_threads()
    for threads in (1, 2):
        numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
        try:
            of = substrate(circuit((7, 5), "ideal_diodes", n_signals=9), curve)
            results.append(of.settle(Drive(*drives(of))).node_volts)
        finally:
            numba.set_num_threads(before)
    np.testing.assert_array_equal(*results)


def test_voltages_come_in_the_type_asked_for() -> None:
    stack = circuit((4,), "ideal_diodes")
    wide, narrow = substrate(stack, Cubic(2.0)), substrate(stack, Cubic(2.0), dtype=np.float32)
    drive = Drive(*drives(wide))
    one, other = wide.settle(drive).node_volts, narrow.settle(drive).node_volts
    assert one.dtype == np.float64
    assert other.dtype == np.float32
    np.testing.assert_array_equal(one.astype(np.float32), other)


def test_layers_alike_but_for_bounds_of_outputs() -> None:
    """Outputs with diodes of their own are not eliminated for; a window that never acts is none."""
    plain = circuit((5,), "ideal_diodes")
    bounded = replace(plain.layers[1], neurons=circuit((2,), "ideal_pairs").layers[0].neurons)
    wide = replace(plain, layers=(plain.layers[0], bounded))
    small = drives(substrate(plain, Cubic(2.0)), volts=0.1)[0]
    one = substrate(plain, Cubic(2.0)).settle(Drive(small))
    other = substrate(wide, Cubic(2.0)).settle(Drive(small))
    assert one.ok.all()
    assert other.ok.all()
    np.testing.assert_allclose(one.node_volts, other.node_volts, rtol=0, atol=1e-12)
