"""``hil devices``; nothing heavy is imported here, see ``hil.cli.main``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hil.cli.reporting import reported

__all__ = ["devices_app"]

devices_app = typer.Typer(help="Look at published programmable devices.", no_args_is_help=True)


@devices_app.command("list")
def devices_list() -> None:
    """List the built-in devices."""
    with reported():
        from hil.device_catalogue import list_devices

        for name, description in list_devices():
            typer.echo(f"{name:20} {description}")


@devices_app.command("show")
def devices_show(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A built-in device, or a .toml file of your own.")
    ],
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="FILE.png", help="Draw the answer to pulses up, then down."),
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", min=0, help="Seed of the devices drawn.")
    ] = 0,
) -> None:
    """Print the parameters of a device, their units and their source."""
    with reported():
        from hil.device_catalogue import parameters, plot_response, source_of

        description, source = source_of(name)
        typer.echo(f"{name}: {description}\nsource: {source}\n")
        for p in parameters(name):
            typer.echo(f"{p.name:28} {p.value:>16} {p.unit:6} {p.description}".rstrip())
        if plot is not None:
            n_up = plot_response(name, plot, seed)
            typer.echo(f"\ndrew {n_up} pulses up and {n_up} down in {plot}")
