"""Keithley DAQ6510 data acquisition system, SCPI: DC volts on many channels.

Source: Model DAQ6510 Reference Manual, DAQ6510-901-01.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from drivers.instruments.base import (
    Identity,
    ask,
    attempt_all,
    check_errors,
    identify,
    tell,
)
from drivers.instruments.scanner import (
    ScanSetup,
    channel_list,
    check_count,
    confirm_each,
    confirm_text,
    read_back,
    read_reply,
    scan_seconds,
    shaped,
)
from drivers.instruments.scpi import Setting, apply, number
from drivers.transport.interface import Expect, Transport
from hil.arrays import Floats
from hil.errors import ConfigurationError

__all__ = ["KeithleyDaq6510"]

LARGEST_SCAN = 100_000  # readings the default buffer keeps
DOUBLE_BYTES = 8


class KeithleyDaq6510:
    """A scanning voltmeter; nothing is sent before :meth:`prepare`.

    Args:
        transport: the session.
        idn_pattern: regular expression its identity must match.
        serial: its serial number, if it is to be checked.
    """

    def __init__(
        self,
        transport: Transport,
        idn_pattern: str = r"KEITHLEY.*MODEL DAQ6510",
        serial: str | None = None,
    ) -> None:
        self._transport = transport
        self._idn_pattern = idn_pattern
        self._serial = serial
        self._setup = ScanSetup((101,))

    def prepare(self, setup: ScanSetup) -> Identity:
        """Check identity and command set, open all channels, and set up the scan.

        Raises:
            ConfigurationError: another instrument, or another command set.
            InstrumentError: a setting was refused, or reads back differently.
        """
        identity = identify(self._transport, self._idn_pattern, self._serial)
        self._check_language()
        tell(self._transport, ":ABOR;*RST;*CLS;:ROUT:OPEN:ALL")
        apply(self._transport, "being set up", _settings(setup))
        self._read_back(setup)
        self._setup = setup
        return identity

    def scan(self, n_scans: int = 1) -> Floats:
        """Measure every channel of the setup, in one exchange; all channels are open afterwards.

        Args:
            n_scans: passes through the channel list.

        Returns:
            Volts, ``(n_scans, n_channels)``; plus or minus infinity beyond the range.

        Raises:
            UsageError: more readings than the buffer keeps.
            InstrumentError: the instrument reports errors instead.
        """
        n_channels = len(self._setup.channels)
        n_readings = check_count(n_scans, n_channels, LARGEST_SCAN)
        message = (
            f":ROUT:SCAN:COUN:SCAN {n_scans};:TRAC:CLE;:INIT;*WAI;"
            f':TRAC:DATA? 1,{n_readings},"defbuffer1",READ;:ROUT:OPEN:ALL'
        )
        return shaped(self._doubles(message, n_readings), n_channels)

    def measure(self, channel: int) -> float:
        """Close one channel, read it and open it, in one exchange.

        Returns:
            Volts; plus or minus infinity beyond the range.
        """
        message = f":ROUT:CLOS {channel_list([channel])};:READ?;:ROUT:OPEN:ALL"
        return float(shaped(self._doubles(message, 1), 1)[0, 0])

    def make_safe(self) -> None:
        """Open all channels: nothing is asked, every step is attempted.

        Raises:
            TransportError: some steps failed; channels may be closed.
        """
        steps: list[tuple[str, Callable[[], object]]] = [("clear", self._transport.clear)]
        steps += [(message, self._teller(message)) for message in (":ABOR", ":ROUT:OPEN:ALL")]
        attempt_all(self._transport.address, steps)

    def check(self) -> None:
        """Raise if the error queue holds anything.

        Raises:
            InstrumentError: it does.
        """
        check_errors(self._transport, "it was last used")

    def _doubles(self, message: str, count: int) -> Floats:
        expect = Expect.block(count * DOUBLE_BYTES).within(scan_seconds(self._setup, count))
        payload = read_reply(self._transport, message, expect, "it was scanning")
        return np.frombuffer(payload, dtype="<f8")

    def _check_language(self) -> None:
        language = ask(self._transport, "*LANG?")
        if language != "SCPI":
            raise ConfigurationError(
                f"{self._transport.address} speaks {language}, not SCPI. Send *LANG SCPI and "
                "switch it off and on",
                address=self._transport.address,
                received=language,
            )

    def _read_back(self, setup: ScanSetup) -> None:
        channels = channel_list(setup.channels)
        queries = [f":SENS:VOLT:NPLC? {channels}", f":SENS:VOLT:INP? {channels}"]
        queries += [":ROUT:SCAN:COUN:STEP?"]
        if setup.volts_range is not None:
            queries += [f":SENS:VOLT:RANG? {channels}"]
        replies = read_back(self._transport, queries)
        confirm_each(self._transport, ":SENS:VOLT:NPLC", setup.line_cycles, replies[0])
        inputs = ",".join(["AUTO" if setup.high_impedance else "MOHM10"] * len(setup.channels))
        confirm_text(self._transport, ":SENS:VOLT:INP", inputs, replies[1])
        confirm_each(self._transport, "length of the scan", len(setup.channels), replies[2])
        if setup.volts_range is not None:
            confirm_each(self._transport, ":SENS:VOLT:RANG", setup.volts_range, replies[3])

    def _teller(self, message: str) -> Callable[[], object]:
        return lambda: tell(self._transport, message)


def _settings(setup: ScanSetup) -> list[Setting]:
    """Function first: it brings defaults with it. The scan list last."""
    channels = channel_list(setup.channels)
    settings = [
        Setting(":FORM:DATA", "REAL"),
        Setting(":FORM:BORD", "SWAP"),
        Setting(":SENS:FUNC", f'"VOLT:DC",{channels}'),
        Setting(":SENS:VOLT:INP", f"{'AUTO' if setup.high_impedance else 'MOHM10'},{channels}"),
        Setting(":SENS:VOLT:NPLC", f"{number(setup.line_cycles)},{channels}"),
        Setting(":SENS:VOLT:AZER", f"{int(setup.auto_zero)},{channels}"),
    ]
    if setup.volts_range is None:
        settings.append(Setting(":SENS:VOLT:RANG:AUTO", f"ON,{channels}"))
    else:
        settings.append(Setting(":SENS:VOLT:RANG", f"{number(setup.volts_range)},{channels}"))
    if setup.settle_seconds is not None:
        settings.append(Setting(":SENS:VOLT:DEL:AUTO", f"OFF,{channels}"))
        settings.append(Setting(":ROUT:DEL", f"{number(setup.settle_seconds)},{channels}"))
    settings.append(Setting(":ROUT:SCAN:CRE", channels))
    return settings
