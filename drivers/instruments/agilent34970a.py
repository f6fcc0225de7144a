"""Agilent (HP, Keysight) 34970A and 34972A data acquisition units, SCPI: DC volts, many channels.

Source: 34970A Data Acquisition/Switch Unit User's Guide, 34970-90003.
"""

from __future__ import annotations

from collections.abc import Callable

from drivers.instruments.base import Identity, attempt_all, check_errors, identify, tell
from drivers.instruments.scanner import (
    ScanSetup,
    channel_list,
    check_count,
    confirm_each,
    confirm_text,
    read_back,
    scan_seconds,
    scanned,
    shaped,
)
from drivers.instruments.scpi import Setting, apply, number
from drivers.transport.interface import Transport
from hil.arrays import Floats

__all__ = ["Agilent34970A"]

LARGEST_SCAN = 50_000


class Agilent34970A:
    """A scanning voltmeter; nothing is sent before :meth:`prepare`.

    Args:
        transport: the session.
        idn_pattern: regular expression its identity must match.
        serial: its serial number, if it is to be checked; a 34970A says 0.
    """

    def __init__(
        self,
        transport: Transport,
        idn_pattern: str = r"(HEWLETT-PACKARD|Agilent|Keysight).*,3497[02]A",
        serial: str | None = None,
    ) -> None:
        self._transport = transport
        self._idn_pattern = idn_pattern
        self._serial = serial
        self._setup = ScanSetup((101,))
        self._places = [0]

    def prepare(self, setup: ScanSetup) -> Identity:
        """Check the identity, open all channels and set up the scan.

        Raises:
            ConfigurationError: another instrument.
            InstrumentError: a setting was refused, or reads back differently.
        """
        identity = identify(self._transport, self._idn_pattern, self._serial)
        tell(self._transport, ":ABOR;*RST;*CLS")
        apply(self._transport, "being set up", _settings(setup))
        self._read_back(setup)
        self._setup = setup
        # It scans in ascending order, whatever order it was told.
        ascending = sorted(setup.channels)
        self._places = [ascending.index(channel) for channel in setup.channels]
        return identity

    def scan(self, n_scans: int = 1) -> Floats:
        """Measure every channel of the setup, in one exchange; all channels are open afterwards.

        Args:
            n_scans: passes through the channel list.

        Returns:
            Volts, ``(n_scans, n_channels)``; plus or minus infinity beyond the range.

        Raises:
            UsageError: too many readings at once.
            InstrumentError: the instrument reports errors.
        """
        n_channels = len(self._setup.channels)
        n_readings = check_count(n_scans, n_channels, LARGEST_SCAN)
        seconds = scan_seconds(self._setup, n_readings)
        message = f":TRIG:COUN {n_scans};:READ?"
        readings = scanned(self._transport, message, n_readings, seconds)
        return shaped(readings, n_channels)[:, self._places]

    def measure(self, channel: int) -> float:
        """Measure one channel as it is set up, in one exchange.

        Returns:
            Volts; plus or minus infinity beyond the range.
        """
        message = (
            f":ROUT:SCAN {channel_list([channel])};:TRIG:COUN 1;:READ?;"
            f":ROUT:SCAN {channel_list(self._setup.channels)}"
        )
        readings = scanned(self._transport, message, 1, scan_seconds(self._setup, 1))
        return float(shaped(readings, 1)[0, 0])

    def make_safe(self) -> None:
        """Open all channels: nothing is asked, every step is attempted.

        Raises:
            TransportError: some steps failed; channels may be closed.
        """
        messages = (":ABOR", ":ROUT:MON:STAT OFF", ":SYST:CPON ALL")
        steps: list[tuple[str, Callable[[], object]]] = [("clear", self._transport.clear)]
        steps += [(message, self._teller(message)) for message in messages]
        attempt_all(self._transport.address, steps)

    def check(self) -> None:
        """Raise if the error queue holds anything.

        Raises:
            InstrumentError: it does.
        """
        check_errors(self._transport, "it was last used")

    def _read_back(self, setup: ScanSetup) -> None:
        channels = channel_list(setup.channels)
        queries = [":ROUT:SCAN:SIZE?", f":SENS:VOLT:DC:NPLC? {channels}"]
        queries += [f":INP:IMP:AUTO? {channels}", f":SENS:VOLT:DC:RANG? {channels}"]
        size, cycles, inputs, ranges = read_back(self._transport, queries)
        confirm_each(self._transport, "length of the scan", len(setup.channels), size)
        confirm_each(self._transport, ":SENS:VOLT:DC:NPLC", setup.line_cycles, cycles)
        wanted = ",".join([str(int(setup.high_impedance))] * len(setup.channels))
        confirm_text(self._transport, ":INP:IMP:AUTO", wanted, inputs)
        if setup.volts_range is not None:
            confirm_each(self._transport, ":SENS:VOLT:DC:RANG", setup.volts_range, ranges)

    def _teller(self, message: str) -> Callable[[], object]:
        return lambda: tell(self._transport, message)


def _settings(setup: ScanSetup) -> list[Setting]:
    """``CONFigure`` first: it brings defaults, and makes the scan list."""
    channels = channel_list(setup.channels)
    wanted = "AUTO" if setup.volts_range is None else number(setup.volts_range)
    settings = [
        Setting(":CONF:VOLT:DC", f"{wanted},DEF,{channels}"),
        Setting(":SENS:VOLT:DC:NPLC", f"{number(setup.line_cycles)},{channels}"),
        Setting(":SENS:ZERO:AUTO", f"{'ON' if setup.auto_zero else 'OFF'},{channels}"),
        Setting(":INP:IMP:AUTO", f"{'ON' if setup.high_impedance else 'OFF'},{channels}"),
    ]
    if setup.settle_seconds is not None:
        settings.append(Setting(":ROUT:CHAN:DEL", f"{number(setup.settle_seconds)},{channels}"))
    return settings
