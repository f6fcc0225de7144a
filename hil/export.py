"""Conductances of a finished run, for other programs."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

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
    try:
        if target.suffix == ".npz":
            np.savez(
                target, tail_node=tails, head_node=heads,
                conductance_siemens=conductance, writes=writes,
            )  # fmt: skip
        else:
            with target.open("w", newline="", encoding="utf-8") as file:
                table = csv.writer(file)
                table.writerow(["device", "tail_node", "head_node", "conductance_siemens",
                                "writes"])  # fmt: skip
                rows = zip(tails, heads, conductance, writes, strict=True)
                table.writerows([i, int(t), int(h), repr(float(g)), int(w)]
                                for i, (t, h, g, w) in enumerate(rows))  # fmt: skip
    except OSError as error:
        raise ConfigurationError(f"cannot write {target}: {error.strerror}") from error
    return int(conductance.size)
