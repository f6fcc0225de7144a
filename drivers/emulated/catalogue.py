"""Emulated instruments by the names that the command line knows.

Modules are imported when their instrument is asked for; some bring a Lua engine along.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import numpy as np

from drivers.emulated.interface import EmulatedInstrument
from drivers.emulated.world import World
from hil.errors import ConfigurationError

__all__ = ["MODELS", "emulate"]

_CLASSES = {
    "keithley2400": ("keithley2400", "EmulatedKeithley2400"),
    "keithley2450": ("keithley2450", "EmulatedKeithley2450"),
    "keithley2636b": ("keithley2600b", "EmulatedKeithley2600B"),
    "keysightb2962a": ("keysightb2900", "EmulatedKeysightB2900"),
    "keithley6221": ("keithley6221", "EmulatedKeithley6221"),
    "keithley707b": ("keithley707b", "EmulatedKeithley707B"),
    "keithley3706a": ("keithley3706a", "EmulatedKeithley3706A"),
    "keithley2750": ("keithley2750", "EmulatedKeithley2750"),
    "daq6510": ("keithleydaq6510", "EmulatedKeithleyDaq6510"),
    "agilent34970a": ("agilent34970a", "EmulatedAgilent34970A"),
}

_BOARD = "shboard"
"""The sample-and-hold board, around a small network of its own: nothing else is wired to it."""

_SILENT = ("keithley707b", "keithley3706a")
"""They measure nothing, so they have no noise."""

MODELS = (*_CLASSES, _BOARD)


def emulate(
    model: str,
    world: World,
    random: np.random.Generator | None = None,
    serial: str | None = None,
) -> EmulatedInstrument:
    """One instrument with default cards, in a world.

    Args:
        model: one of :data:`MODELS`.
        world: what its terminals are wired to.
        random: for the errors and the noise of its data sheet; None: an ideal one.
        serial: serial number, which a board does not take; None: the usual one.

    Raises:
        ConfigurationError: there is no such model.
    """
    if model not in MODELS:
        raise ConfigurationError(
            f"there is no emulated instrument {model!r}; choose one of: {', '.join(MODELS)}"
        )
    if model == _BOARD:
        board = import_module("drivers.emulated.shboard")
        toy = import_module("drivers.emulated.shboard_toy")
        made: EmulatedInstrument = board.ShBoard(toy.ToyHardware())
        return made
    module, name = _CLASSES[model]
    make: Callable[..., EmulatedInstrument] = getattr(
        import_module(f"drivers.emulated.{module}"), name
    )
    known = {} if serial is None else {"serial": serial}
    return make(world, **known) if model in _SILENT else make(world, random=random, **known)
