"""Ports that nobody is wired to: they take settings, and lines that are read are high."""

from __future__ import annotations

from drivers.emulated.tsp.events import EventBus
from drivers.emulated.tsp.objects import TspTable, number

__all__ = ["digital_port", "link"]

_N_LINES = 14
_N_LINK_LINES = 3
_MODES = (
    "TRIG_BYPASS",
    "TRIG_FALLING",
    "TRIG_RISING",
    "TRIG_EITHER",
    "TRIG_SYNCHRONOUSA",
    "TRIG_SYNCHRONOUS",
    "TRIG_SYNCHRONOUSM",
    "TRIG_RISINGA",
    "TRIG_RISINGM",
)


def digital_port(bus: EventBus) -> TspTable:
    """``digio``: lines that were written keep their level, the others read 1."""
    port = TspTable()
    _declare_lines(port)
    port.objects["trigger"] = [_line(bus) for _ in range(_N_LINES)]
    return port


def _declare_lines(port: TspTable) -> None:
    port.constants({name: mode for mode, name in enumerate(_MODES)})
    levels = dict.fromkeys(range(1, _N_LINES + 1), 1)

    def write_bit(line: object, level: object) -> None:
        levels[int(number(line))] = int(number(level)) & 1

    def write_port(value: object) -> None:
        levels.update({line: int(number(value)) >> (line - 1) & 1 for line in levels})

    port.function("readbit", lambda line: float(levels[int(number(line))]))
    port.function("writebit", write_bit)
    port.function("readport", lambda: float(sum(v << (n - 1) for n, v in levels.items())))
    port.function("writeport", write_port)
    port.number("writeprotect", 0.0, 0.0, float(2**_N_LINES - 1))


def link(bus: EventBus) -> TspTable:
    """``tsplink``: a chain of one node."""
    table = TspTable()
    _declare_lines(table)
    table.attribute("state", lambda: "offline")
    table.number("node", 1.0, 1.0, 64.0)
    table.number("group", 0.0, 0.0, 64.0)
    table.attribute("master", lambda: 1.0)
    table.function("reset", lambda *_: 1.0)
    table.objects["trigger"] = [_line(bus) for _ in range(_N_LINK_LINES)]
    return table


def _line(bus: EventBus) -> TspTable:
    """A trigger line: no edge ever comes in, and what goes out nobody sees."""
    line = TspTable()
    line.constants({"EVENT_ID": bus.new_event()})
    line.number("mode", 0.0, 0.0, float(len(_MODES) - 1))
    line.number("pulsewidth", 10e-6, 0.0, 1e3)
    line.number("stimulus", 0.0, 0.0, 1e9)
    line.attribute("overrun", lambda: False)
    line.function("wait", lambda _: False)
    for name in ("assert", "clear", "release"):
        line.function(name, lambda: None)
    line.function("reset", line.reset)
    return line
