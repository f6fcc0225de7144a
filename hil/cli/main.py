"""Command line: arguments in, one call each, errors as one message and exit code 2.

Nothing heavy is imported here, so that ``hil --help`` answers at once.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hil.cli.chips import chip_app
from hil.cli.devices import devices_app
from hil.cli.emulate import emulate_app
from hil.cli.netlists import export_spice
from hil.cli.options import ConfigFile, Epochs, Preset, Seed, Sets, overrides
from hil.cli.reporting import DataDirectory, reported
from hil.cli.study import study_app

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
app.add_typer(chip_app, name="chip")
app.add_typer(devices_app, name="devices")
app.add_typer(emulate_app, name="emulate")
app.add_typer(study_app, name="study")

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@app.command()
def train(
    preset: Preset = None,
    config: ConfigFile = None,
    data: DataDirectory = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Run folder to write.")
    ] = None,
    seed: Seed = None,
    epochs: Epochs = None,
    set_: Sets = None,
    chip: Annotated[
        Path | None,
        typer.Option("--chip", metavar="CHIP.h5", help="Train this chip; see: hil chip new."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted run in --out.")
    ] = False,
    json_: AsJson = False,
) -> None:
    """Train a network; without options the built-in digits experiment."""
    from hil.cli.progress import make_listener

    with reported():
        from hil.runs import train_run

        changes = overrides(seed, epochs, set_)
        # Options alone change the folder's own configuration when a run is resumed.
        bare = preset is None and config is None
        chosen = changes if bare else _resolved(preset, config, changes)
        kept = None
        if chip is not None:
            from hil.chips import chip_experiment

            chosen, kept = chip_experiment(chip, preset, config, changes)
        with make_listener(quiet=json_) as listener:
            result = train_run(
                chosen, out, data_directory=data, resume=resume, listener=listener, kept=kept
            )
        if json_:
            _print_json(result.summary)
        else:
            _print_summary(result.summary, out, result.already_finished)
    if result.summary["status"] == "interrupted":
        raise typer.Exit(130)


@app.command()
def evaluate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A finished run's folder.")],
    data: DataDirectory = None,
    json_: AsJson = False,
) -> None:
    """Evaluate the conductances a run ended with."""
    with reported():
        from hil.runs import evaluate_run

        result = evaluate_run(run, data)
    if json_:
        _print_json(result)
        return
    _print_errors(result)
    if result["unsettled_test_examples"]:
        typer.echo(f"not settled  {result['unsettled_test_examples']} test examples")


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
        _print_json(found)
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

    _print_json(ExperimentConfig.model_json_schema())


def _resolved(preset: str | None, file: Path | None, changes: dict[str, Any]) -> ExperimentConfig:
    from hil.composition import resolve

    return resolve(preset, file, changes)


def _print_json(value: Any) -> None:
    import json

    typer.echo(json.dumps(value, indent=2))


def _print_summary(summary: dict[str, Any], out: Path | None, already: bool) -> None:
    if summary["status"] == "interrupted":
        typer.echo(f"interrupted after {summary['examples']} examples")
        if out is not None:
            typer.echo(f"go on with: hil train --resume --out {out}")
        return
    if already:
        typer.echo(f"the run in {out} has finished; nothing to do")
    _print_errors(summary)
    typer.echo(
        f"training     {summary['train_seconds']:.1f} s, "
        f"{summary['examples_per_second']:.0f} examples/s, {summary['epochs']} epochs"
    )
    typer.echo(f"devices      {summary['devices']}, {summary['writes_per_device']:.0f} writes each")
    if summary["skipped_examples"]:
        typer.echo(f"not settled  {summary['skipped_examples']} training examples, left out")
    for bias in summary.get("wire_bias", []):
        _print_bias(bias)
    if out is None:
        typer.echo("nothing was kept; name a folder with --out DIR to evaluate or export the run")
    elif not already:
        typer.echo(f"run folder   {out}")


def _print_bias(bias: dict[str, Any]) -> None:
    cosine = bias["contrast_cosine"]
    typer.echo(
        f"wires        crossbar {bias['crossbar'] + 1}: drops at line ends off by "
        f"{_percent(bias['drop_error_percent'])}, gradients by "
        f"{_percent(bias['contrast_error_percent'])}"
        + ("" if cosine is None else f" (cosine {cosine:.4f})")
    )


def _percent(value: float | None) -> str:
    return "an undefined share" if value is None else f"{value:.3g} %"


def _print_errors(result: dict[str, Any]) -> None:
    for part in ("test", "train"):
        percent = result[f"{part}_error_percent"]
        shown = "undefined: the targets do not vary" if percent is None else f"{percent:.3f} %"
        typer.echo(f"{part + ' error':12} {shown}")


def main() -> None:
    """Entry point."""
    # Until a run takes over, a polite request to stop unwinds as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        app()
    except BrokenPipeError:  # the reader, such as `head`, went away
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:
        what = f"cannot use {error.filename}" if error.filename else "cannot write the output"
        with contextlib.suppress(OSError):
            print(f"hil: {what}: {error.strerror or error}", file=sys.stderr)
        os._exit(2)  # a regular exit would try to write once more
