"""Contrasts of curved devices, factor by factor, against every device's own drops."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from hil.energy import ResistorEnergy, Term
from hil.topology import Edges, Topology, layered
from sim_backend.curved.energy import CurvedEnergy
from sim_backend.memristors.conduction import Conduction, Cubic, Linear, Sinh

Array = NDArray[np.float64]

CURVES: list[Conduction] = [Linear(), Cubic(0.0), Cubic(2.0), Sinh(3.0)]
STACK = layered(4, (3, 5), 2, biased=(True, False, True), amplified=True)


def exact(energy: CurvedEnergy, terms: list[Term]) -> Array:
    """In extended precision, so that differences of terms may be taken."""
    topology = energy.topology
    total = np.zeros(topology.n_devices, np.longdouble)
    for term in terms:
        volts = term.node_volts.astype(np.longdouble)
        drop = volts[:, topology.tails] - volts[:, topology.heads]
        match energy.conduction:
            case Sinh(per_volt=b):
                local = 2 * (np.sinh(drop * np.longdouble(b) / 2) / np.longdouble(b)) ** 2
            case Cubic(per_volt2=a):
                local = drop**2 / 2 + np.longdouble(a) * drop**4 / 4
            case _:
                local = drop**2 / 2
        total += np.longdouble(term.coefficient) * local.sum(axis=0)
    weights = np.repeat(energy.weights, [g.n_devices for g in topology.groups])
    return np.asarray(weights * total, np.float64)


def states(topology: Topology, apart: float, seed: int = 0) -> tuple[Array, Array, Array]:
    """Three phases of the same inputs whose other nodes lie ``apart`` volts apart."""
    rng = np.random.default_rng(seed)
    first = rng.uniform(-1.0, 1.0, (6, topology.n_nodes))
    others = [first + apart * rng.normal(size=first.shape) for _ in range(2)]
    for volts in others:
        volts[:, topology.inputs] = first[:, topology.inputs]
    return first, others[0], others[1]


@pytest.mark.parametrize("curve", CURVES, ids=str)
@pytest.mark.parametrize("apart", [0.3, 1e-3, 1e-9])
def test_differences_are_exact_however_small(curve: Conduction, apart: float) -> None:
    energy = CurvedEnergy(STACK, (4.0, 2.0, 1.0), curve)
    free, up, down = states(STACK, apart)
    for terms in (
        [Term(0.5 / apart, up), Term(-0.5 / apart, down)],
        [Term(1.0 / apart, up), Term(-1.0 / apart, free)],
        [Term(2.0 / apart, free), Term(-0.7 / apart, up), Term(-1.3 / apart, down)],
    ):
        expected = exact(energy, terms)
        found = energy.contrast(terms)
        assert found.shape == (STACK.n_devices,)
        # Voltages themselves are only known to rounding.
        rounding = 1e-14 + 1e-15 / apart
        np.testing.assert_allclose(found, expected, rtol=0, atol=rounding * np.abs(expected).max())


@pytest.mark.parametrize("curve", CURVES, ids=str)
def test_small_differences_of_large_numbers_keep_their_digits(curve: Conduction) -> None:
    """At 32 bits the squares of such phases differ by less than they are rounded."""
    energy = CurvedEnergy(STACK, (1.0, 1.0, 1.0), curve)
    free, up, _ = (volts.astype(np.float32) for volts in states(STACK, 1e-5))
    terms = [Term(1.0, up), Term(-1.0, free)]
    expected = exact(energy, terms)
    found = energy.contrast(terms)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("curve", CURVES, ids=str)
def test_weights_that_do_not_cancel(curve: Conduction) -> None:
    energy = CurvedEnergy(STACK, (1.0, 0.5, 1.0), curve)
    free, up, down = states(STACK, 0.3)
    for terms in ([Term(2.0, up)], [Term(1.0, free), Term(2.0, up), Term(-0.5, down)]):
        expected = exact(energy, terms)
        np.testing.assert_allclose(energy.contrast(terms), expected, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("curve", CURVES, ids=str)
def test_inputs_that_differ_between_phases_count(curve: Conduction) -> None:
    energy = CurvedEnergy(STACK, (1.0, 1.0, 1.0), curve)
    rng = np.random.default_rng(1)
    terms = [Term(c, rng.normal(size=(3, STACK.n_nodes))) for c in (1.0, -0.4, -0.6)]
    np.testing.assert_allclose(energy.contrast(terms), exact(energy, terms), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("curve", CURVES, ids=str)
def test_single_edges(curve: Conduction) -> None:
    tails, heads = STACK.tails[::3], STACK.heads[::3]
    topology = Topology(STACK.n_nodes, STACK.inputs, STACK.outputs, (Edges(tails, heads),))
    energy = CurvedEnergy(topology, (3.0,), curve)
    free, up, down = states(topology, 1e-6)
    for terms in ([Term(0.5, up), Term(-0.5, down)], [Term(2.0, free)]):
        expected = exact(energy, terms)
        atol = 1e-8 * np.abs(expected).max()
        np.testing.assert_allclose(energy.contrast(terms), expected, rtol=0, atol=atol)


def test_a_straight_curve_is_a_resistor() -> None:
    weights = (4.0, 2.0, 1.0)
    free, up, down = states(STACK, 0.1)
    terms = [Term(0.5, up), Term(-0.3, down), Term(-0.2, free)]
    expected = ResistorEnergy(STACK, weights).contrast(terms)
    for curve in (Linear(), Cubic(0.0)):
        found = CurvedEnergy(STACK, weights, curve).contrast(terms)
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)


def test_phases_that_are_equal_have_no_contrast() -> None:
    free, _, _ = states(STACK, 0.1)
    for curve in CURVES:
        found = CurvedEnergy(STACK, (1.0, 1.0, 1.0), curve).contrast(
            [Term(1.0, free), Term(-1.0, free.copy())]
        )
        assert not found.any()


@pytest.mark.parametrize("curve", CURVES, ids=str)
def test_the_local_gradient_is_what_contrasts_sum(curve: Conduction) -> None:
    energy = CurvedEnergy(STACK, (1.0, 1.0, 1.0), curve)
    free, _, _ = states(STACK, 0.1)
    drops = free[:, STACK.tails] - free[:, STACK.heads]
    local = energy.local_gradient_volts2(drops)
    assert local.shape == drops.shape
    np.testing.assert_allclose(energy.contrast([Term(1.0, free)]), local.sum(0), rtol=1e-10)
