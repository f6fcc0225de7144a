"""The key ``substrate.devices``: a device of the catalogue, by name or with changes, or a new one.

All of these mean a table: ``devices = "reram-es"``, ``devices = "mine.toml"``,
``devices = {preset = "reram-es", stuck = {high = 0.05}}``, and a table that states everything.
What is validated is dumped as the last one, so that a record does not depend on the catalogue.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, model_validator

from hil.errors import ConfigurationError
from hil.model import NotNegative
from sim_backend.memristors.catalogue import device
from sim_backend.memristors.config import DeviceConfig

__all__ = ["DevicesConfig", "as_table", "window_of"]

_PRESET = "preset"


class DevicesConfig(DeviceConfig):
    """Programmable devices of a simulated substrate, instead of ideal ones.

    Their window matters by its ratio alone, see :func:`window_of`.
    """

    phase_seconds: NotNegative = Field(
        default=1e-5,
        description="Time an example takes to settle and be held in one phase; matters to drift "
        "and to noise that lasts.",
    )
    pulse_seconds: NotNegative = Field(
        default=1e-6, description="Time from one programming pulse to the next, likewise."
    )

    @model_validator(mode="before")
    @classmethod
    def _from_catalogue(cls, values: Any) -> Any:
        """Fill a table up from the preset it names."""
        values = as_table(values)
        if not isinstance(values, Mapping) or _PRESET not in values:
            return values
        name = values[_PRESET]
        if not isinstance(name, str):
            raise ValueError(f"{_PRESET} must be the name of a device or of a .toml file")
        try:
            known = device(name).model_dump(mode="json", exclude_none=True)
        except ConfigurationError as error:
            raise ValueError(error.message) from error
        return _merged(known, {key: v for key, v in values.items() if key != _PRESET})


def as_table(devices: Any) -> Any:
    """A mere name as the table that it stands for, in which keys can be set; all else as it is."""
    return {_PRESET: devices} if isinstance(devices, str) else devices


def window_of(
    devices: DeviceConfig | None, g_min_siemens: float, g_max_siemens: float
) -> tuple[float, float]:
    """Window of a substrate's devices.

    Its upper end is the substrate's own, because networks look the same on every scale of
    conductance and most published windows are a choice; the lower end is raised to the devices'
    ratio of low to high.

    Args:
        devices: None for ideal ones, which change nothing.
        g_min_siemens: the substrate's own.
        g_max_siemens: likewise.
    """
    if devices is None:
        return g_min_siemens, g_max_siemens
    lowest = g_max_siemens * (devices.g_min_siemens / devices.g_max_siemens)
    return max(g_min_siemens, lowest), g_max_siemens


def _merged(known: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """``known`` with the keys of ``given``; a table of another kind replaces that it meets."""
    merged = dict(known)
    for key, value in given.items():
        before = merged.get(key)
        if isinstance(before, Mapping) and isinstance(value, Mapping):
            if value.get("kind", before.get("kind")) == before.get("kind"):
                value = _merged(before, value)
        merged[key] = value
    return merged
