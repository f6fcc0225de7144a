"""The one check every reader makes before it opens a file."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from hil.errors import DataError

__all__ = ["expanded", "require_file"]


def expanded(path: str | PathLike[str]) -> Path:
    """``path`` with a leading ``~`` expanded.

    Raises:
        DataError: it names a user who does not exist.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise DataError(f"cannot find the folder of {path}: {error}", path=str(path)) from error


def require_file(path: str | PathLike[str], purpose: str) -> Path:
    """Return ``path`` as an existing regular file.

    Args:
        path: the file; a leading ``~`` is expanded.
        purpose: what the file was to be, for the message, such as ``"IDX file"``.

    Raises:
        DataError: when nothing is there, or it is a directory or another special file.

    """
    file = expanded(path)
    if file.is_file():
        return file
    if file.is_dir():
        raise DataError(
            f"{file} is a directory where the {purpose} was expected; name the file itself",
            path=str(file),
        )
    if file.exists():
        raise DataError(
            f"{file} is not a regular file, so it cannot be read as the {purpose}; "
            "copy its content to a file first",
            path=str(file),
        )
    raise DataError(
        f"the {purpose} {file} does not exist; check the spelling and the folder",
        path=str(file),
    )
