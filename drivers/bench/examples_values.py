"""Values of an example bench, worked out from the network, and how they are written."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from pydantic import ValidationError

from drivers.bench.config import BenchConfig, BoardPhasesConfig, ProgrammingConfig
from drivers.bench.envelope import (
    largest_phase_volts,
    pass_amps,
    phase_drop_volts,
    with_errors,
)
from drivers.bench.names import line_names
from drivers.bench.network import NetworkConfig
from drivers.bench.settling import settle_seconds
from hil.errors import ConfigurationError

__all__ = ["NODE_FARADS", "Sizes", "Values", "above", "as_list", "instrument", "ranges", "rms"]

PULSE_VOLTS = 1.2
"""Amplitude of a pulse where the phases do not ask for more."""
DISTURBING_SHARE = 0.4
"""Of a pulse's amplitude: drops below it leave devices alone (half-selected ones see 0.5)."""
READ_VOLTS = 0.1
MOST_VOLTS = 20.0
"""Of a source, without the interlock of its highest range."""
MOST_AMPS = 1.0
"""Through a relay of the matrix."""
LEAST_LIMIT_VOLTS = 0.02
"""The lowest compliance that can be set on a 2636B."""
LEAST_AMPS = 1e-7
ONE_TWO_FIVE = (1.0, 2.0, 5.0)
_ROUNDING = 1e-10
NODE_FARADS = {"smu": 1e-9, "board": 2e-10}
"""Cables of a metre or so and a rack of relays; short wires on a board."""
LONGEST_SETTLE_SECONDS = 1.0
"""As a board can wait."""
SETTLE_SHARE = 1e-2
_SETTLE = """\
# Waiting time from levels to readings: worked out from network.node_farads, with all devices at
# g_min_siemens, unless it is given; {seconds} s here.
# settle_seconds = {seconds}
"""
_SETTLE_GIVEN = """\
# Waiting time from levels to readings, for devices at {share:.0%} of g_max_siemens or above; with
# all at g_min_siemens nodes would take {longest}. Check it: `hil check` states how long the
# slowest node takes. Measure node_farads, and raise this if your nodes have lower conductances.
settle_seconds = {seconds}
"""


@dataclass(frozen=True)
class Sizes:
    """The network that an example bench is for, and the levels it is driven with.

    Attributes:
        n_signals: input lines that carry data.
        hidden: sizes of the hidden layers.
        n_outputs: output nodes.
        biased: for each crossbar, whether it has a pair of bias lines; empty for none.
        forward_gain: of the amplifiers after each hidden layer; None: there are none.
        backward_gain: likewise.
        g_min_siemens: lower end of the window of the devices.
        g_max_siemens: its upper end.
        pulse_siemens: nominal change by one pulse.
        max_input_volts: largest input level.
        max_nudge_amps: largest nudge current.
        neuron_volts: largest voltage that a diode's series source brings to a node.
        substrate: table for ``[emulation.substrate]``; may be empty.
    """

    n_signals: int
    hidden: tuple[int, ...]
    n_outputs: int
    biased: tuple[bool, ...]
    forward_gain: float | None
    backward_gain: float | None
    g_min_siemens: float
    g_max_siemens: float
    pulse_siemens: float
    max_input_volts: float
    max_nudge_amps: float
    neuron_volts: float
    substrate: dict[str, Any] = field(default_factory=dict)

    def network(self) -> NetworkConfig:
        """As a bench file describes it.

        Raises:
            ConfigurationError: not a network.
        """
        amplifiers = None
        if self.forward_gain is not None and self.backward_gain is not None:
            amplifiers = {"forward_gain": self.forward_gain, "backward_gain": self.backward_gain}
        try:
            return NetworkConfig.model_validate(
                {
                    "n_signals": self.n_signals,
                    "hidden": self.hidden,
                    "n_outputs": self.n_outputs,
                    "biased": self.biased,
                    "amplifiers": amplifiers,
                    "neuron_volts": self.neuron_volts,
                    "g_min_siemens": self.g_min_siemens,
                    "g_max_siemens": self.g_max_siemens,
                    "pulse_siemens": self.pulse_siemens,
                }
            )
        except ValidationError as error:
            problems = "; ".join(item["msg"] for item in error.errors())
            raise ConfigurationError(
                f"there can be no bench for this network ({problems}): change its sizes or the "
                "window of its devices"
            ) from error


class Values:
    """Limits and levels of an example bench, in the order in which they follow from each other.

    Args:
        sizes: the network.
        has_input_smus: whether inputs are sources of the bench, not of a board.

    Attributes:
        sizes: the network.
        network: as the bench file describes it.
        lines: of all arrays.
        nudge_limit_volts: compliance of the nudge sources: what nodes reach without them.
        phase_volts: across a device in phases, at most.
        read_volts: the same with the errors of sources, as the envelope has it.
        pulse_volts: amplitude of a pulse.
        program_volts: the same with the errors of sources.
        half_select_volts: likewise across a half-selected device.
        input_limit_amps: compliance of the input sources.
        program_amps: compliance while pulses are applied.
        access_volts: across a device that is read.
        read_amps: compliance of readings.
        source_amps: the largest current in phases and readings.

    Raises:
        ConfigurationError: voltages or currents beyond what instruments here are used for.
    """

    def __init__(self, sizes: Sizes, has_input_smus: bool) -> None:
        self.sizes = sizes
        self.network = sizes.network()
        self.lines = line_names(self.network.topology)
        natural_volts = self._drop_volts(LEAST_LIMIT_VOLTS)[-1] / 2.0
        self.nudge_limit_volts = max(above(natural_volts, digits=3), LEAST_LIMIT_VOLTS)
        drops = self._drop_volts(self.nudge_limit_volts)
        self.phase_volts, erring = largest_phase_volts(self._bench(self.nudge_limit_volts))
        self.read_volts = above(erring, digits=3)
        self.pulse_volts = max(PULSE_VOLTS, above(self.read_volts / DISTURBING_SHARE, digits=3))
        self.program_volts = above(with_errors(self.pulse_volts), digits=3)
        self.half_select_volts = above(with_errors(self.pulse_volts / 2.0), digits=3)
        self.input_limit_amps = _decent(self._input_amps(drops))
        arrays = self.network.topology.groups
        each_amps = self.pulse_volts * sizes.g_max_siemens
        all_amps = each_amps * max(array.n_devices for array in arrays)
        self.program_amps = min(_decent(all_amps), MOST_AMPS)
        self.access_volts = min(READ_VOLTS, self.phase_volts)
        longest = max(max(array.tails.size, array.heads.size) for array in arrays)
        self.read_amps = _decent(1.2 * self.access_volts * sizes.g_max_siemens * longest)
        self.source_amps = max(self.read_amps, sizes.max_nudge_amps)
        if has_input_smus:
            self.source_amps = max(self.source_amps, self.input_limit_amps)
        self._refuse()
        if has_input_smus:
            self._refuse_pulses()

    @cached_property
    def node_volts(self) -> float:
        """The most a node that is read can reach."""
        return self.phase_volts / 2.0

    @cached_property
    def gain(self) -> float:
        """From an input to the output of the last amplifier; 1 if that is less."""
        forward = self.sizes.forward_gain or 1.0
        return float(max(1.0, forward ** len(self.sizes.hidden)))

    def settle_comment(self, kind: str) -> str:
        """How long to wait, and why; a key of ``[phases]`` where it cannot be worked out."""
        network = self.network.model_copy(update={"node_farads": NODE_FARADS[kind]})
        config = self._bench(self.nudge_limit_volts).model_copy(update={"network": network})
        seconds = math.inf if network.g_min_siemens == 0.0 else settle_seconds(config)
        low = SETTLE_SHARE * network.g_max_siemens
        if seconds <= LONGEST_SETTLE_SECONDS and network.g_min_siemens >= low:
            return _SETTLE.format(seconds=f"{seconds:.2g}")
        low = max(network.g_min_siemens, low)
        usual = settle_seconds(config, np.full(network.topology.n_devices, low))
        return _SETTLE_GIVEN.format(
            share=SETTLE_SHARE,
            longest=f"{seconds:.2g} s" if seconds < math.inf else "for ever",
            seconds=min(above(usual), LONGEST_SETTLE_SECONDS),
        )

    def _bench(self, nudge_limit_volts: float) -> BenchConfig:
        """What the envelope and the settling time are worked out from, whatever the wiring."""
        phases = BoardPhasesConfig(
            board="any",
            max_input_volts=self.sizes.max_input_volts,
            max_nudge_amps=self.sizes.max_nudge_amps,
            nudge_limit_volts=nudge_limit_volts,
            noise_volts=0.0,
        )
        return BenchConfig.model_construct(network=self.network, phases=phases)

    def _drop_volts(self, nudge_limit_volts: float) -> tuple[float, ...]:
        """Bound of each crossbar; see :mod:`drivers.bench.envelope`."""
        return phase_drop_volts(self._bench(nudge_limit_volts))

    def _input_amps(self, drops: Sequence[float]) -> float:
        """The most an input line carries: a row whose devices are all at the window's end."""
        arrays = self.network.topology.groups
        has_input = [True, *self.network.biased[1:]]
        return max(
            drop * self.sizes.g_max_siemens * array.heads.size
            for drop, array, has in zip(drops, arrays, has_input, strict=False)
            if has
        )

    def _refuse(self) -> None:
        if self.pulse_volts / 2.0 > MOST_VOLTS:
            raise ConfigurationError(
                f"devices could see {self.read_volts:.4g} V in phases, so that pulses of "
                f"{self.pulse_volts:.4g} V would be needed; the sources of the example give "
                f"{2 * MOST_VOLTS:g} V without an interlock. Lower the input voltages or the gain",
                read_volts=self.read_volts,
            )
        if self.source_amps > MOST_AMPS:
            raise ConfigurationError(
                f"a line could carry {self.source_amps:.4g} A where relays of the example stand "
                f"{MOST_AMPS:g} A: lower the input voltages or g_max_siemens, or make the layers "
                "smaller",
                source_amps=self.source_amps,
            )

    def _refuse_pulses(self) -> None:
        """A single device's line may draw more in a pulse than relays stand."""
        programming = ProgrammingConfig(
            set_volts=self.pulse_volts, reset_volts=self.pulse_volts, width_seconds=1e-3
        )
        config = BenchConfig.model_construct(network=self.network, programming=programming)
        shapes = [(array.tails.size, array.heads.size) for array in self.network.topology.groups]
        amps = max(max(pass_amps(config, shape, 1, 1)) for shape in shapes)
        if amps > self.program_amps:
            raise ConfigurationError(
                f"a line could carry {amps:.4g} A while one of its devices is pulsed, where relays "
                f"of the example stand {MOST_AMPS:g} A: lower the input voltages or g_max_siemens, "
                "or make the layers smaller",
                program_amps=amps,
            )


def above(value: float, digits: int = 2) -> float:
    """The least number of so many decimal digits that is not below a positive value."""
    exponent = math.floor(math.log10(value)) - digits + 1
    return float(f"{math.ceil(value / 10.0**exponent * (1.0 - _ROUNDING))}e{exponent}")


def _decent(amps: float) -> float:
    """1, 2 or 5 times a power of ten, not below a current."""
    wanted = max(amps, LEAST_AMPS) * (1.0 - _ROUNDING)
    exponent = math.floor(math.log10(wanted))
    steps = [float(f"{step:g}e{e}") for e in (exponent, exponent + 1) for step in ONE_TWO_FIVE]
    return next(step for step in steps if step >= wanted)


def rms(*parts: float) -> float:
    """Independent noises together, rounded up."""
    return above(1.05 * math.sqrt(sum(part * part for part in parts)), digits=1)


def ranges(names: Sequence[str]) -> str:
    """Names as a text that :func:`drivers.bench.names.expanded` reads: ``a0.r0:a0.r9, a0.c0``."""
    parts: list[list[str]] = []
    for before, name in pairwise(["", *names]):
        if parts and _follows(before, name):
            parts[-1][1:] = [name]
        else:
            parts.append([name])
    return ", ".join(":".join(part) for part in parts)


def _follows(before: str, name: str) -> bool:
    """Whether a name is another one with the number at its end one higher."""
    stem = before.rstrip("0123456789")
    digits = before[len(stem) :]
    return bool(digits) and name == f"{stem}{int(digits) + 1:0{len(digits)}d}"


def as_list(texts: Sequence[str]) -> str:
    """A TOML array of texts, one a line."""
    return "[\n" + "".join(f'    "{text}",\n' for text in texts) + "]"


def instrument(name: str, **settings: str | float) -> str:
    """An instrument's table."""
    rows = [
        f'{key} = "{value}"' if isinstance(value, str) else f"{key} = {value}"
        for key, value in settings.items()
    ]
    return "\n".join([f"[instruments.{name}]", *rows, ""])
