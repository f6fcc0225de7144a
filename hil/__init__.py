"""Equilibrium propagation on resistive networks, simulated or on a bench.

The names below are imported on first use, so that ``import hil`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hil.composition import Experiment, ExperimentConfig, build, preset_names, resolve
    from hil.contract import check_substrate
    from hil.errors import HilError
    from hil.runs import evaluate_run, load_run, train_run
    from hil.scheduler import Scheduler
    from hil.substrate import Drive, Settled, Substrate, SubstrateSpec
    from hil.topology import Topology, layered
    from hil.training import Trainer

__version__ = "0.1.0"

_HOMES = {
    "Drive": "substrate",
    "Experiment": "composition",
    "ExperimentConfig": "composition",
    "HilError": "errors",
    "Scheduler": "scheduler",
    "Settled": "substrate",
    "Substrate": "substrate",
    "SubstrateSpec": "substrate",
    "Topology": "topology",
    "Trainer": "training",
    "build": "composition",
    "check_substrate": "contract",
    "evaluate_run": "runs",
    "layered": "topology",
    "load_run": "runs",
    "preset_names": "composition",
    "resolve": "composition",
    "train_run": "runs",
}

__all__ = [
    "Drive",
    "Experiment",
    "ExperimentConfig",
    "HilError",
    "Scheduler",
    "Settled",
    "Substrate",
    "SubstrateSpec",
    "Topology",
    "Trainer",
    "__version__",
    "build",
    "check_substrate",
    "evaluate_run",
    "layered",
    "load_run",
    "preset_names",
    "resolve",
    "train_run",
]


def __dir__() -> list[str]:
    """Public names, also before their first use."""
    return sorted(__all__)


def __getattr__(name: str) -> Any:
    """Import a public name from its module."""
    if name not in _HOMES:
        raise AttributeError(f"module 'hil' has no attribute {name!r}")
    return getattr(import_module(f"hil.{_HOMES[name]}"), name)
