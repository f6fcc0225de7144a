"""What a run keeps in its folder: start, checkpoints, the end and the summary."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from hil.composition import Experiment, ExperimentConfig, dump_toml
from hil.errors import RunFolderError, UsageError
from hil.record import Checkpoint, RunFolder
from hil.substrate import (
    CountsWrites,
    KeepsState,
    LoadsConductance,
    ProgramsConductance,
    ReadsConductance,
    Substrate,
)
from hil.training import Evaluation

__all__ = [
    "Restored",
    "close_folder",
    "configuration_digest",
    "finite",
    "load_substrate",
    "open_folder",
    "save",
    "substrate_arrays",
    "summarise",
]

_RULE = "rule_"
"""Prefix of the rule's arrays in a checkpoint."""

_STATE = "state/"
"""Prefix of what a substrate keeps besides conductances, in a checkpoint and in ``/final``."""

Arrays = dict[str, np.ndarray[Any, Any]]


def open_folder(experiment: Experiment, folder: RunFolder) -> None:
    """Begin the record of a run, or take up an interrupted one where it stopped.

    Raises:
        RunFolderError: the checkpoint is damaged, belongs to another configuration, or the
            folder cannot be written to.
    """
    checkpoint = folder.read_checkpoint()
    folder.write_config(dump_toml(experiment.config))
    if checkpoint is not None:
        if not folder.has_array("initial/conductance_siemens"):
            # Where conductances cannot be loaded, nobody knows any more where they began.
            _write_start(experiment, folder, isinstance(experiment.substrate, LoadsConductance))
        restored = _restore(experiment, checkpoint)
        folder.event("resume", epoch=experiment.trainer.place.epoch)
        if restored is not None:
            folder.event("restored", **asdict(restored))
        return
    folder.event("start", seed=experiment.config.seed, threads=experiment.config.threads)
    _write_start(experiment, folder, as_made=True)


def _write_start(experiment: Experiment, folder: RunFolder, as_made: bool) -> None:
    """Begin ``arrays.h5`` anew, with start conductances if the substrate is as it was made."""
    folder.drop_arrays()
    topology = experiment.substrate.spec.topology
    folder.write_arrays(
        "topology",
        {
            "tail_node": topology.tails.astype(np.int32),
            "head_node": topology.heads.astype(np.int32),
        },
    )
    if experiment.drawn:
        folder.write_arrays("chip", experiment.drawn)
    if as_made and isinstance(experiment.substrate, ReadsConductance):
        start = experiment.substrate.read_conductance()
        folder.write_arrays("initial", {"conductance_siemens": start})


def save(experiment: Experiment, folder: RunFolder) -> None:
    """Write a checkpoint between two batches."""
    trainer = experiment.trainer
    arrays = substrate_arrays(experiment.substrate)
    for name, values in trainer.rule.memory().items():
        arrays[_RULE + name] = values
    state = {"place": trainer.snapshot(), "config_sha256": configuration_digest(experiment.config)}
    folder.write_checkpoint(Checkpoint(state, arrays))
    folder.event("checkpoint", epoch=trainer.place.epoch, batch=trainer.place.batch)


def substrate_arrays(substrate: Substrate) -> Arrays:
    """Where a substrate stands: conductances, write counts and state, as far as it can tell."""
    arrays: Arrays = {}
    if isinstance(substrate, ReadsConductance):
        arrays["conductance_siemens"] = substrate.read_conductance()
    if isinstance(substrate, CountsWrites):
        arrays["write_counts"] = substrate.write_counts()
    if isinstance(substrate, KeepsState):
        arrays |= {_STATE + name: values for name, values in substrate.state_arrays().items()}
    return arrays


@dataclass(frozen=True, slots=True)
class Restored:
    """Devices that were found elsewhere than they were left, and programmed back.

    Attributes:
        devices: how many.
        farthest_siemens: the largest deviation found; 0 if none was far enough to be programmed.
        tolerance_siemens: deviations up to this one are left.
    """

    devices: int
    farthest_siemens: float
    tolerance_siemens: float


def load_substrate(
    substrate: Substrate, arrays: Mapping[str, np.ndarray[Any, Any]]
) -> Restored | None:
    """Let a substrate go on from what :func:`substrate_arrays` gave.

    Real devices may have been used or have drifted since: where conductances cannot be loaded
    they are read again, and devices that deviate by more than half a pulse and four times the
    error of a reading are brought back by pulses.

    Returns:
        What was brought back; None where conductances are loaded, or cannot be read.

    Raises:
        KeyError: conductances or write counts are missing.
        UsageError: an array is missing or does not fit.
        ProgramError: devices cannot be brought back.
    """
    restored = None
    if isinstance(substrate, LoadsConductance):
        substrate.load_conductance(arrays["conductance_siemens"])
    if isinstance(substrate, CountsWrites):
        substrate.load_write_counts(arrays["write_counts"])
    if isinstance(substrate, ReadsConductance) and not isinstance(substrate, LoadsConductance):
        # After the counts, so that pulses for this are counted too.
        restored = _bring_back(substrate, arrays["conductance_siemens"])
    # Last, because it knows better where devices stand that cannot be loaded exactly.
    if isinstance(substrate, KeepsState):
        state = {n.removeprefix(_STATE): v for n, v in arrays.items() if n.startswith(_STATE)}
        substrate.load_state(state)
    return restored


def _bring_back(substrate: ReadsConductance, kept_siemens: np.ndarray[Any, Any]) -> Restored | None:
    if not isinstance(substrate, ProgramsConductance) or not isinstance(substrate, Substrate):
        return None
    spec = substrate.spec
    shape = (spec.topology.n_devices,)
    if kept_siemens.shape != shape or not np.all(np.isfinite(kept_siemens)):
        raise UsageError(f"conductances of shape {kept_siemens.shape} are no {shape} numbers")
    target = np.clip(np.asarray(kept_siemens, np.float64), *spec.window_siemens)
    tolerance = 0.5 * spec.pulse_siemens + 4.0 * spec.read_siemens
    apart = np.abs(substrate.read_conductance() - target)
    far = apart > tolerance
    if not far.any():
        return Restored(0, 0.0, tolerance)
    substrate.program_conductance(target, tolerance)
    return Restored(int(np.count_nonzero(far)), float(apart.max()), tolerance)


def _restore(experiment: Experiment, checkpoint: Checkpoint) -> Restored | None:
    trainer = experiment.trainer
    arrays = checkpoint.arrays
    if checkpoint.values.get("config_sha256") != configuration_digest(experiment.config):
        raise RunFolderError(
            "the checkpoint belongs to another configuration: config.toml was changed since; "
            "restore it, or remove checkpoint.h5 to start anew"
        )
    try:
        trainer.restore(checkpoint.values["place"])
        restored = load_substrate(experiment.substrate, arrays)
        trainer.rule.recall(
            {n.removeprefix(_RULE): v for n, v in arrays.items() if n.startswith(_RULE)}
        )
    except (KeyError, TypeError, ValueError, RecursionError, UsageError) as error:
        raise RunFolderError(
            f"the checkpoint is damaged ({error}); remove checkpoint.h5 to start anew"
        ) from error
    return restored


def configuration_digest(config: ExperimentConfig) -> str:
    """Hexadecimal SHA-256 of a configuration, as checkpoints keep it."""
    return hashlib.sha256(dump_toml(config).encode()).hexdigest()


def close_folder(
    folder: RunFolder, summary: dict[str, Any], final: Mapping[str, np.ndarray[Any, Any]]
) -> None:
    """Write what came of the run, finished or interrupted.

    Args:
        folder: of the run.
        summary: of the run.
        final: what :func:`substrate_arrays` gave when training had ended; not written if the
            run was interrupted.
    """
    if summary["status"] == "finished":
        folder.write_arrays("final", final)
    folder.write_summary(summary)
    folder.event("stop", status=summary["status"])
    if summary["status"] == "finished":
        folder.drop_checkpoint()


def summarise(
    experiment: Experiment, status: str, test: Evaluation | None, train: Evaluation | None
) -> dict[str, Any]:
    """The summary, as in ``summary.json``; evaluations are None for an interrupted run."""
    place, substrate = experiment.trainer.place, experiment.substrate
    writes = substrate.write_counts() if isinstance(substrate, CountsWrites) else None
    return {
        "status": status,
        "test_error_percent": test and finite(test.error_percent),
        "train_error_percent": train and finite(train.error_percent),
        "test_cost_volts2": test and finite(test.cost_volts2),
        "train_cost_volts2": train and finite(train.cost_volts2),
        "unsettled_test_examples": test and test.unsettled,
        "epochs": place.epoch,
        "examples": place.examples,
        "skipped_examples": place.skipped,
        "train_seconds": round(place.seconds, 3),
        "examples_per_second": round(place.examples / place.seconds, 1) if place.seconds else 0.0,
        "writes_per_device": None if writes is None else float(writes.mean()),
        "most_written_device": None if writes is None else int(writes.max()),
        "substrate": substrate.spec.kind,
        "devices": substrate.spec.topology.n_devices,
        "data": experiment.dataset.name,
        "seed": experiment.config.seed,
        "threads": experiment.config.threads,
    }


def finite(value: float) -> float | None:
    """The value to ten digits, or None, which JSON can hold: no target varies, say."""
    return float(f"{value:.10g}") if math.isfinite(value) else None
