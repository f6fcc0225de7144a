"""Emulated instruments that meet in one circuit."""

from __future__ import annotations

import pytest

from drivers.emulated.circuit_world import CircuitWorld
from drivers.emulated.circuit_world_switches import Switches
from drivers.emulated.keithley707b import EmulatedKeithley707B
from drivers.emulated.keithley2400 import EmulatedKeithley2400
from drivers.emulated.keithley2600b import EmulatedKeithley2600B
from drivers.emulated.world import Channel
from hil.errors import UsageError
from sim_backend.nodal.elements import GROUND, Circuit, Resistor


def test_what_one_instrument_forces_another_measures_through_a_matrix() -> None:
    world = CircuitWorld(
        Circuit([Resistor("r", "a", "b", 1e-4), Resistor("s", "b", GROUND, 1e-4)]),
        switches=[
            Switches.matrix("matrix", {"1A01": ("smu", "a"), "1B02": ("meter", "b")}),
        ],
    )
    source = EmulatedKeithley2400(world)
    meter = EmulatedKeithley2600B(world)
    matrix = EmulatedKeithley707B(world, on_change=world.relays("matrix"))
    for channel, net in ((source.channel, "smu"), (meter.channels["a"], "meter")):
        channel.hi, channel.lo = net, GROUND
        world.attach(channel)
    source.receive(b"*RST;:SOUR:FUNC VOLT;:SOUR:VOLT 1;:SENS:CURR:PROT 1e-3;:OUTP ON\n")
    script = b"smua.source.func = smua.OUTPUT_DCAMPS smua.source.leveli = 0 "
    meter.receive(script + b"smua.source.limitv = 20 smua.source.output = 1\n")
    assert float(meter.receive(b"print(smua.measure.v())\n")) == pytest.approx(0.0, abs=1e-6)
    matrix.receive(b"channel.close('1A01,1B02')\n")
    assert world.net_volts("b") == pytest.approx(0.5)
    assert float(meter.receive(b"print(smua.measure.v())\n")) == pytest.approx(0.5, rel=1e-4)
    # The current source takes half of it away.
    meter.receive(b"smua.source.leveli = -2e-5\n")
    assert world.reading(source.channel).amps == pytest.approx(6e-5, rel=1e-3)
    matrix.receive(b"channel.open('allslots')\n")
    assert world.net_volts("b") == 0.0


def test_what_is_attached_twice_is_refused() -> None:
    channel, switches = Channel("a"), Switches("m", {})
    world = CircuitWorld(Circuit([]), channels=[channel], switches=[switches])
    with pytest.raises(UsageError, match="wired to this world already"):
        world.attach(channel)
    with pytest.raises(UsageError, match="already"):
        world.attach_switches(switches)
