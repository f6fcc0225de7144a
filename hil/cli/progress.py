"""Progress of a run: a bar on a terminal, a line an epoch elsewhere."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from hil.cli.watching import Watching, say
from hil.runs import Listener

if TYPE_CHECKING:
    from hil.composition import Experiment
    from hil.training import Progress

__all__ = ["make_listener"]

_REFRESH_SECONDS = 0.1


class _Quiet(Watching):
    """Says nothing."""

    def recording(self, experiment: Experiment) -> None:
        """See :class:`hil.runs.Listener`."""

    def started(self, experiment: Experiment, resumed_epoch: int) -> None:
        """See :class:`hil.runs.Listener`."""

    def progressed(self, progress: Progress, examples: int, seconds: float) -> None:
        """See :class:`hil.runs.Listener`."""

    def evaluating(self) -> None:
        """See :class:`hil.runs.Listener`."""


class _Lines(_Quiet):
    """One line an epoch, on standard error."""

    def recording(self, experiment: Experiment) -> None:
        """See :class:`hil.runs.Listener`."""
        _say_reading(experiment)

    def started(self, experiment: Experiment, resumed_epoch: int) -> None:
        """See :class:`hil.runs.Listener`."""
        say(_headline(experiment, resumed_epoch))

    def progressed(self, progress: Progress, examples: int, seconds: float) -> None:
        """See :class:`hil.runs.Listener`."""
        if progress.epoch_done:
            left = seconds * (1.0 / progress.fraction - 1.0)
            say(
                f"epoch {progress.epoch}/{progress.epochs}  "
                f"{_figures(progress, examples, seconds)}  {left:.0f} s left"
            )

    def evaluating(self) -> None:
        """See :class:`hil.runs.Listener`."""
        say("evaluating the final conductances")


class _BarListener(_Quiet):
    """A live bar on a terminal."""

    def recording(self, experiment: Experiment) -> None:
        """See :class:`hil.runs.Listener`."""
        _say_reading(experiment)

    def __init__(self) -> None:
        self._bar = Bar(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(),
            TextColumn("{task.fields[figures]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=False,
        )
        self._task: TaskID | None = None
        self._shown = 0.0

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def started(self, experiment: Experiment, resumed_epoch: int) -> None:
        """See :class:`hil.runs.Listener`."""
        self._bar.console.print(_headline(experiment, resumed_epoch), highlight=False)
        self._task = self._bar.add_task("", total=1.0, epoch=f"1/{experiment.config.epochs}",
                                        figures="compiling")  # fmt: skip

    def progressed(self, progress: Progress, examples: int, seconds: float) -> None:
        """See :class:`hil.runs.Listener`."""
        if self._task is None or (
            seconds - self._shown < _REFRESH_SECONDS and progress.fraction < 1.0
        ):
            return
        self._shown = seconds
        self._bar.update(
            self._task,
            completed=progress.fraction,
            epoch=f"{progress.epoch}/{progress.epochs}",
            figures=_figures(progress, examples, seconds),
        )

    def evaluating(self) -> None:
        """See :class:`hil.runs.Listener`."""
        self._bar.console.print("evaluating the final conductances", highlight=False)


def make_listener(*, quiet: bool) -> AbstractContextManager[Listener]:
    """A bar if standard error is a terminal, else lines; nothing if ``quiet``."""
    if quiet:
        return _Quiet()
    return _BarListener() if sys.stderr.isatty() else _Lines()


def _say_reading(experiment: Experiment) -> None:
    """Devices of a bench are read one after the other, which is all one sees for a while."""
    if experiment.substrate.spec.read_siemens > 0.0:
        say(f"reading {experiment.substrate.spec.topology.n_devices} devices one by one")


def _headline(experiment: Experiment, resumed_epoch: int) -> str:
    data, spec = experiment.dataset, experiment.substrate.spec
    text = (
        f"{data.name}: {len(data.train_inputs)} training and {len(data.test_inputs)} test "
        f"examples; {spec.topology.n_devices} devices"
    )
    return text + (f"; resumed after epoch {resumed_epoch}" if resumed_epoch else "")


def _figures(progress: Progress, examples: int, seconds: float) -> str:
    rate = examples / seconds if seconds > 0.0 else 0.0
    return (
        f"loss {progress.cost_volts2:.3g} V^2  error {progress.error_percent:.2f} %  "
        f"{rate:.0f} examples/s"
    )
