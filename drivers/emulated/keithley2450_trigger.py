"""Trigger model and sweeps of an emulated Keithley 2450.

A sweep command loads a trigger model that empties its buffer, switches the output on, steps and
measures, and switches the output off again; ``INITiate`` runs whatever is loaded. Runs are over
when ``INITiate`` is; an endless one is made once, and loops end after 100 000 steps.

Source: Model 2450 Reference Manual, 2450-901-01 Rev. B, sections 3 and 6.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from drivers.emulated.keithley2450_buffer import Buffer, Buffers
from drivers.emulated.keithley2450_sense import Sample, Sense
from drivers.emulated.keithley2450_source import Source
from drivers.emulated.scpi.commands import Command, Parameters
from drivers.emulated.scpi.errors import ScpiError
from drivers.emulated.scpi.settings import exponent
from drivers.emulated.scpi.values import matches
from drivers.emulated.source_measure import FUNCTIONS, UNITS
from drivers.emulated.world import World

__all__ = ["TriggerModel"]

LARGEST_SWEEP = 1_000_000
LARGEST_LIST, LARGEST_WRITE = 2500, 100  # in all, and in one command
LARGEST_COUNT = 268_435_455
SHORTEST_DELAY, LONGEST_DELAY = 50e-6, 1e4
MOST_BLOCKS = 255
MOST_STEPS = 100_000  # of a template or a model made of blocks, which may never end
AUTO = -1.0
NOTHING_LOADED = (2714, "No trigger model found")  # the number is from memory


@dataclass(frozen=True, slots=True)
class _Sweep:
    """A sweep that is loaded.

    Attributes:
        levels: in order, every repetition included.
        delay_seconds: besides the source delay.
        ranging: AUTO, BEST or FIX.
        stops: at the first reading with the source at its limit.
    """

    function: str
    levels: tuple[float, ...]
    delay_seconds: float
    ranging: str
    stops: bool
    buffer: Buffer


class TriggerModel:
    """What ``INITiate`` runs, and the commands that load it.

    Args:
        source, sense: what it uses.
        buffers: where readings go.
        world: whose time passes.
    """

    def __init__(self, source: Source, sense: Sense, buffers: Buffers, world: World) -> None:
        self._source = source
        self._sense = sense
        self._buffers = buffers
        self._world = world
        self.reset()

    def reset(self) -> None:
        """Nothing is loaded, the lists have one value."""
        self._run: Callable[[], None] | None = None
        self._lists: dict[str, list[float]] = {name: [0.0] for name in FUNCTIONS}
        self._blocks: dict[int, Callable[[int], int]] = {}
        self._counts: dict[int, int] = {}
        self._last = 0

    def measure(self, buffer: Buffer, count: int | None = None) -> Sample:
        """As many readings as are set, into a buffer; returns the last."""
        n_readings = self._sense.settings.whole("COUNT") if count is None else count
        sample = self._sense.measure()
        buffer.store(sample)
        for _ in range(n_readings - 1):
            sample = self._sense.measure()
            buffer.store(sample)
        return sample

    # -- sweeps

    def _sweep(self, sweep: _Sweep) -> None:
        source, terminals = self._source, self._source.terminals
        if terminals.function != sweep.function:
            raise ScpiError(-221)
        sweep.buffer.samples.clear()
        automatic, index = terminals.source_auto[sweep.function], terminals.source_index.copy()
        if sweep.ranging != "FIX":
            terminals.set_source_auto(sweep.function, True)
        if sweep.ranging == "BEST":
            best = terminals.source_range(sweep.function, max(map(abs, sweep.levels)))
            terminals.source_auto[sweep.function] = False
            terminals.source_index[sweep.function] = best
        try:
            terminals.levels[sweep.function] = sweep.levels[0]
            source.switch(True)
            for level in sweep.levels:
                terminals.levels[sweep.function] = level
                source.force(level)
                self._world.elapse(sweep.delay_seconds)
                sweep.buffer.store(self._sense.measure())
                if sweep.stops and terminals.reading().limited:
                    break
        finally:
            source.switch(False)
            terminals.source_auto[sweep.function] = automatic
            terminals.source_index[sweep.function] = (
                terminals.source_range(sweep.function, terminals.levels[sweep.function])
                if automatic
                else index[sweep.function]
            )

    def _load_sweep(
        self, function: str, levels: Sequence[float], tail: Parameters, ranged: bool = True
    ) -> None:
        """Delay, count, ranging, abort, dual and buffer follow the levels of most sweeps."""
        most = self._source.model.largest(function) * (1 + 1e-9)
        if max(map(abs, levels)) > most:
            raise ScpiError(-222)
        delay = tail.number(AUTO, LONGEST_DELAY, AUTO) if len(tail) else AUTO
        if delay not in (AUTO, 0.0) and delay < SHORTEST_DELAY:
            raise ScpiError(-222)
        count = tail.whole(0, LARGEST_COUNT, 1) if len(tail) else 1
        ranging = tail.word(("AUTO", "BEST", "FIXed")) if ranged and len(tail) else "BEST"
        stops = tail.boolean() if len(tail) else True
        dual = tail.boolean() if ranged and len(tail) else False
        buffer = self._buffers.named(tail)
        once = [*levels, *levels[::-1]] if dual else [*levels]
        if len(once) * max(1, count) > LARGEST_SWEEP:
            raise ScpiError(-222)
        loaded = _Sweep(
            function, tuple(once * max(1, count)), max(0.0, delay), ranging, stops, buffer
        )
        self._run = partial(self._sweep, loaded)

    def _linear(self, function: str, parameters: Parameters) -> None:
        start, stop = self._level(function, parameters), self._level(function, parameters)
        points = parameters.whole(2, LARGEST_SWEEP)
        self._load_sweep(function, np.linspace(start, stop, points).tolist(), parameters)

    def _stepped(self, function: str, parameters: Parameters) -> None:
        start, stop = self._level(function, parameters), self._level(function, parameters)
        step = abs(self._level(function, parameters))
        if step == 0.0 or abs(stop - start) / step + 1 > LARGEST_SWEEP:
            raise ScpiError(-222)
        points = int(abs(stop - start) / step * (1 + 1e-12)) + 1
        signed = step if stop >= start else -step
        self._load_sweep(function, [start + signed * k for k in range(points)], parameters)

    def _logarithmic(self, function: str, parameters: Parameters) -> None:
        start, stop = self._level(function, parameters), self._level(function, parameters)
        points = parameters.whole(2, LARGEST_SWEEP)
        if start * stop <= 0.0:
            raise ScpiError(-222)
        self._load_sweep(function, np.geomspace(start, stop, points).tolist(), parameters)

    def _listed(self, function: str, parameters: Parameters) -> None:
        values = self._lists[function]
        first = parameters.whole(1, LARGEST_LIST, 1) if len(parameters) else 1
        if first > len(values):
            raise ScpiError(-222)
        self._load_sweep(function, values[first - 1 :], parameters, ranged=False)

    def _level(self, function: str, parameters: Parameters) -> float:
        largest = self._source.model.largest(function)
        return parameters.number(-largest, largest, 0.0, UNITS[function])

    def _write_list(self, function: str, append: bool, parameters: Parameters) -> None:
        values = [self._level(function, Parameters((text,))) for text in parameters.rest()]
        whole = self._lists[function] + values if append else values
        if len(whole) > LARGEST_LIST:
            raise ScpiError(-223)
        self._lists[function] = whole

    # -- running

    def initiate(self) -> None:
        """``INITiate``: run what is loaded."""
        if self._run is None:
            raise ScpiError(*NOTHING_LOADED)
        self._run()

    def _load(self, parameters: Parameters) -> None:
        """``TRIGger:LOAD``: a template, by its quoted name."""
        name = parameters.string()
        loaders = {
            "Empty": self._load_empty,
            "SimpleLoop": self._load_simple,
            "DurationLoop": self._load_duration,
        }
        loader = next((load for word, load in loaders.items() if matches(name, word)), None)
        if loader is None:
            raise ScpiError(-224)
        loader(parameters)

    def _load_empty(self, _: Parameters) -> None:
        self._blocks.clear()
        self._run = None

    def _load_simple(self, parameters: Parameters) -> None:
        count = parameters.whole(1, LARGEST_COUNT)
        delay = parameters.number(0.0, LONGEST_DELAY, 0.0) if len(parameters) else 0.0
        self._run = partial(self._loop, count, delay, self._buffers.named(parameters))

    def _load_duration(self, parameters: Parameters) -> None:
        duration = parameters.number(500e-9, 1e5)
        delay = parameters.number(0.0, LONGEST_DELAY, 0.0) if len(parameters) else 0.0
        self._run = partial(self._last_for, duration, delay, self._buffers.named(parameters))

    def _loop(self, count: int, delay_seconds: float, buffer: Buffer) -> None:
        buffer.samples.clear()
        for _ in range(min(count, MOST_STEPS)):
            self._world.elapse(delay_seconds)
            self.measure(buffer, 1)

    def _last_for(self, duration_seconds: float, delay_seconds: float, buffer: Buffer) -> None:
        buffer.samples.clear()
        end = self._world.now_seconds + duration_seconds
        for _ in range(MOST_STEPS):
            self._world.elapse(delay_seconds)
            self.measure(buffer, 1)
            if self._world.now_seconds >= end:
                break

    # -- models made of blocks

    def _put(self, number: int, block: Callable[[int], int]) -> None:
        self._blocks[number] = block
        self._run = self._run_blocks

    def _run_blocks(self) -> None:
        """From block 1 on; each block says which comes next."""
        self._counts = {}
        number = 1
        for _ in range(MOST_STEPS):
            block = self._blocks.get(number)
            if block is None:
                return
            self._last = number
            number = block(number)

    def _block_clear(self, parameters: Parameters) -> None:
        number, buffer = _block_number(parameters), self._buffers.named(parameters)

        def clear(at: int) -> int:
            buffer.samples.clear()
            return at + 1

        self._put(number, clear)

    def _block_delay(self, parameters: Parameters) -> None:
        number = _block_number(parameters)
        seconds = parameters.number(0.0, LONGEST_DELAY, 0.0, "S")

        def wait(at: int) -> int:
            self._world.elapse(seconds)
            return at + 1

        self._put(number, wait)

    def _block_measure(self, parameters: Parameters) -> None:
        number, buffer = _block_number(parameters), self._buffers.named(parameters)
        count = parameters.whole(1, LARGEST_SWEEP, 1) if len(parameters) else 1

        def measure(at: int) -> int:
            self.measure(buffer, count)
            return at + 1

        self._put(number, measure)

    def _block_output(self, parameters: Parameters) -> None:
        number, on = _block_number(parameters), parameters.boolean()

        def switch(at: int) -> int:
            self._source.switch(on)
            return at + 1

        self._put(number, switch)

    def _block_counter(self, parameters: Parameters) -> None:
        number = _block_number(parameters)
        count, target = parameters.whole(1, LARGEST_COUNT), _block_number(parameters)

        def branch(at: int) -> int:
            self._counts[at] = self._counts.get(at, 0) + 1
            if self._counts[at] < count:
                return target
            self._counts[at] = 0
            return at + 1

        self._put(number, branch)

    def _block_always(self, parameters: Parameters) -> None:
        number, target = _block_number(parameters), _block_number(parameters)
        self._put(number, lambda _: target)

    def _block_nothing(self, parameters: Parameters) -> None:
        self._put(_block_number(parameters), lambda at: at + 1)

    # -- commands

    def commands(self) -> Iterator[Command]:
        """``TRIGger``, ``INITiate``, ``ABORt`` and the sweeps."""
        yield Command(":INITiate[:IMMediate]", lambda _: self.initiate(), takes=(0, 0))
        yield Command(":ABORt", lambda _: None, takes=(0, 0))
        for word in ("PAUSe", "RESume"):
            yield Command(f":TRIGger:{word}", lambda _: None, takes=(0, 0))
        yield Command(":TRIGger:STATe", query=lambda _: f"IDLE;IDLE;{self._last}")
        yield Command(":TRIGger:LOAD", self._load, takes=(1, 4))
        # The older firmware's spelling of the templates (Rev. B of the manual).
        yield Command(":TRIGger:LOAD:EMPTY", self._load_empty, takes=(0, 0))
        yield Command(":TRIGger:LOAD:LOOP:SIMPle", self._load_simple, takes=(1, 3))
        yield Command(":TRIGger:LOAD:LOOP:DURation", self._load_duration, takes=(1, 3))
        block = ":TRIGger:BLOCk"
        yield Command(f"{block}:BUFFer:CLEar", self._block_clear, takes=(1, 2))
        yield Command(f"{block}:DELay:CONStant", self._block_delay, takes=(2, 2))
        yield Command(f"{block}:MEASure", self._block_measure, takes=(1, 3))
        yield Command(f"{block}:SOURce:STATe", self._block_output, takes=(2, 2))
        yield Command(f"{block}:BRANch:COUNter", self._block_counter, takes=(3, 3))
        yield Command(f"{block}:BRANch:ALWays", self._block_always, takes=(2, 2))
        yield Command(f"{block}:NOP", self._block_nothing)
        for function, word in FUNCTIONS.items():
            yield from self._sweep_commands(function, word)

    def _sweep_commands(self, function: str, word: str) -> Iterator[Command]:
        sweep, listed = f":SOURce[1]:SWEep:{word}", f":SOURce[1]:LIST:{word}"
        yield Command(f"{sweep}:LINear", partial(self._linear, function), takes=(3, 9))
        yield Command(f"{sweep}:LINear:STEP", partial(self._stepped, function), takes=(3, 9))
        yield Command(f"{sweep}:LOG", partial(self._logarithmic, function), takes=(3, 10))
        yield Command(f"{sweep}:LIST", partial(self._listed, function), takes=(0, 5))
        most = (1, LARGEST_WRITE)
        yield Command(
            listed,
            partial(self._write_list, function, False),
            lambda _: ",".join(exponent(value) for value in self._lists[function]),
            takes=most,
        )
        yield Command(f"{listed}:APPend", partial(self._write_list, function, True), takes=most)
        yield Command(f"{listed}:POINts", query=lambda _: str(len(self._lists[function])))


def _block_number(parameters: Parameters) -> int:
    return parameters.whole(1, MOST_BLOCKS)
