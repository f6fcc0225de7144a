"""Update rules: from the phases of a batch to programming.

A rule never sees a conductance.  It hands weighted phases, signs or pulses to the substrate,
which keeps every device in its window.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol, TypeGuard

import numpy as np

from hil.arrays import AnyArray, BoolArray, Floats, IntArray
from hil.errors import ConfigurationError
from hil.pulsing import Memory, Pulses
from hil.scheduler import FreePhase, Scheduler
from hil.substrate import Adjusts, Descends, Substrate
from hil.topology import Topology

__all__ = ["ComparisonRule", "GradientRule", "SignRule", "UpdateRule", "per_group"]


class UpdateRule(Protocol):
    """Learns from one batch whose free phase has run."""

    def learn(
        self,
        substrate: Substrate,
        scheduler: Scheduler,
        input_volts: Floats,
        free: FreePhase,
        factor: float,
        rng: np.random.Generator,
    ) -> BoolArray:
        """Run the further phases and program; ``factor`` scales the step (schedule).

        Returns:
            (batch,) examples that took part.
        """
        ...

    def memory(self) -> Memory:
        """What must be kept to resume: arrays by name."""
        ...

    def recall(self, memory: Memory) -> None:
        """Take :meth:`memory` back."""
        ...


@functools.cache
def _type_descends(kind: type[Substrate]) -> bool:
    return issubclass(kind, Descends)


@functools.cache
def _type_adjusts(kind: type[Substrate]) -> bool:
    return issubclass(kind, Adjusts)


def _descends(substrate: Substrate) -> TypeGuard[Descends]:
    """Asked once a type: a structural check takes longer than settling a small network."""
    return _type_descends(type(substrate))


def _adjusts(substrate: Substrate) -> TypeGuard[Adjusts]:
    """Likewise."""
    return _type_adjusts(type(substrate))


def _scaled(values: AnyArray, per_group: Iterable[float], topology: Topology) -> Floats:
    """(n_devices,) values times one factor a group, in their dtype if that is a floating one."""
    scaled = np.empty(values.shape, np.result_type(values.dtype, np.float32))
    for part, factor in zip(topology.slices, per_group, strict=True):
        np.multiply(values[part], scaled.dtype.type(factor), out=scaled[part])
    return scaled


@dataclass
class GradientRule:
    """``g -= rate dC/dg`` with the batch-mean estimate; magnitude kept.

    Attributes:
        rates: one a device group, siemens squared per volt squared.
        quantised: apply whole programming pulses, carrying the remainder, instead of ideal
            changes.
    """

    rates: tuple[float, ...]
    quantised: bool = False
    _pulses: Pulses = field(default_factory=Pulses)

    def learn(
        self,
        substrate: Substrate,
        scheduler: Scheduler,
        input_volts: Floats,
        free: FreePhase,
        factor: float,
        rng: np.random.Generator,
    ) -> BoolArray:
        """See :class:`UpdateRule`."""
        terms, ok = scheduler.terms(substrate, input_volts, free, rng)
        if not self.quantised and _descends(substrate):
            substrate.descend(terms, [rate * factor for rate in self.rates])
            return ok
        gradient = substrate.spec.energy.contrast(terms)
        factors = [-factor * rate for rate in self.rates]
        topology = substrate.spec.topology
        if not self.quantised and _adjusts(substrate):
            substrate.adjust(_scaled(gradient, factors, topology))
        else:
            self._pulses.apply(substrate, gradient, factors)
        return ok

    def memory(self) -> Memory:
        """See :class:`UpdateRule`."""
        return self._pulses.memory()

    def recall(self, memory: Memory) -> None:
        """See :class:`UpdateRule`."""
        self._pulses.recall(memory)


@dataclass
class SignRule:
    """A fixed step against the sign of the batch-summed gradient (thesis 4.3.3).

    A device on which the batch says next to nothing is better left alone: its sign is noise,
    and the devices of a column that move together by noise move their neuron.

    Attributes:
        steps_siemens: one a device group.
        dead_zone: absolute batch-mean gradients up to this give no step, volts squared per
            siemens.
        quantised: see :class:`GradientRule`.
    """

    steps_siemens: tuple[float, ...]
    dead_zone: float = 0.0
    quantised: bool = False
    _pulses: Pulses = field(default_factory=Pulses)

    def learn(
        self,
        substrate: Substrate,
        scheduler: Scheduler,
        input_volts: Floats,
        free: FreePhase,
        factor: float,
        rng: np.random.Generator,
    ) -> BoolArray:
        """See :class:`UpdateRule`."""
        terms, ok = scheduler.terms(substrate, input_volts, free, rng)
        steps = [step * factor for step in self.steps_siemens]
        if not self.quantised and _descends(substrate):
            substrate.descend(terms, steps, sign_only=True, dead_zone=self.dead_zone)
            return ok
        contrast = substrate.spec.energy.contrast(terms)
        sign = np.sign(contrast)
        if self.dead_zone > 0.0:
            sign[np.abs(contrast) <= self.dead_zone] = 0
        factors = [-step for step in steps]
        topology = substrate.spec.topology
        if not self.quantised and _adjusts(substrate):
            substrate.adjust(_scaled(sign, factors, topology))
        else:
            self._pulses.apply(substrate, sign, factors)
        return ok

    def memory(self) -> Memory:
        """See :class:`UpdateRule`."""
        return self._pulses.memory()

    def recall(self, memory: Memory) -> None:
        """See :class:`UpdateRule`."""
        self._pulses.recall(memory)


@dataclass
class ComparisonRule:
    """One comparator bit a device and example, accumulated; nothing else is measured.

    Each device's counter adds the batch-summed votes "the nudged drop is the larger one"
    (thesis 4.3.3).  When it reaches the threshold the device is programmed one step against
    the sign, and the threshold is taken off the counter.  What stays is cut to less than the
    threshold, so that a device is not driven on by votes of long ago.

    Attributes:
        steps_siemens: one a device group.
        threshold_votes: net votes that trigger a write.
        dead_zone_volts: drops closer than this give no vote.
        against_free: compare with the free phase; else with the opposite nudge.
        quantised: see :class:`GradientRule`.
    """

    steps_siemens: tuple[float, ...]
    threshold_votes: int = 1
    dead_zone_volts: float = 0.0
    against_free: bool = False
    quantised: bool = False
    _counters: IntArray | None = None
    _pulses: Pulses = field(default_factory=Pulses)

    def learn(
        self,
        substrate: Substrate,
        scheduler: Scheduler,
        input_volts: Floats,
        free: FreePhase,
        factor: float,
        rng: np.random.Generator,
    ) -> BoolArray:
        """See :class:`UpdateRule`."""
        result = scheduler.compare(
            substrate, input_volts, free, self.dead_zone_volts, self.against_free
        )
        if self._counters is None:
            self._counters = np.zeros(result.votes.size, np.int32)
        most = self.threshold_votes - 1
        self._counters += result.votes
        write = np.sign(self._counters) * (np.abs(self._counters) > most)
        self._counters -= write * self.threshold_votes
        self._counters.clip(-most, most, out=self._counters)
        factors = [-factor * step for step in self.steps_siemens]
        topology = substrate.spec.topology
        if not self.quantised and _adjusts(substrate):
            substrate.adjust(_scaled(write, factors, topology))
        else:
            self._pulses.apply(substrate, write, factors)
        return result.ok

    def memory(self) -> Memory:
        """See :class:`UpdateRule`."""
        own = {} if self._counters is None else {"counters": self._counters}
        return own | self._pulses.memory()

    def recall(self, memory: Memory) -> None:
        """See :class:`UpdateRule`."""
        self._counters = memory.get("counters")
        self._pulses.recall(memory)


def per_group(values: tuple[float, ...], n_groups: int, name: str) -> tuple[float, ...]:
    """One value a device group, from so many or from a single one for all.

    Raises:
        ConfigurationError: any other length.
    """
    if len(values) not in (1, n_groups):
        raise ConfigurationError(
            f"{name} has {len(values)} values for {n_groups} device groups; give one, or one each"
        )
    return tuple(values) * (n_groups if len(values) == 1 else 1)
