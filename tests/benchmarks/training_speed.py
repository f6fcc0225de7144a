"""Training speed of the presets beside the floor of their bare matrix products.

    python tests/benchmarks/training_speed.py [PRESET:BATCH ...] [--seconds S] [--threads N]

For each preset and batch size it trains on MNIST (``HIL_DATA``; noise of the same sparsity if
unset) for some seconds after a warm-up of one compile, and prints examples a second, the
steady-state figure a long run approaches.  The floor is the time numpy needs for the products a
batch cannot do without, measured in the same run on the same thread count, on dense random
arrays: inputs times first conductances and inputs transposed times output differences, and for
deeper networks the same two for every further crossbar.  Prints peak memory at the end.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from hil.composition import Experiment, build, resolve
from hil.data.idx import write_idx

CASES = (
    "mnist-100:4",
    "mnist-100:32",
    "mnist-1024:4",
    "mnist-1024:32",
    "mnist-kendall:32",
    "mnist-sign:64",
    "mnist-1024x2:32",
)


def best_seconds(work: Callable[[], object], at_least: float = 0.3) -> float:
    """Shortest of repeated timings of ``work``."""
    best, started = np.inf, time.perf_counter()
    while time.perf_counter() - started < at_least:
        before = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - before)
    return float(best)


def floor_seconds(experiment: Experiment, batch: int) -> float:
    """Time of the bare products of one batch: forward and outer, for every crossbar."""
    rng = np.random.default_rng(0)
    total = 0.0
    for group in experiment.substrate.spec.topology.groups:
        rows, columns = group.tails.size, group.heads.size
        g = rng.random((rows, columns), dtype=np.float32)
        x = rng.random((batch, rows), dtype=np.float32)
        d = rng.random((batch, columns), dtype=np.float32)
        out, outer = np.empty((batch, columns), np.float32), np.empty_like(g)
        xt = x.T
        best = np.inf
        for threads in sorted({1, experiment.config.threads}):
            with threadpool_limits(threads, "blas"):
                forward = best_seconds(lambda x=x, g=g, out=out: np.matmul(x, g, out=out))
                backward = best_seconds(lambda t=xt, d=d, o=outer: np.matmul(t, d, out=o))
            best = min(best, forward + backward)
        total += best
    return total


def examples_per_second(experiment: Experiment, seconds: float) -> float:
    """Median over windows of a tenth of the time, compilation left out."""
    place = experiment.trainer.place
    rates = []
    steps = experiment.steps()
    for _ in range(20):
        next(steps)
    start = time.perf_counter()
    mark = (place.examples, start)
    for _ in steps:
        now = time.perf_counter()
        if now - mark[1] > seconds / 10:
            rates.append((place.examples - mark[0]) / (now - mark[1]))
            mark = (place.examples, now)
        if now - start > seconds:
            break
    return float(np.median(rates))


def stand_in(folder: Path) -> None:
    """Noise with the sparsity of MNIST, in its files."""
    rng = np.random.default_rng(0)
    for part, count in (("train", 60_000), ("t10k", 1_000)):
        pixels = rng.integers(1, 256, (count, 28, 28), dtype=np.uint8)
        pixels[rng.random(pixels.shape) > 0.19] = 0
        write_idx(folder / f"{part}-images-idx3-ubyte", pixels)
        labels = rng.integers(0, 10, count).astype(np.uint8)
        write_idx(folder / f"{part}-labels-idx1-ubyte", labels)


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", default=CASES, metavar="PRESET:BATCH")
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    data = os.environ.get("HIL_DATA")
    if not data:
        import tempfile

        data = tempfile.mkdtemp()
        stand_in(Path(data))
        print("HIL_DATA is not set: noise of MNIST's sparsity", file=sys.stderr)
    print(f"{'preset':14} {'batch':>5} {'examples/s':>11} {'floor':>9} {'ratio':>6}")
    for case in options.cases:
        preset, _, size = case.partition(":")
        batch = int(size or 4)
        config = resolve(preset, overrides={"batch_size": batch, "threads": options.threads})
        with build(config, Path(data)) as experiment:
            rate = examples_per_second(experiment, options.seconds)
            floor = batch / floor_seconds(experiment, batch)
        print(f"{preset:14} {batch:5d} {rate:11.0f} {floor:9.0f} {floor / rate:6.2f}", flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory {peak:.0f} MiB")


if __name__ == "__main__":
    main()
