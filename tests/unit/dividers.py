"""A substrate of dividers that keeps what it was asked, and a batch for it."""

from __future__ import annotations

import numpy as np

from hil.arrays import IntArray
from hil.energy import ResistorEnergy
from hil.substrate import Drive, Settled, Substrate, SubstrateSpec
from hil.topology import layered

BETA = 2e-3


class Recorder(Substrate):
    """Resistive dividers, ``V = (x g + i) / sum(g)``, bent by a cubic term; keeps its drives.

    ``fails`` maps the number of a settle call to the examples that fail in it.
    """

    def __init__(
        self, n_inputs: int = 2, n_outputs: int = 2, fails: dict[int, list[int]] | None = None
    ) -> None:
        topology = layered(n_inputs, (), n_outputs)
        energy = ResistorEnergy(topology, (1.0,))
        super().__init__(
            SubstrateSpec("dividers", topology, energy, 10.0, 1.0, (0.0, 1.0), 1e-3, 1e-12)
        )
        self.conductance = np.linspace(1e-3, 2e-3, topology.n_devices).reshape(n_inputs, n_outputs)
        self.drives: list[Drive] = []
        self.nears: list[Settled | None] = []
        self.states: list[Settled] = []
        self.fails = fails or {}

    def _settle(self, drive: Drive, near: Settled | None) -> Settled:
        x = drive.input_volts
        push = x @ self.conductance.astype(x.dtype)
        if drive.nudge_amps is not None:
            push = push + drive.nudge_amps
        outputs = push / self.conductance.sum(axis=0).astype(x.dtype)
        outputs = outputs - x.dtype.type(0.1) * outputs**3
        volts = np.concatenate([x, outputs], axis=1)
        ok = np.ones(len(x), bool)
        failing = self.fails.get(len(self.drives), [])
        ok[failing] = False
        volts[failing] = np.nan
        self.drives.append(drive)
        self.nears.append(near)
        self.states.append(Settled(volts, ok))
        return self.states[-1]

    def _pulse(self, counts: IntArray) -> None: ...

    def _make_safe(self) -> None: ...


INPUTS = np.array([[0.5, -0.25], [0.1, 0.2], [-0.4, 0.3]])
TARGETS = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
