"""Draws the crossbars in ``crossbars``, runs ngspice on them and stores what it finds.

Run from the top folder: ``python -m tests.golden.generate_crossbars``.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from tests.golden.crossbar_set import FOLDER, Case, run, store
from tests.golden.ngspice_runs import constants

# Name: rows, cols, ohms of a segment (None: drawn, one by one), a of V + a V^3.
_DRAWN: dict[str, tuple[int, int, float | None, float]] = {
    "linear_1x6": (1, 6, 2.0, 0.0),
    "linear_7x1": (7, 1, None, 0.0),
    "linear_4x4": (4, 4, None, 0.0),
    "linear_9x13": (9, 13, 100.0, 0.0),
    "linear_16x16": (16, 16, 1.0, 0.0),
    "linear_20x32": (20, 32, None, 0.0),
    "linear_32x32": (32, 32, 1.0, 0.0),
    "cubic_1x1": (1, 1, 50.0, 3.0),
    "cubic_5x3": (5, 3, None, 0.4),
    "cubic_8x12": (8, 12, 10.0, 20.0),
    "cubic_16x16": (16, 16, None, 2.0),
    "cubic_32x32": (32, 32, 1.0, 1.0),
}


def main() -> None:
    """Store all cases."""
    FOLDER.mkdir(exist_ok=True)
    for seed, (name, (rows, cols, ohms, per_volt2)) in enumerate(_DRAWN.items()):
        random = np.random.default_rng(seed)
        siemens = np.array(
            [[float(f"{g:.6g}") for g in row] for row in 10 ** random.uniform(-5, -3, (rows, cols))]
        )
        if siemens.size > 10:
            siemens[random.random((rows, cols)) < 0.05] = 0.0
        word, bit = (
            np.round(10 ** random.uniform(-1, 1.5, (rows, cols)), 4)
            if ohms is None
            else np.full((rows, cols), ohms)
            for _ in range(2)
        )
        volts = np.round(random.uniform(-1, 1, rows), 4)
        case = Case(siemens, word, bit, volts, per_volt2)
        with TemporaryDirectory() as folder:
            store(name, case, run(case, Path(folder)), constants().version)


if __name__ == "__main__":
    main()
