"""What resistance of lines does to what a run has learned from."""

from __future__ import annotations

from typing import Any

import numpy as np

from hil.composition import Experiment
from hil.substrate import Drive
from sim_backend.wired.adapter import WiredSubstrate

__all__ = ["wire_bias"]

_EXAMPLES = 32
"""So many tell the bias to a few percent of itself; each costs a pass over all devices."""


def wire_bias(experiment: Experiment) -> list[dict[str, Any]] | None:
    """Bias of gradients that are measured at the ends of lines, crossbar by crossbar.

    Of the first training examples, with the present conductances.

    Returns:
        See :class:`sim_backend.wired.bias.GroupBias`; None where lines have no resistance or no
        example settles.
    """
    circuit = experiment.circuit
    if not isinstance(circuit, WiredSubstrate):
        return None
    trainer, data = experiment.trainer, experiment.dataset
    volts = trainer.inputs.encode(data.train_inputs[:_EXAMPLES])
    targets = trainer.targets.encode(data.train_targets[:_EXAMPLES])
    free = trainer.scheduler.free(circuit, volts, targets)
    if not free.settled.ok.any():
        return None
    nudge = free.nudge_volts.dtype.type(trainer.scheduler.beta_siemens) * free.nudge_volts
    found = circuit.wire_bias(Drive(volts), Drive(volts, nudge))
    return [
        {
            "crossbar": place,
            "drop_error_percent": _finite(100.0 * group.drop_error),
            "contrast_cosine": _finite(group.cosine),
            "contrast_error_percent": _finite(100.0 * group.norm_error),
        }
        for place, group in enumerate(found.groups)
    ]


def _finite(value: float) -> float | None:
    return float(f"{value:.6g}") if np.isfinite(value) else None
