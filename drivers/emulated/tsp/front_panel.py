"""The front panel of a TSP instrument: keeps its text, is heard and seen by nobody."""

from __future__ import annotations

from typing import Any

from drivers.emulated.tsp.clock import Clock
from drivers.emulated.tsp.errors import TspError
from drivers.emulated.tsp.objects import TspTable, number

__all__ = ["beeper", "front_panel"]

_SHORTEST_BEEP_SECONDS, _LONGEST_BEEP_SECONDS = 0.001, 100.0


def beeper(clock: Clock) -> TspTable:
    """``beeper``: a beep takes its time."""
    table = TspTable()
    table.choice("enable", 1.0, (0.0, 1.0))
    table.constants({"ON": 1, "OFF": 0})

    def beep(duration: Any, frequency: Any) -> None:
        seconds = number(duration)
        number(frequency)
        if not _SHORTEST_BEEP_SECONDS <= seconds <= _LONGEST_BEEP_SECONDS:
            raise TspError(1101 if seconds > _LONGEST_BEEP_SECONDS else 1102)
        clock.elapse(seconds)

    table.function("beep", beep)
    return table


def front_panel(screens: dict[str, float]) -> TspTable:
    """``display``.

    Args:
        screens: values of ``display.screen`` by name, the one shown after a reset first.
    """
    display = TspTable()
    display.constants(screens)
    display.choice("screen", next(iter(screens.values())), set(screens.values()))
    display.choice("locallockout", 0.0, (0.0, 1.0))
    display.constants({"UNLOCK": 0, "LOCK": 1, "DISABLE": 0, "ENABLE": 1, "KEY_EXIT": 75})
    display.constants({"MEASURE_DCAMPS": 0, "MEASURE_DCVOLTS": 1})
    display.constants({"MEASURE_OHMS": 2, "MEASURE_WATTS": 3})
    display.constants({"DIGITS_4_5": 4, "DIGITS_5_5": 5, "DIGITS_6_5": 6})
    shown = {"text": ""}

    def settext(text: Any) -> None:
        shown["text"] = str(text)

    display.function("settext", settext)
    display.function("gettext", lambda *_: shown["text"])
    display.function("clear", lambda: settext(""))
    for name in ("setcursor", "sendkey", "waitkey", "trigger"):
        display.function(name, lambda *_: None)
    display.function("getcursor", lambda: (1.0, 1.0, 0.0))
    display.function("getlastkey", lambda: 0.0)
    return display
