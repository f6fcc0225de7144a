"""What a channel is to source."""

from __future__ import annotations

from dataclasses import dataclass

from drivers.bench.roles import Aim, Quantity
from drivers.instruments.base import refuse_beyond
from drivers.instruments.smu import SmuLimits

__all__ = ["Aimed", "refuse_aim"]


@dataclass(frozen=True, slots=True)
class Aimed:
    """What a channel sources, and within which limits.

    Attributes:
        quantity: ``volts`` or ``amps``.
        limit: compliance, of the other quantity.
        largest: magnitude of the largest level to come, which the range must reach.
    """

    quantity: Quantity
    limit: float
    largest: float


def refuse_aim(address: str, aim: Aim, limits: SmuLimits) -> None:
    """Refuse ranges and compliances beyond what the bench file allows an instrument.

    Raises:
        SafetyError: nothing was sent.
    """
    volts, amps = aim.largest, aim.limit
    if aim.quantity == "amps":
        volts, amps = amps, volts
    refuse_beyond(address, "a voltage", volts, limits.volts)
    refuse_beyond(address, "a current", amps, limits.amps)
