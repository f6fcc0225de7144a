r"""Newton's method for devices that have a curve.

With a device's current written as :math:`i(d) = g_0 d + \delta(d)`, the drops d of all devices
solve :math:`d = d_{lin} - Z\,\delta(d)`: :math:`d_{lin}` is what the linear crossbar with
conductances :math:`g_0` has and Z what one of its drops does when a current goes past the device,
both found by substitution through *one* factor for all examples.  A step e of Newton's method
solves

.. math::  (1 + Z \Delta)\, e = r, \quad \Delta = i'(d) - g_0, \quad
           r = d_{lin} - Z\,\delta(d) - d,

and as Z is symmetric and :math:`\Delta \ge 0` if :math:`g_0` is the smallest slope of the batch,
conjugate gradients in the inner product :math:`u^T \Delta v` solve it, in a number of
substitutions that grows as the root of :math:`\max i'/g_0`.  Where that is many, the crossbar is
factorised anew at the smallest slopes, and if examples differ too much each is taken alone, where
this is Newton's method with the exact Jacobian.  Wire voltages never enter: differences of node
voltages along good wires would be rounding noise.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim_backend.crossbar.factor import Factor
from sim_backend.crossbar.inputs import Floats, Planes
from sim_backend.memristors.conduction import Conduction

__all__ = ["settle"]

Bools = NDArray[np.bool_]
_Found = tuple[Floats, Floats, Floats, Bools]

_STEPS = 60
_ITERATIONS = 200
_HALVINGS = 12
_DONE = 1e-13
"""Share of the largest current by which the currents of a line may still change."""
_ENOUGH = 1e-11
"""The same where further steps do not help."""
_RATIO_ALONE = 250.0
"""Largest slope over base conductance beyond which examples are solved one by one."""
_FACTOR_IN_ROOTS = 1.5
"""What a new factor costs: it pays if it lowers the root of that ratio, which iterations grow
with, by so much, divided by the number of examples and one."""
_BELOW = 0.8
"""Base conductances over the smallest slopes, so that these may fall a little."""
_STEEP = 10.0
"""Slope times resistance of the wires from which on the linear crossbar is no start."""
_BISECTIONS = 30
_VALUES = 1 << 23
"""Devices times examples that are worked on at once, to bound memory."""


def settle(factor: Factor, planes: Planes, conduction: Conduction, port_volts: Floats) -> _Found:
    """Node voltages (word, bit), port currents and whether they converged, of a batch.

    Args:
        factor: of the crossbar at its conductances for 0 V.
        planes: conductances it was made of.
        conduction: curve of the devices.
        port_volts: (batch, ports).
    """
    batch = len(port_volts)
    words = np.empty((batch, *planes[0].shape))
    found = words, np.empty_like(words), np.empty(port_volts.shape), np.empty(batch, bool)
    at_once = max(1, _VALUES // planes[0].size)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for low in range(0, batch, at_once):
            part = slice(low, low + at_once)
            out = found[0][part], found[1][part], found[2][part], found[3][part]
            _solve_part(factor, planes, conduction, port_volts[part], out)
    return found


def _solve_part(
    factor: Factor, planes: Planes, conduction: Conduction, volts: Floats, out: _Found
) -> None:
    iteration = _Iteration(factor, planes, conduction, volts)
    if iteration.run():
        for to, values in zip(out, iteration.result(), strict=True):
            to[:] = values
        return
    for k in range(len(volts)):
        one = slice(k, k + 1)
        alone = _Iteration(factor, planes, conduction, volts[one])
        alone.run()
        for to, values in zip(out, alone.result(), strict=True):
            to[one] = values


class _Iteration:
    """Newton's method on a few examples."""

    def __init__(
        self, factor: Factor, planes: Planes, conduction: Conduction, volts: Floats
    ) -> None:
        self._factor, self._planes, self._conduction, self._volts = (
            factor, planes, conduction, volts
        )  # fmt: skip
        self._base = planes[0]
        self._shape = (len(volts), *planes[0].shape)
        self.ok = np.zeros(len(volts), bool)
        self._state: tuple[Floats, Floats, Floats] | None = None

    def _amps(self, drops: Floats) -> Floats:
        return self._conduction.amps(drops, self._planes[0])

    def _effect(self, amps: Floats) -> Floats:
        """``Z amps``: drops caused by currents past the devices."""
        none = np.zeros(self._volts.shape)
        words, bits, _ = self._factor.respond(none, amps, -amps)
        return words - bits

    def _respond(self, drops: Floats) -> Floats:
        """Drops of the linear crossbar, if devices carry what they do at ``drops``."""
        past = self._base * drops - self._amps(drops)
        self._state = self._factor.respond(self._volts, past, -past)
        return self._state[0] - self._state[1]

    def _far(self, residual: Floats, slope: Floats) -> Floats:
        """(batch,) share of the largest current by which a line's current may be wrong."""
        wrong = np.abs(slope * residual)
        lines = np.maximum(wrong.sum(axis=1).max(axis=1), wrong.sum(axis=2).max(axis=1))
        amps = np.abs(self._port_amps()).max(axis=1)
        found: Floats = lines / np.where(amps > 0.0, amps, 1.0)
        return found

    def _port_amps(self) -> Floats:
        assert self._state is not None
        return self._factor.port_amps(self._volts) - self._state[2]

    def _rebase(self, slope: Floats) -> bool:
        """Take up a better factor if that pays; False if examples differ too much for one."""
        least = _BELOW * slope.min(axis=0)
        now = np.nanmax(np.where(slope > 0.0, slope / self._base, 1.0))
        best = np.nanmax(np.where(slope > 0.0, slope / least, 1.0))
        if len(slope) > 1 and best > _RATIO_ALONE:
            return False
        gain = (np.sqrt(now) - np.sqrt(best)) * (1 + len(slope))
        if gain > _FACTOR_IN_ROOTS or (slope < self._base).any():
            self._base = np.ascontiguousarray(least)
            self._factor = Factor((self._base, *self._planes[1:]))
        return True

    def run(self) -> bool:
        """Iterate; False if this had better be done example by example."""
        drops, size = self._start(), np.inf
        residual: Floats | None = None
        for _ in range(_STEPS):
            slope = self._conduction.slope_siemens(drops, self._planes[0])
            if not np.isfinite(slope).all():
                return len(drops) == 1
            before = self._base
            if not self._rebase(slope):
                return False
            if residual is None or before is not self._base:
                residual = self._respond(drops) - drops
            far = self._far(residual, slope)
            self.ok = far <= _ENOUGH
            if (far <= _DONE).all() or (self.ok.all() and far.max() > 0.25 * size):
                return True
            size = float(far.max())
            drops, residual = self._step(drops, residual, slope, min(0.1, size))
        return True

    def _start(self) -> Floats:
        """Drops of the linear crossbar, but no more current than the wires let through.

        From far up a steep curve Newton's method comes down by one e-fold of it a step.
        """
        drops = self._respond(np.zeros(self._shape))
        siemens, words, bits = self._planes
        path_ohms = np.cumsum(1.0 / words, axis=1) + np.cumsum(1.0 / bits[::-1], axis=0)[::-1]
        slope = self._conduction.slope_siemens(drops, siemens)
        if (slope * path_ohms <= _STEEP).all():
            return drops
        low, high = np.zeros_like(drops), np.abs(drops)
        for _ in range(_BISECTIONS):
            middle = 0.5 * (low + high)
            amps = np.abs(self._conduction.amps(middle, siemens))
            too_far = ~(amps * path_ohms + middle <= np.abs(drops))
            high = np.where(too_far, middle, high)
            low = np.where(too_far, low, middle)
        return np.copysign(high, drops)

    def _step(
        self, drops: Floats, residual: Floats, slope: Floats, share: float
    ) -> tuple[Floats, Floats]:
        """Drops after Newton's step, halved for examples it would leave worse off; and residual."""
        step = self._conjugate_gradients(residual, slope - self._base, share)
        before = np.abs(residual).max(axis=(1, 2))
        fraction = np.ones(len(drops))
        for _ in range(_HALVINGS):
            new = drops + fraction[:, None, None] * step
            left = self._respond(new) - new
            after = np.abs(left).max(axis=(1, 2))
            worse = ~(after <= (1.0 - 0.1 * fraction) * before) & ~self.ok
            if not worse.any():
                break
            fraction[worse] *= 0.5
        return new, left

    def _conjugate_gradients(self, residual: Floats, more: Floats, share: float) -> Floats:
        """Solve ``(1 + Z more) step = residual`` until the error is that share."""

        def product(one: Floats, two: Floats) -> Floats:
            found: Floats = np.einsum("bij,bij,bij->b", one, more, two)
            return found

        step, left, along = np.zeros_like(residual), residual.copy(), residual.copy()
        size = product(left, left)
        goal = share * share * size
        for _ in range(_ITERATIONS):
            if not (size > goal).any():
                break
            image = along + self._effect(more * along)
            length = np.divide(size, product(along, image), where=size > goal, out=0.0 * size)
            step += length[:, None, None] * along
            left -= length[:, None, None] * image
            new = product(left, left)
            ratio = np.divide(new, size, where=size > goal, out=0.0 * size)
            along = left + ratio[:, None, None] * along
            size = new
        # As good as one more substitution, ``residual - Z more step``; and devices that do not
        # conduct beyond the base, which the inner product does not see, are right only so.
        return step + left

    def result(self) -> _Found:
        """As :func:`settle`."""
        assert self._state is not None
        return self._state[0], self._state[1], self._port_amps(), self.ok
