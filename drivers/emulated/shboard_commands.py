"""Every command of the board but runs and pulses (SPECIFICATION.md, 5 to 10)."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from drivers.emulated.shboard_parser import BoardError, Parameter, whole, word
from drivers.emulated.shboard_state import BoardState

__all__ = ["FIRMWARE", "PROTOCOL", "Command", "Handler", "Parameters", "spellings", "table"]

PROTOCOL = "1.0"
FIRMWARE = "1.0.0"

Parameters: TypeAlias = tuple[Parameter, ...]
Handler: TypeAlias = Callable[[BoardState, Parameters], str | None]

MAX_US = 1_000_000
_FULL = 32767
_SCHEMES = ("HALF", "THIRd", "GATE")


@dataclass(frozen=True, slots=True)
class Command:
    """What a header does; fewest and most parameters."""

    header: str
    is_query: bool
    handler: Handler
    fewest: int = 0
    most: int = 0


def spellings(header: str) -> list[str]:
    """Upper-case spellings of a header: each keyword long or short."""
    forms = [
        (keyword.upper(), "".join(char for char in keyword if not char.islower()))
        for keyword in header.split(":")
    ]
    return [":".join(chosen) for chosen in itertools.product(*forms)]


def table() -> list[Command]:
    """All of them."""
    return [*_common(), *_safety(), *_limits(), *_settings(), *_manual()]


def _common() -> list[Command]:
    def identify(state: BoardState, _: Parameters) -> str:
        return f"EQPROP-HIL,SHBOARD,{state.geometry.serial},{FIRMWARE}"

    return [
        Command("*IDN", True, identify),
        Command("*RST", False, lambda s, _: s.reset()),
        Command("*CLS", False, lambda s, _: s.errors.clear()),
        Command("*ESR", True, lambda s, _: str(s.errors.take_events())),
        Command("*STB", True, lambda s, _: str(4 * bool(len(s.errors)))),
        Command("*OPC", True, lambda s, _: "1"),
        Command("*TST", True, lambda s, _: "0"),
        Command("SYSTem:ERRor", True, lambda s, _: s.errors.take()),
        Command("SYSTem:ERRor:COUNt", True, lambda s, _: str(len(s.errors))),
        Command("SYSTem:PROTocol", True, lambda s, _: PROTOCOL),
        Command("CAPability", True, _capability),
        Command("CAPability:ARRay", True, _array, 1, 1),
    ]


def _capability(state: BoardState, _: Parameters) -> str:
    g = state.geometry
    pairs = {
        "PROT": PROTOCOL, "IN": g.n_inputs, "OUT": g.n_outputs, "NODE": g.n_nodes,
        "DEV": g.n_devices, "ARR": len(g.arrays),
        "DACB": g.dac_bits, "DACR": g.dac_microvolts,
        "NUDB": g.nudge_bits, "NUDR": g.nudge_picoamps,
        "ADCB": g.adc_bits, "ADCR": g.adc_microvolts,
        "PRGB": g.program_bits, "PRGR": g.program_microvolts,
        "COMP": int(g.has_comparators), "SCH": g.schemes,
        "QUE": g.queue_length, "MSG": g.message_bytes,
    }  # fmt: skip
    return ",".join(f"{key}={value}" for key, value in pairs.items())


def _array(state: BoardState, parameters: Parameters) -> str:
    arrays = state.geometry.arrays
    place = whole(parameters[0], 0, len(arrays) - 1)
    first = sum(rows * columns for rows, columns in arrays[:place])
    return f"{first},{arrays[place][0]},{arrays[place][1]}"


def _safety() -> list[Command]:
    def arm(state: BoardState, _: Parameters) -> None:
        if not state.hardware.interlock_closed():
            raise BoardError(102)
        if not state.armed:
            state.armed = True
            state.isolated[:] = False
            state.floating = False
            state.switch()

    def isolate(state: BoardState, parameters: Parameters) -> None:
        state.isolated[:] = _flag(parameters[0])
        state.switch()

    def isolate_node(state: BoardState, parameters: Parameters) -> None:
        node = whole(parameters[0], 0, state.geometry.n_nodes - 1)
        state.isolated[node] = _flag(parameters[1])
        state.switch()

    def is_isolated(state: BoardState, parameters: Parameters) -> str:
        return str(int(state.isolated[whole(parameters[0], 0, state.geometry.n_nodes - 1)]))

    def lines(state: BoardState, parameters: Parameters) -> None:
        state.floating = word(parameters[0], ("GROund", "FLOat")) == 1
        state.switch()

    def summary(state: BoardState, _: Parameters) -> str:
        isolated, open_lines = int(state.isolated.sum()), int(state.floating)
        closed = int(state.hardware.interlock_closed())
        return f"{int(state.armed)},{isolated},{open_lines},{closed}"

    return [
        Command("SAFE", False, lambda s, _: s.make_safe()),
        Command("ARM", False, arm),
        Command("ARM", True, lambda s, _: str(int(s.armed))),
        Command("STATe", True, summary),
        Command("INTerlock", True, lambda s, _: str(int(s.hardware.interlock_closed()))),
        Command("ISOLate", False, isolate, 1, 1),
        Command("ISOLate", True, lambda s, _: str(int(s.isolated.sum()))),
        Command("ISOLate:NODE", False, isolate_node, 2, 2),
        Command("ISOLate:NODE", True, is_isolated, 1, 1),
        Command("LINes", False, lines, 1, 1),
        Command("LINes", True, lambda s, _: "FLO" if s.floating else "GRO"),
    ]


def _flag(parameter: Parameter) -> bool:
    return word(parameter, ("OFF", "ON", "0", "1")) in (1, 3)


def _limits() -> list[Command]:
    """Settable only while nothing can be energised."""

    def limit(name: str, header: str, most: Callable[[BoardState], int]) -> list[Command]:
        def write(state: BoardState, parameters: Parameters) -> None:
            value = whole(parameters[0], 0, most(state))
            if state.armed:
                raise BoardError(-221)
            if name == "program" and value < max(
                *state.programming.level_codes, *state.programming.gate_codes
            ):
                raise BoardError(-221)
            setattr(state.limits, name, value)

        return [
            Command(header, False, write, 1, 1),
            Command(header, True, lambda s, _: str(getattr(s.limits, name))),
        ]

    def largest(bits: int) -> int:
        return (1 << (bits - 1)) - 1

    return [
        *limit("input", "LIMit:INPut", lambda s: largest(s.geometry.dac_bits)),
        *limit("nudge", "LIMit:NUDGe", lambda s: largest(s.geometry.nudge_bits)),
        *limit("program", "LIMit:PROGram", lambda s: largest(s.geometry.program_bits)),
        *limit("pulses", "LIMit:PULSe", lambda _: 127),
    ]


def _settings() -> list[Command]:
    def pair(name: str, header: str) -> list[Command]:
        def write(state: BoardState, parameters: Parameters) -> None:
            codes = [whole(parameter, 0, _FULL) for parameter in parameters]
            if max(codes) > state.limits.program:
                raise BoardError(105)
            _replace(state, "programming", name, (codes[0], codes[1]))

        def ask(state: BoardState, _: Parameters) -> str:
            return ",".join(map(str, getattr(state.programming, name)))

        return [Command(header, False, write, 2, 2), Command(header, True, ask)]

    def scheme(state: BoardState, parameters: Parameters) -> None:
        place = word(parameters[0], _SCHEMES)
        if not state.geometry.schemes >> place & 1:
            raise BoardError(-224)
        _replace(state, "programming", "scheme", place)

    def dead_man(state: BoardState, parameters: Parameters) -> None:
        state.dead_man_ms = whole(parameters[0], 50, 60_000)

    def dead_zone(state: BoardState, parameters: Parameters) -> None:
        state.dead_zone = whole(parameters[0], 0, _FULL)

    return [
        Command("DEADman", False, dead_man, 1, 1),
        Command("DEADman", True, lambda s, _: str(s.dead_man_ms)),
        Command("COMParator:DEADzone", False, dead_zone, 1, 1),
        Command("COMParator:DEADzone", True, lambda s, _: str(s.dead_zone)),
        *_microseconds("timing", "settle_us", "TIMing:SETTle", 0),
        *_microseconds("timing", "acquire_us", "TIMing:ACQuire", 0),
        *_microseconds("programming", "width_us", "PROGram:WIDTh", 1),
        *pair("level_codes", "PROGram:LEVel"),
        *pair("gate_codes", "PROGram:GATE"),
        Command("PROGram:SCHeme", False, scheme, 1, 1),
        Command(
            "PROGram:SCHeme", True, lambda s, _: ("HALF", "THIR", "GATE")[s.programming.scheme]
        ),
    ]


def _microseconds(part: str, name: str, header: str, least: int) -> list[Command]:
    def write(state: BoardState, parameters: Parameters) -> None:
        _replace(state, part, name, whole(parameters[0], least, MAX_US))

    return [
        Command(header, False, write, 1, 1),
        Command(header, True, lambda s, _: str(getattr(getattr(s, part), name))),
    ]


def _replace(state: BoardState, part: str, name: str, value: object) -> None:
    setattr(state, part, dataclasses.replace(getattr(state, part), **{name: value}))


def _manual() -> list[Command]:
    """Levels, holds and readings one at a time, for a person at a terminal."""

    def write_input(state: BoardState, parameters: Parameters) -> None:
        channel = whole(parameters[0], 0, state.geometry.n_inputs - 1)
        code = whole(parameters[1], -_FULL, _FULL)
        state.check_ready()
        if abs(code) > state.limits.input:
            raise BoardError(105)
        state.inputs[channel] = code
        state.apply()

    def read_input(state: BoardState, parameters: Parameters) -> str:
        return str(int(state.inputs[whole(parameters[0], 0, state.geometry.n_inputs - 1)]))

    def write_nudge(state: BoardState, parameters: Parameters) -> None:
        channel = whole(parameters[0], 0, state.geometry.n_outputs - 1)
        code = whole(parameters[1], -_FULL, _FULL)
        state.check_ready()
        if abs(code) > state.limits.nudge:
            raise BoardError(105)
        if state.nudges is None:
            state.nudges = np.zeros(state.geometry.n_outputs, np.int16)
        state.nudges[channel] = code
        state.apply()

    def read_nudge(state: BoardState, parameters: Parameters) -> str:
        channel = whole(parameters[0], 0, state.geometry.n_outputs - 1)
        return "OPEN" if state.nudges is None else str(int(state.nudges[channel]))

    def open_nudges(state: BoardState, _: Parameters) -> None:
        state.nudges = None
        state.apply()

    def hold(state: BoardState, parameters: Parameters) -> None:
        bank = word(parameters[0], ("A", "B"))
        state.check_ready()
        state.hardware.hold(bank, state.timing)

    def read(state: BoardState, parameters: Parameters) -> str:
        codes, status = state.hardware.read(word(parameters[0], ("A", "B")))
        return ",".join(map(str, (status, *codes.tolist())))

    def compare(state: BoardState, parameters: Parameters) -> str:
        first = word(parameters[0], ("A", "B"))
        device = whole(parameters[1], 0, state.geometry.n_devices - 1)
        if not state.geometry.has_comparators:
            raise BoardError(108)
        return str(state.hardware.compare(first, state.dead_zone, device))

    return [
        Command("INPut:CODE", False, write_input, 2, 2),
        Command("INPut:CODE", True, read_input, 1, 1),
        Command("NUDGe:CODE", False, write_nudge, 2, 2),
        Command("NUDGe:CODE", True, read_nudge, 1, 1),
        Command("NUDGe:OPEN", False, open_nudges),
        Command("HOLD", False, hold, 1, 1),
        Command("READ", True, read, 1, 1),
        Command("COMPare", True, compare, 2, 2),
    ]
