"""The training loop: batches through scheduler and rule, resumable to the bit.

Everything random in a run comes from generators seeded by (seed, purpose, epoch); the only
state besides the conductances is the place in the epoch, the generator of the phases, and what
the rule remembers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import numpy as np

from hil.arrays import Floats, IntArray
from hil.data.dataset import Dataset
from hil.encoding import InputEncoder, TargetEncoder
from hil.errors import SettleError
from hil.rules import UpdateRule
from hil.scheduler import Scheduler, output_volts
from hil.schedules import Schedule
from hil.substrate import Drive, Substrate
from hil.tally import Figures, Tally, figures

__all__ = ["Evaluation", "Place", "Progress", "Trainer"]

_SHUFFLE, _PHASES = 1, 2
"""Purposes of the generators; 0 is the start conductances."""

_ENCODE_AT_ONCE = 64
"""Examples encoded together: amortises the calls and stays in the cache."""

_EVALUATE_AT_ONCE = 512
"""Examples settled together where nothing is learned between them."""


@dataclass
class Place:
    """Where a run is: everything but conductances and the rule's memory.

    Attributes:
        epoch: epochs completed.
        batch: batches completed in the present epoch.
        examples: examples seen in all.
        skipped: examples that did not settle and took no part.
        seconds: time spent training.
        epoch_cost: summed cost in the present epoch, volts squared.
        epoch_wrong: summed errors in the present epoch, see ``TargetEncoder.wrong``.
        epoch_examples: examples in these two sums.
        epoch_skipped: examples of the present epoch that took no part.
        phases_state: state of the phases' generator, as JSON; empty at an epoch's start.
    """

    epoch: int = 0
    batch: int = 0
    examples: int = 0
    skipped: int = 0
    seconds: float = 0.0
    epoch_cost: float = 0.0
    epoch_wrong: float = 0.0
    epoch_examples: int = 0
    epoch_skipped: int = 0
    phases_state: str = ""


class Progress(NamedTuple):
    """State of affairs after a batch; cost and error may lag a few hundred examples behind.

    Attributes:
        epoch: epoch being trained, from 1.
        epochs: of how many.
        epoch_done: this was the last batch of the epoch.
        fraction: of the whole run that is done.
        cost_volts2: mean cost so far in this epoch.
        error_percent: mean error so far in this epoch, on examples before they were learned.
        skipped: examples that took no part, in the whole run.
    """

    epoch: int
    epochs: int
    epoch_done: bool
    fraction: float
    cost_volts2: float
    error_percent: float
    skipped: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Result on a set of examples.

    Attributes:
        error_percent: see :meth:`hil.encoding.TargetEncoder.error_percent`; an example that
            does not settle counts as wrong.
        cost_volts2: mean cost of the examples that settled.
        unsettled: how many did not.
    """

    error_percent: float
    cost_volts2: float
    unsettled: int


@dataclass
class Trainer:
    """Trains a substrate on a data set.

    Attributes:
        substrate: what learns.
        scheduler: phases.
        rule: update rule.
        schedule: factor on the rule's step.
        inputs: features to volts.
        targets: labels to volts or probabilities.
        dataset: examples.
        batch_size: examples a batch; the last one of an epoch may be smaller.
        epochs: passes over the training part.
        seed: of everything random in training.
        place: where the run is.
    """

    substrate: Substrate
    scheduler: Scheduler
    rule: UpdateRule
    schedule: Schedule
    inputs: InputEncoder
    targets: TargetEncoder
    dataset: Dataset
    batch_size: int
    epochs: int
    seed: int
    place: Place = field(default_factory=Place)
    _phases: np.random.Generator = field(default_factory=np.random.default_rng, init=False)
    _running: tuple[float, float] = field(default=(0.0, 0.0), init=False)

    def __post_init__(self) -> None:
        self._tally = Tally(self.scheduler.cost, self.targets, self.dataset.train_targets)
        self._n_batches = -(-len(self.dataset.train_inputs) // self.batch_size)

    @property
    def n_batches(self) -> int:
        """Batches an epoch."""
        return self._n_batches

    def run(self, clock: Callable[[], float]) -> Iterator[Progress]:
        """Train to the end, yielding after every batch; stop iterating to interrupt.

        Args:
            clock: monotonic seconds; ``place.seconds`` grows by what it measures between the
                yields, so that the caller's own work is not counted.

        Raises:
            SettleError: not one example of an epoch settled.
        """
        place = self.place
        while place.epoch < self.epochs:
            started = clock()
            self._phases = self._phases_generator()
            for rows, volts, targets in self._batches():
                self._learn(rows, volts, targets)
                progress = self._progress()
                if progress.epoch_done:
                    self._check_settling()
                    self._begin_epoch()
                place.seconds += clock() - started
                yield progress
                started = clock()

    def snapshot(self) -> dict[str, Any]:
        """The place as plain values, for a checkpoint between two batches."""
        self._take_figures()
        state = asdict(self.place)
        if self.place.batch:
            state["phases_state"] = json.dumps(self._phases.bit_generator.state)
        return state

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Take :meth:`snapshot` back.

        Raises:
            ValueError: it does not describe a place in this run.
        """
        place = Place(**snapshot)
        for name, kind in Place.__annotations__.items():
            value = getattr(place, name)
            fits = (
                isinstance(value, int | float)
                if kind == "float"
                else (type(value).__name__ == kind)
            )
            if not fits or (kind != "str" and not 0 <= value < float("inf")):
                raise ValueError(f"{name} is {value!r}")
        if place.phases_state:
            np.random.default_rng().bit_generator.state = json.loads(place.phases_state)
        if not (0 <= place.epoch <= self.epochs and 0 <= place.batch < self.n_batches):
            raise ValueError(f"epoch {place.epoch}, batch {place.batch} is not in this run")
        self.place = place
        self._work_out()

    def evaluate(self, inputs: Floats, labels: Floats | IntArray) -> Evaluation:
        """Settle every example freely; nothing is programmed.

        Args:
            inputs: (n, n_features).
            labels: (n,) labels or (n, n_targets) values.
        """
        total = Figures()
        for start in range(0, len(inputs), _EVALUATE_AT_ONCE):
            part = slice(start, start + _EVALUATE_AT_ONCE)
            settled = self.substrate.settle(Drive(self.inputs.encode(inputs[part])))
            outputs = output_volts(self.substrate, settled)
            total += figures(self.scheduler.cost, self.targets, outputs, settled.ok, labels[part])
        return Evaluation(
            self.targets.error_percent(total.wrong, labels),
            total.cost_volts2 / max(1, total.examples - total.unsettled),
            total.unsettled,
        )

    def _phases_generator(self) -> np.random.Generator:
        rng = np.random.default_rng([self.seed, _PHASES, self.place.epoch])
        if self.place.phases_state:
            rng.bit_generator.state = json.loads(self.place.phases_state)
            self.place.phases_state = ""
        return rng

    def _batches(self) -> Iterator[tuple[IntArray, Floats, Floats]]:
        """Rows, input voltages and targets of the batches left in this epoch."""
        features, labels = self.dataset.train_inputs, self.dataset.train_targets
        shuffle = np.random.default_rng([self.seed, _SHUFFLE, self.place.epoch])
        order = shuffle.permutation(len(features))
        size = self.batch_size
        at_once = max(1, _ENCODE_AT_ONCE // size) * size
        for start in range(self.place.batch * size, len(order), at_once):
            rows = order[start : start + at_once]
            volts, targets = self.inputs.encode(features[rows]), self.targets.encode(labels[rows])
            # Read-only arrays tell a substrate that it may trust their identity.
            volts.flags.writeable = False
            for i in range(0, len(rows), size):
                yield rows[i : i + size], volts[i : i + size], targets[i : i + size]

    def _learn(self, rows: IntArray, volts: Floats, targets: Floats) -> None:
        place = self.place
        free = self.scheduler.free(self.substrate, volts, targets)
        factor = self.schedule.factor(place.epoch + place.batch / self._n_batches, self.epochs)
        ok = self.rule.learn(
            self.substrate, self.scheduler, volts, free, factor, self._phases
        )  # fmt: skip
        skipped = ok.size - int(np.count_nonzero(ok))
        place.skipped += skipped
        place.epoch_skipped += skipped
        place.examples += len(rows)
        place.batch += 1
        is_full = self._tally.add(rows, free.output_volts, free.settled.ok)
        if is_full or place.batch == self._n_batches or not place.epoch_examples:
            self._take_figures()

    def _take_figures(self) -> None:
        """Bring the running sums of the epoch up to the present batch."""
        place, new = self.place, self._tally.take()
        place.epoch_cost += new.cost_volts2
        place.epoch_wrong += new.wrong
        place.epoch_examples += new.examples
        self._work_out()

    def _work_out(self) -> None:
        place = self.place
        if place.epoch_examples:
            labels = self.dataset.train_targets
            share = len(labels) / place.epoch_examples
            percent = self.targets.error_percent(place.epoch_wrong, labels) * share
            self._running = place.epoch_cost / place.epoch_examples, percent

    def _progress(self) -> Progress:
        place, n_batches = self.place, self._n_batches
        cost_volts2, error_percent = self._running
        # By position, in the order of the attributes: keywords take twice as long.
        return Progress(
            place.epoch + 1,
            self.epochs,
            place.batch == n_batches,
            (place.batch + n_batches * place.epoch) / (n_batches * self.epochs),
            cost_volts2,
            error_percent,
            place.skipped,
        )

    def _check_settling(self) -> None:
        if self.place.epoch_skipped == self.place.epoch_examples:
            raise SettleError(
                f"not one example of epoch {self.place.epoch + 1} settled, so nothing was "
                "learned; check the conductance window and the voltages, the ranges of converters "
                "and supply if there is a board, or raise substrate.max_iterations or "
                "substrate.tolerance"
            )

    def _begin_epoch(self) -> None:
        place = self.place
        place.epoch += 1
        place.batch = place.epoch_examples = place.epoch_skipped = 0
        place.epoch_cost = place.epoch_wrong = 0.0
