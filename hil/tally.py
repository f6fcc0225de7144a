"""Running figures of an epoch, worked out for many small batches together."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from hil.arrays import AnyArray, BoolArray, Floats, IntArray
from hil.costs import Cost
from hil.encoding import TargetEncoder

__all__ = ["Figures", "Tally", "figures"]

_AT_ONCE = 512
"""Examples worked out together: a batch of four would cost more in calls than in arithmetic."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Sums over examples.

    Attributes:
        cost_volts2: of those that settled.
        wrong: see :meth:`hil.encoding.TargetEncoder.wrong`; an example that did not settle is
            wrong, or predicts 0.
        unsettled: how many did not settle.
        examples: how many there were.
    """

    cost_volts2: float = 0.0
    wrong: float = 0.0
    unsettled: int = 0
    examples: int = 0

    def __add__(self, other: Figures) -> Figures:
        """Sums over both."""
        return Figures(
            self.cost_volts2 + other.cost_volts2,
            self.wrong + other.wrong,
            self.unsettled + other.unsettled,
            self.examples + other.examples,
        )


def figures(
    cost: Cost, encoder: TargetEncoder, output_volts: Floats, ok: BoolArray, labels: AnyArray
) -> Figures:
    """Figures of some settled examples.

    Args:
        cost: says what a cost and a score are.
        encoder: says what a target and a wrong prediction are.
        output_volts: (n, n_outputs).
        ok: (n,) whether an example settled.
        labels: (n,) labels or (n, n_targets) values.
    """
    lost = labels[~ok]
    missing = float(len(lost)) if encoder.n_classes else float(np.sum(np.square(lost)))
    held, told = output_volts[ok], labels[ok]
    return Figures(
        float(cost.value(held, encoder.encode(told)).sum()),
        encoder.wrong(cost.scores(held), told) + missing,
        len(lost),
        len(ok),
    )


@dataclass
class Tally:
    """Gathers free states of batches and works them out by the hundred.

    Attributes:
        cost: see :func:`figures`.
        encoder: see :func:`figures`.
        labels: of the whole training part.
    """

    cost: Cost
    encoder: TargetEncoder
    labels: Floats | IntArray
    _outputs: Floats | None = field(default=None, init=False)
    _ok: BoolArray = field(default_factory=lambda: np.empty(0, np.bool_), init=False)
    _rows: IntArray = field(default_factory=lambda: np.empty(0, np.intp), init=False)
    _waiting: int = field(default=0, init=False)

    def add(self, rows: IntArray, output_volts: Floats, ok: BoolArray) -> bool:
        """Note examples by their rows of ``labels``; True when it is time to :meth:`take`."""
        start, stop = self._waiting, self._waiting + len(rows)
        if self._outputs is None or stop > len(self._outputs):
            if start:
                raise RuntimeError("take the figures before adding more")
            size = max(stop, _AT_ONCE)
            self._outputs = np.empty((size, output_volts.shape[1]), output_volts.dtype)
            self._ok, self._rows = np.empty(size, np.bool_), np.empty(size, np.intp)
        self._outputs[start:stop] = output_volts
        self._ok[start:stop] = ok
        self._rows[start:stop] = rows
        self._waiting = stop
        return stop + len(rows) > len(self._outputs)

    def take(self) -> Figures:
        """Figures of what was added since the last time."""
        n, self._waiting = self._waiting, 0
        if n == 0 or self._outputs is None:
            return Figures()
        labels = self.labels[self._rows[:n]]
        return figures(self.cost, self.encoder, self._outputs[:n], self._ok[:n], labels)
