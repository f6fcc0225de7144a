"""Names in a bench file: whether what they stand for is there, and whether it is what is meant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drivers.bench.config import BenchConfig

__all__ = [
    "CHANNELS",
    "is_channel",
    "is_model",
    "listed",
    "repeated",
    "source_channels",
    "split_channel",
]

CHANNELS: dict[str, tuple[str, ...]] = {
    "keithley2400": ("",),
    "keithley2450": ("",),
    "keithley2600b": ("a", "b"),
    "keysightb2900": ("1", "2"),
    "keithley6221": ("",),
}
"""Names of a source's channels by model."""


def split_channel(channel: str) -> tuple[str, str]:
    """``in1.a`` as instrument and channel; the channel of ``smu`` is ``""``."""
    instrument, _, name = channel.partition(".")
    return instrument, name


def source_channels(config: BenchConfig) -> dict[str, str]:
    """What each source channel is for, by channel."""
    used: dict[str, str] = {}
    if config.phases.kind == "smu":
        used |= dict.fromkeys(config.phases.inputs, "input")
        used |= dict.fromkeys(config.phases.outputs, "nudge")
    access = config.access
    if access is not None:
        for name in (access.high, access.low, access.third, access.two_thirds):
            if name is not None:
                used[name] = "access"
    return used


def is_model(config: BenchConfig, where: str, name: str, models: Iterable[str]) -> Iterator[str]:
    """What is wrong with an instrument that should be one of some models, if anything is."""
    instrument = config.instruments.get(name)
    if instrument is None:
        known = ", ".join(config.instruments) or "none"
        yield f"{where}: there is no instrument {name!r}; there are: {known}"
    elif instrument.model not in models:
        yield f"{where}: {name} is a {instrument.model}; one of {', '.join(models)} is needed"


def is_channel(config: BenchConfig, where: str, channel: str) -> Iterator[str]:
    """What is wrong with a channel of a source, if anything is."""
    name, letter = split_channel(channel)
    yield from is_model(config, where, name, CHANNELS)
    instrument = config.instruments.get(name)
    if instrument is not None and instrument.model in CHANNELS:
        names = CHANNELS[instrument.model]
        if letter not in names:
            known = ", ".join(f"{name}.{x}" if x else name for x in names)
            yield f"{where}: {channel} is no channel of a {instrument.model}; it has: {known}"


def repeated(what: str, names: Iterable[str]) -> Iterator[str]:
    """Names that are there more than once."""
    twice = [name for name, n in Counter(names).items() if n > 1]
    if twice:
        yield f"{what} {listed(twice)} used twice; each is one thing's only"


def listed(names: list[str]) -> str:
    """The first names, and how many more there are."""
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
