"""``hil emulate``; nothing heavy is imported here, see ``hil.cli.main``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from hil.cli.reporting import reported

__all__ = ["emulate_app"]

emulate_app = typer.Typer(help="Emulated instruments, for clients of any kind.")


@emulate_app.callback()
def _group() -> None:
    pass


@emulate_app.command("bench")
def bench(
    file: Annotated[Path, typer.Argument(metavar="BENCH.toml", help="See: hil bench new.")],
    write: Annotated[
        Path | None,
        typer.Option(
            "--write", metavar="OUT.toml", help="Write the bench file with these addresses."
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", min=0, help="Of the chip, of errors and noise.")
    ] = 0,
) -> None:
    """Serve all instruments of a bench, wired to one emulated chip, until SIGTERM or Ctrl-C."""

    def ready(addresses: Mapping[str, str]) -> None:
        width = max(map(len, addresses))
        for name, address in addresses.items():
            typer.echo(f"{name:{width}}  {address}")
        if write is not None:
            typer.echo(f"wrote {write}; in another terminal: hil check {write} --energise")

    with reported():
        from hil.emulation import serve_bench

        typer.echo("starting; the first time it is compiled, which may take a minute", err=True)
        serve_bench(file, ready, write=write, seed=seed)


@emulate_app.command("instrument")
def instrument(
    model: Annotated[
        str,
        typer.Argument(metavar="MODEL", help="Such as keithley2400; a wrong one lists them all."),
    ],
    listen: Annotated[
        str, typer.Option("--listen", metavar="HOST:PORT|pty", help="Where clients connect.")
    ] = "127.0.0.1:0",
    load_ohms: Annotated[
        float | None,
        typer.Option(
            "--load-ohms", metavar="R", help="Across HI and LO of every channel; open if omitted."
        ),
    ] = None,
    channel_volts: Annotated[
        list[str] | None,
        typer.Option(
            "--channel-volts", metavar="101=0.01,...", help="What a scanner sees; others 0 V."
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed",
            metavar="N",
            min=0,
            help="Of errors and noise as the data sheet has them; an ideal instrument if omitted.",
        ),
    ] = None,
    serial: Annotated[
        str | None,
        typer.Option(
            "--serial", metavar="TEXT", help="Serial number; two of one kind need different ones."
        ),
    ] = None,
) -> None:
    """Serve one emulated instrument, to one client after another, until SIGTERM or Ctrl-C."""
    with reported():
        from hil.emulation import channel_voltages, serve_instrument

        serve_instrument(
            model,
            listen,
            lambda address: typer.echo(f"{model} at {address}"),
            load_ohms=load_ohms,
            channel_volts=None if channel_volts is None else channel_voltages(channel_volts),
            seed=seed,
            serial=serial,
        )
