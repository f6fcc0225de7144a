"""A network of known voltages, and boards around it."""

from __future__ import annotations

from typing import Any

import numpy as np

from hil.arrays import Floats, IntArray
from hil.energy import ResistorEnergy
from hil.substrate import Drive, Settled, Substrate, SubstrateSpec
from hil.topology import Topology, layered
from sim_backend.board.abilities import board_around
from sim_backend.board.adapter import BoardSubstrate
from sim_backend.board.config import BoardConfig
from sim_backend.board.drawn import BoardDrawn

N_INPUTS, N_HIDDEN, N_OUTPUTS = 2, 3, 2
OHMS = 1e3
"""What an output rises by, for each ampere of nudge."""


def topology(n_hidden: int = N_HIDDEN) -> Topology:
    return layered(N_INPUTS, (n_hidden,), N_OUTPUTS)


class Linear(Substrate):
    """Voltages that are fixed sums of the inputs: 0.1 of the first one at the first hidden node,
    and so on; keeps its drives.  Examples whose first input is exactly 0.125 V fail.
    """

    def __init__(
        self, *, dtype: str = "float64", max_input_volts: float = 10.0, n_hidden: int = N_HIDDEN
    ) -> None:
        graph = topology(n_hidden)
        super().__init__(
            SubstrateSpec(
                "linear", graph, ResistorEnergy(graph, (1.0, 1.0)), max_input_volts, 1.0,
                (1e-6, 1e-2), 1e-5, 1e-12,
            )
        )  # fmt: skip
        n = n_hidden + N_OUTPUTS
        self.dtype = np.dtype(dtype)
        self.weights = np.linspace(0.1, 0.9, N_INPUTS * n).reshape(N_INPUTS, n)
        self.conductance: Floats = np.full(graph.n_devices, 1e-3)
        self.drives: list[Drive] = []
        self.reads = 0

    def steady(self, drive: Drive) -> Floats:
        """(batch, n_nodes) volts of all nodes but the inputs."""
        volts = drive.input_volts.astype(np.float64) @ self.weights
        if drive.nudge_amps is not None:
            volts[:, -N_OUTPUTS:] += OHMS * drive.nudge_amps
        return volts

    def read_conductance(self) -> Floats:
        self._check_open()
        self.reads += 1
        return self.conductance.copy()

    def adjust(self, delta_siemens: Floats) -> None:
        self._check_open()
        self.conductance = self.conductance + delta_siemens

    def _settle(self, drive: Drive, near: Settled | None) -> Settled:
        self.drives.append(drive)
        ok = drive.input_volts[:, 0] != 0.125
        volts = np.concatenate([drive.input_volts, self.steady(drive)], axis=1)
        volts[~ok] = np.nan
        return Settled(volts.astype(self.dtype), ok)

    def _pulse(self, counts: IntArray) -> None:
        self.conductance = self.conductance + counts * self.spec.pulse_siemens

    def _make_safe(self) -> None: ...


class Rig:
    """A board around :class:`Linear`."""

    def __init__(self, *, seed: int = 0, inner: dict[str, Any] | None = None, **board: Any) -> None:
        self.config = BoardConfig.model_validate(board)
        self.inner = Linear(**(inner or {}))
        graph = self.inner.spec.topology
        self.drawn: BoardDrawn = self.config.draw(graph, np.random.default_rng(seed))
        rng = np.random.default_rng(seed + 1)
        self.board: Any = board_around(self.inner, self.config, self.drawn, rng)
        assert isinstance(self.board, BoardSubstrate)

    def read(self, inputs: Floats, nudge: Floats | None = None) -> Floats:
        """What is read of the nodes that are no inputs."""
        settled = self.board.settle(Drive(inputs, nudge))
        assert settled.ok.all()
        return np.asarray(settled.node_volts[:, N_INPUTS:])

    def error(self, inputs: Floats, nudge: Floats | None = None) -> Floats:
        """Read minus true."""
        return self.read(inputs, nudge) - self.inner.steady(Drive(inputs, nudge))


def inputs(batch: int = 4, seed: int = 0, reach: float = 0.5) -> Floats:
    return np.random.default_rng(seed).uniform(-reach, reach, (batch, N_INPUTS))
