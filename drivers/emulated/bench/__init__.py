"""A whole bench in this process: chip, wiring and instruments, as a bench file describes them."""

from drivers.emulated.bench.bench import EmulatedBench
from drivers.emulated.bench.report import BenchReport, Event

__all__ = ["BenchReport", "EmulatedBench", "Event"]
