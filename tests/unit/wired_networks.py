"""Networks with wires from the layered ones that the fixture ``build`` makes, and a slow solver of
one crossbar that shares no code with the package."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim_backend.layered.network import SolverOptions
from sim_backend.wired.adapter import WiredSubstrate
from sim_backend.wired.building import build_wired
from sim_backend.wired.config import WiresConfig

Array = NDArray[np.float64]
Build = Callable[..., Any]

PerCrossbar = float | tuple[float, ...]


def wire(
    built: Any,
    word_ohms: PerCrossbar,
    bit_ohms: PerCrossbar,
    options: SolverOptions | None = None,
) -> WiredSubstrate:
    """The same network with wires."""
    layered = built.substrate
    spec, network = layered.spec, layered._network
    return build_wired(
        network.circuit,
        WiresConfig(word_ohms=word_ohms, bit_ohms=bit_ohms),
        layered.read_conductance(),
        options or network.options,
        spec.topology,
        amplified=built.config.amplifiers is not None,
        energy_weights=spec.energy.weights,
        window_siemens=spec.window_siemens,
        pulse_siemens=spec.pulse_siemens,
        max_input_volts=spec.max_input_volts,
        max_nudge_amps=spec.max_nudge_amps,
        dtype=network.dtype,
    )


class DensePorts:
    """Ports of one crossbar by a dense Laplacian of every node; ends of lines come last.

    A line without resistance is one node.
    """

    def __init__(self, conductance_siemens: Array, word_ohms: float, bit_ohms: float) -> None:
        self.ohms = word_ohms, bit_ohms
        self.update(conductance_siemens)

    def update(self, conductance_siemens: Array) -> None:
        word_ohms, bit_ohms = self.ohms
        n, m = self.shape = conductance_siemens.shape
        inner = (n * m if word_ohms else 0) + (n * m if bit_ohms else 0)
        driver, end = inner + np.arange(n), inner + n + np.arange(m)
        self.words = np.repeat(driver[:, None], m, axis=1)
        self.bits = np.repeat(end[None], n, axis=0)
        if word_ohms:
            self.words = np.arange(n * m).reshape(n, m)
        if bit_ohms:
            self.bits = inner - n * m + np.arange(n * m).reshape(n, m)
        self.inner, self.y = inner, np.zeros((inner + n + m, inner + n + m))
        for i in range(n):
            for j in range(m):
                self._join(self.words[i, j], self.bits[i, j], conductance_siemens[i, j])
                if word_ohms:
                    before = self.words[i, j - 1] if j else driver[i]
                    self._join(before, self.words[i, j], 1.0 / word_ohms)
                if bit_ohms:
                    after = self.bits[i + 1, j] if i + 1 < n else end[j]
                    self._join(self.bits[i, j], after, 1.0 / bit_ohms)
        k = inner
        self.follow = -np.linalg.solve(self.y[:k, :k], self.y[:k, k:])

    def _join(self, one: int, other: int, siemens: float) -> None:
        self.y[[one, other], [one, other]] += siemens
        self.y[[one, other], [other, one]] -= siemens

    def admittance(self) -> Array:
        k = self.inner
        found: Array = self.y[k:, k:] + self.y[k:, :k] @ self.follow
        return found

    def interior(self, port_volts: Array) -> tuple[Array, Array]:
        volts = np.concatenate([port_volts @ self.follow.T, port_volts], axis=1)
        return volts[:, self.words], volts[:, self.bits]
