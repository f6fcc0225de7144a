"""Keithley 707B and 708B switching matrices, TSP."""

from __future__ import annotations

from drivers.instruments.tsp_switch import TspSwitch
from drivers.transport.interface import Transport

__all__ = ["Keithley707B"]


class Keithley707B(TspSwitch):
    """A 707B or 708B; channels are ``1A05`` (slot, row, column).

    Args:
        transport: the session.
        serial: its serial number, if it is to be checked.
        idn_pattern: regular expression its identity must match.
    """

    def __init__(
        self,
        transport: Transport,
        serial: str | None = None,
        idn_pattern: str = r"KEITHLEY.*MODEL 70[78]B",
    ) -> None:
        super().__init__(transport, idn_pattern, r"[1-6][A-H]\d\d", serial)
