"""Published devices for the command line: what there is, its numbers, its answer to pulses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import BaseModel

from hil.errors import ConfigurationError
from sim_backend.memristors.catalogue import device, device_names
from sim_backend.memristors.config import DeviceConfig
from sim_backend.memristors.response import PulseResponse, pulse_response, pulses_across
from sim_backend.memristors.rosenbrock import StepsError

__all__ = ["Parameter", "list_devices", "parameters", "plot_response", "source_of"]

_DEVICES = 1000
_SHOWN = 6
_BAND_PERCENT = (5.0, 95.0)
_FORMATS = (".png", ".pdf", ".svg")

_UNITS = {
    "per_volt2": "1/V^2",
    "per_volt": "1/V",
    "metres_per_second": "m/s",
    "siemens": "S",
    "volts": "V",
    "seconds": "s",
    "hertz": "Hz",
    "ohms": "ohm",
    "metres": "m",
}
"""Units by the end of a name, longer ends first; what has none is a pure number or a weight."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One number of a device.

    Attributes:
        name: dotted key, as in its TOML file.
        value: as text.
        unit: empty for pure numbers and text.
        description: what it is.
    """

    name: str
    value: str
    unit: str
    description: str


def list_devices() -> list[tuple[str, str]]:
    """Name and description of every built-in device."""
    return [(name, device(name).description) for name in device_names()]


def source_of(name: str) -> tuple[str, str]:
    """Description of a device, and where its numbers are from.

    Raises:
        ConfigurationError: there is no such device.
    """
    config = device(name)
    return config.description, config.source or "not stated"


def parameters(name: str) -> list[Parameter]:
    """All numbers of a device, those left at their defaults included.

    Raises:
        ConfigurationError: there is no such device.
    """
    return list(_parameters(device(name), ""))


def _parameters(model: BaseModel, prefix: str) -> Iterator[Parameter]:
    for key, field in type(model).model_fields.items():
        value = getattr(model, key)
        if isinstance(value, BaseModel):
            yield from _parameters(value, f"{prefix}{key}.")
        elif value is not None and not (isinstance(model, DeviceConfig) and key in _TITLES):
            unit = next((unit for end, unit in _UNITS.items() if key.endswith(end)), "")
            text = f"{value:g}" if isinstance(value, float) else str(value)
            yield Parameter(prefix + key, text, unit, field.description or "")


_TITLES = ("description", "source")


def plot_response(name: str, path: Path, seed: int = 0) -> int:
    """Draw pulses up, then down: single devices, the median, and the band most devices lie in.

    Args:
        name: the device.
        path: picture to write, replaced if there is one.
        seed: of the devices drawn.

    Returns:
        Pulses in either direction.

    Raises:
        ConfigurationError: there is no such device, the file cannot be written, or its ending
            names no format.
    """
    if path.suffix.lower() not in _FORMATS:
        raise ConfigurationError(
            f"cannot draw {path}: the name must end in {', '.join(_FORMATS[:-1])} or {_FORMATS[-1]}"
        )
    config = device(name)
    model, window = config.build(), config.window_siemens
    try:
        n_up = pulses_across(model, window, np.random.default_rng(seed))
        response = pulse_response(model, window, n_up, _DEVICES, np.random.default_rng(seed))
    except StepsError as error:
        raise ConfigurationError(f"device {name} cannot be drawn: {error}") from error
    try:
        _draw(config, name, response, path)
    except OSError as error:
        raise ConfigurationError(
            f"cannot write {path}: {error.strerror or error}; check the folder", path=str(path)
        ) from error
    return n_up


def _draw(config: DeviceConfig, name: str, response: PulseResponse, path: Path) -> None:
    # The figure alone, without pyplot: no window system is asked for.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.0, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    micro = 1e6 * response.siemens
    low, median, high = np.percentile(micro, (_BAND_PERCENT[0], 50.0, _BAND_PERCENT[1]), axis=1)
    label = f"{_BAND_PERCENT[0]:g} % to {_BAND_PERCENT[1]:g} % of {micro.shape[1]} devices"
    axes.fill_between(response.pulses, low, high, alpha=0.25, color="tab:blue", label=label)
    for k in range(_SHOWN):
        axes.plot(response.pulses, micro[:, k], lw=0.8, color="0.45", label=None if k else "single")
    axes.plot(response.pulses, median, lw=2.0, color="tab:blue", label="median")
    for edge in config.window_siemens:
        axes.axhline(1e6 * edge, lw=0.8, ls=":", color="0.3")
    axes.axvline(response.n_up, lw=0.8, ls="--", color="0.3")
    axes.set_xlabel(f"pulses: {response.n_up} up, then {response.n_up} down")
    axes.set_ylabel("conductance (uS)")
    axes.set_title(f"{name}: {config.description}", fontsize="medium")
    axes.legend(loc="best", fontsize="small")
    figure.savefig(path, dpi=120)
