"""``hil study``; nothing heavy is imported here, see ``hil.cli.main``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hil.cli.options import ConfigFile, Epochs, Seed, Sets, overrides
from hil.cli.reporting import DataDirectory, reported

if TYPE_CHECKING:
    from hil.study.crew import Crew
    from hil.study.report import Report
    from hil.study.running import StudyResult

__all__ = ["study_app"]

study_app = typer.Typer(help="Many experiments over many chips.", no_args_is_help=True)

Figure = Annotated[
    str, typer.Option("--figure", metavar="NAME", help="Picture in the folder: .png, .pdf or .svg.")
]


@study_app.command("mismatch")
def mismatch(
    preset: Annotated[
        str | None,
        typer.Option(
            "--preset",
            metavar="NAME",
            help="A built-in experiment, else digits; study-NAME is taken where there is one.",
        ),
    ] = None,
    config: ConfigFile = None,
    data: DataDirectory = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Study folder to write, or to go on with."),
    ] = None,
    levels: Annotated[
        str | None,
        typer.Option(
            "--levels",
            metavar="L,L,...",
            help="Of all imperfections, above 0; 0.05 to 0.8 if omitted.",
        ),
    ] = None,
    imperfection: Annotated[
        list[str] | None,
        typer.Option(
            "--imperfection",
            metavar="NAME",
            help="amplifiers, diodes, conductances, sensing (all four if omitted) or noise.",
        ),
    ] = None,
    chips: Annotated[
        int, typer.Option("--chips", metavar="N", min=1, help="Chips drawn at every level.")
    ] = 20,
    trainings: Annotated[
        int | None,
        typer.Option(
            "--trainings",
            metavar="N",
            min=1,
            help="Training seeds; one a chip if omitted. If fewer, intervals are over trainings.",
        ),
    ] = None,
    epochs: Epochs = None,
    seed: Seed = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", metavar="N", min=1, help="Processes; else one a usable core."),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option("--scheduler", metavar="tcp://HOST:PORT", help="Work on a Dask cluster."),
    ] = None,
    figure: Figure = "figure.png",
    set_: Sets = None,
) -> None:
    """Compare training on mismatched chips with writing ideally trained conductances to them.

    The same command again goes on with a study that was interrupted.
    """
    from hil.cli.study_progress import make_study_listener

    with reported("broken off; what the folder of the study holds stays as it is"):
        from hil.composition import resolve
        from hil.errors import UsageError
        from hil.study.figure import check_format
        from hil.study.imperfections import base_preset, mismatch_study
        from hil.study.running import run_study

        if scheduler is not None and workers is not None:
            raise UsageError("give --workers or --scheduler: a cluster brings its own workers")
        check_format(Path(figure))
        base = None if config is not None and preset is None else base_preset(preset)
        study = mismatch_study(
            resolve(base, config, overrides(seed, epochs, set_)),
            names=imperfection,
            levels=_numbers(levels),
            chips=chips,
            trainings=trainings,
        )
        name = base.removeprefix("study-") if base else Path(config or "").stem
        folder = out or Path("studies") / f"mismatch-{name}"
        with make_study_listener() as listener:
            result = run_study(study, folder, lambda: _crew(scheduler, workers), listener, data)
        _end(result, folder, figure)


@study_app.command("show")
def show(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A study's folder.")],
    figure: Figure = "figure.png",
) -> None:
    """Write and print the table and draw the figure of a study, finished or not."""
    with reported():
        from hil.study.report import write_report

        _print(write_report(folder, figure))


def _numbers(text: str | None) -> list[float] | None:
    from hil.errors import ConfigurationError

    if text is None:
        return None
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        raise ConfigurationError(
            f"--levels takes numbers with commas between them, such as 0.05,0.1; got {text!r}"
        ) from None
    if not all(value > 0.0 for value in values):
        raise ConfigurationError(
            f"--levels takes numbers above 0, got {text!r}; 0 is always included as the "
            "reference, the network without mismatch, so leave it out"
        )
    return values


def _crew(scheduler: str | None, workers: int | None) -> Crew:
    if scheduler is not None:
        from hil.study.dask_crew import DaskCrew

        return DaskCrew(scheduler)
    from hil.study.local_crew import LocalCrew

    return LocalCrew(workers)


def _end(result: StudyResult, folder: Path, figure: str) -> None:
    from hil.study.report import write_report

    _print(write_report(folder, figure))
    if result.interrupted:
        typer.echo(f"interrupted with {len(result.results)} results; the same command goes on")
        raise typer.Exit(130)
    for key, error in result.failed.items():
        typer.echo(f"hil: no result of {key}: {error}", err=True)
    if result.failed:
        typer.echo(
            f"hil: {len(result.failed)} results are missing; the same command tries them again",
            err=True,
        )
        raise typer.Exit(1)


def _print(report: Report) -> None:
    from rich.console import Console

    from hil.study.table import rich_table

    Console().print(rich_table(report.summary))
    if report.summary.missing:
        typer.echo(f"{len(report.summary.missing)} results are missing")
    typer.echo(f"wrote {report.table} and {report.figure}")
