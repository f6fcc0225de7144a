"""A training run from start to finish: folder, checkpoints, interruption, resumption."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from hil.arrays import AnyArray
from hil.composition import Experiment, ExperimentConfig, build, resolve
from hil.errors import RunFolderError, UsageError
from hil.interruption import StopRequests
from hil.keeping import (
    close_folder,
    finite,
    load_substrate,
    open_folder,
    save,
    substrate_arrays,
    summarise,
)
from hil.record import RunFolder
from hil.training import Progress
from hil.wires import wire_bias

__all__ = ["Listener", "RunResult", "evaluate_run", "kept_config", "load_run", "train_run"]

_CHECKPOINT_SECONDS = 60.0
"""Training time between checkpoints within an epoch, so that a crash loses little."""

Overrides = Mapping[str, Any]

_FIGURES = {
    "test_error_percent", "train_error_percent", "train_seconds", "examples_per_second",
    "epochs", "devices", "writes_per_device", "skipped_examples",
}  # fmt: skip
"""Numbers that the summary of a finished run has."""


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
    config: ExperimentConfig | Overrides | None,
    out: Path | str | None,
    *,
    data_directory: Path | None = None,
    resume: bool = False,
    listener: Listener | None = None,
    kept: Mapping[str, AnyArray] | None = None,
) -> RunResult:
    """Train, evaluate the final conductances and record everything.

    SIGINT and SIGTERM stop the run after the batch in progress, or break off the final
    evaluation; it can then be resumed.

    Args:
        config: the experiment; or overrides by dotted key, to the configuration that the folder
            of a resumed run keeps or else to the default one; None for no overrides.
        out: run folder, or None to record nothing.
        data_directory: see :func:`hil.data.load_dataset`.
        resume: go on from the folder's checkpoint, if it has one.
        listener: told of progress.
        kept: what was drawn for an earlier chip, see :func:`hil.composition.build`; a folder to
            resume has its own.

    Raises:
        RunFolderError: the folder is taken, in use, cannot be written to, or belongs to another
            configuration.
        ConfigurationError: the experiment cannot be built.
        DataError: the data cannot be loaded.
        KeyboardInterrupt: a second signal came before the first one was honoured.
    """
    if out is None:
        if resume:
            raise UsageError("to resume, name the run folder with --out DIR")
        with build(_settled(config), data_directory, kept) as experiment:
            return RunResult(_train(experiment, None, listener))
    folder = RunFolder(Path(out))
    with folder.reserved():
        chosen, finished = _claim(folder, config, resume)
        if finished is not None:
            return RunResult(finished, already_finished=True)
        with build(chosen, data_directory, _chip(folder) or kept) as experiment:
            return RunResult(_train(experiment, folder, listener))


def _chip(folder: RunFolder) -> Mapping[str, AnyArray]:
    """What the folder keeps of the chip; lost arrays are made again, the chip drawn again."""
    try:
        return folder.read_chip()
    except RunFolderError:
        return {}


def _settled(
    config: ExperimentConfig | Overrides | None, kept: str | None = None, source: str | None = None
) -> ExperimentConfig:
    """The configuration meant, where ``kept`` is the TOML that overrides apply to."""
    if isinstance(config, ExperimentConfig):
        return config
    return resolve(text=kept, overrides=config, source=source)


def _claim(
    folder: RunFolder, config: ExperimentConfig | Overrides | None, resume: bool
) -> tuple[ExperimentConfig, dict[str, Any] | None]:
    """Check that the run may use the folder; its configuration and, if finished, its summary."""
    if not resume:
        if not folder.is_empty:
            raise RunFolderError(
                f"the folder {folder.path} is not empty; name another one with --out, "
                "or go on with an interrupted run by --resume",
                path=str(folder.path),
            )
        return _settled(config), None
    kept = folder.read_config()
    if kept is None:
        taken = folder.foreign_files()
        if taken:
            raise RunFolderError(
                f"{folder.path} has {taken[0]} but no config.toml, so it is no run folder, and "
                "nothing in it was touched; name another folder with --out",
                path=str(folder.path),
            )
        return _settled(config), None
    source = str(folder.path / "config.toml")
    before = resolve(text=kept, source=source)
    now = _settled(config, kept, source)
    if now != before:
        raise RunFolderError(
            f"the run in {folder.path} has other options: {_differences(before, now)}; "
            "resume without options, or train into another folder",
            path=str(folder.path),
        )
    summary = folder.read_summary()
    if summary is None or summary.get("status") != "finished":
        return before, None
    folder.read_array("final/conductance_siemens")
    wrong = [name for name in _FIGURES if not isinstance(summary.get(name), int | float | None)]
    if wrong or not _FIGURES <= summary.keys():
        raise RunFolderError(
            f"{folder.path / 'summary.json'} is not what a run wrote; the run cannot be trusted. "
            "Train again into another folder",
            path=str(folder.path),
        )
    return before, summary


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
    if folder is not None:
        open_folder(experiment, folder)
    if listener is not None:
        listener.started(experiment, experiment.trainer.place.epoch)
    summary, final = None, {}
    with StopRequests() as stop:
        if _learn(experiment, folder, listener, stop):
            # Before the evaluation, in which time goes on.
            final = substrate_arrays(experiment.substrate) if folder is not None else {}
            summary = _evaluate(experiment, listener, stop)
    if summary is None:
        summary = summarise(experiment, "interrupted", None, None)
    if folder is not None:
        close_folder(folder, summary, final)
    return summary


def _learn(
    experiment: Experiment,
    folder: RunFolder | None,
    listener: Listener | None,
    stop: StopRequests,
) -> bool:
    """Train until the end, which is True, or until a stop is requested."""
    place = experiment.trainer.place
    saved = place.seconds
    for progress in experiment.steps():
        if listener is not None:
            listener.progressed(progress, place.examples, place.seconds)
        if progress.epoch_done and folder is not None:
            _log_epoch(folder, progress, place.seconds)
        halted = stop.requested and progress.fraction < 1.0
        due = progress.epoch_done or place.seconds - saved > _CHECKPOINT_SECONDS
        if folder is not None and (halted or due):
            saved = place.seconds
            save(experiment, folder)
        if halted:
            return False
    return True


def _evaluate(
    experiment: Experiment, listener: Listener | None, stop: StopRequests
) -> dict[str, Any] | None:
    """Summary of the finished run; None if the evaluation was broken off."""
    try:
        stop.no_longer_wait()
        if listener is not None:
            listener.evaluating()
        test, train = experiment.evaluate()
    except KeyboardInterrupt:
        return None
    summary = summarise(experiment, "finished", test, train)
    bias = wire_bias(experiment)
    return summary if bias is None else summary | {"wire_bias": bias}


def _log_epoch(folder: RunFolder, progress: Progress, seconds: float) -> None:
    folder.event(
        "epoch",
        epoch=progress.epoch,
        cost_volts2=progress.cost_volts2,
        running_error_percent=progress.error_percent,
        skipped_examples=progress.skipped,
        train_seconds=seconds,
    )


def load_run(path: Path | str, data_directory: Path | None = None) -> Experiment:
    """The experiment of a finished run with its final conductances.

    Raises:
        RunFolderError: not a run folder, or the run has not finished.
        DataError: the data cannot be loaded.
    """
    folder = RunFolder(Path(path))
    text = kept_config(folder)
    folder.read_array("final/conductance_siemens")
    final = folder.read_group("final")
    config = resolve(text=text, source=str(folder.path / "config.toml"))
    experiment = build(config, data_directory, folder.read_chip())
    try:
        load_substrate(experiment.substrate, final)
    except (KeyError, UsageError) as error:
        experiment.substrate.close()
        raise RunFolderError(
            f"the conductances in {path} do not fit its configuration ({error}); "
            "config.toml or arrays.h5 was changed since",
            path=str(path),
        ) from error
    return experiment


def kept_config(folder: RunFolder) -> str:
    """The configuration (TOML) that a run folder keeps.

    Raises:
        RunFolderError: it has none.
    """
    text = folder.read_config()
    if text is None:
        raise RunFolderError(
            f"{folder.path} is not a run folder: it has no config.toml; name a folder that "
            "`hil train --out` made",
            path=str(folder.path),
        )
    return text


def evaluate_run(path: Path | str, data_directory: Path | None = None) -> dict[str, Any]:
    """Errors of a finished run's conductances, evaluated anew.

    Raises:
        RunFolderError: see :func:`load_run`.
        DataError: see :func:`load_run`.
    """
    with load_run(path, data_directory) as experiment:
        test, train = experiment.evaluate()
    return {
        "test_error_percent": finite(test.error_percent),
        "train_error_percent": finite(train.error_percent),
        "unsettled_test_examples": test.unsettled,
    }
