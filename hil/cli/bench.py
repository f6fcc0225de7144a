"""``hil bench``, ``check``, ``safe`` and ``discover``; nothing heavy is imported here."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hil.cli.options import ConfigFile, Emulated, Energise, Preset, way
from hil.cli.reporting import DataDirectory, reported

if TYPE_CHECKING:
    from drivers.bench.findings import Finding

__all__ = ["bench_app", "check", "discover", "safe"]

bench_app = typer.Typer(help="Files that describe a lab bench.", no_args_is_help=True)

BenchFile = Annotated[Path, typer.Argument(metavar="BENCH.toml", help="See: hil bench new.")]


class Wiring(StrEnum):
    """Kinds of examples."""

    smu = "smu"
    board = "board"


@bench_app.callback()
def _group() -> None:
    pass


@bench_app.command("new")
def bench_new(
    wiring: Annotated[
        Wiring,
        typer.Argument(
            help="smu: sources on every line, a switch matrix and a scanning voltmeter; board: a "
            "sample-and-hold board, and an SMU for single devices."
        ),
    ],
    target: Annotated[Path, typer.Argument(metavar="OUT.toml", help="File to write.")],
    preset: Preset = None,
    config: ConfigFile = None,
    data: DataDirectory = None,
) -> None:
    """Write a commented example of a bench that fits an experiment: iris (smu), digits (board)."""
    with reported():
        from hil.bench.examples import write_example
        from hil.composition import resolve

        if preset is None and config is None:
            preset = "iris" if wiring is Wiring.smu else "digits"
        write_example(wiring.value, target, resolve(preset, config), data)
    fits = f"--config {config}" if config is not None else f"--preset {preset}"
    typer.echo(f"wrote {target}; edit it, then: hil check {target}")
    typer.echo(f"without instruments: hil train {fits} --bench {target} --emulated")


def check(bench: BenchFile, emulated: Emulated = False, energise: Energise = False) -> None:
    """Compare a bench with its file: identities, self-tests, limits and, energised, the wiring."""
    fine = True

    def report(finding: Finding) -> None:
        nonlocal fine
        fine = fine and finding.ok is not False
        _print_finding(finding)

    with reported():
        reach = way(emulated, energise)
        from drivers.bench.checks import check_equipment, check_wiring
        from drivers.bench.findings import Finding
        from hil.bench import reaching
        from hil.resolving import read_bench

        config = read_bench(bench)
        reached = (reach or reaching.instruments)(config, 0)
        check_equipment(config, reached.open_transport, reached.sleep, report)
        if reach is None:
            report(
                Finding(
                    "wiring",
                    None,
                    "not checked, nothing was energised: say --energise to read a device of "
                    f"every line at {_read_volts(config.access)}",
                )
            )
        else:
            check_wiring(config, reached.open_transport, reached.sleep, report)
    if not fine:
        typer.echo("hil: something is not as the bench file says, see FAILED above", err=True)
        raise typer.Exit(1)


def safe(bench: BenchFile, emulated: Emulated = False) -> None:
    """Bring every instrument to its safe state: levels 0, outputs off, switches in idle mode."""
    with reported("asked to stop; every instrument had been attempted by then, see above"):
        from hil.bench import reaching
        from hil.bench.safing import make_all_safe
        from hil.errors import TransportError
        from hil.resolving import read_bench

        config = read_bench(bench)
        reach = reaching.emulated if emulated else reaching.instruments
        failed = make_all_safe(config, reach(config, 0), _print_finding)
        if failed:
            raise TransportError(
                f"{', '.join(failed)} may not be safe, see FAILED above; switch the outputs off "
                "by hand"
            )


def discover(
    ask: Annotated[
        bool,
        typer.Option("--ask", help="Ask each *IDN?; instruments of unknown kinds may mind."),
    ] = False,
    visa_library: Annotated[
        str, typer.Option("--visa-library", metavar="NAME", help="pyvisa's backend.")
    ] = "@py",
    baud_rate: Annotated[
        int, typer.Option("--baud-rate", metavar="N", min=300, help="Of serial ports, for --ask.")
    ] = 115200,
) -> None:
    """List VISA resources and serial ports of this machine."""
    with reported():
        from hil.bench.discovery import discovered

        found = discovered(visa_library, baud_rate if ask else None)
        for resource in found.resources:
            typer.echo(f"{resource.address:40} {resource.text}".rstrip())
        for remark in found.remarks:
            typer.echo(f"hil: {remark}", err=True)
        if not found.resources:
            typer.echo(
                "found no instrument; those on a bare TCP socket never announce themselves, give "
                "their address in the bench file: TCPIP::HOST::5025::SOCKET"
            )


def _read_volts(access: object) -> str:
    volts = getattr(access, "read_volts", None)
    return "access.read_volts" if volts is None else f"{volts:g} V (access.read_volts)"


def _print_finding(finding: Finding) -> None:
    mark = {True: "ok", False: "FAILED", None: "-"}[finding.ok]
    typer.echo(f"{mark:7} {finding.name}: {finding.text}")
