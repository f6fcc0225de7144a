"""An emulated Keithley 2600B System SourceMeter: one or two channels behind a Lua engine.

Not emulated: calibration, TSP-Link, TSP-Net, USB storage, the pulser of the 2601B-PULSE, and
the digital port, which nobody is wired to.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from drivers.emulated.keithley2600b_channel import SmuChannel
from drivers.emulated.keithley2600b_models import MODELS, Smu2600Model
from drivers.emulated.keithley2600b_sweeps import FACTORY_SCRIPTS
from drivers.emulated.tsp.engine import TspEngine
from drivers.emulated.tsp.errors import TspError
from drivers.emulated.tsp.events import EventBus, trigger_tables
from drivers.emulated.tsp.ports import digital_port, link
from drivers.emulated.tsp.status import Register, Status
from drivers.emulated.tsp.system import Identity, SystemTables
from drivers.emulated.world import Channel, World

__all__ = ["EmulatedKeithley2600B"]

_STEPS_OF_A_WAIT = 500_000
FIRMWARE = "3.3.5"
_LIMITS = {"VOLTAGE_LIMIT": 0, "VLMT": 0, "CURRENT_LIMIT": 1, "ILMT": 1}
_READINGS = {"READING_OVERFLOW": 7, "ROF": 7, "BUFFER_AVAILABLE": 8, "BAV": 8}
_MEASUREMENT = _LIMITS | _READINGS | {"INSTRUMENT_SUMMARY": 13, "INST": 13}
_ACTIVITY = {"CALIBRATING": 0, "CAL": 0, "SWEEPING": 3, "SWE": 3, "MEASURING": 4, "MEAS": 4}
_OPERATION = _ACTIVITY | {"TRIGGER_OVERRUN": 10, "TRGOVR": 10, "REMOTE": 11, "REM": 11}
_HEALTH = {"CALIBRATION": 8, "CAL": 8, "UNSTABLE_OUTPUT": 9, "UO": 9, "OTEMP": 12}
_SUMMARIES = {"INSTRUMENT_SUMMARY": 13, "INST": 13}


class EmulatedKeithley2600B:
    """One SourceMeter, wired by ``channels`` into a world.

    Args:
        world: what the terminals are wired to.
        model: 2601B to 2636B.
        serial: serial number in ``*IDN?``.
        random: for the errors and the noise of the data sheet; None: an ideal instrument.
        name: the channels are called ``name.a`` and ``name.b``.

    Raises:
        ConfigurationError: the Lua engine is not installed.
    """

    def __init__(
        self,
        world: World,
        model: Smu2600Model = MODELS["2636B"],
        serial: str = "4100001",
        random: np.random.Generator | None = None,
        name: str = "keithley2600b",
    ) -> None:
        letters = "ab"[: model.n_channels]
        self.channels = {letter: Channel(f"{name}.{letter}") for letter in letters}
        self._status = Status()
        description = f"Keithley Instruments Inc. SMU {model.name} - {serial}"
        identity = Identity(model.name, serial, FIRMWARE, description)
        self._engine = TspEngine(identity.idn, self._status)
        self._bus = EventBus(world)
        self._smus = {
            f"smu{letter}": SmuChannel(
                f"smu{letter}", model, channel, world, self._bus, self._engine.errors, random
            )
            for letter, channel in self.channels.items()
        }
        screens = {"SMUA": 0.0, "SMUB": 1.0, "SMUA_SMUB": 2.0, "USER": 3.0}
        self._system = SystemTables(self._engine, identity, world, screens)
        self._trigger, self._command_event = trigger_tables(self._bus)
        self._ports = [digital_port(self._bus), link(self._bus)]
        self._define()
        _build_status(self._status, self._smus)
        self._engine.on_settle = self._settle
        self._engine.on_reset = self._reset
        self._engine.on_trigger = self._take_trigger
        self._engine.start(FACTORY_SCRIPTS)

    def receive(self, data: bytes) -> bytes:
        """See :class:`~drivers.emulated.interface.EmulatedInstrument`."""
        return self._engine.receive(data)

    def reset_session(self) -> None:
        """See :class:`~drivers.emulated.interface.EmulatedInstrument`."""
        self._engine.reset_session()

    def set_interlock(self, closed: bool) -> None:
        """The interlock line of the rear connector, which the 200 V range needs."""
        for smu in self._smus.values():
            smu.source.set_interlock(closed)

    def output_on(self, letter: str) -> bool:
        """Whether the output of channel ``a`` or ``b`` is on, as the front panel would show."""
        return self._smus[f"smu{letter}"].source.output_on

    def _define(self) -> None:
        for name, smu in self._smus.items():
            self._system.localnode.table(name, smu.table)
            self._engine.define(name, smu.table)
            shown = self._system.display.table(name)
            measure = shown.table("measure")
            measure.choice("func", 1.0, (0.0, 1.0, 2.0, 3.0))
            shown.choice("digits", 5.0, (4.0, 5.0, 6.0))
            shown.table("limit").choice("func", 0.0, (0.0, 1.0))
        self._engine.define("trigger", self._trigger)
        self._engine.define("digio", self._ports[0])
        self._engine.define("tsplink", self._ports[1])

    def _settle(self, must_end: bool) -> None:
        if not must_end:
            self._bus.settle()
            return
        self._bus.settle(_STEPS_OF_A_WAIT)
        for smu in self._smus.values():
            smu.trigger.waited()
        if any(smu.trigger.sweeping for smu in self._smus.values()):
            raise TspError(-221, "Settings conflict: a sweep waits for a trigger nobody sends")

    def _take_trigger(self) -> None:
        self._bus.post(self._command_event)
        self._bus.settle()

    def _reset(self) -> None:
        """``reset()`` and ``*RST``."""
        for smu in self._smus.values():
            smu.reset()
        for numbered in ("blender", "timer"):
            for table in self._trigger.objects[numbered]:
                table.objects["reset"]()
        self._system.reset()


def _build_status(status: Status, smus: dict[str, SmuChannel]) -> None:
    """The register sets of the manual, section 12, as far as something here sets them."""
    units = {f"SMU{name[-1].upper()}": 1 + index for index, name in enumerate(smus)}

    def units_with(mask: int) -> int:
        return sum(
            1 << bit
            for bit, smu in zip(units.values(), smus.values(), strict=True)
            if smu.condition() & mask
        )

    measurement = status.add("measurement", 0, _MEASUREMENT)
    for name, bit in (
        ("voltage_limit", 0),
        ("current_limit", 1),
        ("reading_overflow", 7),
        ("buffer_available", 8),
    ):
        measurement.child(name, bit, units, partial(units_with, 1 << bit))
    instrument = measurement.child("instrument", 13, units)
    for (name, smu), bit in zip(smus.items(), units.values(), strict=True):
        instrument.child(name, bit, _LIMITS | _READINGS, smu.condition)

    operation = status.add("operation", 7, _OPERATION | {"USER": 12} | _SUMMARIES)
    operation.child("sweeping", 3, units, partial(_sweeping, units, smus))
    for name, bit in (("calibrating", 0), ("measuring", 4), ("trigger_overrun", 10)):
        operation.child(name, bit, units)
    operation.child("remote", 11, {"COMMAND_AVAILABLE": 0, "CAV": 0})
    operation.child("user", 12, {f"BIT{bit}": bit for bit in range(15)})
    _instruments(operation.child("instrument", 13, units), smus, _ACTIVITY)
    health = status.add("questionable", 3, _HEALTH | _SUMMARIES)
    for name, bit in (("calibration", 8), ("unstable_output", 9), ("over_temperature", 12)):
        health.child(name, bit, units)
    _instruments(health.child("instrument", 13, units), smus, _HEALTH)


def _sweeping(units: dict[str, int], smus: dict[str, SmuChannel]) -> int:
    return sum(
        1 << bit
        for bit, smu in zip(units.values(), smus.values(), strict=True)
        if smu.trigger.sweeping_seen()
    )


def _instruments(register: Register, smus: dict[str, SmuChannel], names: dict[str, int]) -> None:
    for bit, name in enumerate(smus, start=1):
        register.child(name, bit, names)
