"""The built-in imperfections, in stated proportions, and the study that sweeps them."""

from __future__ import annotations

from collections.abc import Sequence

from hil.composition import ExperimentConfig, preset_names
from hil.errors import ConfigurationError
from hil.study.config import Imperfection, StudyConfig

__all__ = ["NAMES", "base_preset", "imperfection", "mismatch_study"]

NAMES = ("amplifiers", "diodes", "conductances", "sensing")

_LEVELS: dict[str, tuple[float, ...]] = {
    "amplifiers": (0.05, 0.1, 0.2, 0.4, 0.8),
    "diodes": (0.05, 0.1, 0.2, 0.4, 0.8),
    "conductances": (0.05, 0.1, 0.2, 0.4, 0.8),
    "sensing": (0.01, 0.02, 0.05, 0.1, 0.2),
}

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
        names: some of :data:`NAMES`; all if omitted.
        levels: of every imperfection; its own if omitted.
        chips: drawn at every level.
        trainings: training seeds; one a chip if omitted.

    Raises:
        ConfigurationError: a name, level or number that cannot be used.
    """
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
        name: one of :data:`NAMES`.
        experiment: whose parts vary.
        levels: its own if omitted.

    Raises:
        ConfigurationError: there is no such imperfection.
    """
    if name not in NAMES:
        raise ConfigurationError(
            f"there is no imperfection {name!r}; choose of: {', '.join(NAMES)}"
        )
    hidden, output = _hidden_volts(experiment), abs(experiment.encoding.target_volts)
    mismatch, hold = "substrate.mismatch.", "substrate.board.hold."
    shockley = _neurons(experiment) not in ("ideal_diodes", "ideal_pairs")
    junctions = {"saturation_spread": 1.0, "ideality_spread": 0.2, "temperature_spread_kelvin": 20}
    meaning, keys = {
        "amplifiers": (
            f"relative spread of gains; of B/A half of it; offset {0.5 * hidden:.3g} V times it",
            {
                mismatch + "amplifier_gain_spread": 1.0,
                mismatch + "reciprocity_spread": 0.5,
                mismatch + "amplifier_offset_volts": 0.5 * hidden,
            },
        ),
        "diodes": (
            ("log-spread of saturation currents; ideality 0.2, 20 K and " if shockley else "")
            + f"offset {0.25 * hidden:.3g} V times it",
            {mismatch + key: value for key, value in junctions.items() if shockley}
            | {mismatch + "diode_offset_volts": 0.25 * hidden},
        ),
        "conductances": (
            "log-spread of conductances about what was written",
            {mismatch + "conductance_spread": 1.0},
        ),
        "sensing": (
            f"rms offset of holds, in {output:.3g} V; gain spread; noise 0.1 of it",
            {
                hold + "offset_volts": output,
                hold + "gain_spread": 1.0,
                hold + "noise_volts": 0.1 * output,
            },
        ),
    }[name]
    values = {"name": name, "meaning": meaning, "levels": levels or _LEVELS[name], "keys": keys}
    return Imperfection.checked(values, name)


def _neurons(experiment: ExperimentConfig) -> str | None:
    return getattr(getattr(experiment.substrate, "neurons", None), "kind", None)


def _hidden_volts(experiment: ExperimentConfig) -> float:
    """What voltages of hidden nodes are measured by: half their window, where they have one."""
    neurons = getattr(experiment.substrate, "neurons", None)
    low, high = getattr(neurons, "lower_volts", None), getattr(neurons, "upper_volts", None)
    if low is None or high is None or not low < high:
        return float(abs(experiment.encoding.input_volts))
    return float(0.5 * (high - low))
