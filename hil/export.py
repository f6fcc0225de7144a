"""Conductances of a finished run, for other programs."""

from __future__ import annotations

import contextlib
import csv
import io
import os
from pathlib import Path

import numpy as np

from hil.arrays import AnyArray
from hil.errors import ConfigurationError, RunFolderError
from hil.record import RunFolder

__all__ = ["export_conductances"]


def export_conductances(run: Path, target: Path) -> int:
    """Write device number, tail node, head node, conductance and writes of each device.

    Args:
        run: a finished run's folder.
        target: ends in ``.csv`` (one device a row) or ``.npz`` (one array a column).

    Returns:
        The number of devices.

    Raises:
        ConfigurationError: another ending, or the file cannot be written.
        RunFolderError: not a finished run.
    """
    if target.suffix not in (".csv", ".npz"):
        raise ConfigurationError(f"cannot export to {target}: the name must end in .csv or .npz")
    folder = RunFolder(run)
    if folder.read_config() is None:
        raise RunFolderError(f"{run} is not a run folder: it has no config.toml", path=str(run))
    conductance = folder.read_array("final/conductance_siemens")
    writes = folder.read_array("final/write_counts")
    tails = folder.read_array("topology/tail_node")
    heads = folder.read_array("topology/head_node")
    shape = (int(np.size(conductance)),)
    if any(part.shape != shape for part in (conductance, writes, tails, heads)):
        raise RunFolderError(
            f"the arrays in {run} do not fit each other: arrays.h5 was changed; "
            "train again into another folder",
            path=str(run),
        )
    _write(target, tails, heads, conductance, writes)
    return int(conductance.size)


def _write(target: Path, tails: AnyArray, heads: AnyArray, g: AnyArray, writes: AnyArray) -> None:
    """Write beside the target and replace it, so that a failure leaves what was there."""
    columns = {
        "tail_node": tails, "head_node": heads, "conductance_siemens": g, "writes": writes,
    }  # fmt: skip
    scratch = target.with_name(f".{target.name}.new")
    try:
        with scratch.open("wb") as raw:
            if target.suffix == ".npz":
                np.savez(
                    raw, tail_node=tails, head_node=heads, conductance_siemens=g, writes=writes
                )
            else:
                text = io.TextIOWrapper(raw, encoding="utf-8", newline="")
                table = csv.writer(text)
                table.writerow(
                    ["device", "tail_node", "head_node", "conductance_siemens", "writes"]
                )
                rows = enumerate(zip(*columns.values(), strict=True))
                table.writerows([i, int(t), int(h), repr(float(s)), int(w)]
                                for i, (t, h, s, w) in rows)  # fmt: skip
                text.flush()
                text.detach()
        os.replace(scratch, target)
    except OSError as error:
        with contextlib.suppress(OSError):
            scratch.unlink()
        raise ConfigurationError(f"cannot write {target}: {error.strerror}") from error
