"""Emulated benches for tests, and what an experiment would simulate in their place."""

from __future__ import annotations

import tomllib
from typing import Any

from drivers.bench.config import BenchConfig
from drivers.emulated.bench import EmulatedBench
from drivers.transport.interface import Expect
from hil.composition import Experiment, build, resolve
from tests.protocol.bench.files import board_bench, smu_bench

QUIET = {"noise": "none"}
IRIS = (8, [10], 3, [True, False])
SMALL = (2, [2], 1, [True, False])
TEXTS = {"smu": smu_bench, "board": board_bench}


def bench_of(
    kind: str,
    shape: tuple[Any, ...] = SMALL,
    seed: int = 3,
    emulation: dict[str, Any] | None = None,
    **changes: Any,
) -> EmulatedBench:
    """An emulated bench without noise."""
    text = TEXTS[kind](*shape, emulation=QUIET | (emulation or {}), **changes)
    return EmulatedBench(BenchConfig.model_validate(tomllib.loads(text)), seed)


def iris(substrate: dict[str, Any], seed: int) -> Experiment:
    """The experiment that ``hil train`` makes of iris on a substrate."""
    changes = {f"substrate.{name}": value for name, value in substrate.items()}
    changes |= {"seed": seed, "precision": "float64", "encoding.bias_volts": [0.5, 0.0]}
    return build(resolve(preset="iris", overrides=changes))


def ask(bench: EmulatedBench, name: str, message: str) -> str:
    """A query over a session of its own."""
    session = bench.transport(name, bench.config.instruments[name])
    return session.exchange(message.encode(), Expect.LINE).decode()


def tell(bench: EmulatedBench, name: str, *messages: str) -> None:
    """Messages that bring no reply."""
    session = bench.transport(name, bench.config.instruments[name])
    for message in messages:
        session.exchange(message.encode(), Expect.NOTHING)
