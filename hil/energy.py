r"""Local energies: the term of the co-content that each device's own drops determine.

For a linear resistor the pseudo-power is ``g dV^2 / 2`` (thesis eq. 4.6), so its derivative
with respect to ``g`` is ``dV^2 / 2`` (proof of Theorem 4.2).  Estimators only ever need
weighted sums of such terms over phases, summed over the batch; those are of low rank in a
crossbar and never need an array of size batch times devices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from hil.arrays import Floats, IntArray
from hil.topology import Crossbar, Topology

__all__ = ["EnergyModel", "Factors", "ResistorEnergy", "Term", "contrast_factors", "is_balanced"]


@dataclass(frozen=True, slots=True)
class Term:
    """One settled phase and its weight in an estimate.

    Attributes:
        coefficient: weight, 1/siemens for a gradient estimate (it carries the 1/beta).
        node_volts: (batch, n_nodes).
    """

    coefficient: float
    node_volts: Floats


def is_balanced(terms: Sequence[Term]) -> bool:
    """Whether the coefficients sum to zero, so that only differences of phases matter."""
    coefficients = [term.coefficient for term in terms]
    return abs(sum(coefficients)) <= 1e-9 * max(map(abs, coefficients))


class EnergyModel(Protocol):
    """What a substrate's spec knows about its devices' local energies."""

    def contrast(self, terms: Sequence[Term]) -> Floats:
        """Batch-summed ``sum_k c_k dE/dtheta(phase k)`` for every device, (n_devices,)."""
        ...

    def local_gradient_volts2(self, drop_volts: Floats) -> Floats:
        """``dE/dtheta`` of one device at drops of any shape, without its group's weight."""
        ...


@dataclass(frozen=True, slots=True)
class Factors:
    """``row + column + R^T C`` of one crossbar, the low-rank form of a contrast.

    Attributes:
        row: (n_rows,) volts^2 times the terms' unit.
        column: (n_columns,).
        row_factors: (rank, n_rows).
        column_factors: (rank, n_columns).
    """

    row: Floats
    column: Floats
    row_factors: Floats
    column_factors: Floats

    def dense(self) -> Floats:
        """The full (n_rows, n_columns) matrix."""
        product: Floats = self.row_factors.T @ self.column_factors
        return product + self.row[:, None] + self.column


def contrast_factors(group: Crossbar, terms: Sequence[Term], clamped: bool = False) -> Factors:
    r"""Low-rank form of ``sum_k c_k sum_b 1/2 (V[tail] - V[head])^2``.

    Phases differ by far less than they measure, so squares are never subtracted.  With ``d``
    the difference of a phase from the first one and ``m`` their mean,

    .. math:: \tfrac12[(s_k - v_k)^2 - (s_0 - v_0)^2] = (ds - dv)(m_s - m_v).

    Coefficients that do not sum to zero are referred to the state of all zeros instead.

    Args:
        group: the crossbar.
        terms: phases and coefficients.
        clamped: the rows have the same voltages in every phase (sourced lines), which
            leaves one outer product an example instead of two a phase.
    """
    columns = group.heads
    rows = group.tails
    balanced = is_balanced(terms)
    first = terms[0].node_volts
    dtype = first.dtype
    s0, v0 = _columns(first, rows), _columns(first, columns)
    if not balanced:
        s0, v0 = np.zeros_like(s0), np.zeros_like(v0)
    row = np.zeros(rows.size, dtype)
    column = np.zeros(columns.size, dtype)
    row_factors: list[Floats] = []
    column_factors: list[Floats] = []
    joint = np.zeros_like(v0)
    for term in terms[1:] if balanced else terms:
        c = dtype.type(term.coefficient)
        v = _columns(term.node_volts, columns)
        dv = c * (v - v0)
        mv = dtype.type(0.5) * (v + v0)
        column += np.einsum("bj,bj->j", dv, mv)
        if clamped and balanced:
            joint -= dv
            continue
        s = _columns(term.node_volts, rows)
        ds = c * (s - s0)
        ms = dtype.type(0.5) * (s + s0)
        row += np.einsum("bi,bi->i", ds, ms)
        row_factors += [ds, ms]
        column_factors += [-mv, -dv]
    if clamped and balanced:
        row_factors, column_factors = [s0], [joint]
    return Factors(row, column, np.concatenate(row_factors), np.concatenate(column_factors))


def _columns(volts: Floats, nodes: IntArray) -> Floats:
    """``volts[:, nodes]`` without a copy where the nodes are consecutive."""
    first, last = int(nodes[0]), int(nodes[-1])
    if last - first + 1 == nodes.size:
        return volts[:, first : last + 1]
    return volts[:, nodes]


@dataclass(frozen=True, eq=False)
class ResistorEnergy:
    r"""Energy of linear resistors, weighted where amplifiers stand between layers.

    With bidirectional amplifiers (thesis 4.4.2) Kirchhoff's laws are the stationarity of
    ``sum_l w_l E_l`` with ``w_l`` the product of ``B/A`` over the amplifiers before crossbar
    ``l``; the nudge acts with the weight of the last one, so the loss gradient is
    ``w_l / w_last`` times what the drops of crossbar ``l`` say.

    Attributes:
        topology: the device graph.
        weights: one factor a group, ``w_l / w_last``; all 1 without amplifiers.
    """

    topology: Topology
    weights: tuple[float, ...]

    def contrast(self, terms: Sequence[Term]) -> Floats:
        """See :meth:`EnergyModel.contrast`; eq. (4.13) for one-sided coefficients."""
        parts = []
        for group, weight in zip(self.topology.groups, self.weights, strict=True):
            if isinstance(group, Crossbar):
                part = contrast_factors(group, terms).dense().ravel()
            else:
                part = _edge_contrast(group.tails, group.heads, terms)
            parts.append(part.dtype.type(weight) * part)
        return np.concatenate(parts)

    def local_gradient_volts2(self, drop_volts: Floats) -> Floats:
        """See :meth:`EnergyModel.local_gradient_volts2`; eq. (4.6)."""
        return np.asarray(0.5 * np.square(drop_volts))


def _edge_contrast(tails: IntArray, heads: IntArray, terms: Sequence[Term]) -> Floats:
    """Example by example, so that memory stays at the number of devices."""
    balanced = is_balanced(terms)
    first = terms[0].node_volts
    total = np.zeros(tails.size, first.dtype)
    for b in range(len(first)):
        base = first[b, tails] - first[b, heads] if balanced else total.dtype.type(0)
        for term in terms[1:] if balanced else terms:
            drop = term.node_volts[b, tails] - term.node_volts[b, heads]
            total += total.dtype.type(0.5 * term.coefficient) * (drop - base) * (drop + base)
    return total
