"""Small chips around simulated networks."""

from __future__ import annotations

from typing import Any

import numpy as np

from sim_backend.chip.adjustable import AdjustableChip
from sim_backend.chip.config import DevicesConfig, window_of
from sim_backend.chip.making import chip_around, seen_window
from sim_backend.chip.substrate import ChipSubstrate
from sim_backend.graph.config import NodalConfig
from sim_backend.layered.config import LayeredConfig
from sim_backend.lot import Lot
from sim_backend.order import Order

WINDOW = (1e-5, 2e-3)

CUBES: dict[str, Any] = {"kind": "linear_step", "step_weight": 0.02}
"""Steps of a hundredth of the window, constant and all alike."""

IDEAL: dict[str, Any] = {
    "g_min_siemens": 1e-6,
    "g_max_siemens": 2e-4,
    "pulses": {"kind": "ideal_step", "step_weight": 0.02},
}


def devices(table: dict[str, Any] | str) -> DevicesConfig:
    """Ideal steps with the changes in ``table``, or what it names."""
    if isinstance(table, str) or "preset" in table:
        return DevicesConfig.model_validate(table)
    return DevicesConfig.model_validate(IDEAL | table)


def order(
    precision: str = "float64", sizes: tuple[int, int] = (3, 2), biased: tuple[bool, ...] = ()
) -> Order:
    return Order(*sizes, biased, 1.0, precision, 2, np.random.default_rng(0))


def layered(
    window: tuple[float, float], hidden: tuple[int, ...] = (5,), precision: str = "float64",
    sizes: tuple[int, int] = (3, 2),
) -> Any:  # fmt: skip
    config = LayeredConfig.model_validate(
        {
            "hidden": hidden,
            "initial": {"kind": "uniform", "low_siemens": 1e-4, "high_siemens": 1e-3},
            "g_min_siemens": window[0],
            "g_max_siemens": window[1],
        }
    )
    return config.exact(order(precision, sizes, (False,) * (len(hidden) + 1)))


def chip(
    table: dict[str, Any] | str, *, seed: int = 3, lot: int = 1, **network: Any
) -> ChipSubstrate:
    """A chip around a stack of crossbars; ``seed`` is that of its noise."""
    config = devices(table)
    window = window_of(config, *WINDOW)
    inner = layered(seen_window(config, 0.0, window), **network)
    rng = np.random.default_rng(seed)
    found = chip_around(inner, config, 0.0, Lot((lot,)), rng, window)
    assert isinstance(found, ChipSubstrate)
    return found


def spread_chip(spread: float, *, lot: int = 1, **network: Any) -> AdjustableChip:
    """A chip of ideal programming with fixed errors."""
    inner = layered(seen_window(None, spread, WINDOW), **network)
    found = chip_around(inner, None, spread, Lot((lot,)), np.random.default_rng(0), WINDOW)
    assert isinstance(found, AdjustableChip)
    return found


def graph_chip(table: dict[str, Any] | str) -> ChipSubstrate:
    """A chip around a lattice, which has no crossbar."""
    config = devices(table)
    window = window_of(config, *WINDOW)
    low, high = seen_window(config, 0.0, window)
    network = NodalConfig.model_validate(
        {
            "graph": {"kind": "lattice", "rows": 3, "columns": 3},
            "neurons": {"kind": "ideal_pairs", "lower_volts": -0.3, "upper_volts": 0.3},
            "initial": {"kind": "uniform", "low_siemens": 1e-4, "high_siemens": 1e-3},
            "g_min_siemens": low,
            "g_max_siemens": high,
        }
    )
    found = chip_around(
        network.exact(order()), config, 0.0, Lot((1,)), np.random.default_rng(3), window
    )
    assert isinstance(found, ChipSubstrate)
    return found
