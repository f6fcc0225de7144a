"""Phases by emulated SMUs and a scanner in one circuit, against the same circuit solved."""

from __future__ import annotations

import tomllib
from typing import Any

import numpy as np
import pytest

from drivers.bench.config import BenchConfig, InstrumentConfig
from drivers.bench.equipment import Equipment
from drivers.bench.phases_smu import SmuPhases
from drivers.emulated.circuit_world import CircuitWorld
from drivers.emulated.interface import EmulatedInstrument
from drivers.emulated.keithley2600b import EmulatedKeithley2600B
from drivers.emulated.keithley3706a import EmulatedKeithley3706A
from drivers.emulated.keithleydaq6510 import EmulatedKeithleyDaq6510
from hil.arrays import Floats
from hil.errors import HilError
from hil.substrate import Drive, Settled
from sim_backend.nodal.elements import (
    GROUND,
    Circuit,
    CurrentSource,
    Diode,
    DiodeModel,
    Element,
    Resistors,
    VoltageSource,
)
from sim_backend.nodal.solver import Solver
from tests.protocol.bench.files import smu_bench
from tests.protocol.bench.instruments import Recorded, session

NETS = ("x0", "x1", "h0", "h1", "y0")
FIRST = np.array([[2e-5, 7e-5], [5e-5, 1e-5]])
SECOND = np.array([[4e-5], [8e-5]])
ELEMENTS: list[Element] = [
    Resistors.crossbar("a0", NETS[:2], NETS[2:4], FIRST),
    Resistors.crossbar("a1", NETS[2:4], NETS[4:], SECOND),
    Diode("d0", "h0", GROUND, DiodeModel(1e-7, 1.5)),
]
INPUTS = np.array([[0.3, -0.2], [0.45, 0.5], [-0.4, 0.1]])
NUDGES = np.array([[1e-6], [2e-6], [-4e-6]])


class Lab:
    """A 2-2-1 network with a diode; SMUs at inputs and output, a scanner at the other nodes."""

    def __init__(self, **phases: Any) -> None:
        text = smu_bench(2, [2], 1, envelope={"read_volts": 4.1})
        config = BenchConfig.model_validate(tomllib.loads(text))
        # Not what a file may say, where nodes have to stay within the range of the meter.
        self.config = config.model_copy(update={"phases": config.phases.model_copy(update=phases)})
        self.world = CircuitWorld(Circuit(ELEMENTS))
        self.inputs = EmulatedKeithley2600B(self.world, serial="4100001", name="in1")
        self.output = EmulatedKeithley2600B(self.world, serial="4100002", name="out1")
        self.access = EmulatedKeithley2600B(self.world, serial="4100003", name="access")
        self.meter = EmulatedKeithleyDaq6510(self.world)
        wires = [
            (self.inputs.channels["a"], "x0"),
            (self.inputs.channels["b"], "x1"),
            (self.output.channels["a"], "y0"),
            *((self.meter.channels[101 + k], net) for k, net in enumerate(NETS[2:])),
        ]
        for channel, net in wires:
            channel.hi, channel.lo = net, GROUND
        for smu in (self.inputs, self.output, self.access):
            for channel in smu.channels.values():
                self.world.attach(channel)
        for channel in self.meter.channels.values():
            self.world.attach(channel)
        self.sessions: dict[str, Recorded] = {}
        self.equipment = Equipment.connect(self.config, self._open, self.world.elapse)
        self.equipment.prepare()
        self.phases = SmuPhases(self.config, self.equipment, self.world.elapse)
        self.phases.energise()

    def _open(self, name: str, _: InstrumentConfig) -> Recorded:
        instruments: dict[str, EmulatedInstrument] = {
            "in1": self.inputs,
            "out1": self.output,
            "access": self.access,
            "meter": self.meter,
            "matrix": EmulatedKeithley3706A(self.world),
        }
        self.sessions[name] = session(instruments[name], name)
        return self.sessions[name]

    def settle(self, *nudges: Floats | None) -> list[Settled]:
        for each in self.sessions.values():
            each.sent.clear()
        return self.phases.settle_each([Drive(INPUTS, amps) for amps in nudges])

    def n_messages(self) -> dict[str, int]:
        return {name: len(each.sent) for name, each in self.sessions.items() if each.sent}


def solved(amps: Floats) -> Floats:
    """(batch, n_nodes) volts."""
    sources = [
        VoltageSource("s0", "x0", GROUND, 0.0),
        VoltageSource("s1", "x1", GROUND, 0.0),
        CurrentSource("n0", GROUND, "y0", 0.0),
    ]
    solver = Solver(Circuit([*ELEMENTS, *sources]))
    found = solver.solve({"s0": INPUTS[:, 0], "s1": INPUTS[:, 1], "n0": amps[:, 0]})
    assert found.ok.all()
    return found.node_volts[:, [solver.nodes.index(net) for net in NETS]]


def test_states_are_those_of_the_circuit() -> None:
    lab = Lab()
    states = lab.settle(None, -NUDGES, NUDGES)
    for state, amps in zip(states, (0.0 * NUDGES, -NUDGES, NUDGES), strict=True):
        assert state.ok.all()
        # The scanner gives 6 1/2 digits of its range of 1 V.
        assert state.node_volts == pytest.approx(solved(amps), abs=2e-6)
    assert np.abs(states[2].node_volts - states[1].node_volts).max() > 0.01


def test_exchanges() -> None:
    lab = Lab()
    lab.settle(None)
    assert lab.n_messages() == {"in1": 3 + 1, "meter": 3}
    lab.settle(-NUDGES, NUDGES)
    assert lab.n_messages() == {"in1": 3 + 1, "out1": 6 + 1, "meter": 6}


def test_outputs_are_on_at_zero_and_come_back_to_it() -> None:
    lab = Lab()
    for smu, letter in ((lab.inputs, "a"), (lab.inputs, "b"), (lab.output, "a")):
        assert smu.output_on(letter)
    assert not lab.output.output_on("b")
    assert all(lab.world.net_volts(net) == pytest.approx(0.0, abs=1e-9) for net in NETS)
    lab.settle(NUDGES)
    assert all(lab.world.net_volts(net) == pytest.approx(0.0, abs=1e-9) for net in NETS)
    assert lab.meter.closed == []


def test_limits_go_out_before_levels_and_outputs_come_on_last() -> None:
    lab = Lab()
    for name, limit in (("in1", "smua.source.limiti"), ("out1", "smua.source.limitv")):
        sent = "\n".join(lab.sessions[name].sent)
        level = limit.replace("limiti", "levelv").replace("limitv", "leveli")
        assert 0 <= sent.find(limit) < sent.find(level) < sent.find("smua.source.output=1")


def test_an_input_in_compliance() -> None:
    """Only those examples are spoiled in which a source would have to give more."""
    wanted = np.abs([input_amps(line) for line in range(2)]).max(axis=0)
    limit = float(np.sort(wanted)[1:].mean())
    (free,) = Lab(input_limit_amps=limit).settle(None)
    assert free.ok.tolist() == (wanted < limit).tolist()
    assert free.ok.sum() == 2


def input_amps(line: int) -> Floats:
    """(batch,) out of an input source in free phases."""
    volts = solved(0.0 * NUDGES)
    return ((volts[:, [line]] - volts[:, 2:4]) * FIRST[line]).sum(axis=1)


def test_a_nudge_in_compliance() -> None:
    free, up, down = (solved(sign * NUDGES)[:, 4] for sign in (0, 1, -1))
    limit = float(np.abs(up).max() - 2e-3)
    assert np.abs(free).max() < 0.97 * limit
    lab = Lab(nudge_limit_volts=limit)
    lower, upper = lab.settle(-NUDGES, NUDGES)
    assert upper.ok.tolist() == (np.abs(up) < 0.98 * limit).tolist()
    assert lower.ok.tolist() == (np.abs(down) < 0.98 * limit).tolist()
    assert not upper.ok.all()
    assert upper.ok.any()
    assert np.abs(upper.node_volts[:, 4]).max() == pytest.approx(limit, abs=1e-5)


def test_beyond_the_meters_range() -> None:
    lab = Lab(max_input_volts=2.0, nudge_limit_volts=2.0)
    inputs = np.array([[0.1, 0.2], [-2.0, -2.0], [0.3, 0.1]])
    (state,) = lab.phases.settle_each([Drive(inputs)])
    assert state.ok.tolist() == [True, False, True]
    assert np.isnan(state.node_volts[1, 2:]).all()
    assert np.isfinite(np.delete(state.node_volts, 1, axis=0)).all()


def test_an_instrument_that_fails_is_not_asked_again() -> None:
    lab = Lab()
    lab.output.receive(b"smua = nil\n")
    with pytest.raises(HilError, match="out1"):
        lab.settle(NUDGES)
    assert len(lab.sessions["out1"].sent) <= 3  # the step, and what it was that went wrong
    assert "meter" not in lab.n_messages()
