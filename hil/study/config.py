"""What a study asks, and the TOML it is kept as."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Self

import tomli_w
from pydantic import Field, ValidationError, model_validator

from hil.composition import ExperimentConfig
from hil.errors import ConfigurationError
from hil.model import Model, NotNegative

__all__ = ["Imperfection", "StudyConfig", "differences", "dump_study", "load_study"]

Level = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]


class _Checked(Model):
    @classmethod
    def checked(cls, values: Mapping[str, Any], source: str) -> Self:
        """A model of these values.

        Args:
            values: by name of the field.
            source: what to call them in messages.

        Raises:
            ConfigurationError: one is missing or out of range.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            problem = error.errors()[0]
            where = ".".join(map(str, problem["loc"]))
            text = problem["msg"].removeprefix("Value error, ")
            raise ConfigurationError(
                f"{source} cannot be used: {where + ': ' if where else ''}{text}", source=source
            ) from error


class Imperfection(_Checked):
    """One thing that differs from chip to chip, and how strongly."""

    name: str = Field(min_length=1, description="Short name, in results and options.")
    meaning: str = Field(description="What a level is, for people.")
    levels: tuple[Level, ...] = Field(
        min_length=1, description="Strengths; 0 is the ideally trained network, always included."
    )
    keys: dict[str, NotNegative] = Field(
        min_length=1, description="Dotted keys of the experiment, and their value at level 1."
    )

    @model_validator(mode="after")
    def _ascending(self) -> Imperfection:
        if any(a >= b for a, b in zip(self.levels, self.levels[1:], strict=False)):
            raise ValueError(f"the levels of {self.name} must ascend: {list(self.levels)}")
        return self

    def overrides(self, level: float) -> dict[str, float]:
        """Values by dotted key at a level."""
        # Ten digits: 0.1 * 3 is to be 0.3 in the configuration.
        return {key: float(f"{level * unit:.10g}") for key, unit in self.keys.items()}


class StudyConfig(_Checked):
    """A study, complete: equal ones give equal results."""

    name: str = Field(default="mismatch", description="What is studied.")
    chips: int = Field(ge=1, le=100_000, description="Chips drawn at every level.")
    trainings: int = Field(
        ge=1,
        le=100_000,
        description="Training seeds, from experiment.seed on; chip k has number k modulo this.",
    )
    first_chip_seed: int = Field(
        default=1, ge=0, lt=2**62, description="chip_seed of the first chip; the others follow."
    )
    imperfections: tuple[Imperfection, ...] = Field(min_length=1, description="What is swept.")
    experiment: ExperimentConfig = Field(description="What is trained, without mismatch.")

    @model_validator(mode="after")
    def _named_once(self) -> StudyConfig:
        names = [imperfection.name for imperfection in self.imperfections]
        if len(set(names)) < len(names):
            raise ValueError(f"an imperfection is named twice: {', '.join(names)}")
        if self.trainings > self.chips:
            raise ValueError(f"{self.trainings} trainings for {self.chips} chips; at most one each")
        return self


def dump_study(study: StudyConfig) -> str:
    """The study as TOML; :func:`load_study` takes it back unchanged."""
    values = study.model_dump(mode="json", exclude_none=True)
    return tomli_w.dumps(values, multiline_strings=True)


def load_study(text: str, source: str) -> StudyConfig:
    """A study from its TOML.

    Args:
        text: as :func:`dump_study` wrote it.
        source: what to call it in messages.

    Raises:
        ConfigurationError: it is not TOML, or not a study.
    """
    try:
        values = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigurationError(f"{source} is not valid TOML: {error}", source=source) from error
    return StudyConfig.checked(values, source)


def differences(before: str, after: str) -> list[str]:
    """Dotted keys in which two studies as TOML differ, with both values."""
    old, new = (dict(_leaves(tomllib.loads(text), "")) for text in (before, after))
    absent = "not set"
    return [
        f"{key}: {old.get(key, absent)} there, {new.get(key, absent)} now"
        for key in sorted(old.keys() | new.keys())
        if old.get(key, absent) != new.get(key, absent)
    ]


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from _leaves(part, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value and isinstance(value[0], Mapping):
        for index, part in enumerate(value):
            yield from _leaves(part, f"{path}[{part.get('name', index)}]")
    else:
        yield path, value
