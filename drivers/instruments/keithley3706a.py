"""Keithley 3706A (and other 3700A) system switches, TSP."""

from __future__ import annotations

from drivers.instruments.tsp_switch import TspSwitch
from drivers.transport.interface import Transport

__all__ = ["Keithley3706A"]


class Keithley3706A(TspSwitch):
    """A 3700A mainframe; channels of matrix cards are ``1105`` (slot, row, column).

    Args:
        transport: the session.
        serial: its serial number, if it is to be checked.
        idn_pattern: regular expression its identity must match.
    """

    def __init__(
        self,
        transport: Transport,
        serial: str | None = None,
        idn_pattern: str = r"KEITHLEY.*MODEL 37\d\dA?",
    ) -> None:
        super().__init__(transport, idn_pattern, r"[1-6]\d{3}", serial)
