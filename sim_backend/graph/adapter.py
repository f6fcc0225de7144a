"""Any circuit with programmable resistors as a :class:`hil.Substrate`."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hil.arrays import Floats, IntArray
from hil.energy import EnergyModel, ResistorEnergy
from hil.errors import ConfigurationError
from hil.substrate import Comparisons, Drive, Settled, Substrate, SubstrateSpec
from hil.topology import Topology
from sim_backend.curved.energy import CurvedEnergy
from sim_backend.devices import Devices
from sim_backend.graph import curves
from sim_backend.memristors.conduction import Conduction, Linear
from sim_backend.nodal.checks import CircuitError
from sim_backend.nodal.elements import (
    GROUND,
    Circuit,
    CurrentSource,
    Resistor,
    Resistors,
    VoltageSource,
)
from sim_backend.nodal.parts import Parts
from sim_backend.nodal.power import NoPseudoPowerError, PseudoPower
from sim_backend.nodal.solver import NewtonOptions, Solver
from sim_backend.phases import compare_held
from sim_backend.programming import ProgramsIdeally

__all__ = ["Limits", "NodalSubstrate", "Wiring"]

_RESIDUAL = 1e-6
"""Least share of the currents at a node that may be left over: where they nearly cancel, rounding
leaves more than the error of the voltages says."""


@dataclass(frozen=True)
class Wiring:
    """Where the roles of a topology are found in a circuit.

    Attributes:
        nodes: (n_nodes,) name of each node of the topology in the circuit, ``0`` for ground.
        inputs: names of the voltage sources, one an input; each against ground.
        devices: name of the resistor of each device, groups' ones as ``name[k]``.
    """

    nodes: tuple[str, ...]
    inputs: tuple[str, ...]
    devices: tuple[str, ...]


@dataclass(frozen=True)
class Limits:
    """What a substrate may be asked for; see :class:`hil.SubstrateSpec`.

    Attributes:
        window_siemens: (g_min, g_max); g_min above 0, so that no node can come to float.
        pulse_siemens: change by one programming pulse.
        max_input_volts: limit of the input sources.
        max_nudge_amps: limit of the nudge sources.
        tolerance: of node voltages, relative to the largest one.
    """

    window_siemens: tuple[float, float]
    pulse_siemens: float
    max_input_volts: float
    max_nudge_amps: float
    tolerance: float = 1e-9


class NodalSubstrate(ProgramsIdeally, Substrate):
    """Simulated network of any shape.

    Besides the contract it can adjust, read and load conductances, count writes, compare drops
    and draw itself as a circuit.

    Args:
        kind: for records.
        circuit: sources at their levels of rest; trainable resistors in it at any value.
        topology: devices, inputs and outputs.
        wiring: what the topology's parts are called in the circuit.
        conductance_siemens: (n_devices,) start conductances.
        limits: see :class:`Limits`.
        built: the circuit as it came out, with diodes and amplifiers that differ from those of
            ``circuit``: what is solved and drawn, while the weights of the energy and the check
            that there is a pseudo-power are those of ``circuit``.  Nodes, sources and trainable
            resistors have the same names in both.
        conduction: curve ``f`` of the trainable devices, which then carry ``g f(V)``; none or
            ``Linear`` for resistors.  Curves are evaluated one by one: for small networks.

    Raises:
        ConfigurationError: a circuit cannot be solved, has no pseudo-power, or does not
            match the wiring.
    """

    def __init__(
        self,
        kind: str,
        circuit: Circuit,
        topology: Topology,
        wiring: Wiring,
        conductance_siemens: Floats,
        limits: Limits,
        *,
        built: Circuit | None = None,
        conduction: Conduction | None = None,
    ) -> None:
        self._devices = Devices(conductance_siemens, limits.window_siemens)
        self._conduction = None if isinstance(conduction, Linear) else conduction
        self._curve_siemens = self._devices.siemens.astype(np.float64)
        outputs = [wiring.nodes[node] for node in topology.outputs]
        solved = circuit
        if built is not None:
            _check_same(built, wiring)
            solved = built
        if self._conduction is not None:
            solved = curves.bend(solved, wiring.devices, self._conduction, self._curve_siemens)
        self._circuit = _with_nudges(solved, outputs)
        try:
            weights = _group_weights(_with_nudges(circuit, outputs), topology, wiring)
            self._solver = Solver(
                self._circuit,
                NewtonOptions(
                    volts=limits.tolerance * limits.max_input_volts,
                    relative=limits.tolerance,
                    residual=max(_RESIDUAL, limits.tolerance),
                ),
            )
        except (CircuitError, NoPseudoPowerError) as error:
            raise ConfigurationError(f"this network cannot be trained: {error}") from error
        super().__init__(
            SubstrateSpec(
                kind=kind,
                topology=topology,
                energy=_energy(topology, weights, self._conduction),
                max_input_volts=limits.max_input_volts,
                max_nudge_amps=limits.max_nudge_amps,
                window_siemens=limits.window_siemens,
                pulse_siemens=limits.pulse_siemens,
                settle_tolerance=limits.tolerance,
            )
        )
        self._wiring = wiring
        self._connect(wiring, len(outputs))
        self._program()

    # --- the contract ---------------------------------------------------------------------

    def _settle(self, drive: Drive, near: Settled | None) -> Settled:
        levels = np.repeat(self._solver.equations.levels[None], len(drive.input_volts), axis=0)
        levels[:, self._input_at] = drive.input_volts * self._input_signs
        if drive.nudge_amps is not None:
            levels[:, self._nudge_at] = drive.nudge_amps
        start = None if near is None else self._spread(near.node_volts)
        solution = self._solver.solve(levels, near=start)
        ground = np.zeros((len(levels), 1))
        # Ground has place -1, the column appended here.
        volts = np.concatenate([solution.node_volts, ground], axis=1)[:, self._node_at]
        return Settled(volts, solution.ok)

    def _make_safe(self) -> None:
        """Nothing is energised between calls."""

    # --- abilities ------------------------------------------------------------------------

    def accumulate_comparisons(
        self, first: Drive, second: Drive, dead_zone_volts: float, near: Settled | None = None
    ) -> Comparisons:
        """Settle both drives and compare every device's absolute drops; see the protocol."""
        before, after = self.settle(first, near), self.settle(second, near)
        return compare_held(self.spec.topology, before, after, dead_zone_volts)

    def circuit(self, input_volts: Floats, nudge_amps: Floats | None) -> Circuit:
        """The circuit with its present conductances, (n_inputs,) volts and (n_outputs,) amps."""
        levels = dict(zip(self._wiring.inputs, input_volts * self._input_signs, strict=True))
        nudges = np.zeros(self._nudge_at.size) if nudge_amps is None else nudge_amps
        sources = self._solver.sources
        levels |= {sources[at]: amps for at, amps in zip(self._nudge_at, nudges, strict=True)}
        drawn = _set_levels(self._circuit, levels, self._siemens)
        if self._conduction is None:
            return drawn
        return curves.keep(drawn, self._wiring.devices, self._conduction, self._devices.siemens)

    def node_names(self) -> tuple[str, ...]:
        """(n_nodes,) name of every node in the circuit; ``0`` is ground."""
        return self._wiring.nodes

    # --- inside ---------------------------------------------------------------------------

    def _connect(self, wiring: Wiring, n_outputs: int) -> None:
        equations = self._solver.equations
        place = {name: k for k, name in enumerate(equations.nodes)} | {"0": -1}
        self._node_at: IntArray = np.array([place[name] for name in wiring.nodes], np.intp)
        sources = {name: k for k, name in enumerate(equations.sources)}
        self._input_at: IntArray = np.array([sources[name] for name in wiring.inputs], np.intp)
        turned = {e.name for e in equations.parts.voltage_sources if e.plus == GROUND}
        signs = [-1.0 if name in turned else 1.0 for name in wiring.inputs]
        self._input_signs: NDArray[np.float64] = np.array(signs)
        # The nudges were added last.
        self._nudge_at: IntArray = np.arange(len(sources) - n_outputs, len(sources))
        parts = equations.parts
        # Nodes inside of diodes, behind their series resistance, are no nodes of the topology.
        anodes = {diode.name: diode.anode for diode in parts.junctions}
        self._inner_at = np.array(list(parts.inner.values()), np.intp)
        self._anode_at = np.array([place[anodes[name]] for name in parts.inner], np.intp)
        self._siemens = parts.resistor_siemens.copy()
        if self._conduction is not None:
            return
        at = {parts.resistor_name(k): k for k in range(self._siemens.size)}
        self._device_at: IntArray = np.array([at[name] for name in wiring.devices], np.intp)

    def _program(self) -> None:
        if self._conduction is not None:
            # The curves look here; resistors stay as they are.
            self._curve_siemens[:] = self._devices.siemens
            return
        self._siemens[self._device_at] = self._devices.siemens
        self._solver.set_resistors(self._siemens)

    def _spread(self, node_volts: Floats) -> NDArray[np.float64]:
        """Voltages of all nodes of the circuit from those of the topology's."""
        found = np.zeros((len(node_volts), len(self._solver.nodes) + 1))
        found[:, self._node_at] = node_volts
        found[:, -1] = 0.0  # ground
        found[:, self._inner_at] = found[:, self._anode_at]
        return found[:, :-1]


def _energy(
    topology: Topology, weights: tuple[float, ...], conduction: Conduction | None
) -> EnergyModel:
    if conduction is None:
        return ResistorEnergy(topology, weights)
    return CurvedEnergy(topology, weights, conduction)


def _check_same(built: Circuit, wiring: Wiring) -> None:
    """Refuse a circuit in which parts of the wiring are missing.

    Raises:
        ConfigurationError: see above.
    """
    parts = Parts(built)
    resistors = {parts.resistor_name(k) for k in range(parts.resistor_siemens.size)}
    sources = {source.name for source in parts.voltage_sources}
    wanted: tuple[tuple[str, Sequence[str], set[str]], ...] = (
        ("node", wiring.nodes, {GROUND, *parts.nodes}),
        ("input source", wiring.inputs, sources),
        ("trainable resistor", wiring.devices, resistors),
    )
    for kind, names, found in wanted:
        missing = [name for name in names if name not in found]
        if missing:
            raise ConfigurationError(
                f"the circuit as built has no {kind} {missing[0]}; it must name nodes, sources "
                "and trainable resistors as the nominal one does"
            )


def _with_nudges(circuit: Circuit, outputs: list[str]) -> Circuit:
    """The circuit with a source of 0 A into every output, named ``inudge0`` and so on."""
    taken = {element.name for element in circuit.elements}
    prefix = "inudge"
    while any(f"{prefix}{k}" in taken for k in range(len(outputs))):
        prefix += "_"
    nudges = [CurrentSource(f"{prefix}{k}", "0", node, 0.0) for k, node in enumerate(outputs)]
    return dataclasses.replace(circuit, elements=(*circuit.elements, *nudges))


def _group_weights(circuit: Circuit, topology: Topology, wiring: Wiring) -> tuple[float, ...]:
    """Factor of each device group in the pseudo-power, relative to that of the outputs.

    Raises:
        NoPseudoPowerError: there is none.
        ConfigurationError: outputs, or the devices of one group, lie on different sides of an
            amplifier.
    """
    power = PseudoPower(circuit)
    weight = dict(zip(power.nodes, power.node_weights, strict=True)) | {"0": np.nan}
    of_node = np.array([weight[name] for name in wiring.nodes])
    at_outputs = of_node[topology.outputs]
    if not np.isfinite(at_outputs).all():
        held = wiring.nodes[topology.outputs[int(np.argmin(np.isfinite(at_outputs)))]]
        raise ConfigurationError(f"output {held} is held by a source; a nudge cannot move it")
    if not np.allclose(at_outputs, at_outputs[0], rtol=1e-9):
        raise ConfigurationError(
            "the outputs lie on different sides of an amplifier, so that one beta would nudge "
            "them differently; take outputs of one side"
        )
    found = []
    for k, group in enumerate(topology.groups):
        tails, heads = group.ends()
        weights = np.fmax(of_node[tails], of_node[heads])
        weights = weights[np.isfinite(weights)]  # a device between sources learns nothing
        if weights.size and not np.allclose(weights, weights[0], rtol=1e-9):
            raise ConfigurationError(
                f"the devices of group {k} lie on different sides of an amplifier; list those "
                "of each side in a group of their own"
            )
        found.append(float(weights[0] / at_outputs[0]) if weights.size else 1.0)
    return tuple(found)


def _set_levels(
    circuit: Circuit, levels: dict[str, float], siemens: NDArray[np.float64]
) -> Circuit:
    """The circuit with other levels by name, and all conductances, singles first."""
    elements = []
    single, group = 0, sum(isinstance(e, Resistor) for e in circuit.elements)
    for element in circuit.elements:
        if isinstance(element, Resistor):
            element = dataclasses.replace(element, siemens=float(siemens[single]))
            single += 1
        elif isinstance(element, Resistors):
            n = element.siemens.size
            element = dataclasses.replace(element, siemens=siemens[group : group + n].copy())
            group += n
        elif isinstance(element, VoltageSource) and element.name in levels:
            element = dataclasses.replace(element, volts=float(levels[element.name]))
        elif isinstance(element, CurrentSource) and element.name in levels:
            element = dataclasses.replace(element, amps=float(levels[element.name]))
        elements.append(element)
    return dataclasses.replace(circuit, elements=tuple(elements))
