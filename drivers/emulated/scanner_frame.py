"""The outside of a scanning instrument: its channels, its relays, and its end of the bus."""

from __future__ import annotations

from collections.abc import Mapping

from drivers.emulated.scanner_cards import Multiplexer, expanded
from drivers.emulated.scpi.engine import ScpiEngine
from drivers.emulated.scpi.errors import ScpiError
from drivers.emulated.world import Channel

__all__ = ["ScannerFrame"]


class ScannerFrame:
    """What a Keithley scanner shows of itself, whatever commands it knows.

    Args:
        mux: its cards; a derived class sets ``_engine`` once it has its commands.
    """

    _engine: ScpiEngine

    def __init__(self, mux: Multiplexer) -> None:
        self._mux = mux

    @property
    def channels(self) -> Mapping[int, Channel]:
        """The measurement channels by number."""
        return self._mux.channels

    def measures_volts(self, number: int) -> bool:
        """Whether a channel is one for voltages; the others are for currents."""
        return self._mux.measures_volts(number)

    @property
    def closed(self) -> list[int]:
        """Numbers of all closed relays."""
        return self._mux.closed

    def receive(self, data: bytes) -> bytes:
        """See :class:`~drivers.emulated.interface.EmulatedInstrument`."""
        return self._engine.receive(data)

    def reset_session(self) -> None:
        """See :class:`~drivers.emulated.interface.EmulatedInstrument`."""
        self._engine.reset_session()

    def _channels(self, text: str) -> list[int]:
        """The numbers of a channel list."""
        return expanded(text, self._mux, lambda _: ScpiError(-222))
