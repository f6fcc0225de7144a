"""Configuration of programmable devices; everything that is not ideal is off by default."""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from hil.model import Model, NotNegative, Positive
from sim_backend.memristors.access import Access
from sim_backend.memristors.conduction import Cubic, Linear, Sinh
from sim_backend.memristors.disturb import Disturb
from sim_backend.memristors.drift import Drift
from sim_backend.memristors.interface import Window
from sim_backend.memristors.model import DeviceModel
from sim_backend.memristors.pulse_config import PulseConfig
from sim_backend.memristors.read_noise import Flicker, ReadNoise, Telegraph
from sim_backend.memristors.stuck import Stuck

__all__ = ["DeviceConfig"]

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class StuckConfig(Model):
    """Devices that no pulse moves."""

    high: Share = Field(default=0.0, description="Share stuck at g_max, low resistance.")
    low: Share = Field(default=0.0, description="Share stuck at g_min, high resistance.")
    between: Share = Field(default=0.0, description="Share stuck in between_range.")
    between_range: tuple[Share, Share] = Field(
        default=(0.0, 1.0), description="Part of the window, 0 being g_min and 1 g_max."
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.high + self.low + self.between > 1.0:
            raise ValueError("high, low and between are shares of all devices; their sum is over 1")
        if self.between_range[0] > self.between_range[1]:
            raise ValueError("between_range must not fall")
        return self

    def build(self) -> Stuck:
        """The model."""
        return Stuck(self.high, self.low, self.between, self.between_range)


class FlickerConfig(Model):
    """1/f noise between two corner frequencies."""

    relative_rms: Share = Field(description="Over all frequencies, relative to the conductance.")
    low_hertz: Positive = Field(description="Lower corner, flat below.")
    high_hertz: Positive = Field(description="Upper corner, 1/f^2 above.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.low_hertz < self.high_hertz:
            raise ValueError("high_hertz must lie above low_hertz")
        return self


class TelegraphConfig(Model):
    """Random telegraph noise."""

    share: Share = Field(description="Of devices that have it.")
    relative_step: Share = Field(description="By which the conductance falls in the low state.")
    high_seconds: Positive = Field(description="Mean dwell time in the high state.")
    low_seconds: Positive = Field(description="Mean dwell time in the low state.")


class ReadNoiseConfig(Model):
    """Noise of reading a conductance."""

    white_relative_rms: Share = Field(
        default=0.0, description="Of each sample, relative to the conductance."
    )
    flicker: FlickerConfig | None = None
    telegraph: TelegraphConfig | None = None

    def build(self) -> ReadNoise:
        """The model."""
        f, t = self.flicker, self.telegraph
        return ReadNoise(
            self.white_relative_rms,
            None if f is None else Flicker(f.relative_rms, f.low_hertz, f.high_hertz),
            None
            if t is None
            else Telegraph(t.share, t.relative_step, t.high_seconds, t.low_seconds),
        )


class DriftConfig(Model):
    """Fall of conductances with the time since they were programmed."""

    exponent: Annotated[float, Field(ge=-1, le=1)] = Field(
        default=0.0, description="nu of ((t + reference) / reference)^-nu."
    )
    exponent_spread: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.0, description="Of nu between devices, absolute."
    )
    reference_seconds: Positive = Field(default=20.0, description="Time the power law sets in.")

    def build(self) -> Drift:
        """The model."""
        return Drift(self.exponent, self.exponent_spread, self.reference_seconds)


class DisturbConfig(Model):
    """Unwanted pulses, by their strength relative to a programming pulse."""

    scheme: Literal["none", "half", "third"] = Field(
        default="none",
        description="How a device of a passive crossbar is selected: V/2 disturbs its row and "
        "column, V/3 the whole crossbar by less; none for gate lines, or disturbances left out.",
    )
    half_select_share: Share = Field(
        default=0.0,
        description="V/2: at a device in the row or column of one that is pulsed.",
    )
    third_select_share: Share = Field(
        default=0.0, description="V/3: at every other device of the crossbar."
    )
    read_share: Share = Field(
        default=0.0, description="By one settled example, in the direction of the drop."
    )

    @model_validator(mode="after")
    def _is_of_the_scheme(self) -> Self:
        for scheme in ("half", "third"):
            if getattr(self, f"{scheme}_select_share") > 0.0 and self.scheme != scheme:
                raise ValueError(
                    f"{scheme}_select_share has no effect with scheme {self.scheme!r}; set scheme "
                    f"to {scheme!r}, or the share to 0"
                )
        return self

    def build(self) -> Disturb:
        """The model."""
        return Disturb(
            self.half_select_share, self.read_share, self.scheme, self.third_select_share
        )


class LinearConductionConfig(Model):
    """``I = g V``."""

    kind: Literal["linear"] = "linear"

    def build(self) -> Linear:
        """The curve."""
        return Linear()


class CubicConductionConfig(Model):
    """``I = g (V + a V^3)``."""

    kind: Literal["cubic"] = "cubic"
    per_volt2: NotNegative = Field(description="a, 1/V^2.")

    def build(self) -> Cubic:
        """The curve."""
        return Cubic(self.per_volt2)


class SinhConductionConfig(Model):
    """``I = g sinh(b V) / b``."""

    kind: Literal["sinh"] = "sinh"
    per_volt: Positive = Field(description="b, 1/V.")

    def build(self) -> Sinh:
        """The curve."""
        return Sinh(self.per_volt)


ConductionConfig: TypeAlias = Annotated[
    LinearConductionConfig | CubicConductionConfig | SinhConductionConfig,
    Field(discriminator="kind"),
]


class AccessConfig(Model):
    """A transistor in series with every device (1T1R)."""

    on_ohms: Positive = Field(description="Resistance with the gate line on.")
    off_ohms: Positive | None = Field(
        default=None, description="Resistance with it off; no leakage at all if omitted."
    )

    def build(self) -> Access:
        """The model."""
        return Access(self.on_ohms, math.inf if self.off_ohms is None else self.off_ohms)


class DeviceConfig(Model):
    """A technology of programmable devices."""

    description: str = Field(default="", description="One line for lists.")
    source: str = Field(default="", description="Where the numbers are from.")
    g_min_siemens: Positive = Field(description="Lower end of the conductance window.")
    g_max_siemens: Positive = Field(description="Upper end of the conductance window.")
    pulses: PulseConfig
    write_noise_relative: Share = Field(
        default=0.0,
        description="Rms deviation of what is seen from what was programmed, relative to the "
        "width of the window (write_noise_std dw_min / 2).",
    )
    stuck: StuckConfig = StuckConfig()
    read_noise: ReadNoiseConfig = ReadNoiseConfig()
    drift: DriftConfig = DriftConfig()
    disturb: DisturbConfig = DisturbConfig()
    conduction: ConductionConfig = LinearConductionConfig()
    access: AccessConfig | None = None

    @model_validator(mode="after")
    def _has_window(self) -> Self:
        if not self.g_min_siemens < self.g_max_siemens:
            raise ValueError("g_max_siemens must lie above g_min_siemens")
        if self.access is not None and self.disturb.scheme != "none":
            raise ValueError(
                "with access transistors no device is selected by half: set disturb.scheme to "
                "'none', or leave access out"
            )
        return self

    @property
    def window_siemens(self) -> Window:
        """(g_min, g_max)."""
        return self.g_min_siemens, self.g_max_siemens

    def build(self) -> DeviceModel:
        """The models, for any window."""
        return DeviceModel(
            pulses=self.pulses.build(),
            stuck=self.stuck.build(),
            write_noise_relative=self.write_noise_relative,
            drift=self.drift.build(),
            read_noise=self.read_noise.build(),
            disturb=self.disturb.build(),
            conduction=self.conduction.build(),
            access=None if self.access is None else self.access.build(),
        )
