"""``hil chip``; nothing heavy is imported here, see ``hil.cli.main``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hil.cli.options import ConfigFile, Preset, Seed, Sets, overrides
from hil.cli.reporting import DataDirectory, reported

__all__ = ["chip_app"]

chip_app = typer.Typer(help="Keep simulated chips, look at them.", no_args_is_help=True)


@chip_app.command("new")
def chip_new(
    target: Annotated[Path, typer.Argument(metavar="CHIP.h5", help="File to write.")],
    preset: Preset = None,
    config: ConfigFile = None,
    run: Annotated[
        Path | None, typer.Option("--run", metavar="RUN", help="Keep the chip of this run.")
    ] = None,
    data: DataDirectory = None,
    seed: Seed = None,
    set_: Sets = None,
) -> None:
    """Draw a chip for an experiment and keep it; train it with `hil train --chip`."""
    with reported():
        from hil.chips import keep_chip
        from hil.composition import build, resolve
        from hil.errors import UsageError
        from hil.networks import open_network

        changes = overrides(seed, None, set_)
        if run is not None:
            if preset or config or changes:
                raise UsageError("--run keeps the chip of a run as it is; leave the other options")
            experiment = open_network(run, data)
        else:
            experiment = build(resolve(preset, config, changes), data)
        with experiment:
            parts = keep_chip(experiment, target)
        for part in parts:
            typer.echo(f"{part.name:44} {part.count:8} values")
        typer.echo(f"wrote {target}; train it with: hil train --chip {target}")


@chip_app.command("show")
def chip_show(
    chip: Annotated[Path, typer.Argument(metavar="CHIP.h5", help="A chip's file.")],
    other: Annotated[
        Path | None, typer.Argument(metavar="OTHER.h5", help="A chip to compare it with.")
    ] = None,
) -> None:
    """Print what was drawn for a chip, or how two of them differ."""
    with reported():
        from hil.chips import compare, read_chip, summaries
        from sim_backend.lot import digest

        kept = read_chip(chip)
        if other is not None:
            for name, difference in compare(kept.arrays, read_chip(other).arrays):
                typer.echo(f"{name:44} {difference}")
            return
        typer.echo(f"{chip}: {kept.config.substrate.kind}, sha256 {digest(kept.arrays)}")
        typer.echo(f"{'':44} {'values':>8} {'mean':>11} {'spread':>11} {'least':>11} {'most':>11}")
        for p in summaries(kept.arrays):
            typer.echo(
                f"{p.name:44} {p.count:8} {p.mean:11.4g} {p.spread:11.4g} "
                f"{p.low:11.4g} {p.high:11.4g}"
            )
