"""Sources and a voltmeter that note what they are asked, around any rule for voltages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import numpy as np

from drivers.bench.config import BenchConfig
from drivers.bench.consistency import source_channels, split_channel
from drivers.bench.equipment import Equipment
from drivers.bench.roles import Aim
from drivers.instruments.smu import SmuReading
from hil.arrays import Floats
from hil.errors import TransportError

Rule = Callable[[Mapping[str, float]], Any]


class FakeBench:
    """All sources of a bench file and its voltmeter.

    Attributes:
        said: every exchange: who, what, and its arguments.
        levels: of all channels by name.
        limited: says which channels are in compliance at some levels.
        volts: says what is scanned at some levels.
        fails: an instrument that does not answer.
    """

    def __init__(self, config: BenchConfig) -> None:
        self.said: list[tuple[str, str, Any]] = []
        self.levels: dict[str, float] = {}
        self.limited: Callable[[Mapping[str, float]], set[str]] = lambda levels: set()
        n_read = config.network.read_nodes.size
        self.volts: Rule = lambda levels: np.zeros(n_read)
        self.fails: str | None = None
        names = {split_channel(channel)[0] for channel in source_channels(config)}
        self.equipment = Equipment(
            {name: cast(Any, FakeSource(name, self)) for name in names},
            {},
            {"meter": cast(Any, FakeMeter(self))},
        )

    def exchange(self, who: str, what: str, content: Any = None) -> None:
        if who == self.fails:
            raise TransportError(f"{who} is silent. Look at its cable")
        self.said.append((who, what, content))

    def count(self, what: str) -> int:
        return sum(said == what for _, said, _ in self.said)

    def stepped(self) -> list[tuple[str, Any]]:
        return [(who, content) for who, what, content in self.said if what == "step"]


class FakeSource:
    def __init__(self, name: str, bench: FakeBench) -> None:
        self.name, self.bench = name, bench

    def aim(self, channel: str, aim: Aim) -> None:
        self.bench.exchange(self.name, "aim", (channel, aim))
        self.bench.levels[f"{self.name}.{channel}"] = 0.0

    def switch(self, on: bool) -> None:
        self.bench.exchange(self.name, "switch", on)

    def step(self, levels: Mapping[str, float]) -> dict[str, bool]:
        self.bench.exchange(self.name, "step", dict(levels))
        limited = self.bench.limited(self.bench.levels)
        self.bench.levels |= {f"{self.name}.{key}": value for key, value in levels.items()}
        return {key: f"{self.name}.{key}" in limited for key in levels}

    def measure(self, channels: Sequence[str]) -> dict[str, SmuReading]:
        self.bench.exchange(self.name, "measure", list(channels))
        limited = self.bench.limited(self.bench.levels)
        return {
            key: SmuReading(0.0, 0.0, 0.0, f"{self.name}.{key}" in limited, False)
            for key in channels
        }


class FakeMeter:
    def __init__(self, bench: FakeBench) -> None:
        self.bench = bench

    def scan(self, n_scans: int = 1) -> Floats:
        self.bench.exchange("meter", "scan")
        found: Sequence[float] = self.bench.volts(self.bench.levels)
        return np.array([found], np.float64)
