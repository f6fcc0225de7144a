"""The run folder: what a run was asked, what happened, and what came of it.

::

    RUN/
    ├── config.toml       the resolved configuration; enough to run it again
    ├── events.jsonl      append-only, one JSON object a line: start, epoch, checkpoint, stop
    ├── .lock             held by the process that trains into the folder
    ├── checkpoint.h5     state between two batches, replaced atomically; gone when finished
    ├── arrays.h5         /final/conductance_siemens and write_counts, /initial/conductance_siemens,
    │                     /topology/tail_node and head_node; devices in topology order;
    │                     /final/state/...: what else decides how a substrate goes on;
    │                     /chip/PART/NAME: what was drawn for a simulated chip
    └── summary.json      the result, written at the end or on interruption

A run that died at any moment leaves a folder that can be read and resumed.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import filelock
import h5py
import numpy as np

from hil.arrays import Floats
from hil.errors import RunFolderError

__all__ = ["Checkpoint", "RunFolder"]

_LOCK = ".lock"

Arrays = Mapping[str, np.ndarray[Any, Any]]


def _datasets(group: h5py.Group, prefix: str = "") -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
    """All arrays in a group and in those below it, by the path from it."""
    for name, item in group.items():
        if isinstance(item, h5py.Group):
            yield from _datasets(item, f"{prefix}{name}/")
        else:
            yield prefix + name, np.asarray(item[()])


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
        return not self.path.is_dir() or all(p.name == _LOCK for p in self.path.iterdir())

    def foreign_files(self) -> list[str]:
        """Files of the names a run uses, for a folder that has no configuration."""
        names = ("arrays.h5", "checkpoint.h5", "events.jsonl", "summary.json")
        return [name for name in names if (self.path / name).exists()]

    @contextlib.contextmanager
    def reserved(self) -> Iterator[None]:
        """Make the folder and keep other processes from training into it.

        On leaving, a folder that nothing was written to is removed if it was made here.

        Raises:
            RunFolderError: it cannot be made or written to, or another process has it.
        """
        lock, made = self._lock()
        try:
            yield
        finally:
            lock.release()
            if self.is_empty:
                with contextlib.suppress(OSError):
                    (self.path / _LOCK).unlink(missing_ok=True)
                    if made:
                        self.path.rmdir()

    def _lock(self) -> tuple[filelock.BaseFileLock, bool]:
        try:
            made = not os.path.exists(self.path)
            self.path.mkdir(parents=True, exist_ok=True)
            lock = filelock.FileLock(self.path / _LOCK, timeout=0)
            lock.acquire()
        except filelock.Timeout as error:
            raise RunFolderError(
                f"another process is training into {self.path}; wait for it, "
                "or name another folder with --out",
                path=str(self.path),
            ) from error
        except OSError as error:
            what = (
                f"{self.path} is a file; name a folder with --out"
                if isinstance(error, FileExistsError)
                else f"cannot write to the run folder {self.path}: {error.strerror or error}; "
                "name another one with --out"
            )
            raise RunFolderError(what, path=str(self.path)) from error
        return lock, made

    def write_config(self, text: str) -> None:
        """Keep the resolved configuration (TOML)."""
        self._replace("config.toml", text.encode())

    def read_config(self) -> str | None:
        """The configuration kept, or None."""
        return self._read("config.toml")

    def event(self, kind: str, **values: Any) -> None:
        """Append to the event log; on disk when this returns."""
        line = json.dumps({"event": kind, "unix_seconds": time.time(), **values})
        with self._writing("events.jsonl") as path, path.open("ab+") as log:
            if log.tell() and log.seek(-1, os.SEEK_END) and log.read(1) != b"\n":
                line = "\n" + line  # a crash cut the last line short; it stays as it is
            log.write(line.encode() + b"\n")
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
        except (json.JSONDecodeError, RecursionError):
            summary = None
        if not isinstance(summary, dict):
            raise RunFolderError(
                f"{self.path / 'summary.json'} is not what a run wrote; the run cannot be "
                "trusted. Train again into another folder",
                path=str(self.path),
            )
        return summary

    def write_arrays(self, group: str, arrays: Arrays) -> None:
        """Add a group of datasets to ``arrays.h5``, replacing one of that name."""
        path = self.path / "arrays.h5"
        with self._writing("arrays.h5"):
            content = io.BytesIO(path.read_bytes() if path.exists() else b"")
        with h5py.File(content, "a") as file:
            if group in file:
                del file[group]
            for name, values in arrays.items():
                # HDF5 cannot compress single numbers and empty arrays.
                many = values.ndim > 0 and values.size > 0
                packed = {"compression": "gzip", "shuffle": True} if many else {}
                file.create_dataset(f"{group}/{name}", data=values, **packed)
        self._replace("arrays.h5", content.getbuffer())

    def drop_arrays(self) -> None:
        """Forget ``arrays.h5``."""
        with self._writing("arrays.h5") as path:
            path.unlink(missing_ok=True)

    def has_array(self, name: str) -> bool:
        """Whether ``arrays.h5`` can be read and has a dataset of that name."""
        try:
            self.read_array(name)
        except RunFolderError:
            return False
        return True

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
                    f"Finish it with: hil train --resume --out {self.path} (on a bench also "
                    "--energise or --emulated)",
                    path=str(path),
                )
            try:
                return np.asarray(file[name][()])
            except (OSError, TypeError, AttributeError) as error:
                raise RunFolderError(
                    f"{path} is damaged ({error}); train again into another folder",
                    path=str(path),
                ) from error

    def read_group(self, group: str) -> dict[str, np.ndarray[Any, Any]]:
        """All arrays of a group of ``arrays.h5``, those of groups below it as ``part/name``.

        Raises:
            RunFolderError: no such file or group, or it is damaged.
        """
        path = self.path / "arrays.h5"
        with self._opened(path) as file:
            try:
                return dict(_datasets(file[group]))
            except (OSError, KeyError, TypeError, AttributeError) as error:
                raise RunFolderError(
                    f"{path} has no {group} that could be read ({error}); train again into "
                    "another folder",
                    path=str(path),
                ) from error

    def read_chip(self) -> dict[str, np.ndarray[Any, Any]]:
        """What was drawn for the chip, by ``part/name``; empty before there is any.

        Raises:
            RunFolderError: ``arrays.h5`` is damaged.
        """
        path = self.path / "arrays.h5"
        if not path.exists():
            return {}
        found: dict[str, np.ndarray[Any, Any]] = {}
        with self._opened(path) as file:
            try:
                for part, group in file.get("chip", {}).items():
                    found |= {f"{part}/{name}": np.asarray(group[name][()]) for name in group}
            except (OSError, KeyError, TypeError, AttributeError) as error:
                raise RunFolderError(
                    f"{path} is damaged ({error}); train again into another folder",
                    path=str(path),
                ) from error
        return found

    def write_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Replace the checkpoint; a crash leaves the old one or the new one."""
        # Made in memory: a full disk is reported by a plain write, not by HDF5 when it closes.
        content = io.BytesIO()
        with h5py.File(content, "w") as file:
            file.attrs["values"] = json.dumps(checkpoint.values)
            for name, values in checkpoint.arrays.items():
                file.create_dataset(name, data=values)
        self._replace("checkpoint.h5", content.getbuffer())

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
                return Checkpoint(values, dict(_datasets(file)))
            except (KeyError, TypeError, ValueError, OSError, RecursionError) as error:
                raise RunFolderError(
                    f"{path} is damaged ({error}); remove it to start anew", path=str(path)
                ) from error

    def drop_checkpoint(self) -> None:
        """The run is finished."""
        with self._writing("checkpoint.h5") as path:
            path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _opened(self, path: Path) -> Iterator[h5py.File]:
        try:
            file = h5py.File(path, "r")
        except OSError as error:
            what = (
                "it is damaged; remove it to start anew"
                if path.name == "checkpoint.h5"
                else "it is missing or damaged; train again into another folder"
            )
            raise RunFolderError(f"cannot read {path}: {what}", path=str(path)) from error
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

    def _replace(self, name: str, content: bytes | memoryview) -> None:
        """Replace a file: whatever happens, the old content is there or the new one."""
        with self._writing(name) as target:
            scratch = self.path / f".{name}.new"
            try:
                with scratch.open("wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(scratch, target)
            except OSError:
                with contextlib.suppress(OSError):
                    scratch.unlink()
                raise

    @contextlib.contextmanager
    def _writing(self, name: str) -> Iterator[Path]:
        path = self.path / name
        try:
            yield path
        except OSError as error:
            why = error.strerror or str(error)
            raise RunFolderError(
                f"cannot write {path}: {why}. What was written before is intact: make room or "
                f"restore access, then go on with: hil train --resume --out {self.path}",
                path=str(path),
            ) from error
