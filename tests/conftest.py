"""Builders of small circuits, and an evaluation of Kirchhoff's laws that shares no code with
the simulator: dense matrices made from the device list, one row a neuron."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import settings
from numpy.typing import NDArray
from scipy import optimize

from hil.topology import Topology
from sim_backend.layered.adapter import LayeredSubstrate
from sim_backend.layered.config import LayeredConfig
from sim_backend.order import Order

Array = NDArray[np.float64]

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

SHOCKLEY = {"kind": "shockley_pairs", "lower_volts": -0.1, "upper_volts": 0.1}
"""Pairs that conduct noticeably within a few hundred millivolts of their sources."""


@dataclass
class Built:
    """A substrate and what it was made from."""

    substrate: LayeredSubstrate
    config: LayeredConfig
    biased: tuple[bool, ...]

    @property
    def topology(self) -> Topology:
        return self.substrate.spec.topology


def _build(
    hidden: tuple[int, ...] = (4,),
    neurons: dict[str, Any] | str = "ideal_diodes",
    *,
    n_signals: int = 3,
    n_outputs: int = 2,
    biased: tuple[bool, ...] = (),
    gains: tuple[float, float] | None = None,
    precision: str = "float64",
    seed: int = 0,
    start_siemens: tuple[float, float] = (1e-4, 1e-3),
    max_input_volts: float = 1.0,
    threads: int = 2,
    **more: Any,
) -> Built:
    """A substrate with uniform start conductances; see ``LayeredConfig`` for ``more``."""
    low, high = start_siemens
    biased = biased or (False,) * (len(hidden) + 1)
    if neurons == "shockley_pairs":
        neurons = SHOCKLEY
    config = LayeredConfig.model_validate(
        {
            "hidden": hidden,
            "neurons": {"kind": neurons} if isinstance(neurons, str) else neurons,
            "amplifiers": gains and {"forward_gain": gains[0], "backward_gain": gains[1]},
            "initial": {"kind": "uniform", "low_siemens": low, "high_siemens": high},
            "g_min_siemens": 0.1 * low,
            "g_max_siemens": 2.0 * high,
        }
        | more
    )
    topology = config.topology(n_signals, n_outputs, biased)
    rng = np.random.default_rng(seed)
    order = Order(n_signals, n_outputs, biased, max_input_volts, precision, threads, rng)
    substrate = config.build(topology, order)
    assert isinstance(substrate, LayeredSubstrate)
    return Built(substrate, config, biased)


class DenseCircuit:
    """Kirchhoff's laws of a layered circuit, by dense matrices.

    With the Laplacian ``L = M diag(g) M^T`` of the device graph, node voltages ``V = S v + x``
    (``S`` places a neuron's voltage at its node and, A times, at its amplifier's output), and
    ``R`` collecting at each neuron its own current and B times what its amplifier delivers,
    the current that would accumulate at the neurons is ``-R L V - i_diode(v) + nudge``.
    """

    def __init__(self, built: Built, conductance: Array | None = None) -> None:
        self.topology = t = built.topology
        config = built.config
        read = built.substrate.read_conductance() if conductance is None else conductance
        self.g: Array = read.astype(np.float64)
        layers = [np.asarray(group.heads) for group in t.groups]
        self.neurons = np.concatenate(layers)
        self.layer = np.repeat(np.arange(len(layers)), [nodes.size for nodes in layers])
        n = self.neurons.size
        self.spread, self.collect = np.zeros((t.n_nodes, n)), np.zeros((n, t.n_nodes))
        self.spread[self.neurons, np.arange(n)] = self.collect[np.arange(n), self.neurons] = 1.0
        self.forward = self.backward = 1.0
        if config.amplifiers is not None:
            self.forward = config.amplifiers.forward_gain
            self.backward = config.amplifiers.backward_gain
            for index, nodes in enumerate(layers[:-1]):
                behind = np.asarray(t.groups[index + 1].tails)[: nodes.size]
                places = np.flatnonzero(self.layer == index)
                self.spread[behind, places] = self.forward
                self.collect[places, behind] = self.backward
        self.incidence = np.zeros((t.n_nodes, t.n_devices))
        self.incidence[t.tails, np.arange(t.n_devices)] = 1.0
        self.incidence[t.heads, np.arange(t.n_devices)] = -1.0
        is_output = np.isin(self.neurons, t.outputs)
        self.lower, self.upper = np.full(n, -np.inf), np.full(n, np.inf)
        self.shockley = np.zeros(n, bool)
        self.output_places = np.searchsorted(self.neurons, t.outputs)
        kind = config.neurons.kind
        if kind == "ideal_diodes":
            for index, nodes in enumerate(layers[:-1]):
                first = np.flatnonzero(self.layer == index)[0]
                half = nodes.size // 2
                self.lower[first : first + half] = 0.0
                self.upper[first + half : first + nodes.size] = 0.0
        elif kind == "shockley_pairs":
            self.shockley = ~is_output
            self.saturation = config.neurons.saturation_amps
            self.thermal = (
                config.neurons.ideality
                * config.neurons.temperature_kelvin
                * (1.380649e-23 / 1.602176634e-19)
            )
            self.source_low = config.neurons.lower_volts
            self.source_high = config.neurons.upper_volts

    @property
    def laplacian(self) -> Array:
        return (self.incidence * self.g) @ self.incidence.T

    @property
    def layer_weights(self) -> Array:
        """``(B/A)^layer``: what makes the weighted co-content stationary."""
        return (self.backward / self.forward) ** self.layer.astype(np.float64)

    def place(self, volts: Array, inputs: Array) -> Array:
        """All node voltages of one example from its neurons' voltages."""
        nodes = self.spread @ volts
        nodes[self.topology.inputs] = inputs
        return nodes

    def diode_amps(self, volts: Array) -> Array:
        """Current from each neuron into its pair of diodes; ideal diodes are not included."""
        amps = np.zeros_like(volts)
        if self.shockley.any():
            up = np.exp((volts[self.shockley] - self.source_high) / self.thermal)
            down = np.exp((self.source_low - volts[self.shockley]) / self.thermal)
            amps[self.shockley] = self.saturation * (up - down)
        return amps

    def diode_siemens(self, volts: Array) -> Array:
        slope = np.zeros_like(volts)
        if self.shockley.any():
            up = np.exp((volts[self.shockley] - self.source_high) / self.thermal)
            down = np.exp((self.source_low - volts[self.shockley]) / self.thermal)
            slope[self.shockley] = self.saturation * (up + down) / self.thermal
        return slope

    def diode_watts(self, volts: Array) -> Array:
        """Pseudo-power (thesis eq. 4.4) of each pair, up to a constant."""
        power = np.zeros_like(volts)
        if self.shockley.any():
            up = np.exp((volts[self.shockley] - self.source_high) / self.thermal)
            down = np.exp((self.source_low - volts[self.shockley]) / self.thermal)
            power[self.shockley] = self.saturation * self.thermal * (up + down)
        return power

    def surplus(self, nodes: Array, nudge: Array | None = None) -> Array:
        """Current that accumulates at each neuron of one example, amps; 0 by Kirchhoff's law
        except where an ideal diode takes it."""
        amps = -self.collect @ (self.laplacian @ nodes) - self.diode_amps(nodes[self.neurons])
        if nudge is not None:
            amps[self.output_places] += nudge
        return amps

    def traffic(self, nodes: Array) -> Array:
        """Sum of the absolute currents at each neuron, the scale of :meth:`surplus`."""
        flow = np.abs(self.incidence) @ np.abs(self.g * (self.incidence.T @ nodes))
        return np.abs(self.collect) @ flow + np.abs(self.diode_amps(nodes[self.neurons]))

    def jacobian(self, volts: Array) -> Array:
        """Derivative of :meth:`surplus` by the neurons' voltages."""
        return -self.collect @ self.laplacian @ self.spread - np.diag(self.diode_siemens(volts))

    def loss_gradient(self, nodes: Array, cost_gradient: Array) -> Array:
        """``dC/dg`` of one example by implicit differentiation at its free state.

        ``F(v, g) = 0`` gives ``dC/dg = -lambda^T dF/dg`` with ``J^T lambda = dC/dv``.  A neuron
        that an ideal diode holds does not move.
        """
        volts = nodes[self.neurons]
        moves = (volts > self.lower) & (volts < self.upper)
        slope = np.zeros(volts.size)
        slope[self.output_places] = cost_gradient
        adjoint = np.zeros(volts.size)
        jacobian = self.jacobian(volts)[np.ix_(moves, moves)]
        adjoint[moves] = np.linalg.solve(jacobian.T, slope[moves])
        sensed = self.incidence.T @ (self.collect.T @ adjoint)
        result: Array = sensed * (self.incidence.T @ nodes)
        return result

    def solve(self, inputs: Array, nudge: Array) -> Array:
        """Neuron voltages that minimise the (weighted) co-content of one example."""
        weights = self.layer_weights
        n = self.neurons.size
        offset = self.place(np.zeros(n), inputs)
        matrix = weights[:, None] * (self.collect @ self.laplacian @ self.spread)
        push = -self.collect @ (self.laplacian @ offset)
        push[self.output_places] += nudge
        push *= weights
        if not self.shockley.any():
            # A convex quadratic in a box is a bounded least-squares problem.
            root = np.linalg.cholesky(matrix)
            found = optimize.lsq_linear(
                root.T,
                np.linalg.solve(root, push),
                (self.lower, self.upper),
                method="bvls",
                tol=1e-15,
                max_iter=500,
            )
            assert found.success, found.message
            return np.asarray(found.x)
        unit = float(np.max(np.diag(matrix)))

        def content(v: Array) -> float:
            quadratic = 0.5 * v @ matrix @ v - push @ v
            return float(quadratic + np.sum(weights * self.diode_watts(v))) / unit

        def slope(v: Array) -> Array:
            return (matrix @ v - push + weights * self.diode_amps(v)) / unit

        def curvature(v: Array) -> Array:
            return (matrix + np.diag(weights * self.diode_siemens(v))) / unit

        found = optimize.minimize(
            content,
            np.zeros(n),
            jac=slope,
            hess=curvature,
            method="trust-exact",
            options={"initial_trust_radius": 0.05, "max_trust_radius": 0.1, "gtol": 1e-9},
        )
        # The content is flat to rounding near its minimum; its slope there is still exact.
        v = np.asarray(found.x)
        for _ in range(4):
            v = v - np.linalg.solve(curvature(v), slope(v))
        return v


@pytest.fixture(scope="session", autouse=True)
def _one_compiled_thread() -> Iterator[None]:
    """Circuits of a few nodes gain nothing by threads that wait for each other."""
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    yield
    numba.set_num_threads(before)


@pytest.fixture(scope="session")
def build() -> Callable[..., Built]:
    return _build


@pytest.fixture(scope="session")
def dense() -> type[DenseCircuit]:
    return DenseCircuit
