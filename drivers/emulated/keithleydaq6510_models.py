"""Functions, ranges and figures of the Keithley DAQ6510.

Accuracy is the one-year figure of the data sheet; the noise that of one power line cycle.
"""

from __future__ import annotations

from dataclasses import dataclass

from drivers.emulated.scanner_meter import volts_range
from drivers.emulated.scpi.errors import ScpiError
from drivers.emulated.scpi.values import matches

__all__ = ["FUNCTIONS", "TEST_AMPS", "TEST_VOLTS", "VOLTS_RANGES", "Function", "function_named"]

VOLTS_RANGES = (
    volts_range(0.1, 0.0030, 0.0035, 0.25e-6),
    volts_range(1.0, 0.0025, 0.0006, 0.7e-6),
    volts_range(10.0, 0.0025, 0.0005, 4e-6),
    volts_range(100.0, 0.0040, 0.0006, 70e-6),
    volts_range(1000.0, 0.0040, 0.0006, 400e-6, largest=1010.0),
)


@dataclass(frozen=True, slots=True)
class Function:
    """A measure function.

    Attributes:
        short: as ``FUNCtion?`` says it.
        header: its node of the command tree.
        ranges: nominal, from the most sensitive up.
        unit: of readings.
        integrates: has a power line cycle setting; AC functions have a bandwidth instead.
    """

    short: str
    header: str
    ranges: tuple[float, ...]
    unit: str
    integrates: bool = True


_OHMS = tuple(10.0**n for n in range(1, 9))
FUNCTIONS = (
    Function("VOLT:DC", "VOLTage[:DC]", tuple(r.nominal for r in VOLTS_RANGES), "Volt DC"),
    Function("VOLT:AC", "VOLTage:AC", (0.1, 1.0, 10.0, 100.0, 750.0), "Volt AC", False),
    Function("CURR:DC", "CURRent[:DC]", (1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0, 3.0), "Amp DC"),
    Function("CURR:AC", "CURRent:AC", (1e-4, 1e-3, 1e-2, 0.1, 1.0, 3.0), "Amp AC", False),
    Function("RES", "RESistance", _OHMS, "Ohm"),
    Function("FRES", "FRESistance", (1.0, *_OHMS), "Ohm"),
)

TEST_AMPS = dict(
    zip((1.0, *_OHMS), (1e-2, 1e-2, 1e-3, 1e-3, 1e-4, 1e-5, 1e-5, 7e-7, 7e-7), strict=True)
)
TEST_VOLTS = 12.7

_WORDS = {"VOLT": "VOLTage", "CURR": "CURRent", "RES": "RESistance", "FRES": "FRESistance"}


def function_named(text: str) -> Function:
    """The function a client names, ``VOLT``, ``voltage:dc`` or ``CURRent:AC``.

    Raises:
        ScpiError: -224 for any other.
    """
    first, _, kind = text.strip().partition(":")
    for function in FUNCTIONS:
        word, _, own = function.short.partition(":")
        if matches(first, _WORDS[word]) and own == (kind.upper() or ("DC" if own else "")):
            return function
    raise ScpiError(-224)
