"""Settings: values a client may set and ask for, declared in one line each."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from drivers.emulated.scpi import values
from drivers.emulated.scpi.commands import Command, Parameters

__all__ = ["Choice", "Flag", "Number", "Setting", "Settings", "Text", "exponent", "on_off"]


@dataclass(frozen=True, slots=True)
class Number:
    """A number with limits and a unit; ``whole`` numbers are rounded and answered as such."""

    header: str
    name: str
    default: float
    low: float = -math.inf
    high: float = math.inf
    unit: str = ""
    whole: bool = False
    kept: bool = False


@dataclass(frozen=True, slots=True)
class Flag:
    """On or off."""

    header: str
    name: str
    default: bool
    kept: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some keywords, spelled as in manuals; stored and answered in short form."""

    header: str
    name: str
    default: str
    words: tuple[str, ...]
    kept: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """A quoted string."""

    header: str
    name: str
    default: str
    kept: bool = False


Setting: TypeAlias = Number | Flag | Choice | Text
Value: TypeAlias = float | bool | str


def exponent(value: float) -> str:
    """A setting as instruments answer it: ``1.050000E-04``."""
    return f"{value:.6E}" if math.isfinite(value) else ("9.9E37" if value > 0 else "-9.9E37")


def on_off(flag: bool) -> str:
    """``1`` or ``0``."""
    return "1" if flag else "0"


class Settings:
    """The present values, and the commands that set and ask for them.

    Args:
        declared: all settings; ``kept`` ones survive :meth:`reset`.
        changed: called with the name after a client set one.
    """

    def __init__(self, declared: Iterable[Setting], changed: Callable[[str], None]) -> None:
        self._declared = {setting.name: setting for setting in declared}
        self._changed = changed
        self._values: dict[str, Value] = {
            name: setting.default for name, setting in self._declared.items()
        }

    def reset(self) -> None:
        """Every value to its default, except those kept."""
        for name, setting in self._declared.items():
            if not setting.kept:
                self._values[name] = setting.default

    def number(self, name: str) -> float:
        """The value of a number."""
        return float(self._values[name])

    def whole(self, name: str) -> int:
        """The value of a whole number."""
        return int(self.number(name))

    def flag(self, name: str) -> bool:
        """The value of a flag."""
        return bool(self._values[name])

    def word(self, name: str) -> str:
        """The value of a choice or a text."""
        return str(self._values[name])

    def put(self, name: str, value: Value) -> None:
        """Set a value from inside the instrument; nothing is told."""
        self._values[name] = value

    def commands(self) -> list[Command]:
        """One command and query for every setting."""
        return [self._command(setting) for setting in self._declared.values()]

    def _command(self, setting: Setting) -> Command:
        def write(parameters: Parameters) -> None:
            self._values[setting.name] = _parsed(setting, parameters)
            self._changed(setting.name)

        def query(parameters: Parameters) -> str:
            if len(parameters) and isinstance(setting, Number):
                value: Value = parameters.number(setting.low, setting.high, setting.default)
            else:
                value = self._values[setting.name]
            return _spelled(setting, value)

        return Command(setting.header, write, query, asks=(0, int(isinstance(setting, Number))))


def _parsed(setting: Setting, parameters: Parameters) -> Value:
    if isinstance(setting, Number):
        value = parameters.number(setting.low, setting.high, setting.default, setting.unit)
        return float(round(value)) if setting.whole and math.isfinite(value) else value
    if isinstance(setting, Flag):
        return parameters.boolean()
    if isinstance(setting, Choice):
        return parameters.word(setting.words)
    return parameters.string()


def _spelled(setting: Setting, value: Value) -> str:
    if isinstance(setting, Number):
        amount = float(value)
        return f"{amount:.0f}" if setting.whole and math.isfinite(amount) else exponent(amount)
    if isinstance(setting, Flag):
        return on_off(bool(value))
    if isinstance(setting, Choice):
        return str(value)
    return values.quoted(str(value))
