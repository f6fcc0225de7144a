"""A training run from start to finish: folder, checkpoints, interruption, resumption."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from drivers.bench.config import BenchConfig
from hil.arrays import AnyArray
from hil.bench.opening import check_reach
from hil.bench.reaching import Reach, wire_logged
from hil.composition import Experiment, ExperimentConfig, build, resolve
from hil.errors import RunFolderError, UsageError
from hil.interruption import StopRequests
from hil.keeping import (
    close_folder,
    open_folder,
    save,
    substrate_arrays,
    summarise,
)
from hil.loading import check_final, evaluate_run, kept_config, load_run
from hil.record import RunFolder
from hil.training import Progress
from hil.wires import wire_bias

__all__ = ["Listener", "RunResult", "evaluate_run", "kept_config", "load_run", "train_run"]

_CHECKPOINT_SECONDS = 60.0
"""Training time between checkpoints within an epoch, so that a crash loses little."""

_TRAINING_PER_SAVING = 10.0
"""Least ratio of training to saving, where saving means reading real devices."""

Overrides = Mapping[str, Any]

_FIGURES = {
    "test_error_percent", "train_error_percent", "train_seconds", "examples_per_second",
    "epochs", "devices", "writes_per_device", "skipped_examples",
}  # fmt: skip
"""Numbers that the summary of a finished run has."""


class Listener(Protocol):
    """Is told how a run goes."""

    def recording(self, experiment: Experiment) -> None:
        """The run folder is begun or taken up, for which a bench reads its devices one by one."""
        ...

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
    reach: Reach | None = None,
    wire_log: bool = False,
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
        reach: the way to a bench's instruments, see :func:`hil.composition.build`.
        wire_log: write every message to and from them to ``wire.jsonl`` in the folder.

    Raises:
        RunFolderError: the folder is taken, in use, cannot be written to, or belongs to another
            configuration.
        ConfigurationError: the experiment cannot be built.
        DataError: the data cannot be loaded.
        HilError: a bench failed; it was made safe.
        KeyboardInterrupt: a second signal came before the first one was honoured.
    """
    if wire_log and (out is None or reach is None):
        raise UsageError(
            "--wire-log keeps the messages of a bench in the run folder; name one with --out DIR, "
            "and say --energise or --emulated"
        )
    if out is None:
        if resume:
            raise UsageError("to resume, name the run folder with --out DIR")
        with build(_settled(config), data_directory, kept, reach) as experiment:
            return RunResult(_train(experiment, None, listener))
    folder = RunFolder(Path(out))
    with folder.reserved():
        chosen, finished = _claim(folder, config, resume)
        if finished is not None:
            return RunResult(finished, already_finished=True)
        check_reach(chosen.substrate, reach)
        with (
            _logged(reach, folder, wire_log) as way,
            build(chosen, data_directory, _chip(folder) or kept, way) as experiment,
        ):
            return RunResult(_train(experiment, folder, listener))


@contextmanager
def _logged(reach: Reach | None, folder: RunFolder, wanted: bool) -> Iterator[Reach | None]:
    """The instruments, with all messages on record if that is wanted.

    A run that never began leaves none, so that the corrected command finds the folder empty.
    """
    if reach is None or not wanted:
        yield reach
        return
    path = folder.path / "wire.jsonl"
    try:
        with wire_logged(reach, path) as way:
            yield way
    finally:
        if folder.read_config() is None:
            path.unlink(missing_ok=True)


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
        if not isinstance(config, ExperimentConfig):
            raise RunFolderError(
                f"there is no run to go on with in {folder.path}, it has no config.toml: perhaps "
                "it was broken off before it began. Name the experiment (--preset, --config, "
                "--bench) to begin it, or the right folder with --out",
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
    check_final(folder, before)
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
        if listener is not None:
            listener.recording(experiment)
        open_folder(experiment, folder)
    if listener is not None:
        listener.started(experiment, experiment.trainer.place.epoch)
    summary, final = None, {}
    with StopRequests() as stop:
        if _learn(experiment, folder, listener, stop):
            # Before the evaluation, in which time goes on.
            if folder is not None:
                if listener is not None:
                    listener.recording(experiment)
                final = substrate_arrays(experiment.substrate)
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
    saved, pause = place.seconds, _CHECKPOINT_SECONDS
    is_bench = isinstance(experiment.config.substrate, BenchConfig)
    for progress in experiment.steps():
        if listener is not None:
            listener.progressed(progress, place.examples, place.seconds)
        if progress.epoch_done and folder is not None:
            _log_epoch(folder, progress, place.seconds)
        halted = stop.requested and progress.fraction < 1.0
        due = progress.epoch_done and (not is_bench or progress.fraction == 1.0)
        due = due or place.seconds - saved > pause
        if folder is not None and (halted or due):
            saved, started = place.seconds, time.perf_counter()
            if listener is not None:
                listener.recording(experiment)
            save(experiment, folder)
            spent = time.perf_counter() - started
            pause = max(_CHECKPOINT_SECONDS, _TRAINING_PER_SAVING * spent)
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
