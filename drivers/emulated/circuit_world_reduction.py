"""From nets, closed switches and conductances to a few ports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from drivers.emulated.circuit_world_stamps import Amplifiers, Ports, eliminate

__all__ = ["Network", "Reduction", "reduce"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_REFERENCE_SIEMENS = 1.0


@dataclass(frozen=True, slots=True)
class Network:
    """Everything between nets at present; nets are numbered from 0, which is ground.

    Attributes:
        n_nets: ground included.
        wires: tails and heads of what is closed without resistance.
        conductances: tails, heads and siemens.
        ends: tails and heads of branches.
        sources: (n_branches,) which can drive a current through a circuit at rest.
        amplifiers: near and far nets, forward and backward gains.
        kept: nets that must be ports.
        held: nets that a source without a limit ties to ground.
        leak_siemens: of every net to ground.
    """

    n_nets: int
    wires: tuple[Ints, Ints]
    conductances: tuple[Ints, Ints, Floats]
    ends: tuple[Ints, Ints]
    sources: Bools
    amplifiers: tuple[Ints, Ints, Floats, Floats]
    kept: Ints
    held: Ints
    leak_siemens: float


@dataclass(frozen=True, slots=True)
class Reduction:
    """A network seen from its ports.

    Nets that closed switches join are one; what no source can reach rests at 0 V and is left out.

    Attributes:
        ports: conductances between them.
        tail: (n_branches,) port, -1 for ground.
        head: likewise.
        amplifiers: those that are in use.
        in_use: their places among all.
        port: (n_nets,) port of each net, -1 where it is none.
        representative: (p,) a net of each port.
        label: (n_nets,) number of the joined net that each net is part of.
        place: (n_nets,) row of ``follow``; its last row is 0 V.
        follow: (m + 1, p) voltage of each joined net per volt at each port.
    """

    ports: Ports
    tail: Ints
    head: Ints
    amplifiers: Amplifiers
    in_use: Ints
    port: Ints
    representative: Ints
    label: Ints
    place: Ints
    follow: Floats

    def volts(self, port_volts: Floats) -> Floats:
        """(n_nets,) voltages of all nets from those (p,) of the ports."""
        found: Floats = (self.follow @ port_volts)[self.place]
        return found


def reduce(network: Network) -> Reduction:
    """Join, leave out and eliminate."""
    label = _joined(network.n_nets, *network.wires)
    ground = int(label[0])
    tails, heads, siemens = network.conductances
    tails, heads = label[tails], label[heads]
    useful = (tails != heads) & (siemens > 0.0)
    tails, heads, siemens = tails[useful], heads[useful], siemens[useful]
    branch_tails, branch_heads = label[network.ends[0]], label[network.ends[1]]
    near, far = label[network.amplifiers[0]], label[network.amplifiers[1]]
    n = int(label.max()) + 1
    together = _components(
        n,
        ground,
        np.concatenate([tails, branch_tails, near]),
        np.concatenate([heads, branch_heads, far]),
    )
    driven = np.zeros(together.max() + 1, np.bool_)
    for ends in (branch_tails, branch_heads):
        driven[together[ends[network.sources]]] = True
    driven[together[ground]] = False
    live = driven[together]
    live[ground] = False
    is_port = np.zeros(n, np.bool_)
    for nets in (branch_tails, branch_heads, near, far, label[network.kept]):
        is_port[nets] = True
    is_port &= live
    place = np.full(n, -1, np.int64)
    inner, outer = np.flatnonzero(live & ~is_port), np.flatnonzero(is_port)
    order = np.concatenate([inner, outer])
    place[order] = np.arange(order.size)
    g, to_ground = _matrices(place, ground, tails, heads, siemens, network.leak_siemens)
    floating = _floating(
        together,
        ground,
        [(tails, heads), (branch_tails, branch_heads)],
        (near, far),
    )[order]
    _refer(floating, together[order], inner.size, to_ground)
    follow = eliminate(g, to_ground, inner.size)
    _centre(follow, floating, together[order])
    port = np.where(place >= inner.size, place - inner.size, -1)
    in_use = np.flatnonzero(live[near] | live[far])
    amplifiers = Amplifiers(
        port[near][in_use], port[far][in_use], *(gain[in_use] for gain in network.amplifiers[2:])
    )
    tail, head = port[branch_tails], port[branch_heads]
    first = inner.size
    g = np.ascontiguousarray(g[first:, first:])
    weight = _weights(g, tail, head, amplifiers, port[label[network.held]])
    representative = np.zeros(outer.size, np.int64)
    found = port[label]
    representative[found[found >= 0]] = np.flatnonzero(found >= 0)
    padded = np.concatenate([follow, np.zeros((1, outer.size))])
    return Reduction(
        Ports(g, to_ground[first:].copy(), weight),
        tail,
        head,
        amplifiers,
        in_use,
        found,
        representative,
        label,
        np.where(place >= 0, place, order.size)[label],
        padded,
    )


@njit(cache=True, error_model="numpy")
def _joined(n: int, tails: Ints, heads: Ints) -> Ints:
    """(n,) number of the part of a graph that each node is in, parts by their first node."""
    first = np.arange(n)
    for tail, head in zip(tails, heads):  # noqa: B905 - compiled
        one, other = tail, head
        while first[one] != one:
            first[one] = first[first[one]]
            one = first[one]
        while first[other] != other:
            first[other] = first[first[other]]
            other = first[other]
        first[max(one, other)] = min(one, other)
    label, count = np.empty(n, np.int64), 0
    for node in range(n):
        if first[node] == node:
            label[node] = count
            count += 1
        else:
            label[node] = label[first[node]]
    return label


def _components(n: int, ground: int, tails: Ints, heads: Ints) -> Ints:
    """Number of the part of the circuit that each net is in; ground holds nothing together."""
    inside = (tails != ground) & (heads != ground)
    return _joined(n, tails[inside], heads[inside])


def _matrices(
    place: Ints, ground: int, tails: Ints, heads: Ints, siemens: Floats, leak: float
) -> tuple[Floats, Floats]:
    """Conductances between live nets, and from them to ground."""
    n = int(place.max(initial=-1)) + 1
    g, to_ground = np.zeros((n, n)), np.full(n, leak)
    at_tail, at_head = place[tails], place[heads]
    inside = (at_tail >= 0) & (at_head >= 0)
    np.add.at(g, (at_tail[inside], at_head[inside]), siemens[inside])
    g += g.T.copy()
    for ends, others in ((at_tail, heads), (at_head, tails)):
        down = (ends >= 0) & (others == ground)
        np.add.at(to_ground, ends[down], siemens[down])
    return g, to_ground


def _floating(
    together: Ints,
    ground: int,
    ends: Sequence[tuple[Ints, Ints]],
    against_ground: Sequence[Ints],
) -> Bools:
    """Of each joined net, whether nothing but leakage leads from its part to ground."""
    tied = np.zeros(int(together.max()) + 1, np.bool_)
    for tails, heads in ends:
        tied[together[tails[heads == ground]]] = True
        tied[together[heads[tails == ground]]] = True
    for nets in against_ground:
        tied[together[nets]] = True
    return ~tied[together]


def _refer(floating: Bools, part: Ints, n_inner: int, to_ground: Floats) -> None:
    """Refer each floating part to one of its ports.

    Its leakage is so small that rounding would move all of it; hardly any current flows through
    what leads nowhere else, so that any conductance does.
    """
    for one in np.unique(part[floating]).tolist():
        ports = np.flatnonzero((part == one) & (np.arange(part.size) >= n_inner))
        to_ground[ports[0]] += _REFERENCE_SIEMENS


def _centre(follow: Floats, floating: Bools, part: Ints) -> None:
    """Shift each floating part to where its leakages to ground add up to nothing."""
    for one in np.unique(part[floating]).tolist():
        nets = part == one
        follow[nets] -= follow[nets].mean(0)


def _weights(g: Floats, tail: Ints, head: Ints, amplifiers: Amplifiers, held: Ints) -> Floats:
    """(p,) weights with which the circuit has a co-content.

    Behind an amplifier currents count B/A times as much as before it, since
    ``i_in = B i_out`` and ``v_out = A v_in``. A loop of amplifiers may have no such weights;
    what is returned then is those along some path.
    """
    weight = np.ones(len(g))
    if not amplifiers.near.size or not len(g):
        return weight
    inside = (tail >= 0) & (head >= 0)
    rows, columns = np.nonzero(g)
    tails = np.concatenate([rows, tail[inside]])
    heads = np.concatenate([columns, head[inside]])
    # What leads to a held net leads as good as to ground: it holds nothing together.
    free = ~(np.isin(tails, held) | np.isin(heads, held))
    part = _joined(len(g), tails[free], heads[free])
    factor = np.full(int(part.max()) + 1, np.nan)
    steps = [
        (part[near], part[far], abs(back / forward))
        for near, far, forward, back in zip(*amplifiers, strict=True)
        if near >= 0 and far >= 0 and forward != 0.0 and back != 0.0
    ]
    while np.isnan(factor).any():
        factor[np.flatnonzero(np.isnan(factor))[0]] = 1.0
        grew = True
        while grew:
            grew = False
            for before, behind, ratio in steps:
                known = ~np.isnan(factor[[before, behind]])
                if known.all() or not known.any():
                    continue
                if known[0]:
                    factor[behind] = factor[before] * ratio
                else:
                    factor[before] = factor[behind] / ratio
                grew = True
    return np.asarray(factor[part])
