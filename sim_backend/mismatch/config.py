"""How much amplifiers, diodes and conductances differ from part to part."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hil.errors import ConfigurationError
from hil.model import Model

__all__ = ["MismatchConfig"]

Relative = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Volts = Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)]

_AMPLIFIERS = ("amplifier_gain_spread", "reciprocity_spread", "amplifier_offset_volts")
_JUNCTIONS = (
    "saturation_spread",
    "ideality_spread",
    "temperature_spread_kelvin",
    "temperature_kelvin_shift",
)


class MismatchConfig(Model):
    """Spread of amplifiers, diodes and conductances; everything is off by default.

    What must stay positive is lognormal, because products of many small causes are, and because
    no draw then has to be rejected; the nominal value is its median, so that half of the parts
    lie above it.  A relative spread is the standard deviation over the mean.  What can have
    either sign is normal around zero.
    """

    amplifier_gain_spread: Relative = Field(
        default=0.0, description="Relative, of the gain A from amplifier to amplifier, lognormal; "
        "B goes along, so that B/A stays.",
    )  # fmt: skip
    reciprocity_spread: Relative = Field(
        default=0.0, description="Relative, of B/A from amplifier to amplifier, lognormal and "
        "independent of A; above 0 the circuit is not reciprocal up to known factors, and "
        "estimates of gradients are biased.",
    )  # fmt: skip
    amplifier_offset_volts: Volts = Field(
        default=0.0, description="Rms offset of an amplifier, referred to its input, normal: its "
        "output is at A (v + offset).",
    )  # fmt: skip
    saturation_spread: Annotated[float, Field(ge=0, le=5, allow_inf_nan=False)] = Field(
        default=0.0, description="Of each Shockley diode's saturation current, lognormal: the "
        "standard deviation of its natural logarithm.",
    )  # fmt: skip
    ideality_spread: Relative = Field(
        default=0.0, description="Relative, of the ideality factor, lognormal; the diodes of one "
        "neuron have it in common.",
    )  # fmt: skip
    temperature_spread_kelvin: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)] = Field(
        default=0.0, description="Rms of Shockley diodes' temperatures around that of the "
        "circuit, normal; it moves kT/q and, by SPICE's law, the saturation current. The diodes "
        "of one neuron have it in common.",
    )  # fmt: skip
    temperature_kelvin_shift: Annotated[float, Field(ge=-250, le=400, allow_inf_nan=False)] = Field(
        default=0.0, description="By which all Shockley diodes are warmer than nominal."
    )
    diode_offset_volts: Volts = Field(
        default=0.0, description="Rms of the forward voltage at which a diode begins, normal "
        "around its nominal one: like a source in series with it.",
    )  # fmt: skip

    conductance_spread: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = Field(
        default=0.0, description="Of conductances around what was programmed, one factor a device "
        "that stays, lognormal: the standard deviation of its natural logarithm.  For ideal "
        "programming only; devices have a spread of their own.",
    )  # fmt: skip

    @property
    def is_none(self) -> bool:
        """Whether amplifiers and diodes are nominal."""
        return self == MismatchConfig(conductance_spread=self.conductance_spread)

    def check(self, *, amplifiers: bool, junctions: bool, ideal_diodes: bool) -> None:
        """Refuse mismatch of parts that a circuit does not have.

        Args:
            amplifiers: whether it has any.
            junctions: whether it has Shockley diodes.
            ideal_diodes: whether it has ideal ones.

        Raises:
            ConfigurationError: what is asked for would have no effect.
        """
        if not amplifiers:
            self._refuse(
                _AMPLIFIERS,
                "there are no bidirectional amplifiers; leave it at 0, or give the circuit "
                "amplifiers (substrate.amplifiers, or a trio of sources in a netlist)",
            )
        if not junctions:
            self._refuse(
                _JUNCTIONS,
                "there are no Shockley diodes; leave it at 0, or choose "
                "substrate.neurons.kind = shockley_pairs (in a netlist: diodes with a .model)",
            )
        if not (junctions or ideal_diodes):
            self._refuse(
                ("diode_offset_volts",),
                "there are no diodes; leave it at 0, or choose substrate.neurons with diodes",
            )

    def _refuse(self, names: tuple[str, ...], why: str) -> None:
        for name in names:
            value = getattr(self, name)
            if value != 0.0:
                raise ConfigurationError(f"mismatch.{name} is {value:g}, but {why}")
