"""Waveforms and the settings of the delta modes of an emulated Keithley 6221.

The emulated circuits know direct currents: a waveform that runs sources its offset. The delta
modes need a 2182A nanovoltmeter, which is not there: they can be set up, not armed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from drivers.emulated.keithley6221_source import LARGEST_AMPS, CurrentSource
from drivers.emulated.scpi.commands import Command, Parameters
from drivers.emulated.scpi.errors import ScpiError
from drivers.emulated.scpi.settings import Choice, Flag, Number, Settings, exponent, on_off
from drivers.emulated.scpi.status import Register
from drivers.emulated.world import World

__all__ = ["Modes"]

SWEEP_DONE, SWEEP_ABORTED, SWEEPING, WAVE_STARTED, WAVE_STOPPED, IDLE = 1, 2, 3, 4, 7, 10
LARGEST_ARBITRARY = 65_535
MOST_STEPS = 1_000_000
_SHAPES = ("SINusoid", "SQUare", "RAMP", *(f"ARBitrary{n}" for n in range(5)))


class Modes:
    """What is armed, and runs on ``INITiate`` or ``SOURce:WAVE:INITiate``.

    Args:
        source: sources the steps and the offset.
        world: whose time passes meanwhile.
        operation: the register that tells of it.
    """

    def __init__(self, source: CurrentSource, world: World, operation: Register) -> None:
        self._source = source
        self._world = world
        self._operation = operation
        self.settings = Settings(_declared(), self._changed)
        self._arbitrary: dict[int, list[float]] = {n: [] for n in range(5)}
        self.reset()

    def reset(self) -> None:
        """After ``*RST``: nothing armed; stored shapes stay."""
        self.settings.reset()
        self._armed = ""
        self._running = False
        self._operation.set_condition(IDLE, True)

    def initiate(self) -> None:
        """``INITiate``: run the armed sweep; -213 if none is.

        An endless one is run once; -225 for more steps than an emulation should take.
        """
        if self._armed != "SWE":
            raise ScpiError(-213)
        count = self._source.settings.number("SWE COUN")
        n_sweeps = 1 if math.isinf(count) else int(count)
        if n_sweeps * self._source.n_steps() > MOST_STEPS:
            raise ScpiError(-225)
        self._operation.set_condition(SWEEPING, True)
        for _ in range(n_sweeps):
            self._source.sweep()
        self._operation.set_condition(SWEEPING, False)
        self._operation.signal(SWEEP_DONE)

    def commands(self) -> Iterator[Command]:
        """Sweep, wave and delta commands."""
        yield from self.settings.commands()
        source = "[:SOURce[1]]"
        yield Command(":INITiate[:IMMediate]", lambda _: self.initiate(), takes=(0, 0))
        yield Command(":ABORt", lambda _: self._abort(), takes=(0, 0))
        yield Command(
            f"{source}:SWEep:ARM[:STATe]",
            lambda _: self._arm("SWE"),
            lambda _: on_off(self._armed == "SWE"),
            takes=(0, 0),
        )
        yield Command(f"{source}:SWEep:ABORt", lambda _: self._abort(), takes=(0, 0))
        yield Command(
            f"{source}:WAVE:ARM",
            lambda _: self._arm("WAVE"),
            lambda _: on_off(self._armed == "WAVE"),
            takes=(0, 0),
        )
        yield Command(f"{source}:WAVE:INITiate", lambda _: self._start_wave(), takes=(0, 0))
        yield Command(f"{source}:WAVE:ABORt", lambda _: self._abort(), takes=(0, 0))
        yield from self._arbitrary_commands(f"{source}:WAVE:ARBitrary")
        for mode in ("DELTa", "PDELta", "DCONductance"):
            path = f"{source}:{mode}"
            yield Command(f"{path}:NVPResent", query=lambda _: "0")
            yield Command(f"{path}:ARM", _no_voltmeter, lambda _: "0", takes=(0, 0))
        yield Command("[:SENSe[1]]:DATA[:LATest]", query=_no_readings)
        yield Command("[:SENSe[1]]:DATA:FRESh", query=_no_readings)

    def _arm(self, mode: str) -> None:
        """Arming switches the output on, at the present level."""
        self._source.switch(True)
        self._armed = mode

    def _start_wave(self) -> None:
        if self._armed != "WAVE" or self._running:
            raise ScpiError(-213)
        self._running = True
        self._operation.set_condition(IDLE, False)
        self._operation.signal(WAVE_STARTED)
        self._source.force(self.settings.number("OFFS"), self._source.settings.number("COMP"))
        seconds = self.settings.number("TIME")
        if math.isfinite(seconds):
            self._world.elapse(seconds)
            self._stop_wave()

    def _stop_wave(self) -> None:
        self._running = False
        self._operation.signal(WAVE_STOPPED)
        self._operation.set_condition(IDLE, True)
        self._source.apply()

    def _abort(self) -> None:
        """Disarm; a wave that runs stops, and the output goes off."""
        if self._running:
            self._stop_wave()
        elif self._armed == "SWE":
            self._operation.signal(SWEEP_ABORTED)
        if self._armed:
            self._source.switch(False)
        self._armed = ""

    def _changed(self, name: str) -> None:
        """Duration in seconds and in cycles are one; delta's low is minus its high."""
        if name in ("TIME", "CYCL"):
            other = "CYCL" if name == "TIME" else "TIME"
            frequency = self.settings.number("FREQ")
            value = self.settings.number(name)
            scaled = value * frequency if name == "TIME" else value / frequency
            self.settings.put(other, scaled)
        if name == "DELTa HIGH":
            self.settings.put("DELTa LOW", -self.settings.number(name))

    def _arbitrary_commands(self, path: str) -> Iterator[Command]:
        most = (1, LARGEST_ARBITRARY)
        yield Command(
            f"{path}:DATA",
            lambda p: self._write_arbitrary(p, []),
            lambda _: ",".join(map(exponent, self._arbitrary[0])),
            takes=most,
        )
        yield Command(
            f"{path}:APPend", lambda p: self._write_arbitrary(p, self._arbitrary[0]), takes=most
        )
        yield Command(f"{path}:POINts", query=lambda _: str(len(self._arbitrary[0])))
        yield Command(f"{path}:COPY", self._copy_arbitrary)

    def _write_arbitrary(self, parameters: Parameters, before: list[float]) -> None:
        new = [Parameters((text,)).number(-1.0, 1.0, 0.0) for text in parameters.rest()]
        self._arbitrary[0] = before + new

    def _copy_arbitrary(self, parameters: Parameters) -> None:
        self._arbitrary[parameters.whole(1, 4)] = list(self._arbitrary[0])


def _no_voltmeter(_: Parameters) -> None:
    raise ScpiError(-241)


def _no_readings(_: Parameters) -> str:
    raise ScpiError(-230)


def _declared() -> Iterator[Number | Flag | Choice]:
    most = LARGEST_AMPS
    wave = "[:SOURce[1]]:WAVE"
    yield Choice(f"{wave}:FUNCtion", "SHAPE", "SIN", _SHAPES)
    yield Number(f"{wave}:FREQuency", "FREQ", 1e3, 1e-3, 1e5, "HZ")
    yield Number(f"{wave}:AMPLitude", "AMPL", 1e-3, 2e-12, most, "A")
    yield Number(f"{wave}:OFFSet", "OFFS", 0.0, -most, most, "A")
    yield Number(f"{wave}:DCYCle", "DCYC", 50.0, 0.0, 100.0)
    yield Number(f"{wave}:DURation:TIME", "TIME", math.inf, 100e-9, math.inf, "S")
    yield Number(f"{wave}:DURation:CYCLes", "CYCL", math.inf, 1e-3, math.inf)
    yield Choice(f"{wave}:RANGing", "WAVE RANG", "BEST", ("BEST", "FIXed"))
    yield Flag(f"{wave}:PMARk:STATe", "PMAR", False)
    yield Number(f"{wave}:PMARk[:LEVel]", "PMAR LEV", 180.0, -180.0, 360.0)
    yield Number(f"{wave}:PMARk:OLINe", "PMAR OLIN", 3.0, 1.0, 6.0, whole=True)
    yield Flag(f"{wave}:EXTRig[:ENABle]", "EXTR", False)
    yield Number(f"{wave}:EXTRig:ILINe", "EXTR ILIN", 3.0, 1.0, 6.0, whole=True)
    yield from _delta_settings()


def _delta_settings() -> Iterator[Number | Flag | Choice]:
    most = LARGEST_AMPS
    for mode, count in (("DELTa", math.inf), ("PDELta", math.inf)):
        path = f"[:SOURce[1]]:{mode}"
        yield Number(f"{path}:HIGH", f"{mode} HIGH", 1e-3, 0.0, most, "A")
        yield Number(f"{path}:LOW", f"{mode} LOW", -1e-3 if mode == "DELTa" else 0.0, -most, 0.0)
        yield Number(f"{path}:COUNt", f"{mode} COUN", count, 1.0, math.inf, whole=True)
    path = "[:SOURce[1]]:DELTa"
    yield Number(f"{path}:DELay", "DELTa DEL", 2e-3, 0.0, math.inf, "S")
    yield Flag(f"{path}:CABort", "DELTa CAB", False)
    yield Flag(f"{path}:CSWitch", "DELTa CSW", False)
    path = "[:SOURce[1]]:PDELta"
    yield Number(f"{path}:WIDTh", "PDELta WIDT", 110e-6, 50e-6, 12e-3, "S")
    yield Number(f"{path}:SDELay", "PDELta SDEL", 16e-6, 16e-6, 11.966e-3, "S")
    yield Choice(f"{path}:RANGing", "PDELta RANG", "BEST", ("BEST", "FIXed"))
    path = "[:SOURce[1]]:DCONductance"
    yield Number(f"{path}:STARt", "DCON STAR", 0.0, -most, most, "A")
    yield Number(f"{path}:STOP", "DCON STOP", 0.0, -most, most, "A")
    yield Number(f"{path}:STEP", "DCON STEP", 1e-6, 0.0, most, "A")
    yield Number(f"{path}:DELTa", "DCON DELT", 1e-6, 0.0, most, "A")
    yield Number(f"{path}:DELay", "DCON DEL", 2e-3, 1e-3, 9999.999, "S")
