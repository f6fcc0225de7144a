"""Neurons drawn as diodes with series sources (thesis 4.4.1)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from sim_backend.layered.neurons import (
    BOLTZMANN_OVER_CHARGE,
    IdealDiodes,
    Neurons,
    ShockleyPairs,
)
from sim_backend.nodal.elements import (
    GROUND,
    Diode,
    DiodeModel,
    Element,
    IdealDiode,
    VoltageSource,
)

__all__ = ["KELVIN", "NeuronDiodes"]

KELVIN = 300.15
"""Of the circuit; only its product with an ideality factor counts, which is the neurons'."""


class NeuronDiodes:
    """Elements of neurons, which share the sources that their diodes are in series with.

    They are called ``dup<k>``, ``dlow<k>`` and ``vheld<k>`` after the node ``n<k>`` they hang on.
    """

    def __init__(self) -> None:
        self._sources = _Sources()
        self._diodes: list[Element] = []

    @property
    def elements(self) -> list[Element]:
        """All that were added, and their sources."""
        return [*self._diodes, *self._sources.elements]

    def add(self, neurons: Neurons, nodes: Sequence[str]) -> None:
        """Neurons at nodes, one each."""
        if isinstance(neurons, IdealDiodes):
            self._diodes += _ideal_diodes(neurons, nodes)
        elif isinstance(neurons, ShockleyPairs):
            self._diodes += _shockley_pairs(neurons, nodes, self._sources)


class _Sources:
    """Voltage sources against ground that many diodes share: one for each voltage."""

    def __init__(self) -> None:
        self.elements: list[VoltageSource] = []
        self._nodes: dict[float, str] = {0.0: GROUND}

    def node(self, volts: float) -> str:
        """The node at this voltage."""
        if volts not in self._nodes:
            name = self._nodes[volts] = f"source{len(self.elements)}"
            self.elements.append(VoltageSource(f"v{name}", name, GROUND, volts))
        return self._nodes[volts]


def _ideal_diodes(neurons: IdealDiodes, nodes: Sequence[str]) -> Iterator[Element]:
    windows = zip(nodes, neurons.lower_volts, neurons.upper_volts, strict=True)
    for node, lower, upper in windows:
        if lower == upper:
            # Two ideal diodes at one voltage would share the current in any proportion.
            yield VoltageSource(f"vheld{node[1:]}", node, GROUND, float(upper))
            continue
        if np.isfinite(upper):
            yield IdealDiode(f"dup{node[1:]}", node, GROUND, float(upper))
        if np.isfinite(lower):
            # Plus 0.0, because a series source of -0.0 V would look strange in a netlist.
            yield IdealDiode(f"dlow{node[1:]}", GROUND, node, -float(lower) + 0.0)


def _shockley_pairs(
    neurons: ShockleyPairs, nodes: Sequence[str], sources: _Sources
) -> Iterator[Element]:
    idealities = neurons.thermal_volts / (BOLTZMANN_OVER_CHARGE * KELVIN)
    low_amps = neurons.lower_saturation_amps
    for node, up_amps, down_amps, ideality, lower, upper in zip(
        nodes,
        neurons.saturation_amps,
        neurons.saturation_amps if low_amps is None else low_amps,
        idealities,
        neurons.lower_volts,
        neurons.upper_volts,
        strict=True,
    ):
        above, below = (
            DiodeModel(float(amps), float(ideality), nominal_kelvin=KELVIN)
            for amps in (up_amps, down_amps)
        )
        yield Diode(f"dup{node[1:]}", node, sources.node(float(upper)), above)
        yield Diode(f"dlow{node[1:]}", sources.node(float(lower)), node, below)
