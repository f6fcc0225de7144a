"""A board and a bench file: whether they fit, and the file's levels and times as the board's."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from drivers.bench.config import BenchConfig, ProgrammingConfig
from drivers.board.capability import Capability
from drivers.board.conversion import Codes, Converter
from hil.arrays import Floats
from hil.errors import ConfigurationError, SafetyError
from hil.topology import Crossbar, Topology

__all__ = ["MOST_SECONDS", "SCHEMES", "Levels", "check_fits", "microseconds", "program_codes"]

SCHEMES: dict[str, Literal["HALF", "THIRD", "GATE"]] = {
    "half": "HALF",
    "third": "THIRD",
    "gate": "GATE",
}
MOST_SECONDS = 1.0
"""That a board waits for nodes to settle."""
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Levels:
    """Levels as codes, within a limit that lies below the converter's range.

    Attributes:
        converter: as the board states it.
        limit: largest absolute code; its level is not above the limit in the bench file.
    """

    converter: Converter
    limit: int

    @classmethod
    def of(cls, bits: int, largest_level: float, limit_level: float) -> Levels:
        """Of a nominal converter and the limit of the bench file."""
        converter = Converter.nominal(bits, largest_level)
        return cls(converter, min(_code_below(limit_level, converter), converter.largest))

    def codes(self, levels: Floats) -> Codes:
        """Nearest codes within the limit.

        Raises:
            SafetyError: a level beyond it by more than rounding.
        """
        codes = self.converter.codes(levels)
        extreme = max(int(codes.max()), -int(codes.min()))
        if extreme > self.limit + 1:
            limit = float(self.converter.levels(np.array(self.limit, np.int16)))
            raise SafetyError(
                f"a level needs code {extreme}, the limit is {self.limit} ({limit:.6g}); nothing "
                "was sent. Lower the levels, or raise the limit in the bench file",
                extreme=extreme,
                limit=self.limit,
            )
        # A limit between two codes: levels at the limit may be nearer to the one above.
        return codes if extreme <= self.limit else np.clip(codes, -self.limit, self.limit)


def _code_below(level: float, converter: Converter) -> int:
    """Largest code whose level is not above this one."""
    return math.floor(level / float(converter.step) + _ROUNDING)


def microseconds(name: str, seconds: float) -> int:
    """Whole microseconds, rounded up.

    Raises:
        ConfigurationError: longer than a board waits.
    """
    if not seconds <= MOST_SECONDS:
        raise ConfigurationError(
            f"{name}: nodes would need {seconds:.4g} s, a board waits for at most "
            f"{MOST_SECONDS:g} s. Lower network.node_farads, or raise "
            "network.g_min_siemens, if they are wrong; or give the time in the bench file"
        )
    return math.ceil(seconds * 1e6 - _ROUNDING)


def program_codes(
    programming: ProgrammingConfig, can: Capability
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Amplitudes, the whole V whatever the scheme, and gates; never above what is stated."""
    converter = Converter.nominal(can.program_bits, can.program_volts)
    levels = programming.set_volts, programming.reset_volts
    gates = programming.set_gate_volts, programming.reset_gate_volts
    set_, reset, set_gate, reset_gate = (_code_below(x, converter) for x in (*levels, *gates))
    return (set_, reset), (set_gate, reset_gate)


def check_fits(config: BenchConfig, address: str, can: Capability) -> None:
    """Refuse a board that is another size than the network, or cannot do what is asked of it.

    Raises:
        ConfigurationError: with all that does not fit.
    """
    wrong = [*_sizes(config.network.topology, can), *_ranges(config, can)]
    if wrong:
        raise ConfigurationError(
            f"the board at {address} does not fit the bench file: {'; '.join(wrong)}. Use the "
            "board that was made for this network, or correct the file"
        )


def _sizes(topology: Topology, can: Capability) -> Iterator[str]:
    n_read = topology.n_nodes - topology.inputs.size
    for what, found, wanted in (
        ("input lines", can.n_inputs, topology.inputs.size),
        ("outputs", can.n_outputs, topology.outputs.size),
        ("nodes", can.n_nodes, n_read),
        ("devices", can.n_devices, topology.n_devices),
    ):
        if found != wanted:
            yield f"it has {found} {what}, the network {wanted}"
    groups = [group for group in topology.groups if isinstance(group, Crossbar)]
    wanted_arrays = [
        (part.start, group.tails.size, group.heads.size)
        for group, part in zip(groups, topology.slices, strict=True)
    ]
    arrays = [(array.first, array.rows, array.columns) for array in can.arrays]
    if arrays != wanted_arrays:
        found_shapes, shapes = (
            ", ".join(f"{rows} x {columns}" for _, rows, columns in each)
            for each in (arrays, wanted_arrays)
        )
        yield f"its arrays are {found_shapes}, those of the network {shapes}"


def _ranges(config: BenchConfig, can: Capability) -> Iterator[str]:
    phases, programming = config.phases, config.programming
    program_volts = max(programming.set_volts, programming.reset_volts)
    gate_volts = max(programming.set_gate_volts, programming.reset_gate_volts)
    for what, bits, range_, wanted, unit in (
        ("phases.max_input_volts", can.dac_bits, can.dac_volts, phases.max_input_volts, "V"),
        ("phases.max_nudge_amps", can.nudge_bits, can.nudge_amps, phases.max_nudge_amps, "A"),
        ("a programming voltage", can.program_bits, can.program_volts, program_volts, "V"),
        ("a gate voltage", can.program_bits, can.program_volts, gate_volts, "V"),
    ):
        if wanted > range_ * (1.0 + _ROUNDING):
            yield f"{what} of {wanted:.4g} {unit} is beyond its range of {range_:.4g} {unit}"
        elif 0.0 < wanted < (step := float(Converter.nominal(bits, range_).step)):
            yield f"{what} of {wanted:.4g} {unit} is less than its smallest step, {step:.4g} {unit}"
    if (scheme := SCHEMES[programming.scheme]) not in can.schemes:
        yield f"it programs by {', '.join(can.schemes)}, not by {scheme}"
