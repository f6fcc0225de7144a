"""Configuration models of the learning side; each other package owns its own.

Values are SI: volts, siemens, amps.  Every model is frozen and refuses unknown keys.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from hil import costs, estimators, rules, schedules
from hil.model import Finite, Model, NotNegative, Positive

__all__ = [
    "CostConfig",
    "EncodingConfig",
    "EstimatorConfig",
    "RuleConfig",
    "ScheduleConfig",
]

Decay = Annotated[float, Field(gt=0, le=1)]
PerGroup = Annotated[tuple[NotNegative, ...], Field(min_length=1)]


class EncodingConfig(Model):
    """How numbers become volts; see :mod:`hil.encoding`."""

    input_volts: Positive = Field(description="Line voltage of a feature value of 1.")
    feature_offset: Finite = Field(
        default=0.0, description="Subtracted from every feature before it becomes a voltage."
    )
    doubled: bool = Field(
        default=True, description="Follow the input lines by their negatives (thesis 4.4.3)."
    )
    bias_volts: tuple[Finite, ...] = Field(
        default=(0.0,),
        min_length=1,
        description="Level of each crossbar's pair of constant lines; 0 for none.",
    )
    target_volts: Positive = Field(
        description="Target of the true class, or volts for a regression value of 1."
    )
    other_volts: Finite = Field(default=0.0, description="Target of the other classes.")


class SquaredErrorConfig(Model):
    """Half the summed squared error; see :class:`hil.costs.SquaredError`."""

    kind: Literal["squared_error"] = "squared_error"
    paired: bool = Field(
        default=False, description="A score is the difference of two outputs, eq. (4.14)."
    )

    def build(self) -> costs.Cost:
        """The cost."""
        return costs.PairedSquaredError() if self.paired else costs.SquaredError()


class CrossEntropyConfig(Model):
    """Softmax cross-entropy; see :class:`hil.costs.CrossEntropy`."""

    kind: Literal["cross_entropy"] = "cross_entropy"
    softmax_volts: Positive = Field(description="Voltage scale of the softmax.")
    paired: bool = Field(default=False, description="See the squared error.")

    def build(self) -> costs.Cost:
        """The cost."""
        return costs.CrossEntropy(self.softmax_volts, self.paired)


CostConfig: TypeAlias = Annotated[
    SquaredErrorConfig | CrossEntropyConfig, Field(discriminator="kind")
]


class EstimatorConfig(Model):
    """Nudged phases; see :mod:`hil.estimators`."""

    kind: Literal["one_sided", "random_sign", "centred", "four_point"] = "centred"
    beta_siemens: Positive = Field(description="Nudging factor; eq. (4.16).")
    alternate: bool = Field(
        default=False, description="Centred: draw which nudged phase runs first."
    )

    def build(self) -> estimators.Estimator:
        """The estimator."""
        match self.kind:
            case "one_sided":
                return estimators.OneSided()
            case "random_sign":
                return estimators.RandomSign()
            case "centred":
                return estimators.Centred(self.alternate)
            case "four_point":
                return estimators.FourPoint()


class GradientRuleConfig(Model):
    """See :class:`hil.rules.GradientRule`."""

    kind: Literal["gradient"] = "gradient"
    rates: PerGroup = Field(description="Siemens squared per volt squared; one, or one a crossbar.")
    quantised: bool = Field(default=False, description="Program by whole signed pulses.")

    def build(self, n_groups: int) -> rules.GradientRule:
        """The rule for so many crossbars."""
        return rules.GradientRule(rules.per_group(self.rates, n_groups, "rates"), self.quantised)


class SignRuleConfig(Model):
    """See :class:`hil.rules.SignRule`."""

    kind: Literal["sign"] = "sign"
    steps_siemens: PerGroup = Field(description="One step, or one a crossbar.")
    dead_zone: NotNegative = Field(
        default=0.0,
        description="Absolute mean gradients up to this give no step; volts squared per siemens.",
    )
    quantised: bool = Field(default=False, description="Program by whole signed pulses.")

    def build(self, n_groups: int) -> rules.SignRule:
        """The rule for so many crossbars."""
        steps = rules.per_group(self.steps_siemens, n_groups, "steps_siemens")
        return rules.SignRule(steps, self.dead_zone, self.quantised)


class ComparisonRuleConfig(Model):
    """See :class:`hil.rules.ComparisonRule`."""

    kind: Literal["comparison"] = "comparison"
    steps_siemens: PerGroup = Field(description="One step, or one a crossbar.")
    threshold_votes: int = Field(
        default=1, ge=1, le=10**9, description="Net votes that trigger a write."
    )
    dead_zone_volts: NotNegative = Field(default=0.0, description="Closer drops do not vote.")
    against: Literal["free", "opposite"] = Field(
        default="opposite", description="What the drops at +beta are compared with."
    )
    quantised: bool = Field(default=False, description="Program by whole signed pulses.")

    def build(self, n_groups: int) -> rules.ComparisonRule:
        """The rule for so many crossbars."""
        return rules.ComparisonRule(
            rules.per_group(self.steps_siemens, n_groups, "steps_siemens"),
            self.threshold_votes,
            self.dead_zone_volts,
            self.against == "free",
            self.quantised,
        )


RuleConfig: TypeAlias = Annotated[
    GradientRuleConfig | SignRuleConfig | ComparisonRuleConfig, Field(discriminator="kind")
]


class ConstantConfig(Model):
    """No schedule."""

    kind: Literal["constant"] = "constant"

    def build(self) -> schedules.Schedule:
        """The schedule."""
        return schedules.Constant()


class ExponentialConfig(Model):
    """See :class:`hil.schedules.Exponential`."""

    kind: Literal["exponential"] = "exponential"
    decay: Decay = Field(description="Factor an epoch.")

    def build(self) -> schedules.Schedule:
        """The schedule."""
        return schedules.Exponential(self.decay)


class StaircaseConfig(Model):
    """See :class:`hil.schedules.Staircase`."""

    kind: Literal["staircase"] = "staircase"
    decay: Decay = Field(description="Factor at each milestone.")
    milestones: tuple[NotNegative, ...] = Field(description="Epochs.")

    def build(self) -> schedules.Schedule:
        """The schedule."""
        return schedules.Staircase(self.decay, self.milestones)


class CosineConfig(Model):
    """See :class:`hil.schedules.Cosine`."""

    kind: Literal["cosine"] = "cosine"
    floor: NotNegative = Field(default=0.0, le=1, description="Factor at the end.")

    def build(self) -> schedules.Schedule:
        """The schedule."""
        return schedules.Cosine(self.floor)


ScheduleConfig: TypeAlias = Annotated[
    ConstantConfig | ExponentialConfig | StaircaseConfig | CosineConfig,
    Field(discriminator="kind"),
]
