"""The composition root: the one place that knows every part by name.

It joins the configuration models of the packages into one experiment, resolves presets, files
and overrides into it, and builds the objects it describes.
"""

from __future__ import annotations

import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import numpy as np
import tomli_w
from pydantic import Field, ValidationError, model_validator

from hil.arrays import AnyArray, Floats
from hil.config import (
    CostConfig,
    CrossEntropyConfig,
    EncodingConfig,
    EstimatorConfig,
    RuleConfig,
    ScheduleConfig,
)
from hil.data import Dataset, load_dataset
from hil.data.config import DataConfig
from hil.encoding import InputEncoder, TargetEncoder
from hil.errors import ConfigurationError, UsageError
from hil.model import Model
from hil.scheduler import Scheduler
from hil.substrate import ReadsConductance, Substrate
from hil.training import Evaluation, Progress, Trainer
from sim_backend.chip.config import as_table
from sim_backend.governor import ThreadGovernor
from sim_backend.graph.config import NodalConfig
from sim_backend.graph.netlist import NetlistConfig, inline
from sim_backend.layered.config import LayeredConfig
from sim_backend.lot import Lot, digest
from sim_backend.order import Order
from sim_backend.threads import limited, usable_cores

__all__ = [
    "Experiment",
    "ExperimentConfig",
    "build",
    "dump_toml",
    "preset_names",
    "preset_text",
    "resolve",
]

_START = 0
"""Purpose of the generator of start conductances; see ``hil.training``."""

_CHIP = 100
"""Purpose of the generators of what differs from chip to chip."""

SubstrateConfig: TypeAlias = Annotated[
    LayeredConfig | NodalConfig | NetlistConfig, Field(discriminator="kind")
]


class ExperimentConfig(Model):
    """One experiment, complete: equal configurations give equal runs."""

    description: str = Field(default="", description="For people.")
    epochs: int = Field(ge=1, le=10**6, description="Passes over the training part.")
    batch_size: int = Field(ge=1, le=10**9, description="Examples whose gradients are averaged.")
    seed: int = Field(default=0, ge=0, lt=2**63, description="Of everything random.")
    precision: Literal["float32", "float64"] = Field(default="float32", description="Of arrays.")
    threads: int = Field(
        default=2,
        ge=1,
        le=64,
        description="Blocks that large steps are split into, and the most threads that work on "
        "them; fewer are used while that is faster. Results depend on the number of blocks "
        "in their last bits, not on the machine.",
    )
    data: DataConfig
    encoding: EncodingConfig
    cost: CostConfig
    estimator: EstimatorConfig
    rule: RuleConfig
    schedule: ScheduleConfig
    substrate: SubstrateConfig

    @model_validator(mode="after")
    def _consistent(self) -> ExperimentConfig:
        crossbars = self.substrate.n_crossbars
        if len(self.encoding.bias_volts) not in (1, crossbars):
            raise ValueError(
                f"encoding.bias_volts has {len(self.encoding.bias_volts)} values for {crossbars} "
                "crossbars; give one, or one each"
            )
        return self


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


def preset_names() -> tuple[str, ...]:
    """Names of the built-in experiments."""
    folder = resources.files("hil") / "presets"
    return tuple(sorted(p.name[:-5] for p in folder.iterdir() if p.name.endswith(".toml")))


def preset_text(name: str) -> str:
    """TOML of a built-in experiment.

    Raises:
        ConfigurationError: no such preset.
    """
    if name not in preset_names():
        raise ConfigurationError(
            f"there is no preset {name!r}; choose one of: {', '.join(preset_names())}"
        )
    return (resources.files("hil") / "presets" / f"{name}.toml").read_text(encoding="utf-8")


def resolve(
    preset: str | None = None,
    file: Path | str | None = None,
    overrides: Mapping[str, Any] | None = None,
    text: str | None = None,
    source: str | None = None,
) -> ExperimentConfig:
    """Resolve a preset, file or TOML text, and overrides, into a configuration.

    Args:
        preset: name of a built-in experiment; ``digits`` if nothing else is given.
        file: TOML file.
        overrides: values by dotted key, such as ``substrate.hidden``.
        text: TOML.
        source: what to call ``text`` in messages.

    Raises:
        ConfigurationError: unreadable, not TOML, an unknown key or a value out of range.
    """
    given = [name for name, v in (("preset", preset), ("file", file), ("text", text)) if v]
    if len(given) > 1:
        raise ConfigurationError(f"give only one of {' and '.join(given)}")
    if file is not None:
        source, text = str(file), _read_file(Path(file))
    elif text is None:
        source, text = f"preset {preset or 'digits'}", preset_text(preset or "digits")
    source = source or "the given TOML"
    try:
        values = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigurationError(f"{source} is not valid TOML: {error}", source=source) from error
    for key, value in (overrides or {}).items():
        _set(values, key, value)
    _inline(values, Path() if file is None else Path(file).parent, overrides or {})
    try:
        _drop_leftovers(values, overrides or {})
        return ExperimentConfig.model_validate(values)
    except ValidationError as error:
        raise ConfigurationError(_explain(source, values, error), source=source) from error


def dump_toml(config: ExperimentConfig) -> str:
    """The configuration as TOML; :func:`resolve` takes it back unchanged."""
    values = config.model_dump(mode="json", exclude_none=True)
    return tomli_w.dumps(values, multiline_strings=True)


def build(
    config: ExperimentConfig,
    data_directory: Path | None = None,
    kept: Mapping[str, AnyArray] | None = None,
) -> Experiment:
    """Load the data and build substrate, scheduler and rule.

    Args:
        config: what to build.
        data_directory: see :func:`hil.data.load_dataset`.
        kept: what was drawn for an earlier chip, see :attr:`Experiment.drawn`.

    Raises:
        ConfigurationError: the parts do not fit together, or the chip is not the one that the
            configuration names.
        DataError: the data cannot be loaded.
    """
    lot = _lot(config, kept)
    dataset = load_dataset(config.data, data_directory)
    inputs = _input_encoder(config, config.substrate.n_crossbars)
    n_outputs = dataset.n_outputs * (2 if config.cost.paired else 1)
    rng = np.random.default_rng([config.seed, _START])
    largest = max(
        float(np.abs(part - inputs.feature_offset).max()) * inputs.input_volts
        for part in (dataset.train_inputs, dataset.test_inputs)
    )
    made = config.substrate.make(
        Order(
            inputs.n_signals(dataset.n_features),
            n_outputs,
            inputs.biased,
            # Rounding to float32 may take the largest line a little above its nominal level.
            max_input_volts=1.000001 * max(largest, *map(abs, inputs.bias_volts)),
            precision=config.precision,
            threads=config.threads,
            rng=rng,
            lot=lot,
            seed=config.seed,
        )
    )
    estimator = config.estimator
    trainer = Trainer(
        substrate=made.substrate,
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
    _refuse_leftovers(lot)
    return Experiment(config, dataset, made.substrate, trainer, lot.arrays, made.circuit)


def _lot(config: ExperimentConfig, kept: Mapping[str, AnyArray] | None) -> Lot:
    """What the chip is drawn from."""
    wanted, seed = config.substrate.chip, config.substrate.chip_seed
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


def _input_encoder(config: ExperimentConfig, n_crossbars: int) -> InputEncoder:
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


def _read_file(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigurationError(
            f"there is no configuration file {file}; check the path, or see: hil presets",
            path=str(file),
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"the configuration file {file} is not in UTF-8; save it in that encoding",
            path=str(file),
        ) from error
    except OSError as error:
        raise ConfigurationError(
            f"cannot read the configuration file {file}: {error}", path=str(file)
        ) from error


def _set(values: dict[str, Any], key: str, value: Any) -> None:
    """Set a dotted key, making tables on the way."""
    *tables, last = key.split(".")
    node = values
    for name in tables:
        if name == "devices":
            node[name] = as_table(node.get(name, {}))
        node = node.setdefault(name, {})
        if not isinstance(node, dict):
            raise ConfigurationError(f"{key}: {name} is a value, not a table; see: hil config show")
    node[last] = value


def _inline(values: dict[str, Any], folder: Path, overrides: Mapping[str, Any]) -> None:
    """Copy a netlist that is named into the configuration."""
    table = values.get("substrate")
    if isinstance(table, dict):
        if "substrate.file" in overrides:
            folder = Path()
            table.pop("text", None)
        inline(table, folder)


def _drop_leftovers(values: dict[str, Any], overrides: Mapping[str, Any]) -> None:
    """Where an override names another ``kind``, drop keys that only the old kind had."""
    changed = [key.removesuffix(".kind") for key in overrides if key.endswith(".kind")]
    if not changed:
        return
    try:
        ExperimentConfig.model_validate(values)
    except ValidationError as error:
        for problem in error.errors():
            if problem["type"] != "extra_forbidden":
                continue
            *tables, leftover = _keys(values, problem["loc"])
            for table in changed:
                if table.split(".") == tables:
                    if f"{table}.{leftover}" not in overrides:
                        node = values
                        for name in table.split("."):
                            node = node[name]
                        node.pop(leftover, None)


def _keys(values: Any, location: tuple[int | str, ...]) -> list[str]:
    """A problem's location as keys of the configuration, without the kinds pydantic puts in."""
    found = []
    for part in location:
        if isinstance(values, dict):
            if part not in values and part == values.get("kind"):
                continue
            values = values.get(part)
        found.append(str(part))
    return found


def _explain(source: str, values: dict[str, Any], error: ValidationError) -> str:
    lines = [f"{source} cannot be used:"]
    for problem in error.errors():
        text = problem["msg"].removeprefix("Value error, ")
        where = ".".join(_keys(values, problem["loc"])) or "configuration"
        if problem["type"] == "extra_forbidden":
            text = "there is no such key"
        given = problem.get("input")
        shown = "" if isinstance(given, dict) or problem["type"] == "missing" else f" ({given!r})"
        lines.append(f"  {where}: {text}{shown}")
    lines.append("See `hil config schema` for every key, its unit and range.")
    return "\n".join(lines)
