"""Description of a layered circuit: what is soldered, not what is programmed."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from sim_backend.layered.neurons import Floats, IdealDiodes, Linear, Neurons, ShockleyPairs

__all__ = ["Layer", "LayeredCircuit"]


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of floating nodes and the crossbar that feeds it.

    Attributes:
        size: number of nodes ``n``.
        neurons: what hangs between each node and ground.
        clamped: (start, stop) of the sourced input lines that are rows of this crossbar,
            below the rows driven by the previous layer.
        forward_gain: ``A`` of each node's bidirectional amplifier, shape (n,).
        backward_gain: ``B``, shape (n,): current fed back per current drawn (thesis 4.4.2).
            One without amplifier has ``A = B = 1``.
        forward_offset_volts: ``o``, shape (n,), referred to the amplifier's input: the next
            crossbar is driven at ``A (v + o)``.  None for no offset anywhere; of the last layer,
            which drives nothing, it counts as little as the gains do.
    """

    size: int
    neurons: Neurons
    clamped: tuple[int, int]
    forward_gain: Floats
    backward_gain: Floats
    forward_offset_volts: Floats | None = None

    @property
    def shift_volts(self) -> Floats | None:
        """(n,) ``A o``, what the offsets add to amplifiers' outputs; None if they are all zero."""
        offsets = self.forward_offset_volts
        if offsets is None or not np.any(offsets):
            return None
        shift: Floats = self.forward_gain * offsets
        return shift


@dataclass(frozen=True, slots=True)
class LayeredCircuit:
    """A stack of crossbars; the last layer is the output.

    Attributes:
        n_inputs: sourced lines, bias lines included.
        layers: hidden layers, then the output layer.
    """

    n_inputs: int
    layers: tuple[Layer, ...]

    def __post_init__(self) -> None:
        """Check that the parts fit together.

        Raises:
            ValueError: a layer is empty, a window or gain array has the wrong length, an
                amplifier would make the co-content non-convex, or the first layer is not fed.
        """
        if not self.layers:
            raise ValueError("a layered circuit needs at least one layer of floating nodes")
        for index, layer in enumerate(self.layers):
            if layer.size < 1:
                raise ValueError(f"layer {index + 1} has no nodes")
            start, stop = layer.clamped
            if not 0 <= start <= stop <= self.n_inputs:
                raise ValueError(f"layer {index + 1} takes input lines that do not exist")
            arrays = [layer.forward_gain, layer.backward_gain, *_given_arrays(layer.neurons)]
            offsets = layer.forward_offset_volts
            if offsets is not None:
                arrays.append(offsets)
                if not np.isfinite(offsets).all():
                    raise ValueError(f"layer {index + 1}: amplifier offsets must be finite")
            if any(np.shape(a) != (layer.size,) for a in arrays):
                raise ValueError(f"layer {index + 1}: parameters must have shape ({layer.size},)")
            if not (np.all(layer.forward_gain > 0) and np.all(layer.backward_gain > 0)):
                raise ValueError(f"layer {index + 1}: amplifier gains must be positive")
        if self.layers[0].clamped[0] == self.layers[0].clamped[1]:
            raise ValueError("the first layer has no input lines")

    @property
    def block_shapes(self) -> tuple[tuple[int, int], ...]:
        """Rows and columns of each crossbar."""
        shapes = []
        previous = 0
        for layer in self.layers:
            shapes.append((previous + layer.clamped[1] - layer.clamped[0], layer.size))
            previous = layer.size
        return tuple(shapes)

    @property
    def n_devices(self) -> int:
        """Number of programmable resistors."""
        return sum(rows * columns for rows, columns in self.block_shapes)


def _given_arrays(neurons: Neurons) -> list[Floats]:
    found = [getattr(neurons, field.name) for field in fields(neurons)]
    return [array for array in found if array is not None]


def neuron_arrays(layer: Layer) -> Floats:
    """The layer's lower, upper, saturation and thermal parameters as kernels take them, (4, n).

    Kernels know pairs of equal diodes, see :func:`diode_amps` for what is left of others.
    """
    inf = np.full(layer.size, np.inf)
    one = np.ones(layer.size)
    match layer.neurons:
        case Linear():
            return np.stack([-inf, inf, one, one])
        case IdealDiodes(lower_volts=lower, upper_volts=upper):
            return np.stack([lower, upper, one, one])
        case ShockleyPairs() as given:
            pair, _ = given.symmetric()
            return np.stack(
                [pair.lower_volts, pair.upper_volts, pair.saturation_amps, pair.thermal_volts]
            )


def diode_amps(layer: Layer) -> Floats | None:
    """(n,) constant currents that pairs of unequal diodes push into their nodes, if any do."""
    return layer.neurons.symmetric()[1] if isinstance(layer.neurons, ShockleyPairs) else None
