r"""Costs at the output nodes, in volts squared, so that beta is a conductance (thesis 4.4.4).

All take output voltages (batch, n_outputs) and targets (batch, n_targets) and return the cost
of each example, its gradient with respect to each output voltage, and the scores whose largest
entry is the predicted class.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from hil.arrays import Floats

__all__ = ["Cost", "CrossEntropy", "PairedSquaredError", "SquaredError"]


class Cost(Protocol):
    """A differentiable cost of the output voltages."""

    def value(self, output_volts: Floats, targets: Floats) -> Floats:
        """(batch,) volts squared."""
        ...

    def gradient(self, output_volts: Floats, targets: Floats) -> Floats:
        """``dC/dV`` at each output, (batch, n_outputs), volts."""
        ...

    def scores(self, output_volts: Floats) -> Floats:
        """(batch, n_targets), volts."""
        ...


@dataclass(frozen=True, slots=True)
class SquaredError:
    r""":math:`C = \tfrac12 \sum_k (\hat Y_k - Y_k)^2`; one output a target, in volts."""

    def value(self, output_volts: Floats, targets: Floats) -> Floats:
        """See :class:`Cost`."""
        error = output_volts - targets
        return np.asarray(0.5 * np.einsum("bk,bk->b", error, error))

    def gradient(self, output_volts: Floats, targets: Floats) -> Floats:
        """See :class:`Cost`."""
        return output_volts - targets

    def scores(self, output_volts: Floats) -> Floats:
        """See :class:`Cost`."""
        return output_volts


@dataclass(frozen=True, slots=True)
class PairedSquaredError:
    r"""Eq. (4.15): :math:`\tfrac12 \sum_k (\hat Y_k^+ - \hat Y_k^- - Y_k)^2`.

    Outputs are all :math:`\hat Y^+`, then all :math:`\hat Y^-`.
    """

    def value(self, output_volts: Floats, targets: Floats) -> Floats:
        """See :class:`Cost`."""
        error = self.scores(output_volts) - targets
        return np.asarray(0.5 * np.einsum("bk,bk->b", error, error))

    def gradient(self, output_volts: Floats, targets: Floats) -> Floats:
        """See :class:`Cost`; its negative times beta is eq. (4.16)."""
        error = self.scores(output_volts) - targets
        return np.concatenate([error, -error], axis=1)

    def scores(self, output_volts: Floats) -> Floats:
        """Eq. (4.14)."""
        half = output_volts.shape[1] // 2
        return output_volts[:, :half] - output_volts[:, half:]


@dataclass(frozen=True, slots=True)
class CrossEntropy:
    r""":math:`C = -T^2 \sum_k Y_k \log \mathrm{softmax}(\hat Y / T)_k`, ``Y`` probabilities.

    The factor :math:`T^2` gives the cost the unit volts squared and the gradient
    :math:`T (\mathrm{softmax}(\hat Y / T) - Y)` the unit volts, as for the squared error.

    Attributes:
        softmax_volts: the scale ``T``.
        paired: scores are differences of two outputs, as in eq. (4.14).
    """

    softmax_volts: float
    paired: bool = False

    def value(self, output_volts: Floats, targets: Floats) -> Floats:
        """See :class:`Cost`."""
        z = self.scores(output_volts) / output_volts.dtype.type(self.softmax_volts)
        top = z.max(axis=1, keepdims=True)
        log_sum = top[:, 0] + np.log(np.exp(z - top).sum(axis=1))
        return np.asarray(
            self.softmax_volts**2 * (log_sum * targets.sum(axis=1) - (z * targets).sum(axis=1))
        )

    def gradient(self, output_volts: Floats, targets: Floats) -> Floats:
        """See :class:`Cost`."""
        scale = output_volts.dtype.type(self.softmax_volts)
        z = self.scores(output_volts) / scale
        e = np.exp(z - z.max(axis=1, keepdims=True))
        error = scale * (e / e.sum(axis=1, keepdims=True) - targets)
        return np.concatenate([error, -error], axis=1) if self.paired else np.asarray(error)

    def scores(self, output_volts: Floats) -> Floats:
        """See :class:`Cost`."""
        if not self.paired:
            return output_volts
        half = output_volts.shape[1] // 2
        return output_volts[:, :half] - output_volts[:, half:]
