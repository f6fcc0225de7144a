"""What every configuration model of this project has in common."""

from __future__ import annotations

from typing import Annotated, Any, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["Finite", "Model", "NotNegative", "Positive"]

# The bounds lie far outside any bench and well inside float32, so that products stay finite.
Positive = Annotated[float, Field(ge=1e-18, le=1e12, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]
Finite = Annotated[float, Field(ge=-1e12, le=1e12, allow_inf_nan=False)]


class Model(BaseModel):
    """Frozen, and strict about unknown keys and about what is a number."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _no_truth_for_numbers(cls, values: Any) -> Any:
        """Python takes True for 1; a configuration that says so is a slip."""
        if isinstance(values, dict):
            for name, value in values.items():
                field = cls.model_fields.get(name)
                parts = value if isinstance(value, list | tuple) else (value,)
                if field is None or _takes_truth(field.annotation):
                    continue
                if any(isinstance(part, bool) for part in parts):
                    raise ValueError(f"{name}: expected a number or text, not true or false")
        return values


def _takes_truth(annotation: Any) -> bool:
    """Whether true and false are among what a field holds, itself or in a tuple."""
    return annotation is bool or any(_takes_truth(part) for part in get_args(annotation))
