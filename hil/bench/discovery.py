"""What can be reached from this machine, as far as it makes itself known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from drivers.instruments.base import ask
from drivers.transport import serial, visa
from drivers.transport.interface import Transport
from hil.errors import HilError

__all__ = ["Discovered", "Resource", "discovered"]

_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Resource:
    """Something that may be an instrument.

    Attributes:
        address: as a bench file has it.
        text: what is known of it.
    """

    address: str
    text: str


@dataclass
class Discovered:
    """What was found.

    Attributes:
        resources: VISA resources, then serial ports.
        remarks: what could not be looked at, and why.
    """

    resources: list[Resource] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def discovered(visa_library: str = "@py", ask_at_baud: int | None = None) -> Discovered:
    """Look for VISA resources and serial ports; a missing package is a remark.

    Args:
        visa_library: pyvisa's backend.
        ask_at_baud: ask each who it is, serial ports at this speed; None: nothing is sent to any.
    """
    found = Discovered()
    asked = ask_at_baud is not None
    try:
        for address in visa.discover(visa_library):
            text = _identity(_visa(address, visa_library)) if asked else ""
            found.resources.append(Resource(address, text))
    except HilError as error:
        found.remarks.append(error.message)
    try:
        for port, text in serial.discover():
            if ask_at_baud is not None:
                text = _identity(_serial(port, ask_at_baud))
            found.resources.append(Resource(port, text))
    except HilError as error:
        found.remarks.append(error.message)
    return found


def _visa(address: str, library: str) -> Callable[[], Transport]:
    return lambda: visa.VisaTransport(address, library, _SECONDS)


def _serial(port: str, baud_rate: int) -> Callable[[], Transport]:
    return lambda: serial.SerialTransport(port, baud_rate, _SECONDS)


def _identity(open_session: Callable[[], Transport]) -> str:
    """What it answers to ``*IDN?``, or why there is no answer."""
    try:
        session = open_session()
        try:
            return ask(session, "*IDN?")
        finally:
            session.close()
    except HilError as error:
        return f"({error.message})"
