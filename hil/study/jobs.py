"""What goes to a worker and what comes back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hil.arrays import Floats

__all__ = ["Job", "Outcome"]


@dataclass(frozen=True)
class Job:
    """Everything a worker needs: equal jobs have equal outcomes, on whatever worker.

    Attributes:
        key: name of the task.
        config_toml: the experiment, complete.
        data_directory: folder of the data on the worker's machine, if one was named.
        conductance_siemens: (n_devices,) to write to the chip instead of training it.
        keep_conductance: whether the trained conductances are wanted.
        rehearsal: only the first steps, with nothing kept.
    """

    key: str
    config_toml: str
    data_directory: str | None = None
    conductance_siemens: Floats | None = None
    keep_conductance: bool = False
    rehearsal: bool = False


@dataclass(frozen=True)
class Outcome:
    """What came of a job.

    Attributes:
        key: of the job.
        result: plain values, without any that differ from one repetition to the next.
        conductance_siemens: (n_devices,) as trained, if wanted.
        seconds: how long it took.
        error: why there is no result; empty if there is one.
        again: whether another attempt may succeed, as after the death of a worker.
    """

    key: str
    result: dict[str, Any] = field(default_factory=dict)
    conductance_siemens: Floats | None = None
    seconds: float = 0.0
    error: str = ""
    again: bool = False
