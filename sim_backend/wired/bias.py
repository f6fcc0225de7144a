"""What lines with resistance do to an estimate that is made from their ends alone.

The controller knows the voltages at the ends of lines.  The current through the lines makes the
drop across a device smaller than the one between the ends of its lines, so that the estimate
``dV_nudged^2 - dV_free^2`` differs from what the devices themselves could say.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim_backend.wired.network import WiredNetwork

__all__ = ["GroupBias", "WireBias", "measure", "own_contrast"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class GroupBias:
    """One group of devices, that is one crossbar.

    Attributes:
        drop_error: rms over devices and examples of the line-end drop minus the device's own, in
            the free phase, relative to the rms of the device's own; without unit.
        cosine: of the batch-summed contrasts ``sum (dV_nudged^2 - dV_free^2) / 2`` from line ends
            and from the devices' own drops; 1 if they agree in direction, NaN if one is zero.
        norm_error: norm of their difference relative to that of the latter; without unit.
        contrast_volts2: norm of the latter over the devices, volts^2.
    """

    drop_error: float
    cosine: float
    norm_error: float
    contrast_volts2: float


@dataclass(frozen=True, slots=True)
class WireBias:
    """What a controller that sees line ends only gets wrong.

    Attributes:
        groups: one entry a group of the topology.
        examples: how many settled in both phases and took part.
    """

    groups: tuple[GroupBias, ...]
    examples: int

    def report(self) -> str:
        """Text of one line a group below a heading."""
        lines = ["crossbar  drop error  contrast: cosine  norm error"]
        lines += [
            f"{k:8d}  {100 * g.drop_error:8.3g} %  {g.cosine:16.6f}  {100 * g.norm_error:8.3g} %"
            for k, g in enumerate(self.groups)
        ]
        return "\n".join(lines)


def measure(
    network: WiredNetwork, input_volts: Floats, free: Floats, nudged: Floats
) -> tuple[GroupBias, ...]:
    """Bias of all groups.

    Args:
        network: as it was programmed when these states settled.
        input_volts: (batch, n_inputs) of both phases.
        free: (batch, n_neuron_nodes) volts.
        nudged: (batch, n_neuron_nodes) volts.
    """
    found = []
    for index, shape in enumerate(network.circuit.block_shapes):
        own, line = np.zeros(shape), np.zeros(shape)
        error = size = 0.0
        for state, change in network.drops(index, input_volts, free, nudged - free):
            error += float(np.sum((state.line - state.own) ** 2))
            size += float(np.sum(state.own**2))
            own += _half_squares(state.own, change.own)
            line += _half_squares(state.line, change.line)
        found.append(_compare(own, line, error, size))
    return tuple(found)


def own_contrast(
    network: WiredNetwork, input_volts: Floats, first: Floats, second: Floats
) -> Floats:
    """``sum (dV_second^2 - dV_first^2) / 2`` of the devices' own drops, (n_devices,) volts^2.

    Args:
        network: as it was programmed when these states settled.
        input_volts: (batch, n_inputs) of both.
        first: (batch, n_neuron_nodes) volts.
        second: (batch, n_neuron_nodes) volts.
    """
    parts = []
    for index, shape in enumerate(network.circuit.block_shapes):
        total = np.zeros(shape)
        for state, change in network.drops(index, input_volts, first, second - first):
            total += _half_squares(state.own, change.own)
        parts.append(total.ravel())
    return np.concatenate(parts)


def _half_squares(drops: Floats, change: Floats) -> Floats:
    """``((d + c)^2 - d^2) / 2`` summed over examples, without a difference of squares."""
    total: Floats = np.einsum("bij,bij->ij", change, drops + 0.5 * change)
    return total


def _compare(own: Floats, line: Floats, error: float, size: float) -> GroupBias:
    own_norm, line_norm = float(np.linalg.norm(own)), float(np.linalg.norm(line))
    return GroupBias(
        drop_error=_share(error**0.5, size**0.5),
        cosine=float(np.vdot(own, line)) / (own_norm * line_norm)
        if own_norm * line_norm
        else np.nan,
        norm_error=_share(float(np.linalg.norm(line - own)), own_norm),
        contrast_volts2=own_norm,
    )


def _share(part: float, whole: float) -> float:
    if whole == 0.0:
        return 0.0 if part == 0.0 else np.inf
    return part / whole
