"""Random small layered networks and drives for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from hil.substrate import Drive

Array = NDArray[np.float64]
Build = Callable[..., Any]
WINDOW = (1e-6, 1e-2)
PAIRS = {
    "kind": "shockley_pairs",
    "saturation_amps": 1e-9,
    "lower_volts": -0.15,
    "upper_volts": 0.25,
}


FACTORS = st.integers(-300, 300).map(lambda hundredths: hundredths / 100)


@dataclass(frozen=True)
class Network:
    """What is drawn; arrays follow from the seed."""

    hidden: tuple[int, ...]
    n_signals: int
    n_outputs: int
    kind: str
    gains: tuple[float, float] | None
    biased: tuple[bool, ...]
    input_volts: float
    nudge_volts: float
    seed: int


def networks(
    kinds: tuple[str, ...] = ("linear", "ideal_diodes", "shockley_pairs"),
    *,
    gains: bool = True,
    min_depth: int = 0,
) -> st.SearchStrategy[Network]:
    """Depth 0 to 3, conductances over three decades, up to 1 V."""

    @st.composite
    def draw(pick: Any) -> Network:
        hidden = tuple(pick(st.lists(st.integers(1, 4), min_size=min_depth, max_size=3)))
        amplify = st.none()
        if gains:
            pairs = st.sampled_from([(4.0, 0.25), (2.0, 0.5), (3.0, 1.0), (1.5, 0.25)])
            amplify = amplify | pairs
        return Network(
            hidden,
            pick(st.integers(1, 4)),
            pick(st.integers(1, 3)),
            pick(st.sampled_from(kinds)),
            pick(amplify) if hidden else None,
            tuple(pick(st.booleans()) for _ in range(len(hidden) + 1)),
            pick(st.sampled_from([0.02, 0.3, 1.0])),
            pick(st.sampled_from([0.0, 0.05, 0.5])),
            pick(st.integers(0, 2**32 - 1)),
        )

    return draw()


def make(build: Build, n: Network, scale: float = 1.0, **more: Any) -> Any:
    """The network with conductances (and saturation currents) times ``scale``."""
    pairs = PAIRS | {"saturation_amps": scale * 1e-9}
    built = build(
        n.hidden,
        pairs if n.kind == "shockley_pairs" else n.kind,
        n_signals=n.n_signals,
        n_outputs=n.n_outputs,
        gains=n.gains,
        biased=n.biased,
        start_siemens=(scale * 1e-5, scale * 1e-3),
        max_input_volts=1e6,
        g_min_siemens=scale * WINDOW[0],
        g_max_siemens=scale * WINDOW[1],
        **more,
    )
    rng = np.random.default_rng(n.seed)
    exponents = rng.uniform(-5.0, -2.5, built.topology.n_devices)
    built.substrate.load_conductance(scale * 10.0**exponents)
    return built


def drives(built: Any, n: Network, batch: int = 3) -> tuple[Array, Array]:
    """Inputs, and nudges that would move an output alone by about ``nudge_volts``."""
    rng = np.random.default_rng(n.seed + 1)
    topology = built.topology
    inputs = n.input_volts * rng.uniform(-1.0, 1.0, (batch, topology.inputs.size))
    g = built.substrate.read_conductance()
    seen = np.bincount(topology.heads, g, topology.n_nodes)[topology.outputs]
    nudges = n.nudge_volts * seen * rng.uniform(-1.0, 1.0, (batch, topology.outputs.size))
    return inputs, nudges


def settle(built: Any, inputs: Array, nudges: Array | None = None) -> Array:
    settled = built.substrate.settle(Drive(inputs, nudges))
    assert settled.ok.all()
    volts: Array = settled.node_volts
    return volts
