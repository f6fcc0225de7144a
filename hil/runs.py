"""A training run from start to finish: folder, checkpoints, interruption, resumption."""

from __future__ import annotations

import contextlib
import hashlib
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import numpy as np

from hil.composition import Experiment, ExperimentConfig, build, dump_toml, resolve
from hil.errors import RunFolderError, UsageError
from hil.record import Checkpoint, RunFolder
from hil.substrate import CountsWrites, LoadsConductance, ReadsConductance
from hil.training import Evaluation, Progress

__all__ = ["Listener", "RunResult", "evaluate_run", "load_run", "train_run"]

_CHECKPOINT_SECONDS = 60.0
"""Training time between checkpoints within an epoch, so that a crash loses little."""

_RULE = "rule_"
"""Prefix of the rule's arrays in a checkpoint."""


class Listener(Protocol):
    """Is told how a run goes."""

    def started(self, experiment: Experiment, resumed_epoch: int) -> None:
        """Data loaded, substrate built."""
        ...

    def progressed(self, progress: Progress, examples: int, seconds: float) -> None:
        """After every batch; ``examples`` and ``seconds`` are those of the whole run."""
        ...

    def evaluating(self) -> None:
        """Training is over; the final conductances are evaluated."""
        ...


@dataclass(frozen=True, slots=True)
class RunResult:
    """Outcome of a run.

    Attributes:
        summary: as in ``summary.json``.
        already_finished: nothing was done, the run had finished before.
    """

    summary: dict[str, Any]
    already_finished: bool = False


def train_run(
    config: ExperimentConfig | None,
    out: Path | None,
    *,
    data_directory: Path | None = None,
    resume: bool = False,
    listener: Listener | None = None,
) -> RunResult:
    """Train, evaluate the final conductances and record everything.

    SIGINT and SIGTERM stop the run after the batch in progress; it can then be resumed.

    Args:
        config: the experiment; None with ``resume`` takes the folder's.
        out: run folder, or None to record nothing.
        data_directory: see :func:`hil.data.load_dataset`.
        resume: go on from the folder's checkpoint, if it has one.
        listener: told of progress.

    Raises:
        RunFolderError: the folder is taken or belongs to another configuration.
        ConfigurationError: the experiment cannot be built.
        DataError: the data cannot be loaded.
    """
    if out is None and resume:
        raise UsageError("to resume, name the run folder with --out DIR")
    folder = RunFolder(out) if out is not None else None
    if folder is not None:
        config, finished = _claim(folder, config, resume)
        if finished is not None:
            return RunResult(finished, already_finished=True)
    experiment = build(config or resolve(), data_directory)
    with experiment:
        return RunResult(_train(experiment, folder, listener))


def _claim(
    folder: RunFolder, config: ExperimentConfig | None, resume: bool
) -> tuple[ExperimentConfig, dict[str, Any] | None]:
    """Check that the run may use the folder; its configuration and, if finished, its summary."""
    if folder.path.exists() and not folder.path.is_dir():
        raise RunFolderError(f"{folder.path} is a file; name a folder with --out")
    if not resume:
        if not folder.is_empty:
            raise RunFolderError(
                f"the folder {folder.path} is not empty; name another one with --out, "
                "or go on with an interrupted run by --resume",
                path=str(folder.path),
            )
        return config or resolve(), None
    kept = folder.read_config()
    if kept is None:
        taken = folder.foreign_files()
        if taken:
            raise RunFolderError(
                f"{folder.path} has {taken[0]} but no config.toml, so it is no run folder, and "
                "nothing in it was touched; name another folder with --out",
                path=str(folder.path),
            )
        return config or resolve(), None
    before = resolve(text=kept)
    if config is not None and config != before:
        raise RunFolderError(
            f"the run in {folder.path} has other options: {_differences(before, config)}; "
            "resume without options, or train into another folder",
            path=str(folder.path),
        )
    summary = folder.read_summary()
    finished = summary if summary and summary.get("status") == "finished" else None
    return before, finished


def _differences(before: ExperimentConfig, now: ExperimentConfig) -> str:
    old, new = _flat(before.model_dump(mode="json")), _flat(now.model_dump(mode="json"))
    keys = sorted(k for k in old.keys() | new.keys() if old.get(k) != new.get(k))
    return ", ".join(f"{k} = {old.get(k)!r}, not {new.get(k)!r}" for k in keys[:3])


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


def _train(
    experiment: Experiment, folder: RunFolder | None, listener: Listener | None
) -> dict[str, Any]:
    trainer = experiment.trainer
    if folder is not None:
        _open_folder(experiment, folder)
    if listener is not None:
        listener.started(experiment, trainer.place.epoch)
    interrupted = False
    saved = trainer.place.seconds
    with _stop_requests() as requested:
        for progress in experiment.steps():
            place = trainer.place
            if listener is not None:
                listener.progressed(progress, place.examples, place.seconds)
            if progress.epoch_done and folder is not None:
                _log_epoch(folder, progress, place.seconds)
            interrupted = requested() and progress.fraction < 1.0
            due = progress.epoch_done or place.seconds - saved > _CHECKPOINT_SECONDS
            if folder is not None and (interrupted or due):
                saved = place.seconds
                _save(experiment, folder)
            if interrupted:
                break
        if interrupted:
            summary = _summary(experiment, "interrupted", None, None)
        else:
            if listener is not None:
                listener.evaluating()
            test, train = experiment.evaluate()
            summary = _summary(experiment, "finished", test, train)
        if folder is not None:
            _close_folder(experiment, folder, summary)
    return summary


@contextlib.contextmanager
def _stop_requests() -> Iterator[Callable[[], bool]]:
    """Turn SIGINT and SIGTERM into a request that is honoured between batches."""
    requests: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return

    def note(number: int, frame: FrameType | None) -> None:
        requests.append(number)

    before = {s: signal.signal(s, note) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(requests)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _open_folder(experiment: Experiment, folder: RunFolder) -> None:
    folder.create()
    checkpoint = folder.read_checkpoint()
    folder.write_config(dump_toml(experiment.config))
    if checkpoint is not None:
        _restore(experiment, checkpoint)
        folder.event("resume", epoch=experiment.trainer.place.epoch)
        return
    folder.event("start", seed=experiment.config.seed, threads=experiment.config.threads)
    topology = experiment.substrate.spec.topology
    folder.write_arrays(
        "topology",
        {
            "tail_node": topology.tails.astype(np.int32),
            "head_node": topology.heads.astype(np.int32),
        },
    )
    if isinstance(experiment.substrate, ReadsConductance):
        start = experiment.substrate.read_conductance()
        folder.write_arrays("initial", {"conductance_siemens": start})


def _log_epoch(folder: RunFolder, progress: Progress, seconds: float) -> None:
    folder.event(
        "epoch",
        epoch=progress.epoch,
        cost_volts2=progress.cost_volts2,
        running_error_percent=progress.error_percent,
        skipped_examples=progress.skipped,
        train_seconds=seconds,
    )


def _save(experiment: Experiment, folder: RunFolder) -> None:
    substrate, trainer = experiment.substrate, experiment.trainer
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    for name, values in trainer.rule.memory().items():
        arrays[_RULE + name] = values
    if isinstance(substrate, ReadsConductance):
        arrays["conductance_siemens"] = substrate.read_conductance()
    if isinstance(substrate, CountsWrites):
        arrays["write_counts"] = substrate.write_counts()
    state = {"place": trainer.snapshot(), "config_sha256": _digest(experiment.config)}
    folder.write_checkpoint(Checkpoint(state, arrays))
    folder.event("checkpoint", epoch=trainer.place.epoch, batch=trainer.place.batch)


def _restore(experiment: Experiment, checkpoint: Checkpoint) -> None:
    substrate, trainer = experiment.substrate, experiment.trainer
    arrays = checkpoint.arrays
    if checkpoint.values.get("config_sha256") != _digest(experiment.config):
        raise RunFolderError(
            "the checkpoint belongs to another configuration: config.toml was changed since; "
            "restore it, or remove checkpoint.h5 to start anew"
        )
    try:
        trainer.restore(checkpoint.values["place"])
        if isinstance(substrate, LoadsConductance):
            substrate.load_conductance(arrays["conductance_siemens"])
        if isinstance(substrate, CountsWrites):
            substrate.load_write_counts(arrays["write_counts"])
        trainer.rule.recall(
            {n.removeprefix(_RULE): v for n, v in arrays.items() if n.startswith(_RULE)}
        )
    except (KeyError, TypeError, ValueError, UsageError) as error:
        raise RunFolderError(
            f"the checkpoint is damaged ({error}); remove checkpoint.h5 to start anew"
        ) from error


def _digest(config: ExperimentConfig) -> str:
    return hashlib.sha256(dump_toml(config).encode()).hexdigest()


def _close_folder(experiment: Experiment, folder: RunFolder, summary: dict[str, Any]) -> None:
    substrate = experiment.substrate
    final: dict[str, np.ndarray[Any, Any]] = {}
    if isinstance(substrate, ReadsConductance):
        final["conductance_siemens"] = substrate.read_conductance()
    if isinstance(substrate, CountsWrites):
        final["write_counts"] = substrate.write_counts()
    if summary["status"] == "finished":
        folder.write_arrays("final", final)
    folder.write_summary(summary)
    folder.event("stop", status=summary["status"])
    if summary["status"] == "finished":
        folder.drop_checkpoint()


def _summary(
    experiment: Experiment, status: str, test: Evaluation | None, train: Evaluation | None
) -> dict[str, Any]:
    place, substrate = experiment.trainer.place, experiment.substrate
    writes = substrate.write_counts() if isinstance(substrate, CountsWrites) else None
    return {
        "status": status,
        "test_error_percent": test and round(test.error_percent, 6),
        "train_error_percent": train and round(train.error_percent, 6),
        "test_cost_volts2": test and test.cost_volts2,
        "train_cost_volts2": train and train.cost_volts2,
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


def load_run(path: Path, data_directory: Path | None = None) -> Experiment:
    """The experiment of a finished run with its final conductances.

    Raises:
        RunFolderError: not a run folder, or the run has not finished.
        DataError: the data cannot be loaded.
    """
    folder = RunFolder(path)
    text = folder.read_config()
    if text is None:
        raise RunFolderError(
            f"{path} is not a run folder: it has no config.toml; name a folder that "
            "`hil train --out` made",
            path=str(path),
        )
    conductance = folder.read_array("final/conductance_siemens")
    experiment = build(resolve(text=text), data_directory)
    if isinstance(experiment.substrate, LoadsConductance):
        experiment.substrate.load_conductance(conductance)
    return experiment


def evaluate_run(path: Path, data_directory: Path | None = None) -> dict[str, Any]:
    """Errors of a finished run's conductances, evaluated anew.

    Raises:
        RunFolderError: see :func:`load_run`.
        DataError: see :func:`load_run`.
    """
    with load_run(path, data_directory) as experiment:
        test, train = experiment.evaluate()
    return {
        "test_error_percent": round(test.error_percent, 6),
        "train_error_percent": round(train.error_percent, 6),
        "unsettled_test_examples": test.unsettled,
    }
