"""TOML that people write, and what is wrong with it in words."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from hil.errors import ConfigurationError

__all__ = ["explain", "keys_of", "parsed", "read_text"]


def read_text(file: Path, what: str, see: str) -> str:
    """The text of a file.

    Args:
        file: where.
        what: it is, such as ``configuration file``.
        see: the command that helps where there is none.

    Raises:
        ConfigurationError: no such file, not UTF-8, or it cannot be read.
    """
    try:
        return file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigurationError(
            f"there is no {what} {file}; check the path, or see: {see}", path=str(file)
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"the {what} {file} is not in UTF-8; save it in that encoding", path=str(file)
        ) from error
    except OSError as error:
        raise ConfigurationError(
            f"cannot read the {what} {file}: {error.strerror or error}; check the path and its "
            "permissions",
            path=str(file),
        ) from error


def parsed(text: str, source: str) -> dict[str, Any]:
    """The tables of a TOML text.

    Raises:
        ConfigurationError: it is none; ``source`` names it.
    """
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigurationError(f"{source} is not valid TOML: {error}", source=source) from error
    except ValueError as error:  # Python's limit of the digits of a number
        raise ConfigurationError(
            f"{source} has a whole number of several thousand digits, which nothing here takes: "
            "look for it, perhaps a figure that was pasted twice, and correct it",
            source=source,
        ) from error


def keys_of(values: Any, location: tuple[int | str, ...]) -> list[str]:
    """A problem's location as keys of the file, without the kinds pydantic puts in."""
    found = []
    for part in location:
        if isinstance(values, dict):
            if part not in values and part == values.get("kind"):
                continue
            values = values.get(part)
        elif isinstance(values, list) and isinstance(part, int):
            values = values[part] if part < len(values) else None
        found.append(str(part))
    return found


def explain(source: str, values: dict[str, Any], error: ValidationError, whole: str) -> str:
    """What a model refused, a line a problem.

    Args:
        source: names the text.
        values: its tables.
        error: what the model said.
        whole: what to call a problem that no single key has.
    """
    lines = [f"{source} cannot be used:"]
    for problem in error.errors():
        text = problem["msg"].removeprefix("Value error, ")
        where = ".".join(keys_of(values, problem["loc"])) or whole
        if problem["type"] == "extra_forbidden":
            text = "there is no such key"
        given = problem.get("input")
        shown = (
            "" if isinstance(given, dict) or problem["type"] == "missing" else f" ({_shown(given)})"
        )
        lines.append(f"  {where}: {text}{shown}")
    lines.append("See `hil config schema` for every key, its unit and range.")
    return "\n".join(lines)


def _shown(given: Any) -> str:
    """A value as a message can show it; Python writes no number of very many digits."""
    try:
        return repr(given)
    except ValueError:
        return "a number of very many digits"
