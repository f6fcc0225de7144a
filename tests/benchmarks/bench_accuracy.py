"""Test errors after training on emulated benches, beside the simulator with the same noise.

    python tests/benchmarks/bench_accuracy.py [xor] [iris] [digits] [--seeds 10] [--workers 2]

Every seed draws a chip, an order of examples and, on the bench, the errors of its instruments; the
simulator gets the same chip and the noise that the bench states. Both program whole pulses. Printed
are the mean errors, and the mean difference with its 95 % interval over seeds (Student's t, pairs).
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from scipy import stats

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).parents[2]))
from hil.composition import build
from tests.benchmarks.bench_experiments import EXPERIMENTS, Counts, on_bench, simulated


def _trained(task: tuple[str, str, int]) -> float:
    """Test error, percent."""
    name, where, seed = task
    experiment = EXPERIMENTS[name]
    if where == "simulator":
        run = build(simulated(experiment, seed=seed))
    else:
        run = Counts().build(on_bench(experiment, seed=seed))
    with run:
        run.train()
        return run.evaluate()[0].error_percent


def _report(name: str, bench: Sequence[float], simulator: Sequence[float]) -> None:
    difference = np.subtract(bench, simulator)
    n = difference.size
    half = float(stats.t.ppf(0.975, n - 1) * difference.std(ddof=1) / math.sqrt(n))
    print(
        f"{name}: bench {np.mean(bench):.2f} %, simulator {np.mean(simulator):.2f} %, difference "
        f"{difference.mean():+.2f} +- {half:.2f} points ({n} seeds)\n"
        f"  bench     {' '.join(f'{x:.2f}' for x in bench)}\n"
        f"  simulator {' '.join(f'{x:.2f}' for x in simulator)}",
        flush=True,
    )


def main() -> None:
    """Train everything and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(EXPERIMENTS))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--workers", type=int, default=2)
    chosen = parser.parse_args()
    unknown = sorted(set(chosen.names) - EXPERIMENTS.keys())
    if unknown or chosen.seeds < 2 or chosen.workers < 1:
        parser.error(f"there are {', '.join(EXPERIMENTS)}; 2 seeds or more, 1 worker or more")
    with ProcessPoolExecutor(chosen.workers) as pool:
        for name in chosen.names or EXPERIMENTS:
            tasks = [(name, w, s) for w in ("bench", "simulator") for s in range(chosen.seeds)]
            errors = []
            for (_, where, seed), error in zip(tasks, pool.map(_trained, tasks), strict=True):
                print(f"{name}, {where}, seed {seed}: {error:.2f} %", file=sys.stderr, flush=True)
                errors.append(error)
            _report(name, errors[: chosen.seeds], errors[chosen.seeds :])


if __name__ == "__main__":
    main()
