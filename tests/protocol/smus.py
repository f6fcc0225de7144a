"""What the tests of source-measure units share: benches spoken to in text, and recorders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np

from drivers.emulated.interface import EmulatedInstrument
from drivers.emulated.keithley2400 import EmulatedKeithley2400
from drivers.emulated.keithley2450 import EmulatedKeithley2450
from drivers.emulated.keithley2600b import EmulatedKeithley2600B
from drivers.emulated.keithley2600b_models import MODELS
from drivers.emulated.keysightb2900 import EmulatedKeysightB2900
from drivers.emulated.world import Channel, ResistorWorld, VoltageForce, World
from drivers.instruments.smu import SmuLimits
from drivers.transport.interface import Expect
from drivers.transport.memory import MemoryTransport
from hil.errors import TransportTimeoutError

LIMITS = SmuLimits(volts=3.0, amps=1e-3)

BEYOND_LIMITS = (
    lambda smu: smu.source_volts(3.1, 1e-4),
    lambda smu: smu.source_volts(1.0, 2e-3),
    lambda smu: smu.source_volts(float("nan"), 1e-4),
    lambda smu: smu.source_amps(-2e-3, 1.0),
    lambda smu: smu.source_amps(1e-4, 5.0),
    lambda smu: smu.measure_at(-3.5),
    lambda smu: smu.sweep([0.1, 4.0]),
)
"""Calls of a one-channel driver that :data:`LIMITS` forbid."""

JUNK = (
    b"\xff\x00;;;\n",
    b":SOUR:VOLT #19\n",
    b":TRAC:DATA? (@,'\n",
    b"*IDN?;" * 3 + b":X?\n",
)
"""Messages that no SCPI instrument understands."""

InstrumentT = TypeVar("InstrumentT", bound=EmulatedInstrument)


class SmuBench(Generic[InstrumentT]):
    """An SMU with a resistor on each channel, spoken to in SCPI.

    Args:
        kind: what emulates it.
        load_ohms: the resistor.
        options: of the emulated instrument.
    """

    def __init__(
        self, kind: Callable[..., InstrumentT], load_ohms: float = 1e4, **options: object
    ) -> None:
        self.world = ResistorWorld(load_ohms)
        self.instrument = kind(self.world, **options)

    def ask(self, message: str) -> str:
        """The reply to a message, or nothing."""
        return self.instrument.receive(message.encode() + b"\n").decode().rstrip("\n")

    def numbers(self, message: str) -> list[float]:
        """A reply of numbers."""
        return [float(field) for field in self.ask(message).split(",")]

    def error_code(self) -> int:
        """The code of the oldest error, taken off the queue."""
        return int(self.ask(":SYST:ERR?").split(",")[0])


class Bench2400(SmuBench[EmulatedKeithley2400]):
    """A 2400 or 2410."""

    def __init__(self, load_ohms: float = 1e4, **options: object) -> None:
        super().__init__(EmulatedKeithley2400, load_ohms, **options)

    @property
    def stance(self) -> object:
        return self.instrument.channel.stance


class Bench2450(SmuBench[EmulatedKeithley2450]):
    """A 2450 or 2460."""

    def __init__(self, load_ohms: float = 1e4, **options: object) -> None:
        super().__init__(EmulatedKeithley2450, load_ohms, **options)

    @property
    def stance(self) -> object:
        return self.instrument.channel.stance


class BenchB2900(SmuBench[EmulatedKeysightB2900]):
    """A B2900 of one or two channels."""

    def __init__(self, load_ohms: float = 1e4, **options: object) -> None:
        super().__init__(EmulatedKeysightB2900, load_ohms, **options)

    def stance(self, number: int = 1) -> object:
        return self.instrument.channels[number].stance


def smu_2600b(load_ohms: float = 1e3, model: str = "2636B") -> EmulatedKeithley2600B:
    """A 2600B with a resistor on each channel."""
    return EmulatedKeithley2600B(ResistorWorld(load_ohms), MODELS[model])


def errors_of_one_volt(kind: Callable[..., Any], setup: str) -> np.ndarray:
    """Volts by which 20 instruments of a kind, each with errors of its own, miss 1 V.

    Args:
        kind: of bench.
        setup: message that has the first channel source 1 V.
    """
    errors = []
    for seed in range(20):
        bench = kind(random=np.random.default_rng(seed))
        bench.ask(setup)
        errors.append(bench.world.reading(bench.instrument.channel).volts - 1.0)
    return np.array(errors)


class Step(NamedTuple):
    """What a channel imposed, and since when."""

    seconds: float
    stance: object

    @property
    def volts(self) -> float:
        assert isinstance(self.stance, VoltageForce)
        return self.stance.volts


def watched(channel: Channel, world: World) -> list[Step]:
    """Every stance the channel takes from now on, with the seconds since now."""
    steps: list[Step] = []
    start = world.now_seconds

    def note(changed: Channel) -> None:
        steps.append(Step(world.now_seconds - start, changed.stance))

    channel.on_change = note
    return steps


class Counting(MemoryTransport):
    """Counts the exchanges."""

    n_exchanges = 0

    def exchange(self, request: bytes, expect: Expect) -> bytes:
        self.n_exchanges += 1
        return super().exchange(request, expect)


def lost_at(part: bytes, messages: Sequence[bytes]) -> list[tuple[bytes, Exception | None]]:
    """A dialogue of messages without replies, in which those with ``part`` in them are lost."""
    lost = TransportTimeoutError("dead")
    return [(message, lost if part in message else None) for message in messages]
