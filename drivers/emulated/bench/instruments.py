"""The instruments of an emulated bench, as its file lists them."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np

from drivers.bench.config import BenchConfig, InstrumentConfig
from drivers.emulated.bench.settings import EmulationConfig
from drivers.emulated.interface import EmulatedInstrument
from drivers.emulated.world import Channel, World
from hil.errors import ConfigurationError

__all__ = ["Placed", "place"]

_NOISE = 300
"""Purpose of the generators of the instruments' errors and noise."""

_SOURCES = {
    "keithley2400": ("keithley2400", "EmulatedKeithley2400", "2400"),
    "keithley2450": ("keithley2450", "EmulatedKeithley2450", "2450"),
    "keithley2600b": ("keithley2600b", "EmulatedKeithley2600B", "2636B"),
    "keysightb2900": ("keysightb2900", "EmulatedKeysightB2900", "B2962A"),
    "keithley6221": ("keithley6221", "EmulatedKeithley6221", "6221"),
}
_MAINFRAMES = {
    "keithley707b": ("EmulatedKeithley707B", dict.fromkeys("123456", "7174A")),
    "keithley3706a": (
        "EmulatedKeithley3706A",
        dict.fromkeys("123", "3730") | dict.fromkeys("45", "3740"),
    ),
}
_SCANNERS = {
    "keithley2750": ("keithley2750", "EmulatedKeithley2750"),
    "daq6510": ("keithleydaq6510", "EmulatedKeithleyDaq6510"),
    "agilent34970a": ("agilent34970a", "EmulatedAgilent34970A"),
}


@dataclass(frozen=True)
class Placed:
    """An instrument on the bench.

    Attributes:
        instrument: takes bytes.
        sources: terminals by channel, such as ``a``, and whether the output is on.
        meters: measurement channels by number.
        relays: of a switching mainframe, see ``drivers.emulated.tsp.switching.Relays``.
    """

    instrument: EmulatedInstrument
    sources: Mapping[str, tuple[Channel, Callable[[], bool]]] = field(default_factory=dict)
    meters: Mapping[str, Channel] = field(default_factory=dict)
    relays: Any = None


def place(
    name: str,
    config: BenchConfig,
    emulation: EmulationConfig,
    world: World,
    seed: int,
    on_switch: Callable[[frozenset[str]], None] | None,
    is_live: Callable[[str], bool],
) -> Placed:
    """Make one instrument; it is not wired yet.

    Args:
        name: in the bench file.
        config: the bench file.
        emulation: noise, models and cards.
        world: what its terminals will be wired to.
        seed: of errors and noise.
        on_switch: called with everything that is closed when relays have moved; None: its
            relays join nothing.
        is_live: whether there is voltage at a relay.

    Raises:
        ConfigurationError: there is no such model or card.
    """
    instrument = config.instruments[name]
    random = np.random.default_rng([seed, _NOISE, zlib.crc32(name.encode())])
    noise = random if emulation.noise == "data_sheet" else None
    serial = instrument.serial or f"{1_000_001 + list(config.instruments).index(name)}"
    if instrument.model in _SOURCES:
        return _source(name, instrument, emulation.models.get(name), world, serial, noise)
    if name in emulation.models:
        raise ConfigurationError(f"emulation.models.{name}: a {instrument.model} comes as one only")
    if instrument.model in _MAINFRAMES:
        cards = emulation.cards.get(name)
        return _mainframe(name, instrument, cards, world, serial, on_switch, is_live)
    module, class_name = _SCANNERS[instrument.model]
    kind = getattr(import_module(f"drivers.emulated.{module}"), class_name)
    scanner = kind(world, serial, noise, f"{name}.", on_switch=on_switch)
    volts = filter(scanner.measures_volts, scanner.channels)
    meters = {str(number): scanner.channels[number] for number in volts}
    return Placed(scanner, meters=meters)


def _source(
    name: str,
    instrument: InstrumentConfig,
    wanted: str | None,
    world: World,
    serial: str,
    noise: np.random.Generator | None,
) -> Placed:
    module, class_name, usual = _SOURCES[instrument.model]
    kind = getattr(import_module(f"drivers.emulated.{module}"), class_name)
    if instrument.model == "keithley6221":
        if wanted not in (None, usual):
            raise _unknown("model", f"emulation.models.{name}", wanted, [usual])
        source = kind(world, serial, noise, name)
    else:
        models = _models(instrument.model)
        if (wanted or usual) not in models:
            raise _unknown("model", f"emulation.models.{name}", wanted, models)
        source = kind(world, models[wanted or usual], serial, noise, name)
    if instrument.model not in ("keithley2600b", "keysightb2900"):
        return Placed(source, {"": (source.channel, lambda: bool(source.output_on))})
    return Placed(
        source,
        {
            str(key): (channel, partial(source.output_on, key))
            for key, channel in source.channels.items()
        },
    )


def _models(family: str) -> dict[str, Any]:
    """Models of a family by name."""
    found = import_module(f"drivers.emulated.{family}_models")
    if hasattr(found, "MODELS"):
        return dict(found.MODELS)
    return {key[6:]: model for key, model in vars(found).items() if key.startswith("MODEL_")}


def _mainframe(
    name: str,
    instrument: InstrumentConfig,
    cards: dict[str, str] | None,
    world: World,
    serial: str,
    on_switch: Callable[[frozenset[str]], None] | None,
    is_live: Callable[[str], bool],
) -> Placed:
    class_name, usual = _MAINFRAMES[instrument.model]
    kind = getattr(import_module(f"drivers.emulated.{instrument.model}"), class_name)
    known = import_module("drivers.emulated.tsp.switch_cards").CARDS
    slots = {}
    for slot, card in (cards or usual).items():
        if slot not in "123456" or len(slot) != 1:
            raise ConfigurationError(f"emulation.cards.{name}: there is no slot {slot}; 1 to 6 are")
        if card not in known:
            raise _unknown("card", f"emulation.cards.{name}.{slot}", card, known)
        slots[int(slot)] = known[card]
    frame = kind(world, slots, serial, on_switch or (lambda _: None), is_live)
    return Placed(frame, relays=frame.relays)


def _unknown(what: str, where: str, given: object, known: Any) -> ConfigurationError:
    return ConfigurationError(
        f"{where}: there is no {what} {given!r}; choose one of: {', '.join(known)}"
    )
