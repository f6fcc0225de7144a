"""Speed of crossbars with wire resistance, beside badcrossbar 1.1 in the same run.

From the top folder: ``python tests/benchmarks/crossbar_speed.py``.  It prints seconds, the least
of several runs each, and how far the two programs' currents are apart.

badcrossbar is compared with if Python finds it.  Its distribution also installs a package called
``tests`` that would hide the tests of this repository, and for its plots it asks for cairo, which
is not needed here; so give it a folder of its own::

    pip install --no-deps --target build/badcrossbar badcrossbar==1.1.*
    pip install pathvalidate sigfig
    PYTHONPATH=build/badcrossbar python tests/benchmarks/crossbar_speed.py
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import logging
import os
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim_backend.crossbar.crossbar import Crossbar, solve_crossbar
from sim_backend.crossbar.ports import CrossbarPorts
from sim_backend.memristors.conduction import Cubic, Sinh

Floats = NDArray[np.float64]

EXAMPLES = 100
SIZES = ((128, 128), (256, 256), (512, 512))
ALONE = (1024, 1024)
OTHERS = ((1568, 100), (300, 700))
REPEATS = 5


def drawn(rows: int, cols: int, batch: int) -> tuple[Floats, Floats]:
    """Devices of 1 to 100 kOhm, evenly drawn in the logarithm, and row voltages."""
    random = np.random.default_rng(rows + cols)
    return 10.0 ** random.uniform(-5.0, -3.0, (rows, cols)), random.uniform(0, 1, (batch, rows))


def least_seconds(action: Callable[[], Any], repeats: int = REPEATS) -> tuple[float, Any]:
    """Least time of several runs, and what the last one returned."""
    best, result = np.inf, None
    for _ in range(repeats):
        start = time.perf_counter()
        result = action()
        best = min(best, time.perf_counter() - start)
    return best, result


def badcrossbar() -> Callable[[Floats, Floats], Floats] | None:
    """Column currents by badcrossbar, or None where it is not installed."""
    if importlib.util.find_spec("badcrossbar") is None:
        return None
    # Without cairo it says that it cannot plot, whatever the filters for warnings are.
    with contextlib.redirect_stderr(io.StringIO()):
        compute = importlib.import_module("badcrossbar.compute")
    logging.getLogger().setLevel(logging.WARNING)

    def currents(siemens: Floats, volts: Floats) -> Floats:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = compute.compute(
                volts.T, 1.0 / siemens, r_i=1.0, node_voltages=False, all_currents=False
            )
        return np.asarray(found.currents.output)

    return currents


def many_inputs(other: Callable[[Floats, Floats], Floats] | None) -> None:
    """Column currents for a batch, everything from the start."""
    print(f"column currents, {EXAMPLES} inputs, 1 Ohm a segment: seconds")
    print("     size       here  badcrossbar  times as fast  largest difference")
    for rows, cols in SIZES:
        siemens, volts = drawn(rows, cols, EXAMPLES)
        ours, found = least_seconds(lambda s=siemens, v=volts: solve_crossbar(s, v, 1.0, 1.0))
        line = f"{rows:5d} x{cols:5d}  {ours:7.4f}"
        if other is not None:
            repeats = 2 if rows < 200 else 1
            theirs, expected = least_seconds(lambda s=siemens, v=volts: other(s, v), repeats)
            gap = np.abs(found - expected).max() / np.abs(expected).max()
            line += f"      {theirs:7.3f}        {theirs / ours:7.1f}           {gap:.1e}"
        print(line, flush=True)


def one_large() -> None:
    """Time and memory of a large array, to be run in a process of its own."""
    siemens, volts = drawn(*ALONE, EXAMPLES)
    seconds, _ = least_seconds(lambda: solve_crossbar(siemens, volts, 1.0, 1.0), 3)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    print(f"{ALONE[0]} x {ALONE[1]}, {EXAMPLES} inputs: {seconds:.3f} s, {peak:.2f} GB", flush=True)


def substitution() -> None:
    """One more input through the factor, all node voltages; and changes of the devices."""
    print("\nmilliseconds: factorising, all node voltages of 1 further input and of each of 100,")
    print("factorising again, after a change of 1 device, port admittances")
    for rows, cols in (*SIZES, *OTHERS):
        siemens, volts = drawn(rows, cols, EXAMPLES)
        first, crossbar = least_seconds(lambda s=siemens: Crossbar(s, 1.0, 1.0), 3)
        one, _ = least_seconds(lambda c=crossbar, v=volts[:1]: c.solve(v), 15)
        many, _ = least_seconds(lambda c=crossbar, v=volts: c.solve(v), 2)
        crossbar = Crossbar(siemens, 1.0, 1.0, updatable=True)
        again, _ = least_seconds(lambda c=crossbar, s=siemens: (c.update(2 * s), c.update(s)), 2)
        changed = siemens.copy()
        changed[rows // 2, cols // 2] *= 2.0
        few, _ = least_seconds(lambda c=crossbar, s=siemens, d=changed: (c.update(d), c.update(s)))
        ports = CrossbarPorts(siemens, 1.0, 1.0)
        admittance, _ = least_seconds(lambda p=ports: p.admittance(), 3)
        figures = (first, one, many / EXAMPLES, again / 2, few / 2, admittance)
        print(f"{rows:5d} x{cols:5d} ", *(f"{1e3 * x:8.2f}" for x in figures), flush=True)


def curves() -> None:
    """Devices that have a curve."""
    print("\ndevices with a curve, 10 inputs up to 1 V, 128 x 128, seconds from the start")
    siemens, volts = drawn(128, 128, 10)
    for curve in (Cubic(0.1), Cubic(3.0), Sinh(1.0), Sinh(4.0)):
        seconds, found = least_seconds(
            lambda c=curve: solve_crossbar(siemens, volts, 1.0, 1.0, conduction=c, details=True), 2
        )
        worst = found.error_estimate.max()
        print(f"{curve!s:24} {seconds:7.3f}   ok {found.ok.all()}, error {worst:.1e}", flush=True)


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--without-badcrossbar", action="store_true", help="do not compare")
    parser.add_argument("--large", action="store_true", help="only the largest array")
    arguments = parser.parse_args()
    if arguments.large:
        one_large()
        return
    wanted = not arguments.without_badcrossbar
    other = badcrossbar() if wanted else None
    if wanted and other is None:
        print("badcrossbar is missing: nothing is compared; how to install it is said in this file")
    load = os.getloadavg()[0]
    print(
        f"{os.cpu_count()} cores, load {load:.1f}: above the number of cores, times are of a crowd"
    )
    siemens, volts = drawn(40, 40, 2)
    solve_crossbar(siemens, volts, 1.0, 1.0)  # compiles, or loads what is compiled
    Crossbar(siemens, 1.0, 1.0).solve(volts)
    # First, because a new process inherits the largest memory of the one that starts it.
    subprocess.run([sys.executable, __file__, "--large"], check=True)
    many_inputs(other)
    substitution()
    curves()


if __name__ == "__main__":
    main()
