"""Options that name an experiment, shared by several commands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from hil.bench.reaching import Reach

__all__ = [
    "AsJson",
    "ConfigFile",
    "Emulated",
    "Energise",
    "Epochs",
    "Preset",
    "Seed",
    "Sets",
    "overrides",
    "way",
]

Preset = Annotated[
    str | None, typer.Option("--preset", metavar="NAME", help="A built-in experiment.")
]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", metavar="FILE.toml", help="An experiment of your own.")
]
Seed = Annotated[int | None, typer.Option("--seed", metavar="N", help="Seed of everything random.")]
Epochs = Annotated[
    int | None, typer.Option("--epochs", metavar="N", help="Passes over the training part.")
]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Any dotted key; see: hil config show."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Emulated = Annotated[
    bool, typer.Option("--emulated", help="Emulated instruments in this process, for a bench.")
]
Energise = Annotated[
    bool, typer.Option("--energise", help="The real instruments of a bench, energised.")
]


def way(emulated: bool, energise: bool, dry_run: bool = False) -> Reach | None:
    """The way to a bench's instruments that the options choose; None if they choose none.

    Raises:
        UsageError: they choose more than one.
    """
    from hil.errors import UsageError

    chosen = {"--emulated": emulated, "--energise": energise, "--dry-run": dry_run}
    given = [name for name, wanted in chosen.items() if wanted]
    if len(given) > 1:
        raise UsageError(f"give only one of {' and '.join(given)}; nothing was energised")
    if not emulated and not energise:
        return None
    from hil.bench import reaching

    return reaching.emulated if emulated else reaching.instruments


def overrides(seed: int | None, epochs: int | None, sets: list[str] | None) -> dict[str, Any]:
    """Changes by dotted key that the options ask for.

    Raises:
        ConfigurationError: an item of ``sets`` is no ``key=value``.
    """
    changes = dict(_parsed(item) for item in sets or [])
    if seed is not None:
        changes["seed"] = seed
    if epochs is not None:
        changes["epochs"] = epochs
    return changes


def _parsed(item: str) -> tuple[str, Any]:
    """``key=value`` with a TOML value, or a bare string."""
    import tomllib

    from hil.errors import ConfigurationError

    if not item.isprintable():
        raise ConfigurationError(f"--set {item!r} has characters that cannot be printed")
    key, equals, text = item.partition("=")
    key = key.strip()
    if not equals or not all(part.strip() for part in key.split(".")):
        raise ConfigurationError(f"--set takes key=value, such as epochs=5; got {item!r}")
    try:
        return key, tomllib.loads(f"value = {text}")["value"]
    except RecursionError:
        raise ConfigurationError(f"--set {key}: too deeply nested") from None
    except tomllib.TOMLDecodeError:
        pass
    try:
        return key, float(text)  # TOML knows no .5 and no 1.
    except ValueError:
        return key, text.strip()
