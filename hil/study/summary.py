"""What a study found: for every imperfection and level, both arms over chips."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hil.study.config import Imperfection, StudyConfig
from hil.study.folder import Results
from hil.study.statistics import Interval, t_interval
from hil.study.tasks import ARMS, Arm, Task, tasks_of

__all__ = ["ArmSummary", "LevelSummary", "StudySummary", "setting", "summarise"]


@dataclass(frozen=True, slots=True)
class ArmSummary:
    """One arm at one level.

    Attributes:
        errors_percent: test error of every chip that has a result.
        mean: of these, with its interval; see :func:`summarise`.
        cost_volts2: mean test cost.
        unsettled: test examples that did not settle, all chips together; they count as wrong.
    """

    errors_percent: tuple[float, ...]
    mean: Interval
    cost_volts2: float
    unsettled: int


@dataclass(frozen=True, slots=True)
class LevelSummary:
    """Both arms at one level of one imperfection.

    Attributes:
        imperfection: its name.
        level: its strength.
        setting: values of the keys that it sets, for people.
        arms: by name of the arm.
        gain: error of the transferred weights less that of the weights trained on the same
            chip, over chips that have both.
        chips: how many were asked for.
    """

    imperfection: str
    level: float
    setting: str
    arms: dict[Arm, ArmSummary]
    gain: Interval
    chips: int


@dataclass(frozen=True, slots=True)
class StudySummary:
    """All a table or figure shows.

    Attributes:
        ideal: trained and tested without mismatch, over training seeds.
        levels: imperfection by imperfection, levels ascending.
        missing: keys of tasks without a result.
        trainings: how many training seeds were asked for.
        chips: how many chips.
    """

    ideal: ArmSummary
    levels: tuple[LevelSummary, ...]
    missing: tuple[str, ...]
    trainings: int
    chips: int

    @property
    def is_shared(self) -> bool:
        """Whether several chips have the same training."""
        return self.trainings < self.chips


def summarise(study: StudyConfig, results: Results) -> StudySummary:
    """Means and intervals of the results there are.

    Chips that share a training are no independent draws: where there are fewer trainings than
    chips, the mean of each training's chips is one value, and intervals are over trainings.
    """
    tasks = list(tasks_of(study))
    return StudySummary(
        ideal=_arm([task for task in tasks if task.arm == "ideal"], results),
        levels=tuple(
            _level(study, imperfection, level, tasks, results)
            for imperfection in study.imperfections
            for level in imperfection.levels
        ),
        missing=tuple(task.key for task in tasks if task.key not in results),
        trainings=study.trainings,
        chips=study.chips,
    )


def setting(imperfection: Imperfection, level: float) -> str:
    """Values of the keys an imperfection sets at a level, for people."""
    return ", ".join(
        f"{key.rpartition('.')[2]} {value:g}"
        for key, value in imperfection.overrides(level).items()
    )


def _level(
    study: StudyConfig,
    imperfection: Imperfection,
    level: float,
    tasks: list[Task],
    results: Results,
) -> LevelSummary:
    here = [t for t in tasks if (t.imperfection, t.level) == (imperfection.name, level)]
    by_arm = {arm: [task for task in here if task.arm == arm] for arm in ARMS}
    pairs = zip(by_arm["in_situ"], by_arm["transfer"], strict=True)
    gains = [
        (one.training, moved - trained)
        for one, other in pairs
        for _, trained in _errors([one], results)
        for _, moved in _errors([other], results)
    ]
    return LevelSummary(
        imperfection=imperfection.name,
        level=level,
        setting=setting(imperfection, level),
        arms={arm: _arm(of_arm, results) for arm, of_arm in by_arm.items()},
        gain=_over_trainings(gains),
        chips=study.chips,
    )


def _arm(tasks: list[Task], results: Results) -> ArmSummary:
    found = [results[task.key] for task in tasks if task.key in results]
    errors = list(_errors(tasks, results))
    costs = [r["test_cost_volts2"] for r in found if r["test_cost_volts2"] is not None]
    return ArmSummary(
        errors_percent=tuple(error for _, error in errors),
        mean=_over_trainings(errors),
        cost_volts2=t_interval(costs).mean,
        unsettled=sum(result["unsettled_test_examples"] for result in found),
    )


def _errors(tasks: list[Task], results: Results) -> Iterator[tuple[int, float]]:
    """Training and test error of tasks that have one; that of a regression may be undefined."""
    for task in tasks:
        error = results.get(task.key, {}).get("test_error_percent")
        if error is not None:
            yield task.training, float(error)


def _over_trainings(values: Sequence[tuple[int, float]]) -> Interval:
    """Interval of the mean of values that are independent where their trainings differ."""
    by_training: dict[int, list[float]] = defaultdict(list)
    for training, value in values:
        by_training[training].append(value)
    return t_interval([t_interval(of_one).mean for of_one in by_training.values()])
