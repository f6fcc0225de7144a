"""A substrate around an exact one, whose conductances the outer one decides.

Abilities are asked of types, so a wrapper has those of its inner substrate by a class made for
it: :func:`class_for`.
"""

from __future__ import annotations

import abc
import functools
from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

import numpy as np

from hil.arrays import AnyArray, BoolArray, Floats
from hil.errors import ConfigurationError
from hil.substrate import (
    ComparesDrops,
    Comparisons,
    Drive,
    KeepsState,
    Settled,
    SettlesEach,
    Substrate,
    SubstrateSpec,
)
from sim_backend.chip.exposure import compared
from sim_backend.drawing import DrawsCircuit
from sim_backend.nodal.elements import Circuit

__all__ = ["Inner", "Wrapper", "class_for", "kept_inside"]


_ROUNDING = 1e-6


class Inner(Protocol):
    """What a wrapped substrate must be able to do; see :mod:`hil.substrate`."""

    spec: SubstrateSpec

    def settle(self, drive: Drive, near: Settled | None = None) -> Settled:
        """See :class:`hil.substrate.Substrate`."""
        ...

    def make_safe(self) -> None:
        """See :class:`hil.substrate.Substrate`."""
        ...

    def close(self) -> None:
        """See :class:`hil.substrate.Substrate`."""
        ...

    def read_conductance(self) -> Floats:
        """See :class:`hil.substrate.ReadsConductance`."""
        ...

    def load_conductance(self, conductance_siemens: Floats) -> None:
        """See :class:`hil.substrate.LoadsConductance`."""
        ...


class Wrapper(Substrate):
    """Settles by the substrate inside, after bringing its conductances up to date.

    Args:
        inner: owned from now on; its window must hold all that devices are seen as.
        spec: of the outer substrate.
    """

    def __init__(self, inner: Inner, spec: SubstrateSpec) -> None:
        super().__init__(spec)
        self._inner: Any = inner
        self._gathers = isinstance(inner, SettlesEach)
        self._dtype = inner.read_conductance().dtype
        self._seen_window = inner.spec.window_siemens

    @property
    def fluctuates(self) -> bool:
        """Whether phases of one exchange see conductances of their own."""
        return False

    @abc.abstractmethod
    def _refresh(self, fluctuating: bool = True) -> None:
        """Load what devices are seen as now, with or without what fluctuates."""

    def _note(self, drive: Drive, node_volts: Floats | None, ok: BoolArray) -> None:
        """Hear of a phase that was settled; its voltages are None if they stayed inside."""

    def _check_seen(self, low: float, high: float) -> None:
        """Require that the inner substrate takes all that devices are seen as.

        Raises:
            ConfigurationError: its window is too narrow.
        """
        least, most = self._seen_window
        if low * (1.0 + _ROUNDING) < least or high * (1.0 - _ROUNDING) > most:
            raise ConfigurationError(
                f"devices are seen as {low:.3g}..{high:.3g} S, but the network inside takes "
                f"{least:.3g}..{most:.3g} S only; build it with sim_backend.chip.making.seen_window"
            )

    def _clipped(self, siemens: Floats) -> Floats:
        """As the network inside takes it; the array is used up."""
        np.clip(siemens, *self._seen_window, out=siemens)
        return siemens.astype(self._dtype)

    def _settle(self, drive: Drive, near: Settled | None) -> Settled:
        self._refresh()
        settled: Settled = self._inner.settle(drive, near)
        self._note(drive, settled.node_volts, settled.ok)
        return settled

    def settle_each(self, drives: Sequence[Drive], near: Settled | None = None) -> list[Settled]:
        """Settle several drives; see the protocol.

        Raises:
            UsageError: wrong shape or dtype.
            SafetyError: an input or nudge of any drive is outside the limits or not finite.
        """
        self._check_open()
        for drive in drives:
            self._check_drive(drive)
            if near is not None:
                self._check_near(near, len(drive.input_volts))
        if self.fluctuates or not self._gathers:
            return [self._settle(drive, near) for drive in drives]
        if not drives:
            return []
        self._refresh()
        found: list[Settled] = self._inner.settle_each(drives, near)
        for drive, settled in zip(drives, found, strict=True):
            self._note(drive, settled.node_volts, settled.ok)
        return found

    def _make_safe(self) -> None:
        if self._closed:
            self._inner.close()
        else:
            self._inner.make_safe()


class _Comparing(Wrapper):
    """Around a substrate that compares drops."""

    def accumulate_comparisons(
        self, first: Drive, second: Drive, dead_zone_volts: float, near: Settled | None = None
    ) -> Comparisons:
        """Settle both drives and compare every device's absolute drops; see the protocol.

        Raises:
            UsageError: wrong shape or dtype.
            SafetyError: a level of either drive is outside the limits or not finite.
        """
        self._check_open()
        if self.fluctuates:
            before, after = self.settle_each([first, second], near)
            ok = before.ok & after.ok
            low, high = before.node_volts[ok], after.node_volts[ok]
            return Comparisons(compared(self.spec.topology, low, high, dead_zone_volts), ok)
        for drive in (first, second):
            self._check_drive(drive)
        self._refresh()
        result: Comparisons = self._inner.accumulate_comparisons(
            first, second, dead_zone_volts, near
        )
        for drive in (first, second):
            self._note(drive, None, result.ok)
        return result


class _Drawing(Wrapper):
    """Around a substrate that draws itself."""

    def circuit(self, input_volts: Floats, nudge_amps: Floats | None) -> Circuit:
        """The circuit under one drive, with conductances as they are seen, free of read noise."""
        self._check_open()
        self._refresh(fluctuating=False)
        drawn: Circuit = self._inner.circuit(input_volts, nudge_amps)
        return drawn

    def node_names(self) -> tuple[str, ...]:
        """(n_nodes,) names of the topology's nodes in :meth:`circuit`."""
        names: tuple[str, ...] = self._inner.node_names()
        return names


_FOR: tuple[tuple[type, type[Wrapper]], ...] = (
    (ComparesDrops, _Comparing),
    (DrawsCircuit, _Drawing),
)

WrapperT = TypeVar("WrapperT", bound=Wrapper)


def class_for(kind: type[WrapperT], inner: Inner) -> type[WrapperT]:
    """``kind`` with the further abilities that the inner substrate has."""
    found: type[WrapperT] = _class_for(kind, type(inner))
    return found


@functools.cache
def _class_for(kind: Any, inner: type) -> Any:
    extra = [part for ability, part in _FOR if issubclass(inner, ability)]
    return type(kind.__name__, (*extra, kind), {"__doc__": kind.__doc__}) if extra else kind


def kept_inside(inner: Inner) -> dict[str, AnyArray]:
    """State of the inner substrate, if it keeps any."""
    return inner.state_arrays() if isinstance(inner, KeepsState) else {}
