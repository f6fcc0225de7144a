"""Levels of the input lines, worked out once for all phases of a batch."""

from __future__ import annotations

import numpy as np

from hil.arrays import Floats, is_frozen
from sim_backend.board.converters import Sources

__all__ = ["Lines"]


class Lines:
    """Input sources that remember what they were last asked for.

    Args:
        sources: of the lines.
    """

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self._given: Floats | None = None
        nothing: Floats = np.zeros((0, 0))
        self._nominal = self._constant = nothing

    @property
    def is_exact(self) -> bool:
        """Whether what is asked for is what is applied."""
        return self.sources.is_exact and not self.sources.noise

    def levels(self, given: Floats) -> tuple[Floats, Floats]:
        """What the codes for (batch, n_inputs) volts stand for, and what is applied but for noise.

        The latter cannot be written to, so that those who see it again can tell.
        """
        if self.sources.is_exact:
            return given, given
        known = self._given
        if known is not given and not (
            known is not None and known.dtype == given.dtype and np.array_equal(known, given)
        ):
            self._nominal = self.sources.nominal(given)
            constant = self.sources.constant(self._nominal)
            constant.setflags(write=False)
            self._constant = constant
            self._given = given if is_frozen(given) else given.copy()
        return self._nominal, self._constant
