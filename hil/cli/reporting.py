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
def reported(broken_off: str = "broken off") -> Iterator[None]:
    """Turn this project's errors into one message and exit code 2, with what was noted of them.

    Args:
        broken_off: what to say when a request to stop ended it.
    """
    try:
        yield
    except HilError as error:
        typer.echo(f"hil: {error.message}", err=True)
        _tell_notes(error)
        raise typer.Exit(2) from error
    except KeyboardInterrupt as request:
        typer.echo(f"hil: {broken_off}", err=True)
        _tell_notes(request)
        raise typer.Exit(130) from None
    except MemoryError as error:
        typer.echo(
            f"hil: not enough memory: {error}; choose smaller layers or a smaller batch", err=True
        )
        raise typer.Exit(2) from error


def _tell_notes(error: BaseException) -> None:
    """What an error left behind, such as a bench that may not be safe, is told with it."""
    for note in getattr(error, "__notes__", ()):
        typer.echo(f"     {note}", err=True)
