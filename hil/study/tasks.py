"""A study as a list of tasks, and a task as a job that a worker can do alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from hil.arrays import Floats
from hil.composition import dump_toml, resolve
from hil.study.config import Imperfection, StudyConfig
from hil.study.jobs import Job

__all__ = ["ARMS", "CHIP_SEED", "Arm", "Task", "job_of", "rehearsals", "tasks_of"]

Arm: TypeAlias = Literal["ideal", "in_situ", "transfer"]

ARMS: tuple[Arm, Arm] = ("in_situ", "transfer")
"""What is compared: trained on the chip, and trained ideally, then written to the chip."""

CHIP_SEED = "substrate.chip_seed"
"""Key of the seed from which everything that is fixed on a chip is drawn."""


@dataclass(frozen=True, slots=True)
class Task:
    """One result to come.

    Attributes:
        arm: ``ideal`` trains without mismatch, once for every training seed.
        training: number of the training seed, from 0.
        imperfection: empty for ``ideal``.
        level: 0 for ``ideal``.
        chip: number of the chip, from 0; 0 for ``ideal``.
    """

    arm: Arm
    training: int
    imperfection: str = ""
    level: float = 0.0
    chip: int = 0

    @property
    def key(self) -> str:
        """Name of the task, unique in its study."""
        if self.arm == "ideal":
            return f"ideal/training-{self.training}"
        return f"{self.arm}/{self.imperfection}/{self.level!r}/chip-{self.chip}"

    @property
    def needs(self) -> str | None:
        """Key of the task whose conductances this one writes to its chip."""
        return Task("ideal", self.training).key if self.arm == "transfer" else None


def tasks_of(study: StudyConfig) -> Iterator[Task]:
    """All tasks, chip by chip, so that a study broken off has some chips at every level."""
    for chip in range(study.chips):
        training = chip % study.trainings
        if chip < study.trainings:
            yield Task("ideal", training)
        for arm in ARMS:
            for imperfection in study.imperfections:
                for level in imperfection.levels:
                    yield Task(arm, training, imperfection.name, level, chip)


def job_of(
    study: StudyConfig, task: Task, conductance_siemens: Floats | None, data_directory: str | None
) -> Job:
    """What a worker needs to do a task.

    Args:
        study: the study.
        task: one of its tasks.
        conductance_siemens: (n_devices,) to write to the chip, for ``transfer``.
        data_directory: see :func:`hil.data.load_dataset`.

    Raises:
        ConfigurationError: the experiment has no such imperfection.
    """
    imperfection = next((i for i in study.imperfections if i.name == task.imperfection), None)
    return Job(
        key=task.key,
        config_toml=_config_toml(study, task.training, imperfection, task.level, task.chip),
        data_directory=data_directory,
        conductance_siemens=conductance_siemens,
        keep_conductance=task.arm == "ideal",
    )


def rehearsals(study: StudyConfig, data_directory: str | None) -> Iterator[Job]:
    """The first steps of the experiment and of its strongest imperfections.

    They show what cannot be built before anything long begins, and leave compiled kernels for
    all workers.

    Raises:
        ConfigurationError: the experiment has no such imperfection.
    """
    for imperfection in (None, *study.imperfections):
        level = imperfection.levels[-1] if imperfection else 0.0
        yield Job(
            key=f"the first steps with {imperfection.name if imperfection else 'no'} mismatch",
            config_toml=_config_toml(study, 0, imperfection, level, 0),
            data_directory=data_directory,
            rehearsal=True,
        )


def _config_toml(
    study: StudyConfig, training: int, imperfection: Imperfection | None, level: float, chip: int
) -> str:
    changes: dict[str, float] = {"seed": study.experiment.seed + training}
    if imperfection is not None:
        changes |= imperfection.overrides(level)
        changes[CHIP_SEED] = study.first_chip_seed + chip
    source = f"the study's experiment with {imperfection.name if imperfection else 'no'} mismatch"
    text = dump_toml(study.experiment)
    return dump_toml(resolve(text=text, overrides=changes, source=source))
