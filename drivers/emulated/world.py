"""What emulated instruments are wired to: channels with stances, and worlds that answer them.

An instrument's channel is two terminals. The instrument sets the channel's *stance* (what it
imposes on the terminals); the world says what voltage and current result. Amps are positive
when they leave the HI terminal; volts are HI minus LO.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias

__all__ = [
    "Channel",
    "CurrentForce",
    "Meter",
    "Open",
    "Reading",
    "ResistorWorld",
    "ScannerWorld",
    "Stance",
    "VoltageForce",
    "World",
]


@dataclass(frozen=True, slots=True)
class Open:
    """Nothing is connected between the terminals."""


@dataclass(frozen=True, slots=True)
class VoltageForce:
    """A voltage source that turns into a current source at its limit.

    Attributes:
        volts: the voltage wanted between HI and LO.
        limit_amps: largest magnitude of current it will deliver.
        series_ohms: lead and output resistance inside the loop.
    """

    volts: float
    limit_amps: float
    series_ohms: float = 0.0


@dataclass(frozen=True, slots=True)
class CurrentForce:
    """A current source out of HI that turns into a voltage source at its limit.

    Attributes:
        amps: the current wanted.
        limit_volts: largest magnitude of voltage it will reach.
    """

    amps: float
    limit_volts: float


@dataclass(frozen=True, slots=True)
class Meter:
    """A voltmeter of finite input resistance."""

    input_ohms: float = math.inf


Stance: TypeAlias = Open | VoltageForce | CurrentForce | Meter


class Reading(NamedTuple):
    """What is true at a channel's terminals; ``limited``: its source is at its limit."""

    volts: float
    amps: float
    limited: bool = False


class Channel:
    """Two terminals of one instrument channel.

    Attributes:
        name: the channel as messages name it, such as ``smu1.a``.
        hi: net of the HI terminal; set by the wiring.
        lo: net of the LO terminal.
        on_change: called after every change of the stance; set by the world that must see each
            one, read or not (a pulse nobody measures stresses a device all the same).
    """

    __slots__ = ("_stance", "hi", "lo", "name", "on_change")

    def __init__(self, name: str, hi: str = "hi", lo: str = "lo") -> None:
        self.name = name
        self.hi = hi
        self.lo = lo
        self.on_change: Callable[[Channel], None] | None = None
        self._stance: Stance = Open()

    @property
    def stance(self) -> Stance:
        """What the instrument imposes on the terminals."""
        return self._stance

    @stance.setter
    def stance(self, stance: Stance) -> None:
        if stance == self._stance:
            return
        self._stance = stance
        if self.on_change is not None:
            self.on_change(self)


class World(Protocol):
    """The circuit all channels meet in, and its time."""

    @property
    def now_seconds(self) -> float:
        """Time of the emulated world; it moves only by :meth:`elapse`."""
        ...

    def elapse(self, seconds: float) -> None:
        """Let time pass with every stance and switch as it is: an aperture, a delay, a pulse."""
        ...

    def reading(self, channel: Channel) -> Reading:
        """Solve after any change of a stance or a switch, and say what is at the terminals."""
        ...


class ResistorWorld:
    """Every channel has a resistor of its own from HI to LO; nothing else is connected.

    Args:
        load_ohms: the resistor, ``inf`` for open terminals.
    """

    def __init__(self, load_ohms: float = math.inf) -> None:
        self._load_ohms = load_ohms
        self._now_seconds = 0.0

    @property
    def now_seconds(self) -> float:
        """Time that has passed, in seconds."""
        return self._now_seconds

    def elapse(self, seconds: float) -> None:
        """Let time pass."""
        self._now_seconds += seconds

    def reading(self, channel: Channel) -> Reading:
        """Ohm's law at the channel's resistor."""
        stance = channel.stance
        if isinstance(stance, VoltageForce):
            return _volts_into(self._load_ohms, stance)
        if isinstance(stance, CurrentForce):
            return _amps_into(self._load_ohms, stance)
        return Reading(0.0, 0.0)


def _volts_into(load_ohms: float, force: VoltageForce) -> Reading:
    """A voltage source with a current limit across a resistor."""
    if force.volts == 0.0:
        return Reading(0.0, 0.0)
    loop_ohms = load_ohms + force.series_ohms
    if abs(force.volts) > force.limit_amps * loop_ohms:
        amps = math.copysign(force.limit_amps, force.volts)
        return Reading(amps * load_ohms, amps, limited=True)
    if math.isinf(load_ohms):
        return Reading(force.volts, 0.0)
    amps = force.volts / loop_ohms
    return Reading(amps * load_ohms, amps)


def _amps_into(load_ohms: float, force: CurrentForce) -> Reading:
    """A current source with a voltage limit across a resistor."""
    if force.amps == 0.0:
        return Reading(0.0, 0.0)
    volts = force.amps * load_ohms
    if abs(volts) > force.limit_volts:
        volts = math.copysign(force.limit_volts, force.amps)
        return Reading(volts, volts / load_ohms, limited=True)
    return Reading(volts, force.amps)


class ScannerWorld:
    """Fixed voltages for a scanner to find; sources change nothing here.

    Args:
        channel_volts: voltage of a channel by its name; channels not named read 0 V.
    """

    def __init__(self, channel_volts: Mapping[str, float]) -> None:
        self._channel_volts = dict(channel_volts)
        self._now_seconds = 0.0

    @property
    def now_seconds(self) -> float:
        """Time that has passed, in seconds."""
        return self._now_seconds

    def elapse(self, seconds: float) -> None:
        """Let time pass."""
        self._now_seconds += seconds

    def reading(self, channel: Channel) -> Reading:
        """The voltage stated for the channel."""
        return Reading(self._channel_volts.get(channel.name, 0.0), 0.0)
