"""``hil train`` and ``hil evaluate``; nothing heavy is imported here, see ``hil.cli.main``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hil.cli.options import (
    AsJson,
    ConfigFile,
    Emulated,
    Energise,
    Epochs,
    Preset,
    Seed,
    Sets,
    overrides,
    way,
)
from hil.cli.printing import print_errors, print_json, print_restored, print_summary
from hil.cli.reporting import DataDirectory, reported

if TYPE_CHECKING:
    from hil.composition import ExperimentConfig

__all__ = ["evaluate", "train"]


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
    bench: Annotated[
        Path | None,
        typer.Option("--bench", metavar="BENCH.toml", help="Train on a bench; see: hil bench new."),
    ] = None,
    emulated: Emulated = False,
    energise: Energise = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Print the messages to a bench up to the first batch, send none."
        ),
    ] = False,
    wire_log: Annotated[
        bool, typer.Option("--wire-log", help="Keep all messages in wire.jsonl in --out.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted run in --out.")
    ] = False,
    json_: AsJson = False,
) -> None:
    """Train a network; without options the built-in digits experiment."""
    from hil.cli.progress import make_listener

    with reported("broken off; what the run folder holds stays as it is"):
        from hil.errors import UsageError
        from hil.runs import train_run

        reach = way(emulated, energise, dry_run)
        changes = overrides(seed, epochs, set_)
        # Options alone change the folder's own configuration when a run is resumed.
        bare = preset is None and config is None and bench is None
        chosen = changes if bare else _resolved(preset, config, changes, bench)
        if dry_run:
            _rehearse(chosen, data, out, resume or chip is not None or wire_log)
            return
        kept = None
        if chip is not None:
            if bench is not None:
                raise UsageError("--chip is a simulated chip, --bench a real one; give one of them")
            from hil.chips import chip_experiment

            chosen, kept = chip_experiment(chip, preset, config, changes)
        with make_listener(quiet=json_) as listener:
            result = train_run(
                chosen,
                out,
                data_directory=data,
                resume=resume,
                listener=listener,
                kept=kept,
                reach=reach,
                wire_log=wire_log,
            )
        if json_:
            print_json(result.summary)
        else:
            flags = " --energise" * energise + " --emulated" * emulated + " --wire-log" * wire_log
            print_summary(result.summary, out, result.already_finished, flags)
    if result.summary["status"] == "interrupted":
        raise typer.Exit(130)


def evaluate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A finished run's folder.")],
    data: DataDirectory = None,
    emulated: Emulated = False,
    energise: Energise = False,
    json_: AsJson = False,
) -> None:
    """Evaluate the conductances a run ended with."""
    with reported():
        from hil.runs import evaluate_run

        result = evaluate_run(run, data, way(emulated, energise))
    if json_:
        print_json(result)
        return
    print_errors(result)
    if result["unsettled_test_examples"]:
        typer.echo(f"not settled  {result['unsettled_test_examples']} test examples")
    if "restored" in result:
        print_restored(result["restored"])


def _resolved(
    preset: str | None, file: Path | None, changes: dict[str, Any], bench: Path | None
) -> ExperimentConfig:
    from hil.composition import resolve

    return resolve(preset, file, changes, bench=bench)


def _rehearse(
    chosen: ExperimentConfig | Mapping[str, Any],
    data: Path | None,
    out: Path | None,
    other: bool,
) -> None:
    """Print the messages of ``--dry-run``."""
    from hil.bench.rehearsal import rehearse, spelled
    from hil.composition import resolve
    from hil.errors import UsageError

    if other:
        raise UsageError(
            "--dry-run shows how training begins and keeps nothing; leave --resume, --chip and "
            "--wire-log out"
        )
    config = resolve(overrides=chosen) if isinstance(chosen, Mapping) else chosen
    used = getattr(config.substrate, "instruments", {})
    names = max(map(len, used), default=0)
    addresses = max((len(item.address) for item in used.values()), default=0)

    def tell(name: str, address: str, message: bytes) -> None:
        typer.echo(f"{name:{names}}  {address:{addresses}}  > {spelled(message)}")

    counts = rehearse(config, tell, data, recorded=out is not None)
    typer.echo()
    for name, count in counts.items():
        typer.echo(f"{name:{names}}  {count} messages")
    typer.echo(
        f"{sum(counts.values())} messages up to the first batch and the shutdown; none was sent. "
        "Levels that follow from readings are those of an emulated bench"
    )
