"""Messages and time that benches cost: the controller's own, beside what instruments take.

    python tests/benchmarks/bench_figures.py

Wiring (a): iris, 10 inputs and 3 outputs on dual-channel SMUs, centred, batches of 32; messages an
example over the first epoch, in which most is programmed, and over a later one. Wiring (b): digits
with 130 x 32 and 32 x 20 devices, batches of 32; exchanges with the board an example, and the time
that is not spent in an exchange. Everything between the first batch and the end of the epoch is
counted; what opening and closing the bench takes is told besides.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.benchmarks.bench_experiments import EXPERIMENTS, Counts, OnBench, on_bench


def _epochs(experiment: OnBench, n_epochs: int, **changes: object) -> None:
    """Train so many epochs and print figures of each."""
    counts = Counts()
    with counts.build(on_bench(experiment, batch_size=32, epochs=n_epochs, **changes)) as run:
        topology = run.substrate.spec.topology
        shapes = ", ".join(f"{g.tails.size} x {g.heads.size}" for g in topology.groups)
        print(f"\n{experiment.preset} on wiring {experiment.wiring}: {shapes} devices")
        print(f"  opening the bench: {counts.total} messages")
        messages, split, seconds = counts.total, counts.split_queries, counts.seconds
        begun, least, examples = time.perf_counter(), float("inf"), 0
        batch_begun, batch_seconds = begun, seconds
        for progress in run.steps():
            done = run.trainer.place.examples - examples
            own = time.perf_counter() - batch_begun - (counts.seconds - batch_seconds)
            least = min(least, own / done)
            examples += done
            if progress.epoch_done:
                n = len(run.dataset.train_inputs)
                took, within = time.perf_counter() - begun, counts.seconds - seconds
                print(
                    f"  epoch {progress.epoch}: {(counts.total - messages) / n:.3f} messages an "
                    f"example, {counts.split_queries - split} of them a query after a write to the "
                    f"same instrument; own time {1e6 * (took - within) / n:.1f} us an example "
                    f"(least of a batch {1e6 * least:.1f}), emulated instruments "
                    f"{1e6 * within / n:.0f} us"
                )
                messages, split, seconds = counts.total, counts.split_queries, counts.seconds
                begun = time.perf_counter()
            batch_begun, batch_seconds = time.perf_counter(), counts.seconds
        by_instrument = ", ".join(f"{k} {v}" for k, v in sorted(counts.messages.items()))
        print(f"  in all: {by_instrument}")
        before = counts.total
    print(f"  closing the bench: {counts.total - before} messages")


def main() -> None:
    """Print the figures."""
    _epochs(EXPERIMENTS["iris"], 3)
    digits = EXPERIMENTS["digits"]
    paired = {"substrate.hidden": [32], "cost.paired": True}
    _epochs(OnBench("digits", "board", {**digits.changes, **paired}, digits.electronics), 3)


if __name__ == "__main__":
    main()
