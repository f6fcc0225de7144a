"""What drivers share: words over a transport, identity, error queues, the safe path."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from drivers.transport.interface import Expect, Transport
from hil.errors import (
    ConfigurationError,
    InstrumentError,
    ProtocolError,
    SafetyError,
    TransportError,
)

__all__ = [
    "Fault",
    "Identity",
    "ask",
    "attempt_all",
    "check_errors",
    "confirm",
    "drain_errors",
    "identify",
    "parsed_fault",
    "parsed_integer",
    "parsed_numbers",
    "refuse_beyond",
    "tell",
]

MOST_ERRORS = 32
ERROR_QUERY = ":SYST:ERR?"


@dataclass(frozen=True, slots=True)
class Identity:
    """The four fields of ``*IDN?`` (IEEE 488.2, 10.14)."""

    maker: str
    model: str
    serial: str
    firmware: str


class Fault(NamedTuple):
    """One entry of an instrument's error queue."""

    code: int
    text: str


def tell(transport: Transport, message: str) -> None:
    """Send a message that has no reply."""
    transport.exchange(message.encode("ascii"), Expect.NOTHING)


def ask(transport: Transport, message: str, expect: Expect = Expect.LINE) -> str:
    """Send a message and return its reply as text.

    Raises:
        ProtocolError: the reply is not text.
    """
    reply = transport.exchange(message.encode("ascii"), expect)
    try:
        return reply.decode("ascii").strip()
    except UnicodeDecodeError as error:
        raise _unexpected(transport, message, repr(reply), "text") from error


def identify(transport: Transport, pattern: str, serial: str | None = None) -> Identity:
    """Ask for the identity and refuse any other instrument than the one expected.

    Args:
        transport: the session.
        pattern: regular expression that must be found in the reply, case ignored.
        serial: the serial number it must have; None: any.

    Raises:
        ConfigurationError: another instrument answers at this address.
        ProtocolError: the reply has not four fields.
    """
    reply = ask(transport, "*IDN?")
    fields = [field.strip() for field in reply.split(",", 3)]
    if len(fields) < 4:
        raise _unexpected(transport, "*IDN?", reply, "maker, model, serial number and firmware")
    identity = Identity(*fields)
    if not re.search(pattern, reply, re.IGNORECASE) or serial not in (None, identity.serial):
        wanted = f"/{pattern}/" + (f", serial number {serial}" if serial is not None else "")
        raise ConfigurationError(
            f"{transport.address} is {reply!r}, but {wanted} is expected there. Correct the "
            "address or the expected identity in the bench file; nothing was switched on",
            address=transport.address,
            received=reply,
        )
    return identity


def parsed_fault(transport: Transport, reply: str) -> Fault:
    """An error queue's ``-113,"Undefined header"``."""
    code, _, text = reply.partition(",")
    try:
        return Fault(int(code), text.strip().strip('"'))
    except ValueError as error:
        raise _unexpected(transport, ERROR_QUERY, reply, "a number and a text") from error


def drain_errors(transport: Transport, query: str = ERROR_QUERY) -> list[Fault]:
    """Empty the error queue, oldest first; stops after 32 in case it never empties."""
    faults: list[Fault] = []
    for _ in range(MOST_ERRORS):
        fault = parsed_fault(transport, ask(transport, query))
        if fault.code == 0:
            break
        faults.append(fault)
    return faults


def check_errors(transport: Transport, doing: str, first: Fault | None = None) -> None:
    """Raise if the instrument has errors to report.

    Args:
        transport: the session.
        doing: what was being done, for the message.
        first: an entry already taken from the queue; the rest is read only if it is an error.

    Raises:
        InstrumentError: with all entries in ``evidence["faults"]``.
    """
    if first is not None and first.code == 0:
        return
    faults = ([first] if first is not None else []) + drain_errors(transport)
    if faults:
        listed = "; ".join(f"{fault.code} {fault.text}" for fault in faults)
        raise InstrumentError(
            f"{transport.address} reported while {doing}: {listed}. The setting was refused or "
            "the instrument is in another state than assumed; reset it and set it up again",
            address=transport.address,
            faults=faults,
        )


def parsed_numbers(transport: Transport, sent: str, reply: str, count: int) -> list[float]:
    """A reply of ``count`` numbers separated by commas.

    Raises:
        ProtocolError: another count, or something that is no finite number; instruments that
            have none say so with 9.9E37.
    """
    try:
        numbers = [float(field) for field in reply.split(",")]
    except ValueError as error:
        raise _unexpected(transport, sent, reply, f"{count} numbers") from error
    if len(numbers) != count or not all(map(math.isfinite, numbers)):
        raise _unexpected(transport, sent, reply, f"{count} numbers")
    return numbers


def parsed_integer(transport: Transport, sent: str, received: str, value: float) -> int:
    """A number of a reply that is a whole one, such as a status or an error's code.

    Args:
        transport: the session.
        sent: the message, as evidence.
        received: the reply, likewise.
        value: the number in it.

    Raises:
        ProtocolError: it is none.
    """
    if not value.is_integer():  # NaN and infinity are not, either
        raise _unexpected(transport, sent, received, "a whole number")
    return int(value)


def confirm(transport: Transport, what: str, wanted: float, reply: str) -> None:
    """Compare a setting read back with what was sent.

    Raises:
        InstrumentError: the instrument took another value.
    """
    (kept,) = parsed_numbers(transport, what, reply, 1)
    # Instruments answer with six or seven digits.
    if not math.isclose(kept, wanted, rel_tol=1e-5, abs_tol=1e-15):
        raise InstrumentError(
            f"{transport.address}: {what} was set to {wanted:g} and reads back as {kept:g}. The "
            "range in use may not resolve it: choose another range or value",
            address=transport.address,
            wanted=wanted,
            kept=kept,
        )


def refuse_beyond(address: str, what: str, value: float, largest: float) -> None:
    """Refuse a value outside the envelope before anything is sent.

    Raises:
        SafetyError: the magnitude is above ``largest``, or not a number.
    """
    if not abs(value) <= largest:
        raise SafetyError(
            f"{address}: {what} of {value:g} is outside the limit of {largest:g} set for this "
            "instrument; nothing was sent. Ask for less, or widen the limit in the bench file",
            address=address,
            value=value,
            largest=largest,
        )


def attempt_all(address: str, steps: Sequence[tuple[str, Callable[[], object]]]) -> None:
    """Carry out every step, whatever becomes of the others.

    Args:
        address: the instrument.
        steps: what each does, in words, and the call.

    Raises:
        TransportError: after all were attempted, if any failed; ``evidence["failures"]`` has
            the errors by step.
    """
    failures: dict[str, Exception] = {}
    for name, step in steps:
        try:
            step()
        except Exception as error:  # whatever it is, the next step is still to be taken
            failures[name] = error
    if failures:
        raise TransportError(
            f"{address} may not be safe, these steps failed: {', '.join(failures)}. Switch its "
            "output off by hand",
            address=address,
            failures=failures,
        ) from next(iter(failures.values()))


def _unexpected(transport: Transport, sent: str, received: str, wanted: str) -> ProtocolError:
    return ProtocolError(
        f"{transport.address} answered {received!r} to {sent!r} where {wanted} was expected. "
        "Probably another kind of instrument, or a late reply to an earlier message",
        address=transport.address,
        sent=sent,
        received=received,
    )
