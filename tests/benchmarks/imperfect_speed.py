"""Training speed of mnist-100 on every device of the catalogue, beside that of ideal ones.

    python tests/benchmarks/imperfect_speed.py [DEVICE ...] [--batch B ...] [--seconds S]

For each device and batch size it trains on MNIST (``HIL_DATA``; noise of the same sparsity if
unset) for some seconds after a warm-up, once with the devices alone and once with a board
(converters, sample-and-holds) and diode spread besides.  All figures of a line are taken in
turns, in the same minute, so that what else the machine does weighs on them alike: examples a
second of the clock, and in brackets a second of the processor, medians over windows of time.  One
thread.  The last lines add what no built-in device has: read noise, drift and half-selection.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from hil.composition import Experiment, build, resolve
from sim_backend.memristors.catalogue import device_names

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.benchmarks.training_speed import stand_in

BOARD: Mapping[str, Any] = {
    "substrate.board.dac.bits": 16,
    "substrate.board.dac.range_volts": 1.0,
    "substrate.board.dac.offset_volts": 1e-4,
    "substrate.board.adc.bits": 16,
    "substrate.board.adc.range_volts": 1.0,
    "substrate.board.hold.offset_volts": 1e-4,
    "substrate.board.hold.gain_spread": 1e-4,
    "substrate.board.hold.step_spread_volts": 1e-5,
    "substrate.board.hold.noise_volts": 1e-5,
    "substrate.mismatch.diode_offset_volts": 1e-3,
}
"""Electronics and neurons that are not ideal; see ``hil config schema``."""

FURTHER: Mapping[str, Mapping[str, Any]] = {
    "white read noise": {"read_noise": {"white_relative_rms": 0.01}},
    "drift": {"drift": {"exponent": 0.05, "exponent_spread": 0.01}},
    "half-selection": {"disturb": {"scheme": "half", "half_select_share": 1e-3}},
}
"""What ``reram-es`` does not have by itself."""

_WINDOWS = 8


class Pace:
    """One experiment in training, and how fast it went in every window of time.

    Args:
        experiment: after its warm-up.
    """

    def __init__(self, experiment: Experiment) -> None:
        self._place = experiment.trainer.place
        self._steps: Iterator[object] = experiment.steps()
        self._rates: list[tuple[float, float]] = []
        for _ in range(12):
            next(self._steps)

    def run(self, seconds: float) -> None:
        """Train for one window."""
        start, seen, worked = time.perf_counter(), self._place.examples, time.process_time()
        for _ in self._steps:
            passed = time.perf_counter() - start
            if passed > seconds:
                break
        done = self._place.examples - seen
        self._rates.append((done / passed, done / (time.process_time() - worked)))

    def __str__(self) -> str:
        """Examples a second of the clock and of the processor."""
        by_clock, by_processor = np.median(self._rates, axis=0)
        return f"{by_clock:.0f} ({by_processor:.0f})"


def measure(cases: Mapping[str, Mapping[str, Any]], data: Path, seconds: float) -> dict[str, str]:
    """Speeds of several experiments, by name, in turns."""
    with ExitStack() as stack:
        paces = {
            name: Pace(stack.enter_context(build(resolve("mnist-100", overrides=case), data)))
            for name, case in cases.items()
        }
        for _ in range(_WINDOWS):
            for pace in paces.values():
                pace.run(seconds / _WINDOWS)
        return {name: str(pace) for name, pace in paces.items()}


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("devices", nargs="*", default=[*device_names(), *FURTHER])
    parser.add_argument("--batch", type=int, nargs="+", default=[4, 32])
    parser.add_argument("--seconds", type=float, default=1.6)
    options = parser.parse_args()
    data = os.environ.get("HIL_DATA")
    if not data:
        data = tempfile.mkdtemp()
        stand_in(Path(data))
        print("HIL_DATA is not set: noise of MNIST's sparsity", file=sys.stderr)
    load, cores = os.getloadavg()[0], os.cpu_count()
    print(f"examples/s (a second of the processor); load {load:.1f} on {cores} cores")
    print(f"{'devices':20} {'batch':>5} {'alone':>18} {'with all else':>18} {'ideal':>18}")
    for name in options.devices:
        table = {"preset": "reram-es", **FURTHER[name]} if name in FURTHER else name
        for batch in options.batch:
            common = {"batch_size": batch, "threads": 1}
            found = measure(
                {
                    "alone": common | {"substrate.devices": table},
                    "all": common | {"substrate.devices": table} | dict(BOARD),
                    "ideal": common,
                },
                Path(data),
                options.seconds,
            )
            columns = " ".join(f"{found[key]:>18}" for key in ("alone", "all", "ideal"))
            print(f"{name:20} {batch:5d} {columns}", flush=True)
    print(f"load of the machine afterwards {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
