"""The folder of a study.

::

    DIR/
    ├── study.toml       what was asked, complete
    ├── results.jsonl    append-only, one JSON object a finished task
    ├── ideal/N.npy      conductances trained without mismatch with training seed N
    ├── table.csv        means and intervals over chips
    ├── figure.png       the same, drawn
    └── .lock            held by the process that works on the study

A process that died at any moment leaves a folder that can be read, and gone on with.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import filelock
import numpy as np

from hil.arrays import Floats
from hil.errors import RunFolderError
from hil.study.config import StudyConfig, differences, dump_study, load_study
from hil.study.records import read_record

__all__ = ["Results", "StudyFolder", "sorted_results"]

Results: TypeAlias = dict[str, dict[str, Any]]
"""Result by the key of its task."""

_SHOWN = 5
"""Differences named in a message."""


class StudyFolder:
    """A study folder on disk.

    Args:
        path: the folder itself.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextlib.contextmanager
    def reserved(self) -> Iterator[None]:
        """Make the folder and keep other processes from working on the study.

        Raises:
            RunFolderError: it cannot be made, or another process has it.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = filelock.FileLock(self.path / ".lock", timeout=0)
            lock.acquire()
        except filelock.Timeout as error:
            raise RunFolderError(
                f"another process is working on the study in {self.path}; wait for it, "
                "or name another folder with --out",
                path=str(self.path),
            ) from error
        except OSError as error:
            raise RunFolderError(
                f"cannot write to the study folder {self.path}: {error.strerror or error}; "
                "name another one with --out",
                path=str(self.path),
            ) from error
        try:
            yield
        finally:
            lock.release()

    def begin(self, study: StudyConfig) -> None:
        """Keep what is asked, or find that the same was asked before.

        Raises:
            RunFolderError: the folder holds another study, or files that are not of a study.
        """
        text = dump_study(study)
        before, results = self._read("study.toml"), self._read("results.jsonl")
        if results is None or "\n" not in results:
            self.replace("study.toml", text.encode())
            return
        if before is None:
            raise RunFolderError(
                f"{self.path} holds results but no study.toml to say of what; "
                "name another folder with --out",
                path=str(self.path),
            )
        changed = differences(dump_study(self.study()), text)
        if changed:
            more = f"\n  and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
            raise RunFolderError(
                f"{self.path} holds another study, whose results would be mixed with these:\n  "
                + "\n  ".join(changed[:_SHOWN])
                + f"{more}\nRepeat its options to go on with it, or name another folder with --out",
                path=str(self.path),
            )

    def study(self) -> StudyConfig:
        """The study kept.

        Raises:
            RunFolderError: there is none.
            ConfigurationError: it was changed into something that is none.
        """
        text = self._read("study.toml")
        if text is None:
            raise RunFolderError(
                f"{self.path} holds no study: there is no study.toml in it; check the path",
                path=str(self.path),
            )
        return load_study(text, str(self.path / "study.toml"))

    def results(self) -> Results:
        """Results so far; a last line that a crash cut short is left out.

        Raises:
            RunFolderError: another line cannot be read.
        """
        text = self._read("results.jsonl") or ""
        found: Results = {}
        for number, line in enumerate(text.split("\n")[:-1], start=1):
            try:
                task, result = read_record(line)
            except ValueError as error:
                raise RunFolderError(
                    f"line {number} of {self.path / 'results.jsonl'} is not what a study wrote "
                    f"({error}), as if edited or damaged; "
                    "remove that line, and its task is done again",
                    path=str(self.path),
                ) from error
            found[task] = result
        return found

    def append(self, task: str, result: Mapping[str, Any], seconds: float) -> None:
        """Keep a result; on disk when this returns."""
        record = {"task": task, "result": dict(result), "seconds": round(seconds, 3)}
        with self._writing("results.jsonl") as path, path.open("ab+") as file:
            _drop_torn_line(file)
            file.write(json.dumps(record).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def keep_ideal(self, training: int, conductance_siemens: Floats) -> None:
        """Keep ideally trained conductances, (n_devices,)."""
        content = io.BytesIO()
        np.save(content, conductance_siemens)
        self.replace(f"ideal/{training}.npy", content.getbuffer())

    def ideal(self, training: int) -> Floats | None:
        """Ideally trained conductances, (n_devices,); None if they are not there in full."""
        try:
            found = np.load(self.path / "ideal" / f"{training}.npy", allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        return np.asarray(found)

    def replace(self, name: str, content: bytes | memoryview) -> Path:
        """Write a file in full or not at all; returns where."""
        with self._writing(name) as path:
            path.parent.mkdir(exist_ok=True)
            new = path.with_name(path.name + ".new")
            with new.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            new.replace(path)
        return path

    @contextlib.contextmanager
    def _writing(self, name: str) -> Iterator[Path]:
        try:
            yield self.path / name
        except OSError as error:
            raise RunFolderError(
                f"cannot write {self.path / name}: {error.strerror or error}; what is there "
                "stays, and the same command goes on from it",
                path=str(self.path),
            ) from error

    def _read(self, name: str) -> str | None:
        try:
            return (self.path / name).read_bytes().decode("utf-8", errors="replace")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise RunFolderError(
                f"cannot read {self.path / name}: {error.strerror or error}", path=str(self.path)
            ) from error


def sorted_results(results: Results) -> str:
    """Results as text that is equal, byte for byte, where they are."""
    return "".join(
        json.dumps({"task": key, "result": results[key]}, sort_keys=True) + "\n"
        for key in sorted(results)
    )


def _drop_torn_line(file: Any) -> None:
    """Cut off a last line that has no end; its task is not among the results."""
    end = file.seek(0, os.SEEK_END)
    if end:
        file.seek(end - 1)
        if file.read(1) != b"\n":
            file.seek(0)
            file.truncate(file.read().rfind(b"\n") + 1)
