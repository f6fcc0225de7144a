"""SOURce, SENSe and OUTPut of one channel of an emulated Keysight B2900.

Source: Agilent B2900 Series SCPI Command Reference, B2910-90030, Edition 2, chapter 4.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from drivers.emulated.accuracy import fitting
from drivers.emulated.scpi.commands import Command, Parameters
from drivers.emulated.scpi.errors import ScpiError
from drivers.emulated.scpi.settings import Choice, Flag, Number, exponent, on_off
from drivers.emulated.scpi.values import matches, string
from drivers.emulated.source_measure import FUNCTIONS, UNITS

if TYPE_CHECKING:
    from drivers.emulated.keysightb2900_channel import SmuChannel

__all__ = ["DEFAULT_CYCLES", "DEFAULT_LIMITS", "MEASURED", "channel_commands", "declared"]

DEFAULT_LIMITS = {"VOLT": 2.0, "CURR": 1e-4}
SMALLEST_LIMIT = 0.01  # of the lowest range
LEAST_CYCLES, MOST_CYCLES, DEFAULT_CYCLES = 4.8e-4, 120.0, 0.1
MEASURED = {"VOLT": "VOLTage[:DC]", "CURR": "CURRent[:DC]", "RES": "RESistance"}


def channel_commands(smu: SmuChannel) -> Iterator[Command]:
    """All commands that carry the channel's number."""
    yield from smu.settings.commands()
    root = smu.output_root
    yield Command(
        f"{root}[:STATe]",
        lambda p: smu.switch(p.boolean()),
        lambda _: on_off(smu.terminals.output_on),
    )
    yield Command(
        f"{smu.source_root}:FUNCtion:MODE",
        lambda p: smu.set_function(p.word(("VOLTage", "CURRent"))),
        lambda _: smu.terminals.function,
    )
    for function in FUNCTIONS:
        yield from _source_commands(smu, function)
        yield from _sense_commands(smu, function)
    yield from _function_commands(smu)
    yield from _aperture_commands(smu)


def _source_commands(smu: SmuChannel, function: str) -> Iterator[Command]:
    path = f"{smu.source_root}:{FUNCTIONS[function]}"
    ranges, terminals = smu.model.source[function], smu.terminals
    largest, unit = smu.model.largest(function), UNITS[function]

    def level(parameters: Parameters) -> float:
        return parameters.number(-largest, largest, 0.0, unit)

    def write_triggered(parameters: Parameters) -> None:
        smu.triggered[function] = level(parameters)

    def write_range(parameters: Parameters) -> None:
        value = parameters.number(-largest, largest, ranges[-1].nominal, unit)
        terminals.set_source_range(function, value)

    yield Command(
        f"{path}[:LEVel][:IMMediate][:AMPLitude]",
        lambda p: smu.set_level(function, level(p)),
        lambda p: exponent(level(p) if len(p) else terminals.levels[function]),
        asks=(0, 1),
    )
    yield Command(
        f"{path}[:LEVel]:TRIGgered[:AMPLitude]",
        write_triggered,
        lambda p: exponent(level(p) if len(p) else smu.triggered[function]),
        asks=(0, 1),
    )
    yield Command(
        f"{path}:RANGe",
        write_range,
        lambda _: exponent(ranges[terminals.source_index[function]].nominal),
    )
    yield Command(
        f"{path}:RANGe:AUTO",
        lambda p: terminals.set_source_auto(function, p.boolean()),
        lambda _: on_off(terminals.source_auto[function]),
    )


def _sense_commands(smu: SmuChannel, function: str) -> Iterator[Command]:
    yield from _limit_commands(smu, function)
    path = f"{smu.sense_root}:{MEASURED[function]}:RANGe"
    ranges, terminals = smu.model.sense[function], smu.terminals
    low, high, unit = ranges[0].nominal, ranges[-1].largest, UNITS[function]

    def write(parameters: Parameters) -> None:
        terminals.set_sense_range(function, parameters.number(-high, high, low, unit))

    def asked(parameters: Parameters) -> str:
        if len(parameters):
            return exponent(parameters.number(low, ranges[-1].nominal, low))
        return exponent(ranges[terminals.sense_index[function]].nominal)

    def write_floor(parameters: Parameters) -> None:
        value = parameters.number(-high, high, low, unit)
        terminals.sense_floor[function] = fitting(ranges, value) or 0

    yield Command(f"{path}[:UPPer]", write, asked, asks=(0, 1))
    yield Command(
        f"{path}:AUTO",
        lambda p: terminals.set_sense_auto(function, p.boolean()),
        lambda _: on_off(terminals.sense_auto[function]),
    )
    yield Command(
        f"{path}:AUTO:LLIMit",
        write_floor,
        lambda _: exponent(ranges[terminals.sense_floor[function]].nominal),
    )


def _limit_commands(smu: SmuChannel, function: str) -> Iterator[Command]:
    path = f"{smu.sense_root}:{MEASURED[function]}:PROTection"
    low, terminals = smu.model.sense[function][0].nominal, smu.terminals

    def limit(parameters: Parameters) -> float:
        least, most = SMALLEST_LIMIT * low * (1 - 1e-9), smu.model.largest(function)
        # A compliance counts on both sides of zero, so its sign says nothing.
        value = Parameters((parameters.text().removeprefix("-"),))
        return value.number(least, most, DEFAULT_LIMITS[function], UNITS[function])

    yield Command(
        f"{path}[:LEVel][:BOTH]",
        lambda p: smu.set_limit(function, limit(p)),
        lambda p: exponent(limit(p) if len(p) else terminals.limits[function]),
        asks=(0, 1),
    )
    yield Command(f"{path}:TRIPped", query=lambda _: on_off(terminals.tripped(function)))


def _function_commands(smu: SmuChannel) -> Iterator[Command]:
    path = f"{smu.sense_root}:FUNCtion"
    for word, on in (("[:ON]", True), (":OFF", False)):
        yield Command(
            f"{path}{word}",
            partial(_enable, smu, on),
            lambda _, on=on: _names(smu, on),  # type: ignore[misc]
            takes=(1, 3),
        )
        plain = word.strip("[]")
        yield Command(f"{path}{plain}:ALL", partial(_enable_all, smu, on), takes=(0, 0))
        yield Command(
            f"{path}{plain}:COUNt",
            query=lambda _, on=on: str(  # type: ignore[misc]
                len(smu.enabled) if on else len(MEASURED) - len(smu.enabled)
            ),
        )
    yield Command(
        f"{path}:STATe",
        query=lambda p: on_off(_function_name(p.text()) in smu.enabled),
        asks=(1, 1),
    )


def _aperture_commands(smu: SmuChannel) -> Iterator[Command]:
    """Integration time, one for all functions, in line cycles or in seconds."""
    for header in MEASURED.values():
        path = f"{smu.sense_root}:{header}"
        for word in ("NPLCycles", "APERture"):
            yield Command(
                f"{path}:{word}",
                partial(_write_cycles, smu, word),
                partial(_cycles, smu, word),
                asks=(0, 1),
            )
            yield Command(
                f"{path}:{word}:AUTO",
                partial(_write_automatic_cycles, smu),
                lambda _: on_off(smu.automatic_cycles),
            )


def _write_cycles(smu: SmuChannel, word: str, parameters: Parameters) -> None:
    scale = smu.line_hertz if word == "APERture" else 1.0
    unit = "S" if word == "APERture" else ""
    value = parameters.number(-math.inf, math.inf, DEFAULT_CYCLES / scale, unit)
    # Beyond the limits the limit is taken (manual, 4-73).
    smu.line_cycles = min(max(value * scale, LEAST_CYCLES), MOST_CYCLES)
    smu.automatic_cycles = False


def _cycles(smu: SmuChannel, word: str, parameters: Parameters) -> str:
    scale = smu.line_hertz if word == "APERture" else 1.0
    low, high, default = (c / scale for c in (LEAST_CYCLES, MOST_CYCLES, DEFAULT_CYCLES))
    cycles = smu.line_cycles / scale
    return exponent(parameters.number(low, high, default) if len(parameters) else cycles)


def _write_automatic_cycles(smu: SmuChannel, parameters: Parameters) -> None:
    smu.automatic_cycles = parameters.boolean()


def _enable(smu: SmuChannel, on: bool, parameters: Parameters) -> None:
    smu.enable({_function_name(text) for text in parameters.rest()}, on)


def _enable_all(smu: SmuChannel, on: bool, _: Parameters) -> None:
    smu.enable(set(MEASURED), on)


def _names(smu: SmuChannel, on: bool) -> str:
    names = [name for name in MEASURED if (name in smu.enabled) is on]
    return ",".join(f'"{name}"' for name in names) or '""'


def _function_name(text: str) -> str:
    """``"CURR:DC"`` in any spelling, quoted or, as the manual has it elsewhere, not."""
    content = string(text) if text[:1] in ("'", '"') else text
    head, _, tail = content.upper().partition(":")
    for name, word in (*FUNCTIONS.items(), ("RES", "RESistance")):
        if matches(head, word) and tail in ("", "DC") and not (name == "RES" and tail):
            return name
    raise ScpiError(-224)


def declared(source: str, sense: str, output: str) -> Iterator[Number | Flag | Choice]:
    """The settings, from the first keywords of the three subsystems."""
    yield Flag(f"{output}:ON:AUTO", "ON AUTO", True)
    yield Flag(f"{output}:OFF:AUTO", "OFF AUTO", False)
    yield Choice(f"{output}:OFF:MODE", "OFF MODE", "NORM", ("ZERO", "HIZ", "NORMal"))
    yield Flag(f"{output}:PROTection[:STATe]", "PROT", False)
    yield Choice(f"{output}:LOW", "LOW", "FLO", ("FLOat", "GROund"))
    yield Flag(f"{output}:HCAPacitance[:STATe]", "HCAP", False)
    yield Flag(f"{output}:FILTer[:LPASs][:STATe]", "FILTER", True)
    yield Flag(f"{output}:FILTer[:LPASs]:AUTO", "FILTER AUTO", False)
    yield Flag(f"{sense}:REMote", "REMOTE", False)
    yield Choice(f"{sense}:RESistance:MODE", "RES MODE", "MAN", ("MANual",))
    yield Flag(f"{sense}:RESistance:OCOMpensated", "OCOM", False)
    for root, name in ((source, "SOUR"), (sense, "SENS")):
        yield Flag(f"{root}:WAIT[:STATe]", f"{name} WAIT", True)
        yield Flag(f"{root}:WAIT:AUTO", f"{name} WAIT AUTO", True)
        yield Number(f"{root}:WAIT:GAIN", f"{name} WAIT GAIN", 1.0, 0.0, 100.0)
        yield Number(f"{root}:WAIT:OFFSet", f"{name} WAIT OFFS", 0.0, 0.0, 1.0, "S")
    yield Choice(f"{source}:FUNCtion[:SHAPe]", "SHAPE", "DC", ("DC", "PULSe"))
    yield Flag(f"{source}:FUNCtion:TRIGgered:CONTinuous", "CONT", False)
    yield Number(f"{source}:PULSe:DELay", "PULS DEL", 0.0, 0.0, 1e5, "S")
    yield Number(f"{source}:PULSe:WIDTh", "PULS WIDT", 50e-6, 50e-6, 1e5, "S")
    for name, word in FUNCTIONS.items():
        modes = ("FIXed", "SWEep", "LIST")
        yield Choice(f"{source}:{word}:MODE", f"{name} MODE", "FIX", modes)
        modes = ("NORMal", "RESolution", "SPEed")
        yield Choice(f"{sense}:{MEASURED[name]}:RANGe:AUTO:MODE", f"{name} AMOD", "NORM", modes)
        header = f"{sense}:{MEASURED[name]}:RANGe:AUTO:THReshold"
        yield Number(header, f"{name} ATHR", 90.0, 11.0, 100.0)
    yield Choice(f"{source}:SWEep:DIRection", "SWE DIR", "UP", ("UP", "DOWN"))
    yield Choice(f"{source}:SWEep:SPACing", "SWE SPAC", "LIN", ("LINear", "LOGarithmic"))
    yield Choice(f"{source}:SWEep:STAir", "SWE STA", "SING", ("SINGle", "DOUBle"))
    yield Choice(f"{source}:SWEep:RANGing", "SWE RANG", "BEST", ("BEST", "AUTO", "FIXed"))
