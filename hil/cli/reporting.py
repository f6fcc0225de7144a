"""What all commands share: how errors end, and the option that names the data folder."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from hil.errors import HilError

__all__ = ["DataDirectory", "reported"]

DataDirectory = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="Folder with the MNIST files, else HIL_DATA."),
]


@contextlib.contextmanager
def reported() -> Iterator[None]:
    """Turn this project's errors into one message and exit code 2."""
    try:
        yield
    except HilError as error:
        typer.echo(f"hil: {error.message}", err=True)
        raise typer.Exit(2) from error
    except KeyboardInterrupt:
        typer.echo("hil: broken off; what the run folder holds stays as it is", err=True)
        raise typer.Exit(130) from None
    except MemoryError as error:
        typer.echo(
            f"hil: not enough memory: {error}; choose smaller layers or a smaller batch", err=True
        )
        raise typer.Exit(2) from error
