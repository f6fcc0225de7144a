r"""Local energies of curved devices, without an array of batch times devices.

The pseudo-power of ``I = g f(V)`` is ``g e(V)`` with ``e' = f`` (thesis eq. 4.7), so that a
device's local gradient is ``e`` of its own drop: ``V^2/2 + a V^4/4`` or ``(cosh bV - 1)/b^2``.
Phases differ by far less than they measure, so such terms are never subtracted.  With ``m`` the
mean drop of two phases and ``d`` their difference,

.. math::

   \text{cubic:}\quad & e_k - e_0 = d\,(m + a m^3) + \tfrac{a}{4} m d^3, \\
   \text{sinh:}\quad & e_k - e_0 = \tfrac{2}{b^2} \sinh(b m) \sinh(b d / 2),

and with ``m = m_s - m_v``, ``d = d_s - d_v`` from rows ``s`` and columns ``v`` every term of an
expansion is a product of a row's and a column's factor, one of them small.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hil.arrays import Floats, IntArray
from hil.energy import Term, is_balanced
from hil.topology import Crossbar, Topology
from sim_backend.memristors.conduction import Conduction, Cubic, Linear, Sinh

__all__ = ["CurvedEnergy"]

_Separable = Linear | Cubic | Sinh

_Pair = tuple[Floats, Floats]

_ONE: NDArray[np.float64] = np.ones(())


@dataclass(frozen=True, eq=False)
class CurvedEnergy:
    """Energy of devices with one curve, weighted where amplifiers stand between layers.

    Attributes:
        topology: the device graph.
        weights: one factor a group; see :class:`hil.energy.ResistorEnergy`.
        conduction: the curve; crossbars of curves other than ``Linear``, ``Cubic`` and ``Sinh``
            are taken device by device.
    """

    topology: Topology
    weights: tuple[float, ...]
    conduction: Conduction

    def contrast(self, terms: Sequence[Term]) -> Floats:
        """See :meth:`hil.energy.EnergyModel.contrast`."""
        parts = []
        for group, weight in zip(self.topology.groups, self.weights, strict=True):
            if isinstance(group, Crossbar) and isinstance(self.conduction, _Separable):
                part = _crossbar_contrast(self.conduction, group, terms)
            else:
                part = self._edge_contrast(*group.ends(), terms)
            parts.append(part if weight == 1.0 else part.dtype.type(weight) * part)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def local_gradient_volts2(self, drop_volts: Floats) -> Floats:
        """``dE/dg`` of a device, without weight, at drops of any shape: what contrasts sum."""
        return self.conduction.energy_gradient_volts2(np.asarray(drop_volts, np.float64), _ONE)

    def _edge_contrast(self, tails: IntArray, heads: IntArray, terms: Sequence[Term]) -> Floats:
        """Example by example, so that memory stays at the number of devices."""
        balanced = is_balanced(terms)
        first = terms[0].node_volts
        total = np.zeros(tails.size, first.dtype)
        base = np.zeros(tails.size)
        for b in range(len(first)):
            if balanced:
                base = _drops(first[b], tails, heads)
            for term in terms[1:] if balanced else terms:
                drop = _drops(term.node_volts[b], tails, heads)
                rise = self.conduction.energy_gradient_rise_volts2(base, drop, _ONE)
                total += (term.coefficient * rise).astype(total.dtype)
        return total


def _drops(volts: Floats, tails: IntArray, heads: IntArray) -> NDArray[np.float64]:
    """(n_devices,) of one example."""
    wide = volts.astype(np.float64)
    drops: NDArray[np.float64] = wide[tails] - wide[heads]
    return drops


def _crossbar_contrast(conduction: _Separable, group: Crossbar, terms: Sequence[Term]) -> Floats:
    """(n_devices,) of one crossbar; phases as differences from the first one or from 0 V."""
    balanced = is_balanced(terms)
    first = terms[0].node_volts
    s0, v0 = _columns(first, group.tails), _columns(first, group.heads)
    if not balanced:
        s0, v0 = np.zeros_like(s0), np.zeros_like(v0)
    shape = (group.tails.size, group.heads.size)
    pairs: list[_Pair] = []
    held: list[Floats] | None = None
    for term in terms[1:] if balanced else terms:
        c = first.dtype.type(term.coefficient)
        s, v = _columns(term.node_volts, group.tails), _columns(term.node_volts, group.heads)
        if np.array_equal(s, s0):
            # Sourced lines: factors of the rows are the same for all phases.
            columns = _held(conduction, c, v0, v)
            if held is not None:
                columns = [a + b for a, b in zip(held, columns, strict=True)]
            held = columns
        else:
            pairs += _moving(conduction, c, s0, s, v0, v)
    if held is not None:
        pairs += zip(_powers(conduction, s0), held, strict=True)
    if not pairs:
        return np.zeros(shape[0] * shape[1], first.dtype)
    rows = np.concatenate([row for row, _ in pairs])
    product: Floats = rows.T @ np.concatenate([column for _, column in pairs])
    return product.ravel()


def _columns(volts: Floats, nodes: IntArray) -> Floats:
    """``volts[:, nodes]`` without a copy where the nodes are consecutive."""
    first, last = int(nodes[0]), int(nodes[-1])
    if last - first + 1 == nodes.size and np.all(np.diff(nodes) == 1):
        return volts[:, first : last + 1]
    return volts[:, nodes]


def _powers(conduction: _Separable, s: Floats) -> list[Floats]:
    """Factors of rows that do not move, in the order of :func:`_held`."""
    one = np.ones((1, s.shape[1]), s.dtype)
    match conduction:
        case Linear() | Cubic(per_volt2=0):
            return [one, s]
        case Cubic():
            square = s * s
            return [one, s, square, square * s]
        case Sinh(per_volt=b):
            x = s.dtype.type(b) * s
            return [np.sinh(x), np.cosh(x)]


def _held(conduction: _Separable, c: np.floating, v0: Floats, v: Floats) -> list[Floats]:
    """Column factors of ``c (e_k - e_0)`` summed as :func:`_powers` are, rows at rest."""
    half = v.dtype.type(0.5)
    dv, mv = v - v0, half * (v + v0)
    match conduction:
        case Linear() | Cubic(per_volt2=0):
            return [_total(c * dv * mv), -c * dv]
        case Cubic(per_volt2=a_):
            a = v.dtype.type(a_)
            three, quarter = v.dtype.type(3), v.dtype.type(0.25)
            square, small = mv * mv, quarter * dv * dv
            cdv = c * dv
            return [
                _total(cdv * mv * (1 + a * (square + small))),
                -cdv * (1 + a * (three * square + small)),
                three * a * cdv * mv,
                -a * cdv,
            ]
        case Sinh(per_volt=b):
            x, y = v.dtype.type(b) * mv, half * v.dtype.type(b) * dv
            small = v.dtype.type(2.0 / (b * b)) * c * np.sinh(y)
            return [-np.cosh(x) * small, np.sinh(x) * small]


def _total(values: Floats) -> Floats:
    """Sum over the batch, (1, n), as the factor of rows of ones."""
    total: Floats = values.sum(axis=0, keepdims=True)
    return total


def _moving(
    conduction: _Separable, c: np.floating, s0: Floats, s: Floats, v0: Floats, v: Floats
) -> list[_Pair]:
    """Pairs of factors of ``c (e_k - e_0)`` where rows and columns move."""
    half = v.dtype.type(0.5)
    ds, ms, dv, mv = s - s0, half * (s + s0), v - v0, half * (v + v0)
    match conduction:
        case Linear():
            return _cubic_pairs(v.dtype.type(0), c, ds, ms, dv, mv)
        case Cubic(per_volt2=a):
            return _cubic_pairs(v.dtype.type(a), c, ds, ms, dv, mv)
        case Sinh(per_volt=b):
            return _sinh_pairs(b, c, ds, ms, dv, mv)


def _cubic_pairs(
    a: np.floating, c: np.floating, ds: Floats, ms: Floats, dv: Floats, mv: Floats
) -> list[_Pair]:
    """Binomial expansion; every term has a factor ``ds`` or ``dv``."""
    kind = type(a)
    q, three, one = kind(0.25) * a, kind(3), kind(1)
    row_ones, column_ones = np.ones((1, ms.shape[1]), ms.dtype), np.ones((1, mv.shape[1]), mv.dtype)
    rows = c * ds * ms * (one + a * ms * ms + q * ds * ds)
    columns = c * dv * mv * (one + a * mv * mv + q * dv * dv)
    pairs = [
        (_total(rows), column_ones),
        (row_ones, _total(columns)),
        (c * ds, -mv * (one + a * mv * mv + three * q * dv * dv)),
        (ms, -c * dv * (one + three * a * mv * mv + q * dv * dv)),
    ]
    if a == 0:
        return pairs
    return [
        *pairs,
        (c * ds * ms, three * a * mv * mv + three * q * dv * dv),
        (c * ds * ms * ms, -three * a * mv),
        (ms * ms, three * a * c * mv * dv),
        (ms * ms * ms, -a * c * dv),
        (c * ds * ds * ms, -three * q * dv),
        (c * ds * ds, three * q * mv * dv),
        (c * ds * ds * ds, -q * mv),
    ]


def _sinh_pairs(
    b_: float, c: np.floating, ds: Floats, ms: Floats, dv: Floats, mv: Floats
) -> list[_Pair]:
    """``sinh(b m) sinh(b d / 2)`` by the theorems of addition."""
    b = ms.dtype.type(b_)
    half, scale = ms.dtype.type(0.5), ms.dtype.type(2.0 / (b_ * b_)) * c
    sinh_s, cosh_s = np.sinh(b * ms), np.cosh(b * ms)
    sinh_v, cosh_v = np.sinh(b * mv), np.cosh(b * mv)
    small_s, near_s = scale * np.sinh(half * b * ds), scale * np.cosh(half * b * ds)
    small_v, near_v = np.sinh(half * b * dv), np.cosh(half * b * dv)
    return [
        (sinh_s * small_s, cosh_v * near_v),
        (sinh_s * near_s, -cosh_v * small_v),
        (cosh_s * small_s, -sinh_v * near_v),
        (cosh_s * near_s, sinh_v * small_v),
    ]
