"""The built-in imperfections, in stated proportions, and the study that sweeps them."""

from __future__ import annotations

from collections.abc import Sequence

from drivers.bench.config import BenchConfig
from hil.composition import ExperimentConfig, preset_names
from hil.errors import ConfigurationError
from hil.study.config import Imperfection, StudyConfig

__all__ = ["MORE_NAMES", "NAMES", "base_preset", "imperfection", "mismatch_study"]

NAMES = ("amplifiers", "diodes", "conductances", "sensing")
"""Swept unless others are named: what differs from part to part, and stays."""

MORE_NAMES = ("noise",)
"""Not mismatch: drawn anew in every phase, so that it does not cancel between them."""

_LEVELS = (0.05, 0.1, 0.2, 0.4, 0.8)
"""From better than matched parts of one wafer to worse than any process."""

_PREFIX = "study-"
"""Of presets that are made for studies: they have all parts whose mismatch is swept."""


def base_preset(name: str | None) -> str:
    """The preset that a study of a preset begins with: ``study-NAME`` where there is one."""
    name = name or "digits"
    made_for_it = _PREFIX + name
    return made_for_it if made_for_it in preset_names() else name


def mismatch_study(
    experiment: ExperimentConfig,
    *,
    names: Sequence[str] | None = None,
    levels: Sequence[float] | None = None,
    chips: int = 20,
    trainings: int | None = None,
) -> StudyConfig:
    """The study of how mismatch harms, trained in it and transferred to it.

    Args:
        experiment: what is trained; it is trained on one thread.
        names: some of :data:`NAMES` and :data:`MORE_NAMES`; the former if omitted.
        levels: of every imperfection; 0.05 to 0.8 if omitted.
        chips: drawn at every level.
        trainings: training seeds; one a chip if omitted.

    Raises:
        ConfigurationError: a name, level or number that cannot be used.
    """
    if isinstance(experiment.substrate, BenchConfig):
        raise ConfigurationError(
            "a study draws chips and trains in all of them, which a bench cannot; leave --bench out"
        )
    if experiment.substrate.chip is not None:
        raise ConfigurationError(
            "a study draws its own chips, but the experiment names one that was kept; "
            "leave substrate.chip out"
        )
    wanted = levels and tuple(sorted(levels))
    values = {
        "chips": chips,
        "trainings": chips if trainings is None else trainings,
        "imperfections": [imperfection(name, experiment, wanted) for name in names or NAMES],
        "experiment": experiment.model_copy(update={"threads": 1}),
    }
    return StudyConfig.checked(values, "the study")


def imperfection(
    name: str, experiment: ExperimentConfig, levels: Sequence[float] | None = None
) -> Imperfection:
    """A built-in imperfection with the voltages of an experiment.

    Args:
        name: one of :data:`NAMES` and :data:`MORE_NAMES`.
        experiment: whose parts vary.
        levels: 0.05 to 0.8 if omitted.

    Raises:
        ConfigurationError: there is no such imperfection.
    """
    known = _imperfections(experiment)
    if name not in known:
        raise ConfigurationError(
            f"there is no imperfection {name!r}; choose of: {', '.join(known)}"
        )
    meaning, keys = known[name]
    values = {"name": name, "meaning": meaning, "levels": levels or _LEVELS, "keys": keys}
    return Imperfection.checked(values, name)


def _imperfections(experiment: ExperimentConfig) -> dict[str, tuple[str, dict[str, float]]]:
    """By name: what level 1 is, in words and as values by key.

    Voltages are in proportion to those of the circuit: amplifiers and diodes to the window of
    the hidden nodes, sample-and-holds to the target of the outputs.
    """
    hidden, output = _hidden_volts(experiment), abs(experiment.encoding.target_volts)
    shockley = _neurons(experiment) not in ("ideal_diodes", "ideal_pairs")
    return _of_the_circuit(hidden, shockley) | _of_the_holds(output)


def _of_the_circuit(hidden_volts: float, shockley: bool) -> dict[str, tuple[str, dict[str, float]]]:
    mismatch = "substrate.mismatch."
    amplifier, diode = 2.0 * hidden_volts, 0.3 * hidden_volts
    junctions = {
        mismatch + "saturation_spread": 5.0,
        mismatch + "ideality_spread": 0.5,
        mismatch + "temperature_spread_kelvin": 25.0,
    }
    law = "log-spread of saturation currents 5, ideality 50 %, 25 K, " if shockley else ""
    return {
        "amplifiers": (
            f"level 1: gains 100 %, B/A 50 %, offset {amplifier:.3g} V",
            {
                mismatch + "amplifier_gain_spread": 1.0,
                mismatch + "reciprocity_spread": 0.5,
                mismatch + "amplifier_offset_volts": amplifier,
            },
        ),
        "diodes": (
            f"level 1: {law}offset {diode:.3g} V",
            (junctions if shockley else {}) | {mismatch + "diode_offset_volts": diode},
        ),
        "conductances": (
            "level: log-spread about what was written",
            {mismatch + "conductance_spread": 1.0},
        ),
    }


def _of_the_holds(output_volts: float) -> dict[str, tuple[str, dict[str, float]]]:
    hold = "substrate.board.hold."
    offset, little, much = 0.5 * output_volts, 0.005 * output_volts, 0.05 * output_volts
    return {
        "sensing": (
            f"level 1: holds' offset {offset:.3g} V, gains 25 %, noise {little:.3g} V",
            {
                hold + "offset_volts": offset,
                hold + "gain_spread": 0.25,
                hold + "noise_volts": little,
            },
        ),
        "noise": (f"level 1: white noise of holds {much:.3g} V rms", {hold + "noise_volts": much}),
    }


def _neurons(experiment: ExperimentConfig) -> str | None:
    return getattr(getattr(experiment.substrate, "neurons", None), "kind", None)


def _hidden_volts(experiment: ExperimentConfig) -> float:
    """What voltages of hidden nodes are measured by: half their window, where they have one."""
    neurons = getattr(experiment.substrate, "neurons", None)
    low, high = getattr(neurons, "lower_volts", None), getattr(neurons, "upper_volts", None)
    if low is None or high is None or not low < high:
        return float(abs(experiment.encoding.input_volts))
    return float(0.5 * (high - low))
