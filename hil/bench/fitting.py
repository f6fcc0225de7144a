"""Whether an experiment fits a bench, looked at before any instrument is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from drivers.bench.config import BenchConfig
from hil.arrays import Floats
from hil.encoding import InputEncoder
from hil.errors import ConfigurationError

__all__ = ["Wanted", "check_fits", "largest_volts"]

_AT_ONCE = 512


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an experiment asks of the network on a bench.

    Attributes:
        n_signals: input lines that carry data.
        biased: for each crossbar, whether it has a pair of bias lines.
        n_outputs: output nodes.
        input_volts: largest level of any line, as it will be asked for.
        nudge_amps: largest nudge of outputs at 0 V, where an untrained network begins.
    """

    n_signals: int
    biased: tuple[bool, ...]
    n_outputs: int
    input_volts: float
    nudge_amps: float


def largest_volts(encoder: InputEncoder, *features: Floats) -> float:
    """Largest level of any line for these features, in the precision it will be asked for."""
    found = 0.0
    for part in features:
        for start in range(0, len(part), _AT_ONCE):
            found = max(found, float(np.abs(encoder.encode(part[start : start + _AT_ONCE])).max()))
    return found


def check_fits(bench: BenchConfig, wanted: Wanted) -> None:
    """Compare sizes and levels.

    Raises:
        ConfigurationError: the first that does not fit, with both numbers.
    """
    network, phases = bench.network, bench.phases
    biased = network.biased or (False,) * bench.n_crossbars
    _same("signal lines", wanted.n_signals, network.n_signals, "substrate.network.n_signals")
    _same("outputs", wanted.n_outputs, network.n_outputs, "substrate.network.n_outputs")
    if wanted.biased != biased:
        raise ConfigurationError(
            f"the encoding gives {sum(wanted.biased)} crossbars a pair of bias lines "
            f"({_flags(wanted.biased)}), the bench has them at {sum(biased)} ({_flags(biased)}, "
            "substrate.network.biased). Change encoding.bias_volts, where 0 is none, or the bench"
        )
    if wanted.input_volts > phases.max_input_volts:
        raise ConfigurationError(
            f"the encoding's largest input level is {wanted.input_volts:.9g} V, the bench allows "
            f"{phases.max_input_volts:.9g} V (substrate.phases.max_input_volts). Lower "
            "encoding.input_volts or encoding.bias_volts, or raise the limit if devices bear it"
        )
    if wanted.nudge_amps > phases.max_nudge_amps:
        raise ConfigurationError(
            f"the first nudges will reach {wanted.nudge_amps:.4g} A (estimator.beta_siemens times "
            f"targets, outputs at 0 V), the bench allows {phases.max_nudge_amps:.4g} A "
            "(substrate.phases.max_nudge_amps). Lower beta or targets, or raise the limit"
        )


def _same(what: str, wanted: int, found: int, key: str) -> None:
    if wanted != found:
        raise ConfigurationError(
            f"the experiment's data and encoding have {wanted} {what}, the bench has {found} "
            f"({key}). Name the experiment the bench was wired for (--preset or --config; digits "
            "if neither is given), or wire the bench for this one: hil bench new"
        )


def _flags(biased: tuple[bool, ...]) -> str:
    return ", ".join("with" if flag else "without" for flag in biased)
