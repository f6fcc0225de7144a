"""Sessions, identities and resets of all instruments of a bench file."""

from __future__ import annotations

import tomllib
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from drivers.bench.config import BenchConfig, InstrumentConfig
from drivers.bench.equipment import Equipment
from drivers.bench.sources import Aimed
from drivers.emulated.interface import EmulatedInstrument
from drivers.emulated.keithley707b import EmulatedKeithley707B
from drivers.emulated.keithley2600b import EmulatedKeithley2600B
from drivers.emulated.keithley3706a import EmulatedKeithley3706A
from drivers.emulated.keithleydaq6510 import EmulatedKeithleyDaq6510
from drivers.emulated.shboard import ShBoard
from drivers.emulated.shboard_toy import ToyHardware
from drivers.emulated.world import ResistorWorld
from hil.errors import ConfigurationError, InstrumentError, TransportError, UsageError
from tests.protocol.bench.files import board_bench, smu_bench
from tests.protocol.bench.instruments import Recorded, session


class Lab:
    """Emulated instruments by name, each behind a session of its own."""

    def __init__(self, config: BenchConfig) -> None:
        self.world = ResistorWorld(1e4)
        self.instruments = {
            name: self._built(entry, f"{number + 4_100_001}")
            for number, (name, entry) in enumerate(config.instruments.items())
        }
        self.sessions: dict[str, Recorded] = {}
        self.unreachable: set[str] = set()

    def _built(self, entry: InstrumentConfig, serial: str) -> EmulatedInstrument:
        match entry.model:
            case "keithley2600b":
                return EmulatedKeithley2600B(self.world, serial=serial)
            case "keithley3706a":
                return EmulatedKeithley3706A(self.world, serial=serial)
            case "keithley707b":
                return EmulatedKeithley707B(self.world, serial=serial)
            case "shboard":
                return ShBoard(ToyHardware(), lambda: 0.0)
            case _:
                return EmulatedKeithleyDaq6510(self.world)

    def open(self, name: str, entry: InstrumentConfig) -> Recorded:
        if name in self.unreachable:
            raise TransportError("nobody answers. Switch it on")
        self.sessions[name] = session(self.instruments[name], entry.address)
        return self.sessions[name]

    def connect(self, config: BenchConfig) -> Equipment:
        return Equipment.connect(config, self.open, lambda seconds: None)


def smus(**changes: Any) -> BenchConfig:
    return parsed(smu_bench(2, [2], 1, **changes))


def boards(**changes: Any) -> BenchConfig:
    return parsed(board_bench(2, [2], 1, **changes))


def parsed(text: str) -> BenchConfig:
    return BenchConfig.model_validate(tomllib.loads(text))


def test_every_instrument_plays_its_role() -> None:
    config = smus()
    lab = Lab(config)
    equipment = lab.connect(config)
    assert set(equipment.sources) == {"in1", "out1", "access"}
    assert set(equipment.switches) == {"matrix"}
    assert set(equipment.voltmeters) == {"meter"}
    assert equipment.board is None
    assert all(not session.sent for session in lab.sessions.values())
    equipment.prepare()
    assert {x.model for x in equipment.identities.values()} == {
        "Model 2636B", "MODEL DAQ6510", "Model 3706A"
    }  # fmt: skip
    smu = equipment.sources["in1"]
    smu.aim("a", Aimed("volts", 1e-3, 0.5))
    smu.aim("b", Aimed("volts", 1e-3, 0.5))
    smu.switch(True)
    assert smu.step({"a": 0.5, "b": -0.25}) == {"a": False, "b": False}
    assert smu.measure(["b"])["b"].amps == pytest.approx(-2.5e-5)
    equipment.switches["matrix"].close_exactly(["1101"])
    assert equipment.voltmeters["meter"].scan().shape == (1, config.network.read_nodes.size)
    equipment.close()
    assert all(session.closed for session in lab.sessions.values())


def test_channels_that_nothing_uses_are_left_alone() -> None:
    config = smus()
    lab = Lab(config)
    equipment = lab.connect(config)
    equipment.prepare()
    with pytest.raises(UsageError, match="no channel 'b'"):
        equipment.sources["out1"].aim("b", Aimed("amps", 0.5, 1e-4))
    assert not any("smub" in message for message in lab.sessions["out1"].sent)


def test_a_wrong_instrument_leaves_all_untouched() -> None:
    config = smus(instruments={"meter": {"serial": "7"}})
    lab = Lab(config)
    lab.instruments["in1"].receive(b"smua.source.levelv=0.3 smua.source.output=1\n")
    equipment = lab.connect(config)
    with pytest.raises(ConfigurationError, match=r"meter \(daq6510 at TCPIP.*serial number 7"):
        equipment.prepare()
    assert all(set(session.sent) <= {"*IDN?"} for session in lab.sessions.values())
    assert lab.instruments["in1"].receive(b"print(smua.source.output)\n").startswith(b"1")


def test_sources_are_reset_before_switches_move() -> None:
    config = smus()
    lab = Lab(config)
    order: list[str] = []
    equipment = lab.connect(config)
    for name in ("in1", "out1", "access", "matrix", "meter"):
        part: Any = (equipment.sources | equipment.switches | equipment.voltmeters)[name]
        before = part.prepare
        part.prepare = lambda *setup, name=name, before=before: (order.append(name), before(*setup))
    equipment.prepare()
    assert order[-2:] == ["matrix", "meter"]
    assert set(order[:-2]) == {"in1", "out1", "access"}


def test_what_was_opened_is_closed_when_another_cannot_be_reached() -> None:
    config = smus()
    lab = Lab(config)
    lab.unreachable = {"meter"}
    with pytest.raises(TransportError, match=r"meter \(daq6510 at TCPIP.*nobody answers"):
        lab.connect(config)
    assert len(lab.sessions) == len(config.instruments) - 1
    assert all(session.closed for session in lab.sessions.values())


def test_closing_attempts_every_session() -> None:
    config = smus()
    lab = Lab(config)
    equipment = lab.connect(config)

    def fail() -> None:
        raise TransportError("lost")

    lab.sessions["in1"].close = fail  # type: ignore[method-assign]
    with pytest.raises(TransportError, match="sessions with in1 were not ended"):
        equipment.close()
    assert all(session.closed for name, session in lab.sessions.items() if name != "in1")


def test_a_board_is_met_and_made_safe() -> None:
    config = boards()
    lab = Lab(config)
    equipment = lab.connect(config)
    assert equipment.board is not None
    assert equipment.board.session.bytes_per_second == 300_000
    equipment.prepare()
    assert equipment.identities["board"].model == "SHBOARD"
    assert not equipment.board.state().armed
    assert lab.sessions["board"].sent.count("\n:SAFE") == 1
    equipment.close()
    assert lab.sessions["board"].closed


@pytest.mark.parametrize(
    ("changes", "error", "match"),
    [
        ({"serial": "12"}, ConfigurationError, "serial number 12 is expected"),
        ({"idn": "OTHER"}, InstrumentError, r"board \(shboard at /dev/ttyACM0\)"),
    ],
)
def test_another_board_is_refused(
    changes: dict[str, str], error: type[Exception], match: str
) -> None:
    config = boards(instruments={"board": changes})
    lab = Lab(config)
    with pytest.raises(error, match=match):
        lab.connect(config).prepare()
    assert not lab.sessions.get("access") or set(lab.sessions["access"].sent) <= {"*IDN?"}


def test_scans_keep_the_order_of_the_file() -> None:
    config = smus(phases={"voltmeter_channels": ["103", "101", "102", "110"][: _n_read()]})
    lab = Lab(config)
    equipment = lab.connect(config)
    equipment.prepare()
    assert equipment.scan is not None
    name, setup = equipment.scan
    assert name == "meter"
    assert setup.channels == tuple(map(int, config.phases.voltmeter_channels))
    assert setup.volts_range == 1.0
    assert np.all(np.isfinite(equipment.voltmeters["meter"].scan()))


def _n_read() -> int:
    return int(smus().network.read_nodes.size)


def test_a_board_that_no_phases_use_is_refused() -> None:
    with pytest.raises(ValidationError, match="spare is a board that no phases use"):
        smus(instruments={"spare": {"model": "shboard", "address": "COM3"}})


def test_one_instrument_cannot_switch_and_scan() -> None:
    with pytest.raises(ValidationError, match=r"matrix is phases\.voltmeter and in matrix"):
        smus(instruments={"matrix": {"model": "keithley2750"}}, phases={"voltmeter": "matrix"})
