"""What drivers of source-measure units have in common: envelope, setup, reading."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

__all__ = ["OffMode", "SmuLimits", "SmuReading", "SmuSetup"]

OffMode: TypeAlias = Literal["HIMP", "NORM", "ZERO", "GUAR"]


@dataclass(frozen=True, slots=True)
class SmuLimits:
    """The envelope: nothing beyond it is ever sent, as level or as compliance."""

    volts: float
    amps: float


@dataclass(frozen=True, slots=True)
class SmuSetup:
    """What stays the same for a run.

    Attributes:
        line_cycles: integration time in power line cycles, 0.01 to 10.
        four_wire: sense at the device, not at the terminals.
        off_mode: what the terminals do while the output is off; ``HIMP`` wears a relay.
    """

    line_cycles: float = 1.0
    four_wire: bool = False
    off_mode: OffMode = "NORM"


class SmuReading(NamedTuple):
    """One measurement of both quantities; ``seconds`` counts from the instrument's reset."""

    volts: float
    amps: float
    seconds: float
    in_compliance: bool
    overflow: bool
