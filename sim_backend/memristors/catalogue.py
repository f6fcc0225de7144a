"""Published devices by name, and devices from a user's own TOML file."""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path

from pydantic import ValidationError

from hil.errors import ConfigurationError
from sim_backend.memristors.config import DeviceConfig

__all__ = ["device", "device_names"]


def device_names() -> tuple[str, ...]:
    """Names of the built-in devices."""
    return tuple(sorted(p.name[:-5] for p in _folder().iterdir() if p.name.endswith(".toml")))


def device(name: str) -> DeviceConfig:
    """A built-in device (``_`` counts as ``-``), or one from a file that ends in ``.toml``.

    Raises:
        ConfigurationError: there is no such device, or its file cannot be used.
    """
    if name.endswith(".toml"):
        try:
            text = Path(name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(
                f"cannot read the device in {name}: {error}; check the path", path=name
            ) from error
    elif (known := name.replace("_", "-")) in device_names():
        text = _folder().joinpath(f"{known}.toml").read_text(encoding="utf-8")
    else:
        raise ConfigurationError(
            f"there is no device {name!r}; choose one of: {', '.join(device_names())}; "
            "or name a .toml file"
        )
    try:
        return DeviceConfig.model_validate(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigurationError(f"{name} is not valid TOML: {error}", source=name) from error
    except ValidationError as error:
        raise ConfigurationError(
            f"device {name} cannot be used:\n{_explain(error)}", source=name
        ) from error


def _folder() -> resources.abc.Traversable:
    return resources.files("sim_backend.memristors") / "presets"


def _explain(error: ValidationError) -> str:
    """All that is wrong, one line each."""
    lines = []
    for problem in error.errors():
        text = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            text = "there is no such key"
        where = ".".join(str(part) for part in problem["loc"]) or "device"
        lines.append(f"  {where}: {text}")
    return "\n".join(lines)
