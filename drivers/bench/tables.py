"""What the tables of a bench file have in common: numbers are written as numbers."""

from __future__ import annotations

from typing import Any, get_args

from pydantic import model_validator

from hil.model import Model

__all__ = ["Table"]


class Table(Model):
    """A table in which ``volts_limit = "0.54"`` is a slip."""

    @model_validator(mode="before")
    @classmethod
    def _no_text_for_numbers(cls, values: Any) -> Any:
        """Pydantic reads numbers in texts, whatever unit was meant there."""
        if isinstance(values, dict):
            for name, value in values.items():
                field = cls.model_fields.get(name)
                parts = value if isinstance(value, list | tuple) else (value,)
                if field is None or not _takes_numbers_only(field.annotation):
                    continue
                for part in parts:
                    if isinstance(part, str):
                        raise ValueError(
                            f"{name}: expected a number, not the text {part!r}; write it without "
                            "quotation marks"
                        )
        return values


def _takes_numbers_only(annotation: Any) -> bool:
    """Whether numbers are among what a field holds, itself or in a tuple, and texts are not."""
    inside = _inside(annotation)
    return not inside.isdisjoint({int, float}) and str not in inside


def _inside(annotation: Any) -> set[Any]:
    """An annotation and all that it is made of."""
    found = {annotation} if isinstance(annotation, type) else set()
    for part in get_args(annotation):
        found |= _inside(part)
    return found
