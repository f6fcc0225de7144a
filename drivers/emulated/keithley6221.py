"""An emulated Keithley 6221 current source.

Not emulated: the 2182A behind its serial port (delta modes can be set up, not run), external
trigger lines, calibration and stored set-ups.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from drivers.emulated.keithley6221_source import CurrentSource
from drivers.emulated.keithley6221_wave import Modes
from drivers.emulated.scpi.commands import Command, Parameters
from drivers.emulated.scpi.engine import ScpiEngine, common_commands
from drivers.emulated.scpi.errors import ErrorQueue, ScpiError
from drivers.emulated.scpi.settings import Choice, Flag, Number, Settings, Text
from drivers.emulated.scpi.status import StatusSystem
from drivers.emulated.scpi.values import short_form, spelled_register
from drivers.emulated.world import Channel, World

__all__ = ["EmulatedKeithley6221"]

FIRMWARE = "D04  /700x"
ERROR_PLACES = 10
STATUS_BITS = {"MEASurement": 0, "QUEStionable": 3, "OPERation": 7}
INTERLOCK, COMPLIANCE = 1, 3
ELEMENTS = ("READing", "TSTamp", "UNITs", "RNUMber", "SOURce", "COMPliance", "AVOLtage")
_DEFAULT_ELEMENTS = ("READ", "TST")


class EmulatedKeithley6221:
    """One current source, wired by ``channel`` into a world.

    Args:
        world: what the terminals are wired to.
        serial: serial number in ``*IDN?``.
        random: for the errors and the noise of the data sheet; None: an ideal instrument.
        name: of the channel.
    """

    def __init__(
        self,
        world: World,
        serial: str = "4000001",
        random: np.random.Generator | None = None,
        name: str = "keithley6221",
    ) -> None:
        self.channel = Channel(name)
        self._system = Settings(_declared(), lambda _: None)
        self._elements: tuple[str, ...] = _DEFAULT_ELEMENTS
        self._status = StatusSystem(
            ErrorQueue(ERROR_PLACES), STATUS_BITS, self._spelled_register, self._refresh
        )
        self._source = CurrentSource(self.channel, world, random)
        self._modes = Modes(self._source, world, self._status.registers["OPERation"])
        identity = f"KEITHLEY INSTRUMENTS INC.,MODEL 6221,{serial},{FIRMWARE}"
        self._engine = ScpiEngine(self._commands(identity), self._status)

    def receive(self, data: bytes) -> bytes:
        """See :class:`~drivers.emulated.interface.EmulatedInstrument`."""
        return self._engine.receive(data)

    def reset_session(self) -> None:
        """See :class:`~drivers.emulated.interface.EmulatedInstrument`."""
        self._engine.reset_session()

    def set_interlock(self, closed: bool) -> None:
        """The interlock connector of the rear panel."""
        self._source.set_interlock(closed)

    @property
    def output_on(self) -> bool:
        """Whether the output is on, as the front panel would show."""
        return self._source.output_on

    def _refresh(self) -> None:
        """Conditions that need a look at the terminals and the interlock."""
        measurement = self._status.registers["MEASurement"]
        measurement.set_condition(COMPLIANCE, self._source.in_compliance())
        measurement.set_condition(INTERLOCK, not self._source.interlock_closed)

    def _spelled_register(self, value: int) -> str:
        return spelled_register(value, self._system.word("SREG"))

    def _write_elements(self, parameters: Parameters) -> None:
        """``FORMat:ELEMents``: in the order of the manual, however they were listed."""
        chosen = [parameters.word((*ELEMENTS, "ALL", "DEFault")) for _ in range(len(parameters))]
        named = tuple(filter(chosen.__contains__, map(short_form, ELEMENTS)))
        whole = {"ALL": tuple(map(short_form, ELEMENTS)), "DEF": _DEFAULT_ELEMENTS}
        self._elements = whole.get(chosen[0], named)

    def _reset(self) -> None:
        self._system.reset()
        self._elements = _DEFAULT_ELEMENTS
        self._source.reset()
        self._modes.reset()

    def _commands(self, identity: str) -> Iterator[Command]:
        yield from common_commands(identity, self._status, self._reset, _ignored_trigger)
        yield from self._status.commands()
        yield from self._source.commands()
        yield from self._modes.commands()
        yield from self._system.commands()
        for header in (":SYSTem:LOCal", ":SYSTem:REMote", ":SYSTem:RWLock", ":TRACe:CLEar"):
            yield Command(header, lambda _: None, takes=(0, 0))
        yield Command(":SYSTem:PRESet", lambda _: self._reset(), takes=(0, 0))
        yield Command(":SYSTem:VERSion", query=lambda _: "1996.0")
        yield Command(":SYSTem:BEEPer[:IMMediate]", lambda _: None, takes=(0, 2))
        for header in (":TRACe:DATA", ":SENSe[1]:DATA[:LATest]", ":SENSe[1]:DATA:FRESh"):
            yield Command(header, query=_no_data)
        yield Command(":TRACe:POINts:ACTual", query=lambda _: "0")
        yield Command(
            ":FORMat:ELEMents",
            self._write_elements,
            lambda _: ",".join(self._elements),
            takes=(1, len(ELEMENTS)),
        )
        # Nothing is at the other end of the serial port: what is sent is lost, nothing comes back.
        yield Command(":SYSTem:COMMunicate:SERial:SEND", _lost)
        yield Command(":SYSTem:COMMunicate:SERial:ENTer", query=lambda _: "")
        yield Command("*OPT", query=lambda _: "0")


def _ignored_trigger() -> None:
    raise ScpiError(-211)


def _lost(parameters: Parameters) -> None:
    parameters.string()


def _no_data(_: Parameters) -> str:
    raise ScpiError(-230)


def _declared() -> Iterator[Number | Flag | Choice | Text]:
    events = ("IMMediate", "TIMer", "BUS", "TLINk", "BSTest", "PSTest", "NSTest", "MANual")
    outputs = ("TENTer", "TEXit", "NONE", "SOURce", "DELay", "SENSe")
    for path in (":ARM[:SEQuence[1]][:LAYer[1]]", ":TRIGger[:SEQuence[1]]"):
        name = path[1:4]
        yield Choice(f"{path}:SOURce", f"{name} SOUR", "IMM", events)
        yield Number(f"{path}:TIMer", f"{name} TIM", 0.1, 0.0, 99999.99, "S")
        wiring = f"{path}[:TCONfigure]"
        yield Choice(f"{wiring}:DIRection", f"{name} DIR", "ACC", ("SOURce", "ACCeptor"))
        yield Number(f"{wiring}[:ASYNchronous]:ILINe", f"{name} ILIN", 1.0, 1.0, 6.0, whole=True)
        yield Number(f"{wiring}[:ASYNchronous]:OLINe", f"{name} OLIN", 2.0, 1.0, 6.0, whole=True)
        yield Choice(f"{wiring}[:ASYNchronous]:OUTPut", f"{name} OUTP", "NONE", outputs)
    yield Choice(":UNIT:VOLTage[:DC]", "UNIT", "V", ("V", "OHMS", "W", "SIEMens"))
    yield Choice(":UNIT:POWer", "UNIT POW", "PEAK", ("PEAK", "AVERage"))
    yield Number(":TRACe:POINts", "POIN", 100.0, 1.0, 1e6, whole=True, kept=True)
    yield Choice(":TRACe:FEED", "FEED", "SENS", ("SENSe", "SENSe1", "CALCulate1"), kept=True)
    yield Choice(":TRACe:FEED:CONTrol", "CONT", "NEV", ("NEVer", "NEXT"), kept=True)
    registers = ("ASCii", "HEXadecimal", "OCTal", "BINary")
    yield Choice(":FORMat:SREGister", "SREG", "ASC", registers)
    yield Flag(":SYSTem:BEEPer:STATe", "BEEP", True, kept=True)
    yield Choice(":FORMat[:DATA]", "FORM", "ASC", ("ASCii",))
    yield Flag(":DISPlay:ENABle", "DISPLAY", True)
    yield Text(":DISPlay[:WINDow[1]]:TEXT[:DATA]", "TEXT", "")
    yield Flag(":DISPlay[:WINDow[1]]:TEXT:STATe", "TEXT STATE", False)
