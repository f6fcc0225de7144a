"""Settings of the electronics around a network, and how one board is drawn from them.

Everything is off by default.  A spread or rms of 0 is an exact part, ``None`` an unlimited one.
What differs from part to part is drawn once (:meth:`BoardConfig.draw`); noise is drawn at use.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from hil.model import Finite, Model, NotNegative, Positive
from hil.topology import Topology
from sim_backend.board.converters import SHAPE_MEAN_SQUARES, least_step
from sim_backend.board.drawn import BoardDrawn, Floats

__all__ = [
    "AdcConfig",
    "BoardConfig",
    "ComparatorConfig",
    "DacConfig",
    "HoldConfig",
    "NudgeConfig",
    "SettlingConfig",
    "SupplyConfig",
    "TimingConfig",
]

Bits = Annotated[int, Field(ge=2, le=24)]

_SIGMAS = 6.0
"""Spreads that the limits leave room for."""


class _Converter(Model):
    """What all converters have in common."""

    bits: Bits | None = Field(
        default=None,
        description="Resolution: 2^bits - 1 levels, symmetric about 0, both ends of the range "
        "among them; no rounding if omitted.",
    )
    gain_spread: NotNegative = Field(
        default=0.0, description="Standard deviation over channels of the gain, nominally 1."
    )
    inl_lsb: NotNegative = Field(
        default=0.0,
        description="Rms over range and channels of the integral nonlinearity, least steps: a "
        "smooth curve a channel, 0 at both ends of the range.",
    )

    def _check_range(self, span: float | None) -> None:
        if self.bits is not None and span is None:
            raise ValueError("bits need a range to be steps of; set it too")
        if self.inl_lsb and self.bits is None:
            raise ValueError("inl_lsb is counted in least steps; set bits too")


class DacConfig(_Converter):
    """Sources of the input lines, one channel a line."""

    range_volts: Positive | None = Field(
        default=None, description="Largest absolute level; more is refused before any output."
    )
    offset_volts: NotNegative = Field(
        default=0.0, description="Rms over channels of a constant offset."
    )
    noise_volts: NotNegative = Field(default=0.0, description="Rms white noise, anew each phase.")

    @model_validator(mode="after")
    def _range(self) -> Self:
        self._check_range(self.range_volts)
        return self


class NudgeConfig(_Converter):
    """Current sources of the nudge, one an output; open circuits in a free phase."""

    range_amps: Positive | None = Field(
        default=None, description="Largest absolute level; more is refused before any output."
    )
    offset_amps: NotNegative = Field(
        default=0.0, description="Rms over channels of a constant offset, also at a nudge of 0."
    )
    noise_amps: NotNegative = Field(default=0.0, description="Rms white noise, anew each phase.")

    @model_validator(mode="after")
    def _range(self) -> Self:
        self._check_range(self.range_amps)
        return self


class TimingConfig(Model):
    """When things happen in a phase: wait, acquire, and later read."""

    wait_seconds: NotNegative = Field(
        default=0.0, description="From applying a drive to holding the nodes."
    )
    acquisition_seconds: NotNegative = Field(
        default=0.0, description="For which the holds follow their nodes after that."
    )
    read_seconds: NotNegative = Field(
        default=0.0, description="From the last hold of an exchange to reading or comparing."
    )


class SettlingConfig(Model):
    """Charging of the nodes, each to first order by itself."""

    node_farads: NotNegative = Field(
        default=0.0, description="Capacitance of every node to ground; 0: settled at once."
    )


class HoldConfig(Model):
    """Sample-and-holds, in one or two banks of one a node; inputs need none.

    A comparator always sees the first phase in bank A and the second one in bank B.
    """

    banks: Literal[1, 2] = Field(
        default=1,
        description="For readings.  1: every phase is held in bank A and read before the next.  "
        "2: the phases of an exchange go to banks A and B in turn and are read in pairs.",
    )
    tau_seconds: NotNegative = Field(
        default=0.0, description="Time constant of acquisition; exp(-acquisition/tau) of the "
        "step from what the hold kept before is left.",
    )  # fmt: skip
    step_volts: Finite = Field(default=0.0, description="Mean step on holding (pedestal).")
    step_spread_volts: NotNegative = Field(
        default=0.0, description="Standard deviation of that step over holds."
    )
    droop_volts_per_second: Finite = Field(
        default=0.0, description="Mean rate at which a held voltage changes, of either sign."
    )
    droop_spread_volts_per_second: NotNegative = Field(
        default=0.0, description="Standard deviation of that rate over holds."
    )
    offset_volts: NotNegative = Field(
        default=0.0, description="Rms over holds of a constant offset."
    )
    gain_spread: NotNegative = Field(
        default=0.0, description="Standard deviation over holds of the gain, nominally 1."
    )
    noise_volts: NotNegative = Field(default=0.0, description="Rms white noise of a held voltage.")


class AdcConfig(_Converter):
    """Reading of held voltages; a voltage beyond the range fails its example."""

    shared: bool = Field(
        default=True,
        description="One converter reads all nodes in turn; else one a node, all at once.",
    )
    range_volts: Positive | None = Field(
        default=None, description="Largest absolute voltage that can be read."
    )
    offset_volts: NotNegative = Field(
        default=0.0, description="Rms over converters of a constant offset."
    )
    noise_volts: NotNegative = Field(default=0.0, description="Rms white noise of a reading.")
    conversion_seconds: NotNegative = Field(
        default=0.0,
        description="Of one reading; with a shared converter a node is held for those before it.",
    )

    @model_validator(mode="after")
    def _range(self) -> Self:
        self._check_range(self.range_volts)
        return self


class ComparatorConfig(Model):
    """One comparator a device, of the absolute drops in two phases."""

    offset_volts: NotNegative = Field(
        default=0.0, description="Rms over devices of a constant offset; raw MOS 2 to 5 mV."
    )
    noise_volts: NotNegative = Field(default=0.0, description="Rms white noise of a comparison.")
    hysteresis_volts: NotNegative = Field(
        default=0.0,
        description="Width: thresholds lie half of it towards keeping the last outcome.",
    )


class SupplyConfig(Model):
    """Range of all nodes but the inputs; beyond it a voltage is cut off and its example failed."""

    lower_volts: Finite | None = Field(default=None, description="No limit if omitted.")
    upper_volts: Finite | None = Field(default=None, description="No limit if omitted.")

    @model_validator(mode="after")
    def _order(self) -> Self:
        low, high = self.lower_volts, self.upper_volts
        if low is not None and high is not None and not low < high:
            raise ValueError("lower_volts must be below upper_volts")
        return self


class BoardConfig(Model):
    """The electronics around a network."""

    dac: DacConfig = Field(default=DacConfig(), description="Sources of the input lines.")
    nudge: NudgeConfig = Field(default=NudgeConfig(), description="Sources of the nudge.")
    timing: TimingConfig = Field(default=TimingConfig(), description="Times of a phase.")
    settling: SettlingConfig = Field(default=SettlingConfig(), description="Charging of nodes.")
    hold: HoldConfig = Field(default=HoldConfig(), description="Sample-and-holds.")
    adc: AdcConfig = Field(default=AdcConfig(), description="Reading of held voltages.")
    comparator: ComparatorConfig = Field(
        default=ComparatorConfig(), description="Comparators of drops."
    )
    supply: SupplyConfig = Field(default=SupplyConfig(), description="Range of the nodes.")

    @model_validator(mode="after")
    def _times(self) -> Self:
        if self.settling.node_farads and not self.timing.wait_seconds:
            raise ValueError(
                "with settling.node_farads and a timing.wait_seconds of 0 no node ever moves; "
                "give the nodes some time"
            )
        if self.hold.tau_seconds and not self.timing.acquisition_seconds:
            raise ValueError(
                "with hold.tau_seconds and a timing.acquisition_seconds of 0 nothing is ever "
                "acquired; give the holds some time"
            )
        return self

    @property
    def is_off(self) -> bool:
        """Whether this is the ideal board (times alone change nothing)."""
        return self == BoardConfig(timing=self.timing, hold=HoldConfig(banks=self.hold.banks))

    @property
    def orders_phases(self) -> bool:
        """Whether it matters what was held before or comes after in an exchange."""
        hold = self.hold
        return bool(hold.banks == 2 or hold.tau_seconds or self.settling.node_farads)

    def inner_limits(self, input_volts: float, nudge_amps: float) -> tuple[float, float]:
        """Limits that a network needs in order to bear such levels with this board's errors.

        Errors of six standard deviations have room; larger ones are cut off at the limits.
        """
        (gain, volts), (nudge_gain, amps) = self._headroom()
        return input_volts * (1.0 + gain) + volts, nudge_amps * (1.0 + nudge_gain) + amps

    def offered_limits(self, input_volts: float, nudge_amps: float) -> tuple[float, float]:
        """Limits of a board around a network with these ones; undoes :meth:`inner_limits`."""
        offered = []
        spans = (self.dac.range_volts, self.nudge.range_amps)
        inner = (input_volts, nudge_amps)
        for limit, span, (gain, more) in zip(inner, spans, self._headroom(), strict=True):
            # A hair more, so that rounding does not refuse what inner_limits made room for.
            left = (limit - more) / (1.0 + gain) * (1.0 + 1e-9)
            offered.append(min(limit, left, np.inf if span is None else span))
        return offered[0], offered[1]

    def _headroom(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Relative and absolute room for errors of inputs and nudges."""
        dac, nudge = self.dac, self.nudge
        found = []
        for part, span, offset, noise in (
            (dac, dac.range_volts, dac.offset_volts, dac.noise_volts),
            (nudge, nudge.range_amps, nudge.offset_amps, nudge.noise_amps),
        ):
            step = least_step(part.bits, span)
            more = _SIGMAS * (offset + noise + 1.1 * part.inl_lsb * step) + 0.5 * step
            found.append((_SIGMAS * part.gain_spread, more))
        return found[0], found[1]

    def stated_noise_volts(
        self, topology: Topology, window_siemens: tuple[float, float], span_volts: float
    ) -> float:
        """Nominal rms by which two readings of one state differ from their mean.

        White noise of input lines (as if it reached every node undiminished, and none through an
        amplifier of more gain than 1), of nudges (at an
        output all of whose devices are in the middle of their window), of holds and of readings;
        rounding of readings; and, where an exchange uses two banks, what their constants differ
        by, at ``span_volts``.  Errors that are the same in all readings are no noise.
        """
        hold, adc, dac = self.hold, self.adc, self.dac
        fan_in = np.bincount(
            np.concatenate([topology.tails, topology.heads]), minlength=topology.n_nodes
        )
        siemens = 0.5 * sum(window_siemens) * float(max(1, fan_in[topology.outputs].min()))
        parts = [
            dac.noise_volts,
            self.nudge.noise_amps / siemens,
            hold.noise_volts,
            adc.noise_volts,
            least_step(adc.bits, adc.range_volts) / 12**0.5,
        ]
        if hold.banks == 2:
            phase = self.timing.wait_seconds + self.timing.acquisition_seconds
            held = phase + self.timing.read_seconds
            parts += [
                hold.offset_volts,
                hold.step_spread_volts,
                hold.droop_spread_volts_per_second * held,
                hold.droop_volts_per_second * phase,
                hold.gain_spread * span_volts,
            ]
        return float(np.linalg.norm(parts))

    def draw(self, topology: Topology, rng: np.random.Generator) -> BoardDrawn:
        """One board.

        As many numbers are drawn whatever is switched on, so that a setting changes what it is
        about and nothing else.
        """
        inputs, outputs, nodes = topology.inputs.size, topology.outputs.size, topology.n_nodes
        dac, nudge, hold, adc = self.dac, self.nudge, self.hold, self.adc
        n_adc = 1 if adc.shared else nodes
        return BoardDrawn(
            dac_gain=1.0 + _normal(rng, dac.gain_spread, inputs),
            dac_offset_volts=_normal(rng, dac.offset_volts, inputs),
            dac_inl_lsb=_curves(rng, dac.inl_lsb, inputs),
            nudge_gain=1.0 + _normal(rng, nudge.gain_spread, outputs),
            nudge_offset_amps=_normal(rng, nudge.offset_amps, outputs),
            nudge_inl_lsb=_curves(rng, nudge.inl_lsb, outputs),
            hold_gain=1.0 + _normal(rng, hold.gain_spread, 2, nodes),
            hold_offset_volts=_normal(rng, hold.offset_volts, 2, nodes),
            hold_step_volts=hold.step_volts + _normal(rng, hold.step_spread_volts, 2, nodes),
            hold_droop_volts_per_second=hold.droop_volts_per_second
            + _normal(rng, hold.droop_spread_volts_per_second, 2, nodes),
            comparator_offset_volts=_normal(rng, self.comparator.offset_volts, topology.n_devices),
            adc_gain=1.0 + _normal(rng, adc.gain_spread, n_adc),
            adc_offset_volts=_normal(rng, adc.offset_volts, n_adc),
            adc_inl_lsb=_curves(rng, adc.inl_lsb, n_adc),
        )


def _normal(rng: np.random.Generator, spread: float, *shape: int) -> Floats:
    return np.asarray(spread * rng.standard_normal(shape))


def _curves(rng: np.random.Generator, rms: float, channels: int) -> Floats:
    """(channels, 3) weights of the three shapes, each with a third of the mean square."""
    scales = rms / np.sqrt(len(SHAPE_MEAN_SQUARES) * np.array(SHAPE_MEAN_SQUARES))
    return np.asarray(scales * rng.standard_normal((channels, len(SHAPE_MEAN_SQUARES))))
