"""Kirchhoff's laws of a crossbar written out node by node, solved without the solver's help."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Drawn:
    """A crossbar: conductances and wire resistances, all (rows, cols)."""

    siemens: Floats
    word_ohms: Floats
    bit_ohms: Floats

    @property
    def shape(self) -> tuple[int, int]:
        return self.siemens.shape


def drawn(rows: int, cols: int, seed: int, decades: float = 2.0, open_share: float = 0.0) -> Drawn:
    random = np.random.default_rng(seed)
    siemens = 10.0 ** random.uniform(-3.0 - decades, -3.0, (rows, cols))
    siemens[random.random((rows, cols)) < open_share] = 0.0
    word, bit = (10.0 ** random.uniform(-1.0, 1.0, (rows, cols)) for _ in range(2))
    return Drawn(siemens, word, bit)


def edges(array: Drawn) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """Both ends and the resistance of every wire segment.

    Nodes: those of word lines row by row, those of bit lines, drivers, column ends.
    """
    n, m = array.shape
    word = np.arange(n * m).reshape(n, m)
    bit = word + n * m
    driver, end = 2 * n * m + np.arange(n), 2 * n * m + n + np.arange(m)
    before = np.concatenate([driver[:, None], word[:, :-1]], axis=1)
    after = np.concatenate([bit[1:], end[None]], axis=0)
    one = np.concatenate([before.ravel(), bit.ravel()])
    two = np.concatenate([word.ravel(), after.ravel()])
    return one, two, np.concatenate([array.word_ohms.ravel(), array.bit_ohms.ravel()])


def laplacian(array: Drawn) -> Floats:
    """Node admittance matrix of inner nodes, then ports; wires above 0 Ohm."""
    n, m = array.shape
    one, two, ohms = edges(array)
    devices = np.arange(n * m)
    heads, tails = np.concatenate([one, devices]), np.concatenate([two, devices + n * m])
    siemens = np.concatenate([1.0 / ohms, array.siemens.ravel()])
    y = np.zeros((2 * n * m + n + m,) * 2)
    np.add.at(y, (heads, tails), -siemens)
    np.add.at(y, (tails, heads), -siemens)
    y[np.diag_indices_from(y)] = -y.sum(axis=1)
    return y


def dense(array: Drawn, port_volts: Floats) -> tuple[Floats, Floats, Floats]:
    """Word and bit planes and port currents by a dense solve."""
    n, m = array.shape
    y = laplacian(array)
    k = 2 * n * m
    inner = -np.linalg.solve(y[:k, :k], y[:k, k:] @ port_volts.T)
    amps = (y[k:, :k] @ inner + y[k:, k:] @ port_volts.T).T
    planes = inner.T.reshape(len(port_volts), 2, n, m)
    return planes[:, 0], planes[:, 1], amps


def exact(array: Drawn, row_volts: Floats) -> tuple[list[list[float]], list[float]]:
    """Node voltages of both planes, flat, and column currents of one example, exactly.

    Rational numbers throughout; nodes joined by wires of 0 Ohm are one node.
    """
    n, m = array.shape
    one, two, ohms = edges(array)
    name = list(range(2 * n * m + n + m))

    def root(k: int) -> int:
        while name[k] != k:
            k = name[k]
        return k

    for a, b, r in zip(one, two, ohms, strict=True):
        if r == 0.0:
            low, high = sorted((root(int(a)), root(int(b))))
            name[low] = high
    known = {root(2 * n * m + i): Fraction(float(v)) for i, v in enumerate(row_volts)}
    known |= {root(2 * n * m + n + j): Fraction(0) for j in range(m)}
    free = sorted({root(k) for k in range(2 * n * m)} - set(known))
    at = {k: i for i, k in enumerate(free)}
    rows: list[dict[int, Fraction]] = [{} for _ in free]
    right = [Fraction(0) for _ in free]
    branches = [
        (int(a), int(b), 1 / Fraction(float(r)))
        for a, b, r in zip(one, two, ohms, strict=True)
        if r > 0.0
    ]
    devices = [
        (k, k + n * m, Fraction(float(g))) for k, g in enumerate(array.siemens.ravel()) if g > 0.0
    ]
    for a, b, g in branches + devices:
        for x, y in ((root(a), root(b)), (root(b), root(a))):
            if x == y or x not in at:
                continue
            row = rows[at[x]]
            row[at[x]] = row.get(at[x], Fraction(0)) + g
            if y in at:
                row[at[y]] = row.get(at[y], Fraction(0)) - g
            else:
                right[at[x]] += g * known[y]
    solved = _eliminate(rows, right)
    volts = {**known, **{k: solved[i] for k, i in at.items()}}
    planes = [[float(volts[root(k)]) for k in range(s, s + n * m)] for s in (0, n * m)]
    amps = [Fraction(0)] * m
    for k, k_bit, g in devices:
        amps[k % m] += g * (volts[root(k)] - volts[root(k_bit)])
    return planes, [float(x) for x in amps]


def _eliminate(rows: list[dict[int, Fraction]], right: list[Fraction]) -> list[Fraction]:
    n = len(rows)
    for k in range(n):
        pivot = rows[k]
        for i in [i for i in pivot if i > k]:
            share = rows[i].pop(k) / pivot[k]
            for j, value in pivot.items():
                if j > k:
                    rows[i][j] = rows[i].get(j, Fraction(0)) - share * value
            right[i] -= share * right[k]
    found = [Fraction(0)] * n
    for k in range(n - 1, -1, -1):
        rest = sum((rows[k][j] * found[j] for j in rows[k] if j > k), Fraction(0))
        found[k] = (right[k] - rest) / rows[k][k]
    return found
