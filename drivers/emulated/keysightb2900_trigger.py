"""Triggers of one channel of an emulated Keysight B2900, and the levels it steps through.

Arm and trigger counts multiply.

Source: Agilent B2900 Series SCPI Command Reference, B2910-90030, Edition 2, chapter 4.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np

from drivers.emulated.keysightb2900_channel import Sample, SmuChannel
from drivers.emulated.scpi.commands import Command, Parameters
from drivers.emulated.scpi.errors import ScpiError
from drivers.emulated.scpi.settings import Choice, Flag, Number, Setting, Settings, exponent
from drivers.emulated.source_measure import FUNCTIONS, UNITS

__all__ = ["ACTIONS", "ChannelTriggers"]

ACTIONS = {"ACQ": "ACQuire", "TRAN": "TRANsient"}
LAYERS = {"ARM": "ARM", "TRIG": "TRIGger"}
LARGEST_COUNT, ENDLESS = 100_000, 2_147_483_647
LARGEST_LIST = 2500
SOURCES = (
    "AINT",
    "BUS",
    "TIMer",
    "INT1",
    "INT2",
    "LAN",
    *(f"EXT{line}" for line in range(1, 15)),
)


class ChannelTriggers:
    """Counts, delays and sources of one channel's triggers, and the levels it steps through.

    Args:
        channel: whose they are.
        largest: the largest level of a function.
    """

    def __init__(self, channel: SmuChannel, largest: Callable[[str], float]) -> None:
        self.channel = channel
        self._largest = largest
        suffix = "[1]" if channel.number == 1 else str(channel.number)
        self._roots = {layer: f":{word}{suffix}" for layer, word in LAYERS.items()}
        self.settings = Settings(_declared(self._roots), lambda _: None)
        self.samples: list[Sample] = []
        self.reset()

    def reset(self) -> None:
        """One trigger, no sweep."""
        self.settings.reset()
        self._lists: dict[str, list[float]] = {name: [0.0] for name in FUNCTIONS}
        self._spans = dict.fromkeys(FUNCTIONS, (0.0, 0.0))
        self._points = dict.fromkeys(FUNCTIONS, 1)
        self.samples = []

    def count(self, action: str) -> float:
        """How often an action happens in a run; endlessly: infinity."""
        count = math.prod(self.settings.number(f"{layer} {action} COUN") for layer in LAYERS)
        return count if math.isinf(count) else min(count, LARGEST_COUNT)

    def steps(self, action: str) -> int:
        """How many steps of a run are carried out for an action; endless ones once through."""
        count = self.count(action)
        if math.isinf(count):
            return len(self.levels()) if action == "TRAN" else 1
        return int(count)

    def delay_seconds(self, action: str) -> float:
        """From a trigger to its action."""
        return self.settings.number(f"TRIG {action} DEL")

    def period_seconds(self) -> float:
        """Time from trigger to trigger where a timer gives them, or 0."""
        timed = [a for a in ACTIONS if self.settings.word(f"TRIG {a} SOUR") == "TIM"]
        return max((self.settings.number(f"TRIG {action} TIM") for action in timed), default=0.0)

    def waits(self) -> bool:
        """Whether something from outside is to trigger."""
        sources = [self.settings.word(f"{la} {a} SOUR") for la in LAYERS for a in ACTIONS]
        return any(source not in ("AINT", "TIM") for source in sources)

    def levels(self) -> Sequence[float]:
        """What is sourced at successive triggers."""
        function, settings = self.channel.terminals.function, self.channel.settings
        mode = settings.word(f"{function} MODE")
        if mode == "FIX":
            return [self.channel.triggered[function]]
        if mode == "LIST":
            return self._lists[function]
        start, stop = self._spans[function]
        points = self._points[function]
        if settings.word("SWE SPAC") == "LOG":
            if start * stop <= 0.0:
                raise ScpiError(-221)
            levels: list[float] = np.geomspace(start, stop, points).tolist()
        else:
            levels = np.linspace(start, stop, points).tolist()
        levels = levels[::-1] if settings.word("SWE DIR") == "DOWN" else levels
        return [*levels, *levels[::-1]] if settings.word("SWE STA") == "DOUB" else levels

    # -- commands

    def commands(self) -> Iterator[Command]:
        """Triggers, sweeps and lists of the channel."""
        yield from self.settings.commands()
        for layer, root in self._roots.items():
            for name, word in _LAYER_SETTINGS:
                keys = {action: f"{layer} {action} {name}" for action in ACTIONS}
                for keyword, chosen in (
                    ("[:ALL]", tuple(keys.values())),
                    *((f":{ACTIONS[action]}", (key,)) for action, key in keys.items()),
                ):
                    yield Command(
                        f"{root}{keyword}:{word}",
                        partial(self._write, chosen, name),
                        partial(self._asked, chosen[0], name),
                        asks=(0, 1),
                    )
        for function in FUNCTIONS:
            yield from self._sweep_commands(function)
            yield from self._list_commands(function)

    def _write(self, keys: tuple[str, ...], name: str, parameters: Parameters) -> None:
        value = _parsed(name, parameters)
        for key in keys:
            self.settings.put(key, value)

    def _asked(self, key: str, name: str, parameters: Parameters) -> str:
        if name == "SOUR":
            return self.settings.word(key)
        value = _parsed(name, parameters) if len(parameters) else self.settings.number(key)
        if name != "COUN":
            return exponent(float(value))
        return str(ENDLESS) if value == math.inf else f"{float(value):.0f}"

    def _sweep_commands(self, function: str) -> Iterator[Command]:
        path = f"{self.channel.source_root}:{FUNCTIONS[function]}"
        for name in ("STARt", "STOP", "STEP", "SPAN", "CENTer"):
            yield Command(
                f"{path}:{name}",
                partial(self._write_span, function, name),
                partial(self._span, function, name),
            )
        yield Command(
            f"{path}:POINts",
            partial(self._write_points, (function,)),
            lambda _: str(self._points[function]),
        )
        yield Command(
            f"{self.channel.source_root}:SWEep:POINts",
            partial(self._write_points, tuple(FUNCTIONS)),
            lambda _: str(self._points[self.channel.terminals.function]),
        )

    def _write_points(self, functions: tuple[str, ...], parameters: Parameters) -> None:
        points = parameters.whole(1, LARGEST_LIST, 1)
        self._points.update(dict.fromkeys(functions, points))

    def _write_span(self, function: str, name: str, parameters: Parameters) -> None:
        """Start, stop, span and centre are coupled; a step sets the points."""
        most = self._largest(function)
        value = parameters.number(-2 * most, 2 * most, 0.0, UNITS[function])
        start, stop = self._spans[function]
        middle, span = (start + stop) / 2, stop - start
        if name == "STEP":
            if value == 0.0 or span / value < 0.0:
                raise ScpiError(-221)
            points = int(span / value * (1 + 1e-12)) + 1
            if points > LARGEST_LIST:
                raise ScpiError(-222)
            self._points[function] = points
            return
        start, stop = {
            "STARt": (value, stop),
            "STOP": (start, value),
            "SPAN": (middle - value / 2, middle + value / 2),
            "CENTer": (value - span / 2, value + span / 2),
        }[name]
        if max(abs(start), abs(stop)) > most * (1 + 1e-9):
            raise ScpiError(-222)
        self._spans[function] = (start, stop)

    def _span(self, function: str, name: str, _: Parameters) -> str:
        start, stop = self._spans[function]
        points = self._points[function]
        values = {
            "STARt": start,
            "STOP": stop,
            "STEP": (stop - start) / (points - 1) if points > 1 else 0.0,
            "SPAN": stop - start,
            "CENTer": (start + stop) / 2,
        }
        return exponent(values[name])

    def _list_commands(self, function: str) -> Iterator[Command]:
        path = f"{self.channel.source_root}:LIST:{FUNCTIONS[function]}"
        most = (1, LARGEST_LIST)
        yield Command(
            path,
            partial(self._write_list, function, False),
            lambda _: ",".join(exponent(level) for level in self._lists[function]),
            takes=most,
        )
        yield Command(f"{path}:APPend", partial(self._write_list, function, True), takes=most)
        yield Command(f"{path}:POINts", query=lambda _: str(len(self._lists[function])))

    def _write_list(self, function: str, append: bool, parameters: Parameters) -> None:
        most, unit = self._largest(function), UNITS[function]
        levels = [Parameters((text,)).number(-most, most, 0.0, unit) for text in parameters.rest()]
        whole = self._lists[function] + levels if append else levels
        if len(whole) > LARGEST_LIST:
            raise ScpiError(-223)
        self._lists[function] = whole


# name, keyword
_LAYER_SETTINGS = (
    ("COUN", "COUNt"),
    ("DEL", "DELay"),
    ("SOUR", "SOURce[:SIGNal]"),
    ("TIM", "TIMer"),
)


def _parsed(name: str, parameters: Parameters) -> float | str:
    if name == "COUN":
        text = parameters.text()
        if text.upper() in ("INF", "INFINITY", str(ENDLESS)):
            return math.inf
        return float(Parameters((text,)).whole(1, LARGEST_COUNT, 1))
    if name == "DEL":
        return parameters.number(0.0, 1e5, 0.0, "S")
    if name == "TIM":
        return parameters.number(1e-5, 1e5, 1e-5, "S")
    return parameters.word(SOURCES)


def _declared(roots: dict[str, str]) -> Iterator[Setting]:
    """Where the values are kept; the commands are made with those for all actions."""
    for layer, root in roots.items():
        for action, keyword in ACTIONS.items():
            path, name = f"{root}:{keyword}", f"{layer} {action}"
            yield Number(f"{path}:COUNt", f"{name} COUN", 1.0)
            yield Number(f"{path}:DELay", f"{name} DEL", 0.0)
            yield Number(f"{path}:TIMer", f"{name} TIM", 1e-5)
            yield Choice(f"{path}:SOURce[:SIGNal]", f"{name} SOUR", "AINT", SOURCES)
            yield Flag(f"{path}:BYPass", f"{name} BYP", False)
