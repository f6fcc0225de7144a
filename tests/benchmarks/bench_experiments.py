"""Experiments on emulated benches, and the simulator that each of them is compared with."""

from __future__ import annotations

import tempfile
import time
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from drivers.bench.config import BenchConfig, InstrumentConfig
from drivers.transport.interface import Expect, Framing, Transport
from hil.bench.examples import write_example
from hil.bench.reaching import Reached, emulated
from hil.composition import Experiment, build, resolve
from hil.experiment import ExperimentConfig

__all__ = ["EXPERIMENTS", "Counts", "OnBench", "bench_table", "on_bench", "simulated"]

_BOARD: Mapping[str, Any] = {
    "substrate.board.dac.bits": 16,
    "substrate.board.dac.range_volts": 0.52,
    "substrate.board.nudge.bits": 16,
    "substrate.board.nudge.range_amps": 2e-2,
    "substrate.board.adc.bits": 16,
    "substrate.board.adc.range_volts": 1.1,
    "substrate.board.hold.banks": 2,
    "substrate.board.hold.offset_volts": 1e-4,
    "substrate.board.hold.gain_spread": 1e-4,
    "substrate.board.hold.step_spread_volts": 1e-5,
    "substrate.board.hold.noise_volts": 5e-5,
}
"""Electronics of wiring (b): converters of 16 bits, holds trimmed to 0.1 mV with 50 uV of noise."""


@dataclass(frozen=True)
class OnBench:
    """An experiment and the wiring it is run on.

    Attributes:
        preset: of the experiment.
        wiring: of the bench.
        changes: to the preset, on the simulator and on the bench alike.
        electronics: of the simulator, and what the emulated board is made of.
    """

    preset: str
    wiring: Literal["smu", "board"]
    changes: Mapping[str, Any] = field(default_factory=dict)
    electronics: Mapping[str, Any] = field(default_factory=dict)


_COMMON: Mapping[str, Any] = {"precision": "float64", "threads": 1, "rule.quantised": True}
_STEPS: Mapping[str, Any] = {"substrate.pulse_siemens": 5e-6}

EXPERIMENTS: Mapping[str, OnBench] = {
    "xor": OnBench("xor", "smu", _STEPS),
    "iris": OnBench("iris", "smu", {**_STEPS, "batch_size": 32}),
    "digits": OnBench("digits", "board", {"substrate.pulse_siemens": 1e-6}, _BOARD),
}


def simulated(experiment: OnBench, **changes: Any) -> ExperimentConfig:
    """On the simulator, with the noise that the bench states."""
    electronics = dict(experiment.electronics)
    if experiment.wiring == "smu":
        table = bench_table(experiment)
        electronics["substrate.board.adc.noise_volts"] = table["phases"]["noise_volts"]
    return resolve(
        experiment.preset,
        overrides={**_COMMON, **experiment.changes, **electronics, **changes},
    )


def bench_table(experiment: OnBench) -> dict[str, Any]:
    """The example bench file for an experiment, as ``hil bench new`` writes it."""
    overrides = {**_COMMON, **experiment.changes, **experiment.electronics}
    config = resolve(experiment.preset, overrides=overrides)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.toml"
        write_example(experiment.wiring, path, config)
        return tomllib.loads(path.read_text(encoding="utf-8"))


def on_bench(experiment: OnBench, **changes: Any) -> ExperimentConfig:
    """On the emulated bench."""
    kept = {k: v for k, v in experiment.changes.items() if not k.startswith("substrate.")}
    overrides = {**_COMMON, **kept, **changes, "substrate": bench_table(experiment)}
    return resolve(experiment.preset, overrides=overrides)


class Counts:
    """Messages by instrument, the time they took, and queries that follow a write of their own."""

    def __init__(self) -> None:
        self.messages: dict[str, int] = {}
        self.seconds = 0.0
        self.split_queries = 0
        self._last: tuple[str, bool] = ("", False)

    def note(self, name: str, is_write: bool, seconds: float) -> None:
        """One exchange."""
        self.messages[name] = self.messages.get(name, 0) + 1
        self.seconds += seconds
        self.split_queries += not is_write and self._last == (name, True)
        self._last = (name, is_write)

    @property
    def total(self) -> int:
        """All messages."""
        return sum(self.messages.values())

    def build(self, config: ExperimentConfig) -> Experiment:
        """The experiment on an emulated bench whose messages are counted here."""
        return build(config, reach=self._reach)

    def _reach(self, config: BenchConfig, seed: int | None) -> Reached:
        inner = emulated(config, seed)

        def opened(name: str, instrument: InstrumentConfig) -> Transport:
            return _Counted(name, inner.open_transport(name, instrument), self)

        return Reached(opened, self._slept(inner.sleep))

    def _slept(self, sleep: Callable[[float], None]) -> Callable[[float], None]:
        """Emulated time costs time of its own."""

        def timed(seconds: float) -> None:
            begun = time.perf_counter()
            sleep(seconds)
            self.seconds += time.perf_counter() - begun

        return timed


class _Counted:
    """A transport that is counted."""

    def __init__(self, name: str, inner: Transport, counts: Counts) -> None:
        self._name, self._inner, self._counts = name, inner, counts

    @property
    def address(self) -> str:
        return self._inner.address

    def exchange(self, request: bytes, expect: Expect) -> bytes:
        begun = time.perf_counter()
        try:
            return self._inner.exchange(request, expect)
        finally:
            seconds = time.perf_counter() - begun
            self._counts.note(self._name, expect.framing is Framing.NOTHING, seconds)

    def clear(self) -> None:
        self._inner.clear()

    def close(self) -> None:
        self._inner.close()
