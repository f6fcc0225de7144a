"""Replies without the numbers that were asked for: typed errors with their evidence."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from drivers.instruments import tsp
from drivers.instruments.base import parsed_integer, parsed_numbers
from drivers.instruments.keithley2400 import Keithley2400
from drivers.instruments.keithley2450 import Keithley2450
from drivers.instruments.keithley2600b import Keithley2600B
from drivers.instruments.keithley6221 import CurrentSourceLimits, Keithley6221
from drivers.instruments.keysightb2900 import KeysightB2900
from drivers.instruments.scanner import read_back
from drivers.instruments.smu import SmuLimits
from drivers.transport.interface import Expect, Framing
from hil.errors import ProtocolError

LIMITS = SmuLimits(volts=1.0, amps=1e-3)


@dataclass
class Answering:
    """A session in which every question gets the same answer."""

    reply: bytes
    address: str = "h"
    sent: list[bytes] = field(default_factory=list)

    def exchange(self, request: bytes, expect: Expect) -> bytes:
        if expect.framing is Framing.NOTHING:
            return b""
        self.sent.append(request)
        return self.reply

    def clear(self) -> None:
        pass

    def close(self) -> None:
        pass


Asking = Callable[[Answering], object]


def with_status(elements: str, error: str = "") -> list[bytes]:
    """Replies that end in a status which is none."""
    return [f"{elements}{status}{error}".encode() for status in ("nan", "inf", "1.5", "9e999")]


NO_ERROR = ';0,"No error"'
CASES: dict[str, tuple[Asking, Sequence[bytes]]] = {
    "2400": (lambda t: Keithley2400(t, LIMITS).measure(), with_status("0.1,1e-4,0.5,")),
    "2450": (lambda t: Keithley2450(t, LIMITS).measure(), with_status("1e-4,0.1,5,0.5,")),
    "b2900": (lambda t: KeysightB2900(t, {1: LIMITS}).measure(), with_status("0.1,1e-4,0.5,")),
    "2600b": (
        lambda t: Keithley2600B(t, {"a": LIMITS}).measure(),
        with_status("0.1\t1e-4\t", "\t0"),
    ),
    "2600b sweep": (
        lambda t: Keithley2600B(t, {"a": LIMITS}).sweep({"a": [0.1]}),
        [struct.pack("<4f", 1e-4, 0.1, status, 0.0) for status in (math.nan, math.inf, 0.5)],
    ),
    "6221": (
        lambda t: Keithley6221(t, CurrentSourceLimits(1e-3, 1.0)).in_compliance(),
        with_status(""),
    ),
    "6221 step": (
        lambda t: Keithley6221(t, CurrentSourceLimits(1e-3, 1.0)).step_level(1e-4),
        with_status("", NO_ERROR),
    ),
    "tsp errors": (tsp.drain_errors, with_status("", "\tA message\t20\t1")),
    "settings": (lambda t: read_back(t, ["A?", "B?"]), [b"", b"1", b"1;2;3", b"garbage"]),
}


@pytest.mark.parametrize(("name", "reply"), [(name, x) for name in CASES for x in CASES[name][1]])
def test_what_is_no_number_is_a_protocol_error(name: str, reply: bytes) -> None:
    transport = Answering(reply)
    with pytest.raises(ProtocolError, match=r"^h answered .* (was|were) expected") as caught:
        CASES[name][0](transport)
    evidence = caught.value.evidence
    assert evidence["address"] == "h"
    assert evidence["sent"]
    assert isinstance(evidence["received"], str)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 0.5])
def test_whole_numbers_are_whole(value: float) -> None:
    with pytest.raises(ProtocolError, match="'x' to 'A\\?' where a whole number was expected"):
        parsed_integer(Answering(b""), "A?", "x", value)


def test_whole_numbers_are_taken_as_instruments_write_them() -> None:
    found = [parsed_integer(Answering(b""), "A?", x, float(x)) for x in ("+2.15080E+04", "-113")]
    assert found == [21508, -113]


@pytest.mark.parametrize("reply", ["nan,1", "1,inf", "-inf,1", "1,", "1", "one,two"])
def test_numbers_are_finite(reply: str) -> None:
    with pytest.raises(ProtocolError, match="where 2 numbers was expected"):
        parsed_numbers(Answering(b""), "A?", reply, 2)
