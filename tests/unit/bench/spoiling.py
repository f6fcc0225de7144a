"""Bench files to be spoiled, and what is told of them."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Callable
from typing import Any, Literal

import pytest
from pydantic import ValidationError

from drivers.bench.config import (
    BenchConfig,
)
from drivers.bench.examples import Sizes, bench_text
from drivers.bench.names import expanded

Table = dict[str, Any]
Change = Callable[[Table], object]

# 4 signals and a pair of bias lines, 3 hidden nodes, 2 outputs: 6 + 3 + 3 + 2 lines on one card.
SIZES = Sizes(
    n_signals=4,
    hidden=(3,),
    n_outputs=2,
    biased=(True, False),
    forward_gain=None,
    backward_gain=None,
    g_min_siemens=1e-6,
    g_max_siemens=1e-4,
    pulse_siemens=1e-7,
    max_input_volts=0.5,
    max_nudge_amps=1e-5,
    neuron_volts=0.0,
)


def table(kind: Literal["smu", "board"]) -> Table:
    """An example without ranges, to be spoiled."""
    found = tomllib.loads(bench_text(kind, SIZES))
    for block in found["matrix"]:
        for key, text in block.items():
            if key != "instrument":
                block[key] = list(expanded(text))
    if kind == "smu":
        phases = found["phases"]
        for key in ("inputs", "outputs"):
            phases[key] = [name for text in phases[key] for name in expanded(text)]
        phases["voltmeter_channels"] = list(expanded(phases["voltmeter_channels"]))
    return found


def set_at(path: str, value: Any) -> Change:
    """Set a key; numbers in the path are places in a list."""

    def change(found: Any) -> None:
        *before, last = path.split(".")
        for part in before:
            found = found[int(part)] if isinstance(found, list) else found[part]
        found[int(last) if isinstance(found, list) else last] = value

    return change


def drop(path: str) -> Change:
    """Delete a key."""

    def change(found: Any) -> None:
        *before, last = path.split(".")
        for part in before:
            found = found[int(part)] if isinstance(found, list) else found[part]
        del found[int(last) if isinstance(found, list) else last]

    return change


def both(*changes: Change) -> Change:
    """Several changes."""
    return lambda found: [change(found) for change in changes]


def refusal(kind: Literal["smu", "board"], change: Change) -> str:
    """What is told of a spoiled example."""
    found = copy.deepcopy(table(kind))
    change(found)
    with pytest.raises(ValidationError) as caught:
        BenchConfig.model_validate(found)
    return str(caught.value)


def extra_source(name: str, **changes: Any) -> Change:
    """One more instrument, like the access SMU."""

    def change(found: Table) -> None:
        like = found["instruments"]["access"]
        found["instruments"][name] = like | {"address": f"TCPIP::h::{name}::SOCKET"} | changes

    return change


def by_thirds() -> Change:
    """Programming by V/3 with a second SMU."""
    steps: list[Change] = [
        extra_source("more", volts_limit=0.45),
        set_at("programming.scheme", "third"),
        set_at("access.third", "more.a"),
        set_at("access.two_thirds", "more.b"),
        lambda t: t["matrix"][0].update(
            third=[f"15{n:02d}" for n in range(1, 15)],
            two_thirds=[f"16{n:02d}" for n in range(1, 15)],
        ),
    ]
    return both(*steps)
