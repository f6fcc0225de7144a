"""Mismatch of the amplifiers and diodes of a circuit of single elements."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from sim_backend.graph.amplifiers import recognise
from sim_backend.mismatch.config import MismatchConfig
from sim_backend.mismatch.drawn import CircuitMismatch, warm
from sim_backend.nodal.elements import (
    Amplifier,
    Circuit,
    Diode,
    Element,
    IdealDiode,
    VoltageSource,
)
from sim_backend.nodal.laws import BOLTZMANN_OVER_CHARGE, saturation_amps
from sim_backend.nodal.parts import Parts

__all__ = ["draw_circuit", "mismatched_circuit"]


def draw_circuit(
    config: MismatchConfig, circuit: Circuit, rng: np.random.Generator
) -> CircuitMismatch:
    """What one chip gets.

    Amplifiers are :class:`Amplifier` elements or the trios of sources that netlists write them
    as; other controlled sources stay as they are, because which of their gains belong together
    is not known.

    Args:
        config: how much the parts differ.
        circuit: the nominal circuit.
        rng: of this chip's mismatch alone.

    Raises:
        ConfigurationError: mismatch is asked for of parts that the circuit does not have.
    """
    elements = recognise(circuit).elements
    kinds = (Amplifier, Diode, IdealDiode)
    counts = [sum(isinstance(element, kind) for element in elements) for kind in kinds]
    config.check(amplifiers=counts[0] > 0, junctions=counts[1] > 0, ideal_diodes=counts[2] > 0)
    return CircuitMismatch.draw(config, counts[0], counts[1], counts[2], rng)


def mismatched_circuit(
    circuit: Circuit, drawn: CircuitMismatch, kelvin: float | None = None
) -> Circuit:
    """The circuit as it was built.

    Parts without mismatch stay the same elements.  An offset of an amplifier or of a Shockley
    diode is a voltage source in series with its input or anode, with a node of its own between;
    the names of nodes and elements that were there before do not change, except that a trio of
    sources becomes an :class:`Amplifier` if its gains differ from nominal.

    Args:
        circuit: the nominal circuit.
        drawn: of this chip, by :func:`draw_circuit` for this circuit.
        kelvin: temperature that the diodes' parameters are stated for, where the circuit's own
            is only what their idealities are scaled to; the circuit's if omitted.

    Raises:
        ConfigurationError: a diode would be at no possible temperature.
        ValueError: ``drawn`` belongs to another circuit.
    """
    recognised = recognise(circuit)
    _check_counts(recognised.elements, drawn)
    # Where no amplifier differs from nominal, a trio need not become one.
    kept = recognised if _has_amplifier_mismatch(drawn) else circuit
    changes = _Changes(kept, drawn, kelvin or kept.kelvin)
    elements = [new for element in kept.elements for new in changes.of(element)]
    return dataclasses.replace(circuit, elements=tuple(elements))


def _has_amplifier_mismatch(drawn: CircuitMismatch) -> bool:
    scaled = np.any(drawn.gain_factor != 1) or np.any(drawn.ratio_factor != 1)
    return bool(scaled or np.any(drawn.amplifier_offset_volts))


def _check_counts(elements: Sequence[Element], drawn: CircuitMismatch) -> None:
    wanted = {
        Amplifier: drawn.gain_factor.size,
        Diode: drawn.saturation_factor.size,
        IdealDiode: drawn.ideal_offset_volts.size,
    }
    for kind, count in wanted.items():
        found = sum(isinstance(element, kind) for element in elements)
        if found != count:
            raise ValueError(
                f"mismatch was drawn for {count} elements of kind {kind.__name__}, the circuit "
                f"has {found}; draw it for this circuit"
            )


class _Changes:
    """Elements with their mismatch, in the order of the circuit."""

    def __init__(self, circuit: Circuit, drawn: CircuitMismatch, kelvin: float) -> None:
        self._drawn = drawn
        self._names = {element.name for element in circuit.elements} | set(Parts(circuit).index)
        self._has_amplifiers = _has_amplifier_mismatch(drawn)
        self._circuit_kelvin = circuit.kelvin
        self._kelvin = kelvin
        self._seen = {Amplifier: 0, Diode: 0, IdealDiode: 0}

    def of(self, element: Element) -> Iterator[Element]:
        """The element as built, and what is in series with it."""
        if not isinstance(element, Amplifier | Diode | IdealDiode) or (
            isinstance(element, Amplifier) and not self._has_amplifiers
        ):
            yield element
            return
        k = self._seen[type(element)]
        self._seen[type(element)] += 1
        if isinstance(element, IdealDiode):
            volts = element.volts + float(self._drawn.ideal_offset_volts[k])
            yield dataclasses.replace(element, volts=volts)
        elif isinstance(element, Diode):
            yield from self._diode(element, k)
        else:
            yield from self._amplifier(element, k)

    def _amplifier(self, element: Amplifier, k: int) -> Iterator[Element]:
        gain, ratio = float(self._drawn.gain_factor[k]), float(self._drawn.ratio_factor[k])
        offset = float(self._drawn.amplifier_offset_volts[k])
        entry = element.input
        if offset != 0.0:
            entry = self._new(f"offset_{element.name}")
            yield VoltageSource(self._new(f"voffset_{element.name}"), entry, element.input, offset)
        yield dataclasses.replace(
            element,
            input=entry,
            forward_gain=element.forward_gain * gain,
            backward_gain=element.backward_gain * (gain * ratio),
        )

    def _diode(self, element: Diode, k: int) -> Iterator[Element]:
        offset = float(self._drawn.diode_offset_volts[k])
        anode = element.anode
        if offset != 0.0:
            anode = self._new(f"offset_{element.name}")
            yield VoltageSource(self._new(f"voffset_{element.name}"), element.anode, anode, offset)
        model = dataclasses.replace(
            element.model,
            saturation_amps=element.model.saturation_amps * float(self._drawn.saturation_factor[k]),
            ideality=element.model.ideality * float(self._drawn.ideality_factor[k]),
        )
        built = dataclasses.replace(element, anode=anode, model=model)
        yield self._warmed(built, float(self._drawn.kelvin_shift[k]))

    def _warmed(self, diode: Diode, shift_kelvin: float) -> Diode:
        """The diode at its own temperature, in a circuit that has one for all.

        At the circuit's temperature, which becomes nominal, an ideality that is larger in
        proportion gives the same ``n k T / q``.
        """
        if shift_kelvin == 0.0:
            return diode
        model = diode.model
        present = saturation_amps(
            dataclasses.replace(diode, area=1.0), self._circuit_kelvin, BOLTZMANN_OVER_CHARGE
        )
        amps, warmth = warm(
            np.array([present]),
            np.array([model.ideality * self._circuit_kelvin / self._kelvin]),
            self._kelvin,
            np.array([shift_kelvin]),
            model.gap_electronvolts,
            model.temperature_exponent,
        )
        warmed = dataclasses.replace(
            model,
            saturation_amps=float(amps[0]),
            ideality=model.ideality * float(warmth[0]),
            nominal_kelvin=self._circuit_kelvin,
        )
        return dataclasses.replace(diode, model=warmed)

    def _new(self, wanted: str) -> str:
        """A name that nothing in the circuit has."""
        while wanted in self._names:
            wanted += "_"
        self._names.add(wanted)
        return wanted
