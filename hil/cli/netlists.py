"""``hil export-spice``; nothing heavy is imported here, see ``hil.cli.main``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from hil.cli.reporting import DataDirectory, reported

__all__ = ["export_spice"]


class Phase(StrEnum):
    """Choices of ``--phase``."""

    free = "free"
    plus = "plus"
    minus = "minus"


def export_spice(
    source: Annotated[
        str,
        typer.Argument(metavar="RUN|CONFIG", help="A run folder, a TOML file, or a preset."),
    ],
    target: Annotated[Path, typer.Argument(metavar="OUT.cir", help="The netlist to write.")],
    sample: Annotated[
        int, typer.Option("--sample", metavar="N", help="Which test example is applied, from 0.")
    ] = 0,
    phase: Annotated[
        Phase, typer.Option("--phase", help="Free, or nudged with plus or minus beta.")
    ] = Phase.free,
    data: DataDirectory = None,
) -> None:
    """Write a network with one example applied as a SPICE netlist, for ngspice or hil solve."""
    with reported():
        from hil.spice_export import export_netlist

        written = export_netlist(
            source, target, sample=sample, phase=phase.value, data_directory=data
        )
    typer.echo(f"wrote {written.elements} elements to {target}: {written.description}")
