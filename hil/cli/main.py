"""Command line: arguments in, one call each, errors as one message and exit code 2.

Nothing heavy is imported here, so that ``hil --help`` answers at once.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hil.cli.bench import bench_app, check, discover, safe
from hil.cli.chips import chip_app
from hil.cli.devices import devices_app
from hil.cli.emulate import emulate_app
from hil.cli.netlists import export_spice
from hil.cli.options import AsJson, ConfigFile, Epochs, Preset, Seed, Sets, overrides
from hil.cli.printing import print_json
from hil.cli.reporting import reported
from hil.cli.study import study_app
from hil.cli.training import evaluate, train
from hil.interruption import interrupt_politely

if TYPE_CHECKING:
    from hil.composition import ExperimentConfig

__all__ = ["app", "main"]

app = typer.Typer(
    name="hil",
    help="Train memristor crossbars and other resistive networks by equilibrium propagation.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from hil import __version__

        typer.echo(f"hil {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    pass


config_app = typer.Typer(help="Look at configurations.", no_args_is_help=True)
app.add_typer(config_app, name="config")
app.add_typer(bench_app, name="bench")
app.add_typer(chip_app, name="chip")
app.add_typer(devices_app, name="devices")
app.add_typer(emulate_app, name="emulate")
app.add_typer(study_app, name="study")

app.command()(train)
app.command()(evaluate)
app.command()(check)
app.command()(safe)
app.command()(discover)


@app.command()
def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A finished run's folder.")],
    target: Annotated[
        Path, typer.Argument(metavar="FILE", help="conductances.csv or .npz to write.")
    ],
) -> None:
    """Export the conductances of a run, one device a row."""
    with reported():
        from hil.export import export_conductances

        devices = export_conductances(run, target)
    typer.echo(f"wrote {devices} conductances to {target}")


@app.command()
def solve(
    netlist: Annotated[Path, typer.Argument(metavar="FILE.cir", help="A SPICE netlist.")],
    json_: AsJson = False,
) -> None:
    """Solve a SPICE netlist for its operating point."""
    with reported():
        from hil.circuits import operating_point

        found = operating_point(netlist)
    if json_:
        print_json(found)
        return
    for part, unit in (("nodes", "V"), ("sources", "A")):
        for name, value in found[part].items():
            typer.echo(f"{part[:-1]:6} {name:24} {value: .9e} {unit}")


app.command("export-spice")(export_spice)


@app.command()
def presets() -> None:
    """List the built-in experiments."""
    import tomllib

    from hil.composition import preset_names, preset_text

    for name in preset_names():
        typer.echo(f"{name:16} {tomllib.loads(preset_text(name))['description']}")


@config_app.command("show")
def config_show(
    preset: Preset = None,
    config: ConfigFile = None,
    seed: Seed = None,
    epochs: Epochs = None,
    set_: Sets = None,
) -> None:
    """Print the resolved configuration as TOML."""
    with reported():
        from hil.composition import dump_toml

        resolved = _resolved(preset, config, overrides(seed, epochs, set_))
        typer.echo(dump_toml(resolved), nl=False)


@config_app.command("schema")
def config_schema() -> None:
    """Print the JSON schema of configurations: every key, its unit and range."""
    from hil.composition import ExperimentConfig

    print_json(ExperimentConfig.model_json_schema())


def _resolved(preset: str | None, file: Path | None, changes: dict[str, Any]) -> ExperimentConfig:
    from hil.composition import resolve

    return resolve(preset, file, changes)


def main() -> None:
    """Entry point."""
    # Until a run takes over, a polite request to stop unwinds as Ctrl-C does.
    interrupt_politely()
    try:
        app()
    except KeyboardInterrupt:  # while commands were still being imported
        sys.stderr.write("hil: broken off before anything had begun\n")
        sys.exit(130)
    except BrokenPipeError:  # the reader, such as `head`, went away
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:
        what = f"cannot use {error.filename}" if error.filename else "cannot write the output"
        with contextlib.suppress(OSError):
            print(f"hil: {what}: {error.strerror or error}", file=sys.stderr)
        os._exit(2)  # a regular exit would try to write once more
