"""The run folder: what a run was asked, what happened, and what came of it.

::

    RUN/
    ├── config.toml       the resolved configuration; enough to run it again
    ├── events.jsonl      append-only, one JSON object a line: start, epoch, checkpoint, stop
    ├── checkpoint.h5     state between two batches, replaced atomically; gone when finished
    ├── arrays.h5         /final/conductance_siemens and write_counts, /initial/conductance_siemens,
    │                     /topology/tail_node and head_node; devices in topology order
    └── summary.json      the result, written at the end or on interruption

A run that died at any moment leaves a folder that can be read and resumed.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from hil.arrays import Floats
from hil.errors import RunFolderError

__all__ = ["Checkpoint", "RunFolder"]

Arrays = Mapping[str, np.ndarray[Any, Any]]


class Checkpoint:
    """State to resume from: plain values and arrays by name."""

    def __init__(self, values: dict[str, Any], arrays: dict[str, np.ndarray[Any, Any]]) -> None:
        self.values = values
        self.arrays = arrays


class RunFolder:
    """A run folder on disk.

    Args:
        path: the folder itself.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def is_empty(self) -> bool:
        """No such folder, or nothing in it."""
        return not self.path.exists() or (self.path.is_dir() and not any(self.path.iterdir()))

    def foreign_files(self) -> list[str]:
        """Files of the names a run uses, for a folder that has no configuration."""
        names = ("arrays.h5", "checkpoint.h5", "events.jsonl", "summary.json")
        return [name for name in names if (self.path / name).exists()]

    def create(self) -> None:
        """Make the folder.

        Raises:
            RunFolderError: it cannot be made or written to.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            probe = self.path / ".writable"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise RunFolderError(
                f"cannot write to the run folder {self.path}: {error.strerror}; "
                "name another one with --out",
                path=str(self.path),
            ) from error

    def write_config(self, text: str) -> None:
        """Keep the resolved configuration (TOML)."""
        self._replace("config.toml", text.encode())

    def read_config(self) -> str | None:
        """The configuration kept, or None."""
        return self._read("config.toml")

    def event(self, kind: str, **values: Any) -> None:
        """Append to the event log; on disk when this returns."""
        line = json.dumps({"event": kind, "unix_seconds": time.time(), **values})
        with (self.path / "events.jsonl").open("a", encoding="utf-8") as log:
            log.write(line + "\n")
            log.flush()
            os.fsync(log.fileno())

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Write ``summary.json``."""
        self._replace("summary.json", (json.dumps(summary, indent=2) + "\n").encode())

    def read_summary(self) -> dict[str, Any] | None:
        """The summary, or None.

        Raises:
            RunFolderError: it is not JSON.
        """
        text = self._read("summary.json")
        if text is None:
            return None
        try:
            summary = json.loads(text)
        except json.JSONDecodeError as error:
            raise RunFolderError(
                f"{self.path / 'summary.json'} is not valid JSON; the run cannot be trusted. "
                "Train again into another folder",
                path=str(self.path),
            ) from error
        return dict(summary)

    def write_arrays(self, group: str, arrays: Arrays) -> None:
        """Add a group of datasets to ``arrays.h5``, replacing one of that name."""
        target, scratch = self.path / "arrays.h5", self.path / ".arrays.h5.new"
        if target.exists():
            scratch.write_bytes(target.read_bytes())
        else:
            scratch.unlink(missing_ok=True)
        with h5py.File(scratch, "a") as file:
            if group in file:
                del file[group]
            for name, values in arrays.items():
                file.create_dataset(
                    f"{group}/{name}", data=values, compression="gzip", shuffle=True
                )
        os.replace(scratch, target)

    def read_array(self, name: str) -> Floats:
        """A dataset of ``arrays.h5``.

        Raises:
            RunFolderError: no such file or dataset.
        """
        path = self.path / "arrays.h5"
        with self._opened(path) as file:
            if name not in file:
                raise RunFolderError(
                    f"{path} has no {name}; the run has not finished. "
                    "Finish it with: hil train --resume --out " + str(self.path),
                    path=str(path),
                )
            return np.asarray(file[name][()])

    def write_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Replace the checkpoint; a crash leaves the old one or the new one."""
        scratch = self.path / ".checkpoint.h5.new"
        with h5py.File(scratch, "w") as file:
            file.attrs["values"] = json.dumps(checkpoint.values)
            for name, values in checkpoint.arrays.items():
                file.create_dataset(name, data=values)
        with scratch.open("rb") as written:
            os.fsync(written.fileno())
        os.replace(scratch, self.path / "checkpoint.h5")

    def read_checkpoint(self) -> Checkpoint | None:
        """The checkpoint, or None.

        Raises:
            RunFolderError: it cannot be read.
        """
        path = self.path / "checkpoint.h5"
        if not path.exists():
            return None
        with self._opened(path) as file:
            try:
                values = dict(json.loads(file.attrs["values"]))
                return Checkpoint(values, {name: np.asarray(file[name][()]) for name in file})
            except (KeyError, TypeError, ValueError, OSError) as error:
                raise RunFolderError(
                    f"{path} is damaged ({error}); remove it to start anew", path=str(path)
                ) from error

    def drop_checkpoint(self) -> None:
        """The run is finished."""
        (self.path / "checkpoint.h5").unlink(missing_ok=True)

    @contextlib.contextmanager
    def _opened(self, path: Path) -> Iterator[h5py.File]:
        try:
            file = h5py.File(path, "r")
        except OSError as error:
            raise RunFolderError(
                f"cannot read {path}: it is missing or not an HDF5 file; "
                "check that the folder is a run folder",
                path=str(path),
            ) from error
        with file:
            yield file

    def _read(self, name: str) -> str | None:
        path = self.path / name
        try:
            return path.read_text(encoding="utf-8") if path.exists() else None
        except (OSError, UnicodeDecodeError) as error:
            raise RunFolderError(
                f"cannot read {path}: {error}", path=str(path)
            ) from error  # fmt: skip

    def _replace(self, name: str, content: bytes) -> None:
        scratch = self.path / f".{name}.new"
        with scratch.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(scratch, self.path / name)
