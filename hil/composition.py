"""The composition root: the one place that knows every part by name.

It builds the objects that a configuration describes; :mod:`hil.resolving` makes configurations
of presets, files and overrides.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from drivers.bench.config import BenchConfig
from hil.arrays import AnyArray, Floats
from hil.bench.fitting import Wanted, check_fits, largest_volts
from hil.bench.opening import check_reach, open_reached
from hil.bench.reaching import Reach
from hil.config import CrossEntropyConfig
from hil.data import Dataset, load_dataset
from hil.encoding import InputEncoder, TargetEncoder
from hil.errors import ConfigurationError, UsageError
from hil.experiment import ExperimentConfig
from hil.resolving import dump_toml, preset_names, preset_text, resolve
from hil.scheduler import Scheduler
from hil.substrate import ReadsConductance, Substrate
from hil.training import Evaluation, Progress, Trainer
from sim_backend.governor import ThreadGovernor
from sim_backend.imperfections import ImperfectConfig
from sim_backend.lot import Lot, digest
from sim_backend.order import Order
from sim_backend.threads import limited, usable_cores

__all__ = [
    "Experiment",
    "ExperimentConfig",
    "build",
    "dump_toml",
    "input_encoder",
    "preset_names",
    "preset_text",
    "resolve",
]

_START = 0
"""Purpose of the generator of start conductances; see ``hil.training``."""

_CHIP = 100
"""Purpose of the generators of what differs from chip to chip."""


@dataclass
class Experiment:
    """A configuration and the objects built from it.

    Attributes:
        config: what was asked.
        dataset: the examples.
        substrate: owned; close it, or use the experiment as a context manager.
        trainer: trains and evaluates.
        drawn: what differs from part to part in a simulated substrate, as ``part/name``; empty
            where all parts are ideal.
        circuit: what imperfect devices and electronics of a simulation stand around.
    """

    config: ExperimentConfig
    dataset: Dataset
    substrate: Substrate
    trainer: Trainer
    drawn: Mapping[str, AnyArray]
    circuit: object

    def train(self, on_progress: Callable[[Progress], None] | None = None) -> None:
        """Train to the end, calling ``on_progress`` after every batch.

        Nothing is recorded; :func:`hil.runs.train_run` keeps a run folder.
        """
        for progress in self.steps():
            if on_progress is not None:
                on_progress(progress)

    def steps(self) -> Iterator[Progress]:
        """Train, yielding after every batch; stop iterating to interrupt."""
        most = min(self.config.threads, usable_cores())
        with limited(most):
            governor = ThreadGovernor(most, time.perf_counter)
            for progress in self.trainer.run(time.perf_counter):
                yield progress
                governor.step_done()

    def evaluate(self) -> tuple[Evaluation, Evaluation]:
        """Results on the test part and on the training part."""
        data = self.dataset
        with limited(min(self.config.threads, usable_cores())):
            test = self.trainer.evaluate(data.test_inputs, data.test_targets)
            return test, self.trainer.evaluate(data.train_inputs, data.train_targets)

    def conductance_siemens(self) -> Floats:
        """Conductance of every device, (n_devices,), in topology order.

        Raises:
            UsageError: this substrate cannot read conductances.
        """
        if not isinstance(self.substrate, ReadsConductance):
            raise UsageError(f"a {self.substrate.spec.kind} substrate cannot read conductances")
        return self.substrate.read_conductance()

    def __enter__(self) -> Experiment:
        """Return self."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the substrate."""
        self.substrate.close()


def build(
    config: ExperimentConfig,
    data_directory: Path | None = None,
    kept: Mapping[str, AnyArray] | None = None,
    reach: Reach | None = None,
) -> Experiment:
    """Load the data and build substrate, scheduler and rule.

    Args:
        config: what to build.
        data_directory: see :func:`hil.data.load_dataset`.
        kept: what was drawn for an earlier chip, see :attr:`Experiment.drawn`.
        reach: the way to a bench's instruments, see :mod:`hil.bench.reaching`; it energises them.

    Raises:
        ConfigurationError: the parts do not fit together, the chip is not the one that the
            configuration names, or a bench is to be used and nobody said how to reach it.
        DataError: the data cannot be loaded.
        HilError: a bench's instruments cannot be reached or refuse; the bench was made safe.
    """
    way = check_reach(config.substrate, reach)
    dataset = load_dataset(config.data, data_directory)
    inputs = input_encoder(config, config.substrate.n_crossbars)
    trainer_of = _trainer_of(config, dataset, inputs)
    if isinstance(config.substrate, BenchConfig):
        assert way is not None
        check_fits(config.substrate, _wanted(config, dataset, inputs))
        substrate = open_reached(config.substrate, way, config.seed)
        try:
            return Experiment(config, dataset, substrate, trainer_of(substrate), {}, None)
        except BaseException:
            substrate.close()
            raise
    lot = _lot(config, config.substrate, kept)
    made = config.substrate.make(_order(config, dataset, inputs, lot))
    trainer = trainer_of(made.substrate)
    _refuse_leftovers(lot)
    return Experiment(config, dataset, made.substrate, trainer, lot.arrays, made.circuit)


def _trainer_of(
    config: ExperimentConfig, dataset: Dataset, inputs: InputEncoder
) -> Callable[[Substrate], Trainer]:
    """The trainer but for its substrate; whatever can be refused is refused before there is one."""
    estimator = config.estimator
    return partial(
        Trainer,
        scheduler=Scheduler(config.cost.build(), estimator.build(), estimator.beta_siemens),
        rule=config.rule.build(config.substrate.n_groups),
        schedule=config.schedule.build(),
        inputs=inputs,
        targets=_target_encoder(config, dataset),
        dataset=dataset,
        batch_size=config.batch_size,
        epochs=config.epochs,
        seed=config.seed,
    )


def _n_outputs(config: ExperimentConfig, dataset: Dataset) -> int:
    return dataset.n_outputs * (2 if config.cost.paired else 1)


def _order(config: ExperimentConfig, dataset: Dataset, inputs: InputEncoder, lot: Lot) -> Order:
    """What is asked of a simulated substrate."""
    largest = max(
        float(np.abs(part - inputs.feature_offset).max()) * inputs.input_volts
        for part in (dataset.train_inputs, dataset.test_inputs)
    )
    return Order(
        inputs.n_signals(dataset.n_features),
        _n_outputs(config, dataset),
        inputs.biased,
        # Rounding to float32 may take the largest line a little above its nominal level.
        max_input_volts=1.000001 * max(largest, *map(abs, inputs.bias_volts)),
        precision=config.precision,
        threads=config.threads,
        rng=np.random.default_rng([config.seed, _START]),
        lot=lot,
        seed=config.seed,
    )


def _wanted(config: ExperimentConfig, dataset: Dataset, inputs: InputEncoder) -> Wanted:
    """What is asked of a bench."""
    n_outputs = _n_outputs(config, dataset)
    targets = _target_encoder(config, dataset).encode(dataset.train_targets)
    at_rest = np.zeros((len(targets), n_outputs), targets.dtype)
    unit = float(np.abs(config.cost.build().gradient(at_rest, targets)).max())
    stencil = config.estimator.build().stencil(np.random.default_rng())
    return Wanted(
        inputs.n_signals(dataset.n_features),
        inputs.biased,
        n_outputs,
        largest_volts(inputs, dataset.train_inputs, dataset.test_inputs),
        config.estimator.beta_siemens * unit * max(abs(multiple) for multiple, _ in stencil),
    )


def _lot(
    config: ExperimentConfig, substrate: ImperfectConfig, kept: Mapping[str, AnyArray] | None
) -> Lot:
    """What the chip is drawn from."""
    wanted, seed = substrate.chip, substrate.chip_seed
    if wanted is not None and digest(kept or {}) != wanted:
        raise ConfigurationError(
            f"the configuration names the kept chip {wanted[:12]}.. (substrate.chip), but "
            f"{'another one' if kept else 'none'} was given; name its file: hil train --chip "
            "CHIP.h5, or leave substrate.chip out to draw one"
        )
    return Lot((config.seed if seed is None else seed, _CHIP), kept)


def _refuse_leftovers(lot: Lot) -> None:
    unused = lot.unused()
    if unused:
        raise ConfigurationError(
            f"the chip kept has {unused[0]}, but the configuration has no such imperfection; "
            "train a chip with the configuration it was made with (hil train --chip CHIP.h5 "
            "alone), or switch that imperfection on"
        )


def input_encoder(config: ExperimentConfig, n_crossbars: int) -> InputEncoder:
    """How the experiment's features become line voltages."""
    bias = config.encoding.bias_volts
    return InputEncoder(
        input_volts=config.encoding.input_volts,
        feature_offset=config.encoding.feature_offset,
        doubled=config.encoding.doubled,
        bias_volts=bias * n_crossbars if len(bias) == 1 else bias,
        dtype=np.dtype(config.precision),
    )


def _target_encoder(config: ExperimentConfig, dataset: Dataset) -> TargetEncoder:
    dtype = np.dtype(config.precision)
    if isinstance(config.cost, CrossEntropyConfig):
        if dataset.n_classes is None:
            raise ConfigurationError(
                "cross-entropy needs classes, but the data set has continuous targets; "
                "set cost.kind to squared_error"
            )
        return TargetEncoder(1.0, 0.0, dataset.n_classes, dtype)
    encoding = config.encoding
    return TargetEncoder(encoding.target_volts, encoding.other_volts, dataset.n_classes, dtype)
