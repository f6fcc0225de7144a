"""Substrates that hand on to another one, to be changed for the worse by subclasses."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from hil.arrays import Floats, IntArray
from hil.energy import Term
from hil.substrate import Comparisons, Drive, Settled, Substrate

Terms = Sequence[Term]


class Bare(Substrate):
    """Settles and pulses by handing on to another substrate; no further ability."""

    def __init__(self, inner: Any, **spec: Any) -> None:
        super().__init__(dataclasses.replace(inner.spec, **spec))
        self.inner = inner

    def _settle(self, drive: Drive, near: Settled | None) -> Settled:
        return self.inner.settle(drive, near)

    def _pulse(self, counts: IntArray) -> None:
        self.inner.pulse(counts)

    def _make_safe(self) -> None:
        self.inner.make_safe()


class Full(Bare):
    """Hands on every ability."""

    def settle_each(self, drives: Sequence[Drive], near: Settled | None = None) -> list[Settled]:
        self._check_open()
        return self.inner.settle_each(drives, near)

    def adjust(self, delta_siemens: Floats) -> None:
        self._check_open()
        self.inner.adjust(delta_siemens)

    def descend(self, terms: Terms, rates: Sequence[float], **options: Any) -> None:
        self._check_open()
        self.inner.descend(terms, rates, **options)

    def read_conductance(self) -> Floats:
        self._check_open()
        return self.inner.read_conductance()

    def load_conductance(self, conductance_siemens: Floats) -> None:
        self._check_open()
        self.inner.load_conductance(conductance_siemens)

    def write_counts(self) -> IntArray:
        self._check_open()
        return self.inner.write_counts()

    def load_write_counts(self, counts: IntArray) -> None:
        self._check_open()
        self.inner.load_write_counts(counts)

    def accumulate_comparisons(
        self, first: Drive, second: Drive, dead_zone_volts: float, near: Settled | None = None
    ) -> Comparisons:
        self._check_open()
        return self.inner.accumulate_comparisons(first, second, dead_zone_volts, near)


class Noisy(Bare):
    """Held voltages carry noise."""

    rms_volts = 2e-4

    def _settle(self, drive: Drive, near: Settled | None) -> Settled:
        settled = super()._settle(drive, near)
        noise = np.random.default_rng(5).normal(0.0, self.rms_volts, settled.node_volts.shape)
        noise *= np.where(self._flip(), 1.0, -1.0)
        return Settled(settled.node_volts + noise, settled.ok)

    def _flip(self) -> bool:
        self._calls = getattr(self, "_calls", 0) + 1
        return self._calls % 2 == 0
