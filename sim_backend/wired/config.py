"""Configuration of the wires of a stack of crossbars."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from hil.errors import ConfigurationError
from hil.model import Model, NotNegative

__all__ = ["WiresConfig"]

# Adding 0 makes 0 of -0, whose reciprocal is minus infinity.
Ohms = Annotated[NotNegative, AfterValidator(lambda value: value + 0.0)]
PerCrossbar = Ohms | tuple[Ohms, ...]


class WiresConfig(Model):
    """Resistance of the lines: one segment from each device to the next.

    One more lies between a line's driver and its first device, or its last device and the node it
    ends in.  Of studies: 0.3 to 3 Ohm a segment.
    """

    word_ohms: PerCrossbar = Field(
        default=0.0, description="Of a segment of a word line (row): one, or one a crossbar."
    )
    bit_ohms: PerCrossbar = Field(
        default=0.0, description="Of a segment of a bit line (column): one, or one a crossbar."
    )

    @property
    def is_ideal(self) -> bool:
        """Whether no line has resistance."""
        return not any(
            any(ohms) if isinstance(ohms, tuple) else ohms
            for ohms in (self.word_ohms, self.bit_ohms)
        )

    def of_crossbars(self, count: int) -> tuple[tuple[float, float], ...]:
        """(word_ohms, bit_ohms) of each crossbar.

        Raises:
            ConfigurationError: there are more or fewer values than crossbars.
        """
        sides = []
        for name, ohms in (("word_ohms", self.word_ohms), ("bit_ohms", self.bit_ohms)):
            values = ohms if isinstance(ohms, tuple) else (ohms,) * count
            if len(values) != count:
                raise ConfigurationError(
                    f"wires.{name} has {len(values)} values for {count} crossbars; give one, or "
                    "one each"
                )
            sides.append(values)
        return tuple(zip(*sides, strict=True))
