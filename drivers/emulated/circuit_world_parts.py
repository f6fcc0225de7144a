"""A drawn circuit as arrays over the nets of a world."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from drivers.emulated.circuit_world_laws import AMPS, CUBIC, IDEAL, JUNCTION, VOLTS
from hil.errors import ConfigurationError
from sim_backend.nodal.elements import (
    GROUND,
    Amplifier,
    Circuit,
    CurrentSource,
    Diode,
    IdealDiode,
    Resistor,
    Resistors,
    VoltageSource,
)
from sim_backend.nodal.laws import BOLTZMANN_OVER_CHARGE, Junctions

__all__ = ["BranchTable", "Edges", "Nets", "Parts"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Nets:
    """Numbers of nets by name; ground is 0."""

    def __init__(self) -> None:
        self._number: dict[str, int] = {GROUND: 0}

    def __len__(self) -> int:
        return len(self._number)

    def __contains__(self, name: str) -> bool:
        return name in self._number

    def __getitem__(self, name: str) -> int:
        """Number of a net, made here if there is none of that name."""
        return self._number.setdefault(name, len(self._number))

    @property
    def names(self) -> tuple[str, ...]:
        """All names by number."""
        return tuple(self._number)


class Edges:
    """Conductances between nets, given one by one or as arrays."""

    def __init__(self) -> None:
        self._tails: list[Ints] = []
        self._heads: list[Ints] = []
        self._siemens: list[Floats] = []

    def add(self, tails: Iterable[int], heads: Iterable[int], siemens: Iterable[float]) -> None:
        """Add some."""
        self._tails.append(np.fromiter(tails, np.int64))
        self._heads.append(np.fromiter(heads, np.int64))
        self._siemens.append(np.fromiter(siemens, np.float64))

    def arrays(self) -> tuple[Ints, Ints, Floats]:
        """Tails, heads and siemens, (n,) each."""
        if not self._tails:
            return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
        tails, heads = np.concatenate(self._tails), np.concatenate(self._heads)
        return tails, heads, np.concatenate(self._siemens)


class BranchTable:
    """Branches that are not resistors, (n,) arrays; see ``circuit_world_laws``."""

    def __init__(self) -> None:
        self._rows: list[tuple[int, int, int, float, float, float]] = []

    def add(self, kind: int, tail: int, head: int, a: float, b: float = 0.0, c: float = 0.0) -> int:
        """Add a branch; its place."""
        self._rows.append((kind, tail, head, a, b, c))
        return len(self._rows) - 1

    def arrays(self) -> tuple[Ints, Ints, Ints, Floats, Floats, Floats]:
        """Kind, tail, head, a, b and c."""
        columns = list(zip(*self._rows, strict=True)) if self._rows else [()] * 6
        kind, tail, head = (np.array(column, np.int64) for column in columns[:3])
        a, b, c = (np.array(column, np.float64) for column in columns[3:])
        return kind, tail, head, a, b, c


class Parts:
    """The elements of a circuit by what they are to a world.

    Attributes:
        nets: names so far.
        device_tail: (n_devices,) nets.
        device_head: likewise.
        device_siemens: (n_devices,) as drawn.
        resistors: everything else that is linear.
        branches: sources and diodes.
        amplifiers: near, far, forward and backward gain of each.

    Args:
        circuit: as drawn.
        devices: names of the groups of programmable resistors, in the order of the devices.

    Raises:
        ConfigurationError: a group is missing, or an element is of a kind that a world does not
            know: controlled sources and curved devices.
    """

    def __init__(self, circuit: Circuit, devices: Sequence[str] = ()) -> None:
        self.nets = Nets()
        self.resistors = Edges()
        self.branches = BranchTable()
        self.amplifiers: list[tuple[int, int, float, float]] = []
        groups = {e.name: e for e in circuit.elements if isinstance(e, Resistors)}
        for name in devices:
            if name not in groups:
                raise ConfigurationError(
                    f"the circuit has no group of resistors called {name!r} to be devices; it "
                    f"has: {', '.join(groups) or 'none'}"
                )
        self.device_tail, self.device_head, self.device_siemens = self._devices(
            [groups[name] for name in devices]
        )
        for element in circuit.elements:
            if not (isinstance(element, Resistors) and element.name in devices):
                self._take(element, circuit)

    def _devices(self, groups: Sequence[Resistors]) -> tuple[Ints, Ints, Floats]:
        tails, heads, siemens = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [np.empty(0)]
        for group in groups:
            places = np.array([self.nets[name] for name in group.nodes], np.int64)
            tails.append(places[group.plus])
            heads.append(places[group.minus])
            siemens.append(np.asarray(group.siemens, np.float64))
        return np.concatenate(tails), np.concatenate(heads), np.concatenate(siemens)

    def _take(self, element: object, circuit: Circuit) -> None:
        nets = self.nets
        match element:
            case Resistor(plus=plus, minus=minus, siemens=siemens):
                self.resistors.add([nets[plus]], [nets[minus]], [siemens])
            case Resistors():
                places = np.array([nets[name] for name in element.nodes], np.int64)
                ends = places[element.plus], places[element.minus]
                self.resistors.add(*ends, np.asarray(element.siemens, np.float64))
            case VoltageSource(plus=plus, minus=minus, volts=volts):
                self.branches.add(VOLTS, nets[plus], nets[minus], volts, np.inf)
            case CurrentSource(plus=plus, minus=minus, amps=amps):
                # It takes its current out of the first node; a branch delivers there.
                self.branches.add(AMPS, nets[plus], nets[minus], -amps, np.inf)
            case Diode():
                self._junction(element, circuit)
            case IdealDiode(anode=anode, cathode=cathode, volts=volts):
                self.branches.add(IDEAL, nets[anode], nets[cathode], volts)
            case Amplifier(input=near, output=far):
                gains = element.forward_gain, element.backward_gain
                self.amplifiers.append((nets[near], nets[far], *gains))
            case _:
                name = getattr(element, "name", "?")
                raise ConfigurationError(
                    f"{name} is a {type(element).__name__}, which an emulated bench cannot be "
                    "wired around; it knows resistors, sources, diodes and amplifiers"
                )

    def _junction(self, diode: Diode, circuit: Circuit) -> None:
        law = Junctions([diode], circuit.kelvin, 0.0, BOLTZMANN_OVER_CHARGE)
        tail, head = self.nets[diode.anode], self.nets[diode.cathode]
        if diode.model.series_ohms > 0.0:
            inner = self.nets[f"{diode.name}#inner"]
            self.resistors.add([tail], [inner], [diode.area / diode.model.series_ohms])
            tail = inner
        if circuit.gmin_siemens > 0.0:
            self.resistors.add([tail], [head], [circuit.gmin_siemens])
        numbers = (law.saturation_amps, law.thermal_volts, law.critical_volts)
        a, b, c = (float(values[0]) for values in numbers)
        self.branches.add(CUBIC if diode.model.reverse_cubic else JUNCTION, tail, head, a, b, c)
