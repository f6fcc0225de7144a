"""Keithley 2750 (and 2700, 2701) multimeter and switch system, SCPI: switching, and DC volts.

Source: Model 2750 Multimeter/Switch System User's Manual, 2750-900-01 Rev. F.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from drivers.instruments.base import (
    ERROR_QUERY,
    Identity,
    ask,
    attempt_all,
    check_errors,
    identify,
    parsed_fault,
    tell,
)
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
from drivers.instruments.smu import checked
from drivers.transport.interface import Transport
from hil.arrays import Floats
from hil.errors import InstrumentError, ProtocolError, UsageError

__all__ = ["Keithley2750"]

CLOSED = ":ROUT:MULT:CLOS?"
LARGEST_SCAN = 110_000  # readings the instrument's buffer keeps


class Keithley2750:
    """A switch system that can measure what it connects; nothing is sent before :meth:`prepare`.

    Args:
        transport: the session.
        idn_pattern: regular expression its identity must match.
        serial: its serial number, if it is to be checked.
    """

    def __init__(
        self,
        transport: Transport,
        idn_pattern: str = r"KEITHLEY.*MODEL 27(00|01|50)",
        serial: str | None = None,
    ) -> None:
        self._transport = transport
        self._idn_pattern = idn_pattern
        self._serial = serial
        self._setup = ScanSetup((101, 102))

    def prepare(self, setup: ScanSetup | None = None) -> Identity:
        """Check the identity, open all channels and, if one is given, set up a scan.

        Raises:
            UsageError: a scan of one channel, which this instrument does not make.
            ConfigurationError: another instrument.
            InstrumentError: a setting was refused, or reads back differently.
        """
        if setup is not None and len(setup.channels) < 2:
            raise UsageError("a 2750 scans two channels or more: use measure() for a single one")
        identity = identify(self._transport, self._idn_pattern, self._serial)
        tell(self._transport, ":ABOR;*RST;*CLS;:INIT:CONT OFF;:ROUT:OPEN:ALL")
        if setup is not None:
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
            UsageError: too many readings at once.
            InstrumentError: the instrument reports errors.
        """
        n_channels = len(self._setup.channels)
        n_readings = check_count(n_scans, n_channels, LARGEST_SCAN)
        # Samples beyond the end of the list start it anew; with triggers only the last scan stays.
        message = f":SAMP:COUN {n_readings};:READ?;:ROUT:OPEN:ALL"
        seconds = scan_seconds(self._setup, n_readings)
        return shaped(scanned(self._transport, message, n_readings, seconds), n_channels)

    def measure(self, channel: int) -> float:
        """Close one channel, read it and open it, in one exchange.

        Returns:
            Volts; plus or minus infinity beyond the range.
        """
        message = (
            f":ROUT:SCAN:LSEL NONE;:ROUT:CLOS {channel_list([channel])};:SAMP:COUN 1;:READ?;"
            ":ROUT:OPEN:ALL;:ROUT:SCAN:LSEL INT"
        )
        readings = scanned(self._transport, message, 1, scan_seconds(self._setup, 1))
        return float(shaped(readings, 1)[0, 0])

    def close(self, channels: Sequence[int]) -> None:
        """Close channels and leave the others as they are, read back.

        Raises:
            InstrumentError: refused, or not all are closed.
        """
        self._switch("CLOS", channels, "1")

    def open(self, channels: Sequence[int]) -> None:
        """Open channels and leave the others as they are, read back.

        Raises:
            InstrumentError: refused, or not all are open.
        """
        self._switch("OPEN", channels, "0")

    def close_exactly(self, channels: Collection[int]) -> None:
        """Open everything, then close these, and read back that it is so; one exchange.

        Raises:
            InstrumentError: refused, or other channels are closed than asked for.
        """
        parts = [":ROUT:OPEN:ALL"]
        if channels:
            parts.append(f":ROUT:MULT:CLOS {channel_list(sorted(channels))}")
        message = ";".join([*parts, CLOSED, ERROR_QUERY])
        (reply,) = checked(self._transport, message, "channels were switched")
        closed = self._listed(reply)
        if sorted(closed) != sorted(channels):
            raise InstrumentError(
                f"{self._transport.address}: {closed} are closed where {sorted(channels)} were "
                "asked for. Open all channels; a scan or a pair of channels for four wires may be "
                "left of earlier use: reset it",
                address=self._transport.address,
                wanted=sorted(channels),
                closed=closed,
            )

    def closed(self) -> list[int]:
        """Numbers of all closed channels.

        Raises:
            ProtocolError: the reply is no channel list.
        """
        return self._listed(ask(self._transport, CLOSED))

    def _listed(self, reply: str) -> list[int]:
        """Numbers in a channel list."""
        fields = reply.removeprefix("(@").removesuffix(")").split(",")
        try:
            return [int(field) for field in fields if field.strip()]
        except ValueError as error:
            raise ProtocolError(
                f"{self._transport.address} answered {reply!r} to {CLOSED!r}: no channel list. "
                "Probably another kind of instrument, or a late reply to an earlier message",
                address=self._transport.address,
                sent=CLOSED,
                received=reply,
            ) from error

    def make_safe(self) -> None:
        """Open all channels: nothing is asked, every step is attempted.

        Raises:
            TransportError: some steps failed; channels may be closed.
        """
        self.leave(())

    def leave(self, channels: Collection[int]) -> None:
        """Open all channels, then close these: nothing is asked, every step is attempted.

        Raises:
            TransportError: some steps failed; other channels may be closed.
        """
        messages = [":ABOR", ":ROUT:OPEN:ALL"]
        if channels:
            messages.append(f":ROUT:MULT:CLOS {channel_list(sorted(channels))}")
        steps: list[tuple[str, Callable[[], object]]] = [("clear", self._transport.clear)]
        steps += [(message, self._teller(message)) for message in messages]
        attempt_all(self._transport.address, steps)

    def check(self) -> None:
        """Raise if the error queue holds anything.

        Raises:
            InstrumentError: it does.
        """
        check_errors(self._transport, "it was last used")

    def _switch(self, word: str, channels: Sequence[int], wanted: str) -> None:
        listed = channel_list(channels)
        header = f":ROUT:MULT:{word}"
        message = f"{header} {listed};:ROUT:MULT:CLOS:STAT? {listed};{ERROR_QUERY}"
        states, _, fault = ask(self._transport, message).rpartition(";")
        check_errors(
            self._transport, "channels were switched", parsed_fault(self._transport, fault)
        )
        confirm_text(self._transport, header, ",".join([wanted] * len(channels)), states)

    def _read_back(self, setup: ScanSetup) -> None:
        channels = channel_list(setup.channels)
        queries = [f":SENS:VOLT:NPLC? {channels}", f":SENS:VOLT:IDIV? {channels}"]
        queries += [f":SENS:VOLT:RANG? {channels}", ":ROUT:SCAN:LSEL?"]
        cycles, dividers, ranges, scanning = read_back(self._transport, queries)
        confirm_each(self._transport, ":SENS:VOLT:NPLC", setup.line_cycles, cycles)
        confirm_each(self._transport, ":SENS:VOLT:IDIV", float(not setup.high_impedance), dividers)
        if setup.volts_range is not None:
            confirm_each(self._transport, ":SENS:VOLT:RANG", setup.volts_range, ranges)
        confirm_text(self._transport, ":ROUT:SCAN:LSEL", "INT", scanning)

    def _teller(self, message: str) -> Callable[[], object]:
        return lambda: tell(self._transport, message)


def _settings(setup: ScanSetup) -> list[Setting]:
    """The channels' settings, the same for a channel closed by hand, then the scan."""
    channels = channel_list(setup.channels)
    settings = [Setting(":FORM:ELEM", "READ"), Setting(":FORM:DATA", "ASC")]
    for listed in (f",{channels}", ""):
        settings += [
            Setting(":SENS:FUNC", f'"VOLT"{listed}'),
            Setting(":SENS:VOLT:NPLC", f"{number(setup.line_cycles)}{listed}"),
            Setting(":SENS:VOLT:IDIV", f"{'OFF' if setup.high_impedance else 'ON'}{listed}"),
            Setting(":SENS:VOLT:AVER:STAT", f"OFF{listed}"),
        ]
        if setup.volts_range is None:
            settings.append(Setting(":SENS:VOLT:RANG:AUTO", f"ON{listed}"))
        else:
            settings.append(Setting(":SENS:VOLT:RANG", f"{number(setup.volts_range)}{listed}"))
    settings.append(Setting(":SYST:AZER:STAT", "ON" if setup.auto_zero else "OFF"))
    if setup.settle_seconds is not None:
        settings.append(Setting(":TRIG:DEL:AUTO", "OFF"))
        settings.append(Setting(":TRIG:DEL", setup.settle_seconds))
    settings += [
        Setting(":TRIG:SOUR", "IMM"),
        Setting(":TRIG:COUN", 1.0),
        Setting(":ROUT:SCAN", channels),
        Setting(":ROUT:SCAN:TSO", "IMM"),
        Setting(":ROUT:SCAN:LSEL", "INT"),
    ]
    return settings
