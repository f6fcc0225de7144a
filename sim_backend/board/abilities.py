"""Boards around networks that can do more than the contract asks for."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import cast

import numpy as np

from hil.arrays import Floats, IntArray
from hil.energy import Term
from hil.substrate import (
    Adjusts,
    CountsWrites,
    Descends,
    Drive,
    LoadsConductance,
    ReadsConductance,
    Settled,
    SettlesEach,
    Substrate,
)
from sim_backend.board.adapter import BoardSubstrate
from sim_backend.board.config import BoardConfig
from sim_backend.board.drawn import BoardDrawn
from sim_backend.drawing import DrawsCircuit
from sim_backend.nodal.elements import Circuit

__all__ = ["board_around"]


def board_around(
    inner: Substrate, config: BoardConfig, drawn: BoardDrawn, noise_rng: np.random.Generator
) -> BoardSubstrate:
    """A board with all abilities of the network inside; see :class:`BoardSubstrate`.

    It settles several drives in one exchange also where the network does not, if the order of
    phases makes a difference to it.

    Raises:
        ConfigurationError: see :class:`BoardSubstrate`.
    """
    kind = _kind(type(inner), config.orders_phases)
    return kind(inner, config, drawn, noise_rng)


class _SettlingEach(BoardSubstrate):
    def settle_each(self, drives: Sequence[Drive], near: Settled | None = None) -> list[Settled]:
        """Settle several drives, one after the other, and read them; see :class:`SettlesEach`.

        Raises:
            UsageError: wrong shape or dtype, or batches of different sizes.
            SafetyError: a level of any drive is outside the limits or not finite.
        """
        self._check_open()
        self._check_exchange(drives, near)
        return self._exchange(drives, near) if drives else []


class _Adjusting(BoardSubstrate):
    def adjust(self, delta_siemens: Floats) -> None:
        """Add ``delta_siemens`` (n_devices,)."""
        self._check_open()
        self._forget()
        cast(Adjusts, self.inner).adjust(delta_siemens)


class _Descending(BoardSubstrate):
    def descend(
        self,
        terms: Sequence[Term],
        rates: Sequence[float],
        *,
        sign_only: bool = False,
        dead_zone: float = 0.0,
    ) -> None:
        """Descend by states that were read; see :class:`hil.substrate.Descends`."""
        self._check_open()
        self._forget()
        inner = cast(Descends, self.inner)
        inner.descend(terms, rates, sign_only=sign_only, dead_zone=dead_zone)


class _Reading(BoardSubstrate):
    def read_conductance(self) -> Floats:
        """(n_devices,) siemens, as the network tells them."""
        self._check_open()
        return cast(ReadsConductance, self.inner).read_conductance()


class _Loading(BoardSubstrate):
    def load_conductance(self, conductance_siemens: Floats) -> None:
        """Set (n_devices,) siemens, exactly."""
        self._check_open()
        self._forget()
        cast(LoadsConductance, self.inner).load_conductance(conductance_siemens)


class _Counting(BoardSubstrate):
    def write_counts(self) -> IntArray:
        """(n_devices,) events since construction or the last load."""
        self._check_open()
        return cast(CountsWrites, self.inner).write_counts()

    def load_write_counts(self, counts: IntArray) -> None:
        """Continue counting from ``counts`` (n_devices,)."""
        self._check_open()
        cast(CountsWrites, self.inner).load_write_counts(counts)


class _Drawing(BoardSubstrate):
    def circuit(self, input_volts: Floats, nudge_amps: Floats | None) -> Circuit:
        """The network under one drive, as the sources apply it but for noise.

        Raises:
            UsageError: wrong shape, or not floating-point.
            SafetyError: a level is outside the limits or not finite.
        """
        self._check_open()
        amps = None if nudge_amps is None else np.asarray(nudge_amps)[None]
        drive = Drive(np.asarray(input_volts)[None], amps)
        self._check_drive(drive)
        applied = self._without_noise(drive)
        amps = None if applied.nudge_amps is None else applied.nudge_amps[0]
        return cast(DrawsCircuit, self.inner).circuit(applied.input_volts[0], amps)

    def node_names(self) -> tuple[str, ...]:
        """(n_nodes,) names of the topology's nodes in :meth:`circuit`."""
        return cast(DrawsCircuit, self.inner).node_names()


_FOR: tuple[tuple[type, type[BoardSubstrate]], ...] = (
    (Adjusts, _Adjusting),
    (Descends, _Descending),
    (ReadsConductance, _Reading),
    (LoadsConductance, _Loading),
    (CountsWrites, _Counting),
    (DrawsCircuit, _Drawing),
)


@functools.cache
def _kind(inner: type[Substrate], orders_phases: bool) -> type[BoardSubstrate]:
    """A class with what this kind of network can do."""
    parts = [part for ability, part in _FOR if issubclass(inner, ability)]
    if orders_phases or issubclass(inner, SettlesEach):
        parts.append(_SettlingEach)
    return type("BoardSubstrate", (*parts, BoardSubstrate), {"__doc__": BoardSubstrate.__doc__})
