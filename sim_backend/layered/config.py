"""Configuration of a simulated layered network, and how it is built."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal, TypeAlias

import numpy as np
from pydantic import Field, model_validator

from hil.errors import ConfigurationError
from hil.model import Model, NotNegative, Positive
from hil.topology import Topology, layered
from sim_backend.chip.wrapper import Inner
from sim_backend.curved.building import build_curved
from sim_backend.imperfections import ImperfectConfig
from sim_backend.layered import neurons as models
from sim_backend.layered.adapter import LayeredSubstrate
from sim_backend.layered.circuit import Layer, LayeredCircuit
from sim_backend.layered.diodes import KELVIN
from sim_backend.layered.network import LayeredNetwork, SolverOptions
from sim_backend.layered.neurons import Floats
from sim_backend.layered.stack import StackOptions
from sim_backend.memristors.conduction import Linear as StraightLine
from sim_backend.mismatch.layered import draw_layers, mismatched_layers
from sim_backend.order import Order
from sim_backend.wired.building import build_wired

__all__ = ["LayeredConfig"]

Volts = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]
Gain = Annotated[float, Field(ge=1e-3, le=1e3, allow_inf_nan=False)]


class _Parts(StackOptions):
    """What all substrates of this kind are built with."""

    topology: Topology


_MOST_DEVICES = 10**9
"""More than any array built, and some 30 GB here."""


class IdealDiodesConfig(Model):
    """Half of each hidden layer excitatory (V >= 0), half inhibitory (V <= 0)."""

    kind: Literal["ideal_diodes"] = "ideal_diodes"

    def build(self, size: int) -> models.Neurons:
        """Neurons of a layer; with an odd size the inhibitory half is the larger one."""
        excitatory = np.arange(size) < size // 2
        return models.IdealDiodes(
            np.where(excitatory, 0.0, -np.inf), np.where(excitatory, np.inf, 0.0)
        )


class IdealPairsConfig(Model):
    """Two ideal diodes with series sources on every hidden node: its voltage is confined."""

    kind: Literal["ideal_pairs"] = "ideal_pairs"
    lower_volts: Volts = Field(description="Lowest voltage of a node.")
    upper_volts: Volts = Field(description="Highest voltage of a node.")

    @model_validator(mode="after")
    def _ordered(self) -> IdealPairsConfig:
        if not self.lower_volts < self.upper_volts:
            raise ValueError("lower_volts must be below upper_volts")
        return self

    def build(self, size: int) -> models.Neurons:
        """Neurons of a layer."""
        return models.IdealDiodes(np.full(size, self.lower_volts), np.full(size, self.upper_volts))


class ShockleyPairsConfig(Model):
    """Antiparallel Shockley diodes with series sources on every hidden node (thesis 4.4.1)."""

    kind: Literal["shockley_pairs"] = "shockley_pairs"
    saturation_amps: Positive = Field(default=1e-9, description="Saturation current Is.")
    ideality: Positive = Field(default=1.0, description="Ideality factor n.")
    temperature_kelvin: Positive = Field(default=300.15, description="Sets kT/q.")
    lower_volts: Volts = Field(description="Source in series with the downward diode.")
    upper_volts: Volts = Field(description="Source in series with the upward diode.")

    @model_validator(mode="after")
    def _ordered(self) -> ShockleyPairsConfig:
        if not self.lower_volts <= self.upper_volts:
            raise ValueError("lower_volts must not exceed upper_volts")
        return self

    def build(self, size: int) -> models.Neurons:
        """Neurons of a layer."""
        thermal = self.ideality * self.temperature_kelvin * models.BOLTZMANN_OVER_CHARGE
        return models.ShockleyPairs(
            np.full(size, self.saturation_amps),
            np.full(size, thermal),
            np.full(size, self.lower_volts),
            np.full(size, self.upper_volts),
        )


class LinearConfig(Model):
    """No diodes: a linear resistor network."""

    kind: Literal["linear"] = "linear"

    def build(self, size: int) -> models.Neurons:
        """Neurons of a layer."""
        return models.Linear()


class AmplifierConfig(Model):
    """Bidirectional amplifiers of the hidden nodes (thesis 4.4.2)."""

    forward_gain: Gain = Field(default=4.0, description="Voltage gain A of the VCVS.")
    backward_gain: Gain = Field(default=0.25, description="Current gain B of the CCCS.")


class RectifiedUniformConfig(Model):
    """Uniform in +-scale/sqrt(rows), negative values becoming 0 (energy-based-learning)."""

    kind: Literal["rectified_uniform"] = "rectified_uniform"
    scale_siemens: tuple[Positive, ...] = Field(min_length=1, description="One, or one a crossbar.")


class UniformConfig(Model):
    """Uniform between two conductances."""

    kind: Literal["uniform"] = "uniform"
    low_siemens: NotNegative = Field(description="Smallest start value.")
    high_siemens: Positive = Field(description="Largest start value.")


NeuronConfig: TypeAlias = Annotated[
    IdealDiodesConfig | IdealPairsConfig | ShockleyPairsConfig | LinearConfig,
    Field(discriminator="kind"),
]
InitialConfig: TypeAlias = Annotated[
    RectifiedUniformConfig | UniformConfig, Field(discriminator="kind")
]


class LayeredConfig(ImperfectConfig):
    """A stack of crossbars simulated exactly."""

    kind: Literal["layered"] = "layered"
    hidden: tuple[Annotated[int, Field(ge=1, le=10**7)], ...] = Field(
        description="Hidden layer sizes."
    )
    neurons: NeuronConfig = Field(default=IdealDiodesConfig(), description="Nonlinearity.")
    amplifiers: AmplifierConfig | None = Field(
        default=None, description="Bidirectional amplifiers after each hidden layer."
    )
    initial: InitialConfig = Field(description="Distribution of the start conductances.")
    g_min_siemens: NotNegative = Field(default=0.0, description="Lower end of the window.")
    g_max_siemens: Positive = Field(description="Upper end of the window.")
    pulse_siemens: Positive | None = Field(
        default=None, description="Change by one pulse; 1/1000 of the window if omitted."
    )
    max_input_volts: Positive | None = Field(
        default=None, description="Input limit; the largest voltage of the encoding if omitted."
    )
    max_nudge_amps: Positive | None = Field(default=None, description="No limit if omitted.")
    tolerance: Annotated[float, Field(gt=0, le=0.1)] | None = Field(
        default=None, description="Relative residual; 1e-6 for float32, 1e-12 for float64."
    )
    max_iterations: Annotated[int, Field(ge=1, le=10**6)] = Field(
        default=2000, description="Newton steps or sweeps before a sample counts as not settled."
    )

    @model_validator(mode="after")
    def _window(self) -> LayeredConfig:
        if not self.g_min_siemens < self.g_max_siemens:
            raise ValueError("g_min_siemens must be below g_max_siemens")
        return self

    @property
    def n_crossbars(self) -> int:
        """How many pairs of bias lines there can be."""
        return len(self.hidden) + 1

    @property
    def n_groups(self) -> int:
        """How many groups of devices have a rate of their own."""
        return self.n_crossbars

    @property
    def window_siemens(self) -> tuple[float, float]:
        """(g_min, g_max) that the circuit is meant for."""
        return self.g_min_siemens, self.g_max_siemens

    def exact(self, order: Order) -> Inner:
        """See :meth:`sim_backend.imperfections.ImperfectConfig.exact`."""
        return self.build(self.topology(order.n_signals, order.n_outputs, order.biased), order)

    def topology(self, n_signals: int, n_outputs: int, biased: tuple[bool, ...]) -> Topology:
        """Device graph for so many signals and outputs.

        Raises:
            ConfigurationError: it has more devices than fit into any memory.
        """
        sizes = (n_signals, *self.hidden, n_outputs)
        _refuse_giants(float(sum(a * b for a, b in pairwise(sizes))))
        return layered(
            n_signals,
            self.hidden,
            n_outputs,
            biased=biased,
            amplified=self.amplifiers is not None,
        )

    def build(self, topology: Topology, order: Order) -> Inner:
        """The substrate on a graph from :meth:`topology`.

        Start conductances are drawn from the order's generator.

        Raises:
            ConfigurationError: the start values have the wrong length or leave the window, or
                the imperfections do not go together.
        """
        dtype = np.dtype(order.precision)
        circuit = self._circuit(topology, order.biased)
        _refuse_giants(circuit.n_devices)
        tolerance = self.tolerance or (1e-6 if dtype == np.float32 else 1e-12)
        options = SolverOptions(tolerance, self.max_iterations, order.threads)
        start = self.reached(self._start(circuit, order.rng))
        built = self._mismatched(circuit, order)
        parts = self._parts(topology, order)
        conduction = None if self.devices is None else self.devices.conduction.build()
        if conduction is not None and not isinstance(conduction, StraightLine):
            self.refuse_wires(
                "devices with a curved current-voltage curve are simulated without wires; set "
                "substrate.devices.conduction.kind to linear, or leave the wires out"
            )
            return build_curved(built, conduction, start, options, **parts, dtype=dtype)
        if not self.wires.is_ideal:
            return build_wired(built, self.wires, start, options, **parts, dtype=dtype)
        return LayeredSubstrate(LayeredNetwork(built, start, options, dtype), **parts)

    def _mismatched(self, circuit: LayeredCircuit, order: Order) -> LayeredCircuit:
        """The circuit as this chip has it; what the controller knows stays nominal."""
        if self.mismatch.is_none:
            return circuit
        amplified = self.amplifiers is not None
        drawn = order.lot.draw(
            "mismatch", lambda rng: draw_layers(self.mismatch, circuit, amplified, rng)
        )
        kelvin = KELVIN
        if isinstance(self.neurons, ShockleyPairsConfig):
            kelvin = self.neurons.temperature_kelvin
        return mismatched_layers(circuit, drawn, kelvin)

    def _parts(self, topology: Topology, order: Order) -> _Parts:
        ratio = 1.0
        if self.amplifiers is not None:
            ratio = self.amplifiers.backward_gain / self.amplifiers.forward_gain
        last = len(topology.groups) - 1
        low, high = self.window_siemens
        volts, amps = self.inner_limits(
            self.max_input_volts or order.max_input_volts,
            self.max_nudge_amps or float(np.finfo(np.float32).max),
        )
        return {
            "topology": topology,
            "amplified": self.amplifiers is not None,
            "energy_weights": tuple(ratio ** (index - last) for index in range(last + 1)),
            "window_siemens": self.seen_window_siemens,
            "pulse_siemens": self.pulse_siemens or 1e-3 * (high - low),
            "max_input_volts": volts,
            "max_nudge_amps": amps,
        }

    def _circuit(self, topology: Topology, biased: tuple[bool, ...]) -> LayeredCircuit:
        n_inputs = topology.inputs.size
        line = n_inputs - 2 * sum(biased)
        layers = []
        for index, size in enumerate([*self.hidden, topology.outputs.size]):
            is_output = index == len(self.hidden)
            start = 0 if index == 0 else line
            line += 2 * biased[index]
            gain = self.amplifiers if self.amplifiers and not is_output else None
            layers.append(
                Layer(
                    size,
                    models.Linear() if is_output else self.neurons.build(size),
                    (start, line),
                    np.full(size, gain.forward_gain if gain else 1.0),
                    np.full(size, gain.backward_gain if gain else 1.0),
                )
            )
        return LayeredCircuit(n_inputs, tuple(layers))

    def _start(self, circuit: LayeredCircuit, rng: np.random.Generator) -> Floats:
        low, high = self.g_min_siemens, self.g_max_siemens
        if isinstance(self.initial, UniformConfig):
            a, b = self.initial.low_siemens, self.initial.high_siemens
            if not low <= a <= b <= high:
                raise ConfigurationError(
                    f"start conductances {a:.3g}..{b:.3g} S leave the window "
                    f"{low:.3g}..{high:.3g} S; change substrate.initial or the window"
                )
            return rng.uniform(a, b, circuit.n_devices)
        scales = self.initial.scale_siemens
        shapes = circuit.block_shapes
        if len(scales) not in (1, len(shapes)):
            raise ConfigurationError(
                f"substrate.initial.scale_siemens has {len(scales)} values for "
                f"{len(shapes)} crossbars; give one, or one each"
            )
        parts = [
            rng.uniform(-1.0, 1.0, rows * columns) * scales[min(i, len(scales) - 1)] / rows**0.5
            for i, (rows, columns) in enumerate(shapes)
        ]
        return np.concatenate(parts).clip(low, high)


def _refuse_giants(n_devices: float) -> None:
    if n_devices > _MOST_DEVICES:
        raise ConfigurationError(
            f"{n_devices:.3g} devices would need some {n_devices * 30e-9:.3g} GB of memory; choose "
            "smaller layers"
        )
