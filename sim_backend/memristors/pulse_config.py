"""Configuration of pulse models.

Step models count in weights: the nominal range from ``low_weight`` to ``high_weight``, as a rule 2,
is the conductance window.  Names in brackets are those of aihwkit, or of the paper.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from hil.model import Finite, Model, NotNegative, Positive
from sim_backend.memristors.exponential_step import ExponentialStep
from sim_backend.memristors.linear_step import LinearStep, soft_bounds
from sim_backend.memristors.spread import Steps
from sim_backend.memristors.vteam import StateWindow, Vteam

__all__ = ["PulseConfig"]

Negative = Annotated[float, Field(ge=-1e12, le=-1e-18, allow_inf_nan=False)]
NotPositive = Annotated[float, Field(ge=-1e12, le=0, allow_inf_nan=False)]
Exponent = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]


class IdealStepConfig(Model):
    """Steps all alike and constant."""

    kind: Literal["ideal_step"] = "ideal_step"
    step_weight: Positive = Field(description="Step of a pulse; the window is 2.")

    def build(self) -> LinearStep:
        """The model."""
        return LinearStep(Steps(self.step_weight))


class _StepsConfig(Model):
    step_weight: Positive = Field(description="Mean step at weight 0 (dw_min).")
    step_spread: NotNegative = Field(
        default=0.0, description="Of steps between devices, relative (dw_min_dtod)."
    )
    log_normal: bool = Field(
        default=False, description="Steps are spread log-normally (dw_min_dtod_log_normal)."
    )
    asymmetry: Annotated[float, Field(gt=-1, lt=1)] = Field(
        default=0.0,
        description="Above 0: down steps are smaller by so much of a step; below 0: up steps "
        "(up_down).",
    )
    asymmetry_spread: NotNegative = Field(
        default=0.0, description="Of it between devices (up_down_dtod)."
    )
    own_asymmetry: bool = Field(
        default=False,
        description="Asymmetry is relative to each device's own step, not the mean one.",
    )
    low_weight: NotPositive = Field(default=-1.0, description="Mean lower bound, g_min (w_min).")
    high_weight: NotNegative = Field(default=1.0, description="Mean upper bound, g_max (w_max).")
    low_spread: NotNegative = Field(
        default=0.0, description="Of lower bounds between devices, relative (w_min_dtod)."
    )
    high_spread: NotNegative = Field(
        default=0.0, description="Of upper bounds between devices, relative (w_max_dtod)."
    )
    cycle_spread: NotNegative = Field(
        default=0.0, description="Of steps from pulse to pulse, relative (dw_min_std)."
    )
    share_of_window: Annotated[float, Field(gt=0, le=1)] = Field(
        default=1.0,
        description="Share of the window that the nominal range covers, around its middle; "
        "bounds beyond the window are cut off at it.",
    )

    @model_validator(mode="after")
    def _has_range(self) -> Self:
        if self.high_weight - self.low_weight < 1e-9:
            raise ValueError("high_weight must lie above low_weight")
        return self

    def _steps(self) -> Steps:
        return Steps(**{name: getattr(self, name) for name in _StepsConfig.model_fields})


class LinearStepConfig(_StepsConfig):
    """Steps that fall linearly with the conductance (LinearStep; without fall ConstantStep)."""

    kind: Literal["linear_step"] = "linear_step"
    up_fall: NotNegative = Field(
        default=0.0, description="Share of an up step that is lost at the bound (gamma_up)."
    )
    down_fall: NotNegative = Field(default=0.0, description="Likewise down (gamma_down).")
    up_fall_spread: NotNegative = Field(
        default=0.0, description="Between devices, absolute (gamma_up_dtod)."
    )
    down_fall_spread: NotNegative = Field(default=0.0, description="Likewise (gamma_down_dtod).")
    own_bounds: bool = Field(
        default=False,
        description="Falls refer to each device's own bound (not mean_bound_reference).",
    )
    additive_noise: bool = Field(
        default=False, description="Spread of cycles does not fall with the step (not mult_noise)."
    )

    def build(self) -> LinearStep:
        """The model."""
        own = set(LinearStepConfig.model_fields) - set(_StepsConfig.model_fields) - {"kind"}
        return LinearStep(self._steps(), **{name: getattr(self, name) for name in own})


class SoftBoundsConfig(_StepsConfig):
    """Steps proportional to the distance from each device's own bound (SoftBounds)."""

    kind: Literal["soft_bounds"] = "soft_bounds"
    additive_noise: bool = Field(
        default=False, description="Spread of cycles does not fall with the step (not mult_noise)."
    )

    def build(self) -> LinearStep:
        """The model."""
        return soft_bounds(self._steps(), self.additive_noise)


class ExponentialStepConfig(_StepsConfig):
    """Steps that depend exponentially on the conductance (ExpStep)."""

    kind: Literal["exponential_step"] = "exponential_step"
    up_factor: Finite = Field(description="A_up.")
    down_factor: Finite = Field(description="A_down.")
    up_exponent: Exponent = Field(description="gamma_up.")
    down_exponent: Exponent = Field(description="gamma_down.")
    slope: Annotated[float, Field(ge=-10, le=10)] = Field(description="Scale of z (a).")
    offset: Annotated[float, Field(ge=-10, le=10)] = Field(description="Offset of z (b).")

    def build(self) -> ExponentialStep:
        """The model."""
        own = set(ExponentialStepConfig.model_fields) - set(_StepsConfig.model_fields) - {"kind"}
        return ExponentialStep(self._steps(), **{name: getattr(self, name) for name in own})


class StateWindowConfig(Model):
    """Slowing down towards the ends of the state, which runs from 0 (on) to 1 (off)."""

    kind: Literal["none", "joglekar", "biolek", "kvatinsky"] = "none"
    power: Annotated[int, Field(ge=1, le=100)] = Field(
        default=1, description="p of joglekar and biolek."
    )
    off_end: Finite = Field(default=1.0, description="Kvatinsky: a_off, share of the range.")
    on_end: Finite = Field(default=0.0, description="Kvatinsky: a_on, share of the range.")
    width: Positive = Field(default=0.1, description="Kvatinsky: w_c, share of the range.")

    def build(self) -> StateWindow:
        """The window function."""
        return StateWindow(self.kind, self.power, self.off_end, self.on_end, self.width)


class VteamConfig(Model):
    """VTEAM, driven by pulse amplitude and width; R_on and R_off are the ends of the window."""

    kind: Literal["vteam"] = "vteam"
    off_metres_per_second: Positive = Field(description="Speed towards off (k_off).")
    on_metres_per_second: Negative = Field(description="Speed towards on (k_on), below 0.")
    length_metres: Positive = Field(description="Range of the state (w_off - w_on).")
    off_exponent: Exponent = Field(description="alpha_off.")
    on_exponent: Exponent = Field(description="alpha_on.")
    off_volts: Positive = Field(description="Threshold towards off (v_off).")
    on_volts: Negative = Field(description="Threshold towards on (v_on), below 0.")
    up_volts: Negative = Field(description="Amplitude of a pulse that raises the conductance.")
    down_volts: Positive = Field(description="Amplitude of one that lowers it.")
    pulse_seconds: Positive = Field(description="Width of a pulse.")
    state_window: StateWindowConfig = StateWindowConfig()
    exponential: bool = Field(
        default=False, description="Resistance is exponential in the state instead of linear."
    )
    series_ohms: NotNegative = Field(
        default=0.0, description="Access resistance while programming."
    )
    speed_spread: NotNegative = Field(
        default=0.0, description="Of speeds between devices, log-normal."
    )
    threshold_spread: NotNegative = Field(
        default=0.0, description="Of thresholds between devices, relative."
    )
    low_spread: NotNegative = Field(
        default=0.0, description="Of 1/R_off between devices, log-normal, cut off at the window."
    )
    high_spread: NotNegative = Field(
        default=0.0, description="Of 1/R_on between devices, log-normal, cut off at the window."
    )
    cycle_spread: NotNegative = Field(
        default=0.0, description="Of a pulse's effective width from pulse to pulse, relative."
    )

    def build(self) -> Vteam:
        """The model."""
        same = set(VteamConfig.model_fields) - {
            "kind", "off_metres_per_second", "on_metres_per_second", "length_metres",
            "state_window",
        }  # fmt: skip
        return Vteam(
            off_per_second=self.off_metres_per_second / self.length_metres,
            on_per_second=self.on_metres_per_second / self.length_metres,
            state_window=self.state_window.build(),
            **{name: getattr(self, name) for name in same},
        )


PulseConfig: TypeAlias = Annotated[
    IdealStepConfig | LinearStepConfig | SoftBoundsConfig | ExponentialStepConfig | VteamConfig,
    Field(discriminator="kind"),
]
