"""What goes to a substrate and what comes back: drives, settled states, comparisons."""

from __future__ import annotations

from dataclasses import dataclass

from hil.arrays import BoolArray, Floats, IntArray

__all__ = ["Comparisons", "Drive", "Settled"]


@dataclass(frozen=True, slots=True)
class Drive:
    """Electrical boundary conditions of a batch.

    Attributes:
        input_volts: (batch, n_inputs), float32 or float64.
        nudge_amps: (batch, n_outputs) injected into the outputs; None in a free phase,
            where the sources are open circuits (thesis 4.4.4).
    """

    input_volts: Floats
    nudge_amps: Floats | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """Steady states of a batch, as one sample-and-hold per node kept them.

    Attributes:
        node_volts: (batch, n_nodes).
        ok: (batch,) the example settled and no source was in compliance.
    """

    node_volts: Floats
    ok: BoolArray


@dataclass(frozen=True, slots=True)
class Comparisons:
    """Batch-summed comparator outcomes.

    Attributes:
        votes: (n_devices,) sum over examples of +1 (second absolute drop larger), -1, or 0
            (inside the dead zone).
        ok: (batch,) examples that took part.
    """

    votes: IntArray
    ok: BoolArray
