"""Sizes and levels of an experiment, for an example of a bench it could be trained on."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Literal

import numpy as np

from drivers.bench.examples import Sizes, bench_text
from drivers.bench.examples_values import above
from hil.bench.fitting import largest_volts
from hil.composition import input_encoder
from hil.config import CrossEntropyConfig
from hil.data import load_dataset
from hil.errors import ConfigurationError
from hil.experiment import ExperimentConfig
from sim_backend.layered.config import LayeredConfig
from sim_backend.memristors.rosenbrock import StepsError

__all__ = ["write_example"]

_KNOWN = {
    "kind", "hidden", "g_min_siemens", "g_max_siemens", "pulse_siemens", "amplifiers",
    "max_input_volts", "max_nudge_amps", "tolerance", "max_iterations", "chip", "chip_seed",
}  # fmt: skip
"""Keys of the simulated network that the bench file has elsewhere, or that it has no use for."""
_LEVELS = 200
"""Of a device, pulse by pulse through its window, where the experiment does not say."""


def write_example(
    kind: Literal["smu", "board"],
    target: Path,
    config: ExperimentConfig,
    data_directory: Path | None = None,
) -> None:
    """Write a commented bench file that fits an experiment.

    Args:
        kind: of wiring.
        target: a new file.
        config: of a simulated layered network.
        data_directory: see :func:`hil.data.load_dataset`.

    Raises:
        ConfigurationError: the file exists or cannot be written, the experiment has another
            substrate, or is too large for the example's instruments.
        DataError: the data cannot be loaded.
    """
    text = bench_text(kind, _sizes(config, data_directory))
    try:
        with target.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise ConfigurationError(
            f"{target} exists and was not touched; name another file", path=str(target)
        ) from None
    except OSError as error:
        raise ConfigurationError(
            f"cannot write {target}: {error.strerror or error}; check the folder",
            path=str(target),
        ) from error


def _sizes(config: ExperimentConfig, data_directory: Path | None) -> Sizes:
    substrate = config.substrate
    if not isinstance(substrate, LayeredConfig):
        raise ConfigurationError(
            f"an example bench is for layered networks; this experiment has a {substrate.kind} "
            "substrate. Choose another preset or file"
        )
    dataset = load_dataset(config.data, data_directory)
    inputs = input_encoder(config, substrate.n_crossbars)
    low, high = substrate.window_siemens
    amplifiers = substrate.amplifiers
    input_volts = above(largest_volts(inputs, dataset.train_inputs, dataset.test_inputs))
    gain = 1.0 if amplifiers is None else amplifiers.forward_gain ** len(substrate.hidden)
    error_volts = _largest_error(config, input_volts * max(1.0, gain))
    table = substrate.model_dump(mode="json", exclude_none=True, exclude_unset=True)
    return Sizes(
        n_signals=inputs.n_signals(dataset.n_features),
        hidden=substrate.hidden,
        n_outputs=dataset.n_outputs * (2 if config.cost.paired else 1),
        biased=inputs.biased,
        forward_gain=None if amplifiers is None else amplifiers.forward_gain,
        backward_gain=None if amplifiers is None else amplifiers.backward_gain,
        g_min_siemens=low,
        g_max_siemens=high,
        pulse_siemens=_pulse_siemens(substrate),
        max_input_volts=input_volts,
        max_nudge_amps=above(config.estimator.beta_siemens * _reach(config) * error_volts),
        neuron_volts=max(
            abs(getattr(substrate.neurons, name, 0.0)) for name in ("lower_volts", "upper_volts")
        ),
        substrate={key: value for key, value in table.items() if key not in _KNOWN},
    )


def _pulse_siemens(substrate: LayeredConfig) -> float:
    """The substrate's own, or that of its devices, or what some hundred levels leave.

    Real devices have some hundred levels, and the coarser the pulses the fewer messages bring a
    device from one end of its window to the other.
    """
    if substrate.pulse_siemens is not None:
        return substrate.pulse_siemens
    low, high = substrate.window_siemens
    found = (high - low) / _LEVELS
    if substrate.devices is not None:
        with contextlib.suppress(StepsError):
            pulses = substrate.devices.build().pulses
            nominal = pulses.nominal_siemens(substrate.devices_window_siemens)
            found = nominal if nominal > 0.0 else found
    return float(f"{found:.1e}")


def _reach(config: ExperimentConfig) -> float:
    """Largest multiple of beta that the estimator nudges with."""
    stencil = config.estimator.build().stencil(np.random.default_rng())
    return max(abs(multiple) for multiple, _ in stencil)


def _largest_error(config: ExperimentConfig, output_volts: float) -> float:
    """Largest ``-dC/dV`` there can be, for outputs of at most so many volts."""
    if isinstance(config.cost, CrossEntropyConfig):
        return config.cost.softmax_volts
    encoding = config.encoding
    score = output_volts * (2.0 if config.cost.paired else 1.0)
    return score + max(abs(encoding.target_volts), abs(encoding.other_volts))
