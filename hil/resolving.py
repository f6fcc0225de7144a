"""From presets, files, bench files and overrides to one configuration, and back to TOML."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import ValidationError

from drivers.bench.config import BenchConfig
from hil.errors import ConfigurationError
from hil.experiment import ExperimentConfig
from hil.tomls import explain, keys_of, parsed, read_text
from sim_backend.chip.config import as_table
from sim_backend.graph.netlist import inline

__all__ = ["bench_tables", "dump_toml", "preset_names", "preset_text", "read_bench", "resolve"]


def preset_names() -> tuple[str, ...]:
    """Names of the built-in experiments."""
    folder = resources.files("hil") / "presets"
    return tuple(sorted(p.name[:-5] for p in folder.iterdir() if p.name.endswith(".toml")))


def preset_text(name: str) -> str:
    """TOML of a built-in experiment.

    Raises:
        ConfigurationError: no such preset.
    """
    if name not in preset_names():
        raise ConfigurationError(
            f"there is no preset {name!r}; choose one of: {', '.join(preset_names())}"
        )
    return (resources.files("hil") / "presets" / f"{name}.toml").read_text(encoding="utf-8")


def resolve(
    preset: str | None = None,
    file: Path | str | None = None,
    overrides: Mapping[str, Any] | None = None,
    text: str | None = None,
    source: str | None = None,
    bench: Path | str | None = None,
) -> ExperimentConfig:
    """Resolve a preset, file or TOML text, a bench and overrides, into a configuration.

    Args:
        preset: name of a built-in experiment; ``digits`` if nothing else is given.
        file: TOML file.
        overrides: values by dotted key, such as ``substrate.hidden``.
        text: TOML.
        source: what to call ``text`` in messages.
        bench: bench file, which takes the place of the experiment's substrate.

    Raises:
        ConfigurationError: unreadable, not TOML, an unknown key or a value out of range.
    """
    given = [name for name, v in (("preset", preset), ("file", file), ("text", text)) if v]
    if len(given) > 1:
        raise ConfigurationError(f"give only one of {' and '.join(given)}")
    if file is not None:
        source, text = str(file), read_text(Path(file), "configuration file", "hil presets")
    elif text is None:
        source, text = f"preset {preset or 'digits'}", preset_text(preset or "digits")
    source = source or "the given TOML"
    values = parsed(text, source)
    if bench is not None:
        values["substrate"] = bench_tables(bench)
        source = f"{source} with the bench {bench}"
    for key, value in (overrides or {}).items():
        _set(values, key, value)
    _inline(values, Path() if file is None else Path(file).parent, overrides or {})
    try:
        _drop_leftovers(values, overrides or {})
        return ExperimentConfig.model_validate(values)
    except ValidationError as error:
        message = explain(source, values, error, "configuration")
        raise ConfigurationError(message, source=source) from error


def bench_tables(path: Path | str) -> dict[str, Any]:
    """What a bench file holds, its kind included; it is valid by itself.

    Raises:
        ConfigurationError: see :func:`read_bench`.
    """
    source = str(path)
    values = parsed(read_text(Path(path), "bench file", "hil bench new"), source)
    try:
        BenchConfig.model_validate(values)
    except ValidationError as error:
        message = explain(source, values, error, "bench")
        raise ConfigurationError(message, source=source) from error
    return {"kind": "bench"} | values


def read_bench(path: Path | str) -> BenchConfig:
    """A bench file.

    Raises:
        ConfigurationError: unreadable, not TOML, an unknown key, a value out of range, or what it
            says does not agree with itself or with its envelope.
    """
    return BenchConfig.model_validate(bench_tables(path))


def dump_toml(config: ExperimentConfig) -> str:
    """The configuration as TOML; :func:`resolve` takes it back unchanged."""
    values = config.model_dump(mode="json", exclude_none=True)
    return tomli_w.dumps(values, multiline_strings=True)


def _set(values: dict[str, Any], key: str, value: Any) -> None:
    """Set a dotted key, making tables on the way."""
    *tables, last = key.split(".")
    node = values
    for name in tables:
        if name == "devices":
            node[name] = as_table(node.get(name, {}))
        node = node.setdefault(name, {})
        if not isinstance(node, dict):
            raise ConfigurationError(f"{key}: {name} is a value, not a table; see: hil config show")
    node[last] = value


def _inline(values: dict[str, Any], folder: Path, overrides: Mapping[str, Any]) -> None:
    """Copy a netlist that is named into the configuration."""
    table = values.get("substrate")
    if isinstance(table, dict):
        if "substrate.file" in overrides:
            folder = Path()
            table.pop("text", None)
        inline(table, folder)


def _drop_leftovers(values: dict[str, Any], overrides: Mapping[str, Any]) -> None:
    """Where an override names another ``kind``, drop keys that only the old kind had."""
    changed = [key.removesuffix(".kind") for key in overrides if key.endswith(".kind")]
    if not changed:
        return
    try:
        ExperimentConfig.model_validate(values)
    except ValidationError as error:
        for problem in error.errors():
            if problem["type"] != "extra_forbidden":
                continue
            *tables, leftover = keys_of(values, problem["loc"])
            for table in changed:
                if table.split(".") == tables:
                    if f"{table}.{leftover}" not in overrides:
                        node = values
                        for name in table.split("."):
                            node = node[name]
                        node.pop(leftover, None)
