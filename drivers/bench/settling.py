r"""How long nodes take to settle, and how much a meter loads them.

Devices, with diodes left out (they only help), make a network of resistors with a capacitance at
every node; the inputs are forced. With layer voltages divided by the gains before them,
:math:`u = V / A^k`, amplifiers drop out: the devices of crossbar :math:`k`, the capacitances at
its columns and what loads them count :math:`w_k = (AB)^k` times, and the output of an amplifier is
one node with its input, as :func:`drivers.bench.envelope.phase_drop_volts` has it. What is left is

.. math:: C \dot u = - G (u - u_\infty), \qquad G \text{ a Laplacian with forced nodes.}

:math:`T = G^{-1} C 1` (Elmore's delays) bounds how fast it goes. From :math:`C^{-1} G T = 1 \ge T
/ T_{max}` follows :math:`e^{-C^{-1} G t} T \le e^{-t / T_{max}} T`, and because the exponential of
such a matrix has no negative entry, a deviation of at most 1 at every node has become at most
:math:`(T_{max} / T_{min}) e^{-t / T_{max}}`. For a single node this is the exponential itself with
:math:`\tau = R C`, R the parallel resistance at the node: 9.7 :math:`\tau` for 14 bits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from drivers.bench.config import BenchConfig
from drivers.bench.network import NetworkConfig
from hil.arrays import Floats, IntArray
from hil.errors import ConfigurationError
from hil.topology import Crossbar

__all__ = ["meter_loading", "settle_seconds", "slower_seconds"]

_MOST_SLOWER = 100.0
"""Than with all devices at the lower end of their window: what is slower is no node any more."""


def settle_seconds(config: BenchConfig, conductance_siemens: Floats | None = None) -> float:
    """Time from new levels until every node has settled to ``phases.settle_tolerance``.

    Args:
        config: the bench file; its ``phases.settle_seconds`` is the answer if it has one.
        conductance_siemens: (n_devices,); None: all at the lower end of their window, which is
            the slowest network that programming may come to.

    Returns:
        Seconds; infinite if a node floats.

    Raises:
        ConfigurationError: the window begins at 0 S, and no time is given.
    """
    phases, network = config.phases, config.network
    if phases.settle_seconds is not None:
        return phases.settle_seconds
    if network.node_farads == 0.0:
        return 0.0
    if conductance_siemens is None:
        if network.g_min_siemens == 0.0:
            raise ConfigurationError(
                "how long nodes take to settle cannot be told: devices may come down to 0 S "
                "(network.g_min_siemens). Give phases.settle_seconds, or a lower end above 0"
            )
        conductance_siemens = np.full(network.topology.n_devices, network.g_min_siemens)
    reduced = _reduced(network, conductance_siemens)
    if reduced is None:
        return math.inf
    delays = reduced.ohms @ reduced.weights_at() * network.node_farads
    slowest = float(delays.max())
    return slowest * math.log(slowest / float(delays.min()) / phases.settle_tolerance)


def slower_seconds(config: BenchConfig, conductance_siemens: Floats, seconds: float) -> float:
    """What to wait once these conductances were read: longer than before, or as long.

    Never shorter, because pulses come after readings. Devices that are stuck below their window
    make nodes slower than the window promises. A node that would be slower by more than a factor
    of 100 is broken; waiting for it is of no use.

    Args:
        config: the bench file.
        conductance_siemens: (n_devices,) as read; noise may have made some of them negative.
        seconds: so far.
    """
    found = settle_seconds(config, np.maximum(conductance_siemens, 0.0))
    return max(seconds, found) if found <= _MOST_SLOWER * settle_seconds(config) else seconds


def meter_loading(
    config: BenchConfig, conductance_siemens: Floats | None, input_ohms: float
) -> float:
    """Largest relative error of a node's voltage by a meter across it, ``R / (R + R_meter)``.

    R is what the node shows the meter, the inputs forced, diodes left out.

    Args:
        config: the bench file.
        conductance_siemens: (n_devices,); None: all at the lower end of their window, the worst.
        input_ohms: of the meter.

    Returns:
        A share; 1 if a node floats.
    """
    network = config.network
    if conductance_siemens is None:
        conductance_siemens = np.full(network.topology.n_devices, network.g_min_siemens)
    reduced = _reduced(network, conductance_siemens)
    if reduced is None:
        return 1.0
    # Amps at a node of weight w are w / A^k of the scaled network, and volts come back times A^k.
    ohms = float((reduced.weights * np.diag(reduced.ohms)[reduced.places]).max())
    return ohms / (ohms + input_ohms)


@dataclass(frozen=True, eq=False, slots=True)
class _Reduced:
    """The network in the voltages ``u``.

    Attributes:
        ohms: (m, m) inverse of the conductance matrix.
        places: (n,) for each node that is no input, its row there.
        weights: (n,) its ``w``.
    """

    ohms: Floats
    places: IntArray
    weights: Floats

    def weights_at(self) -> Floats:
        """(m,) sums of the weights of all nodes at a row: capacitance in units of one node's."""
        return np.asarray(np.bincount(self.places, self.weights, len(self.ohms)), np.float64)


def _reduced(network: NetworkConfig, conductance_siemens: Floats) -> _Reduced | None:
    """The network with amplifiers taken out; None: a node floats."""
    topology, amplifiers = network.topology, network.amplifiers
    gain = 1.0
    if amplifiers is not None:
        gain = amplifiers.forward_gain * amplifiers.backward_gain
    merged = np.arange(topology.n_nodes)
    weights = np.ones(topology.n_nodes)
    matrix = np.zeros((topology.n_nodes, topology.n_nodes))
    before: IntArray | None = None
    for k, (group, part) in enumerate(zip(topology.groups, topology.slices, strict=True)):
        if not isinstance(group, Crossbar):
            raise TypeError("a bench has crossbars only")
        if before is not None:
            driven = np.setdiff1d(group.tails, topology.inputs)
            merged[driven] = before
            weights[driven] = gain**k
        weights[group.heads] = gain**k
        before = group.heads
        shape = group.tails.size, group.heads.size
        block = gain**k * np.asarray(conductance_siemens[part], np.float64).reshape(shape)
        rows, columns = merged[group.tails], merged[group.heads]
        matrix[np.ix_(rows, columns)] -= block
        matrix[np.ix_(columns, rows)] -= block.T
        matrix[rows, rows] += block.sum(axis=1)
        matrix[columns, columns] += block.sum(axis=0)
    nodes = network.read_nodes
    kept, places = np.unique(merged[nodes], return_inverse=True)
    inverse = _inverse(matrix[np.ix_(kept, kept)])
    return None if inverse is None else _Reduced(inverse, places, weights[nodes])


def _inverse(matrix: Floats) -> Floats | None:
    """Of a conductance matrix; None: a part of the network floats."""
    scale = np.diag(matrix).copy()
    if not np.all(scale > 0.0):
        return None
    scaled = matrix / scale[:, None]
    try:
        found: Floats = np.linalg.inv(scaled)
    except np.linalg.LinAlgError:
        return None
    # Rounding makes a singular matrix look regular; its inverse is none, then.
    wrong = float(np.abs(scaled @ found - np.eye(len(found))).max())
    return found / scale if wrong < 1e-6 else None
