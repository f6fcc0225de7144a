"""From the elements of a circuit to the statements of a netlist."""

from __future__ import annotations

from sim_backend.nodal.elements import (
    Amplifier,
    Circuit,
    CurrentControlledCurrent,
    CurrentControlledVoltage,
    CurrentSource,
    Diode,
    DiodeModel,
    Element,
    IdealDiode,
    Resistor,
    Resistors,
    VoltageControlledCurrent,
    VoltageControlledVoltage,
    VoltageSource,
)
from sim_backend.spice.errors import NetlistError
from sim_backend.spice.groups import nodes_of_group, statements_of_group
from sim_backend.spice.names import Names, plain_element, plain_node
from sim_backend.spice.terms import check_model, letter_of, nodes_of, number, reciprocal

__all__ = ["IDEAL_SATURATION_AMPS", "IDEAL_THERMAL_VOLTS", "Parts"]

IDEAL_THERMAL_VOLTS = 2.5e-6
"""N kT/q of the diodes written for ideal ones."""
IDEAL_SATURATION_AMPS = 1e-12


class Parts:
    """Statements of a netlist, with the names they use.

    Args:
        circuit: with groups only as :func:`sim_backend.spice.groups.spread` leaves them.

    Attributes:
        statements: of elements.
        models: names of the diode models used so far.
        ideal_model: name of the model of ideal diodes, or None if there are none.
    """

    def __init__(self, circuit: Circuit) -> None:
        self.statements: list[str] = []
        self.models: dict[DiodeModel, str] = {}
        self.ideal_model: str | None = None
        self._elements = Names()
        self._nodes = Names()
        self._models = Names()
        nodes = (
            node
            for e in circuit.elements
            for node in (nodes_of_group(e) if isinstance(e, Resistors) else nodes_of(e))
        )
        self._node_names = self._nodes.assign(nodes, plain_node)
        # Groups keep their names, which are like no other.
        single = [element for element in circuit.elements if not isinstance(element, Resistors)]
        letters = {element.name: letter_of(element) for element in single}
        if len(letters) < len(single):
            raise NetlistError("two elements with the same name; rename one")
        self._sources = {e.name for e in circuit.elements if isinstance(e, VoltageSource)}
        self._element_names = self._elements.assign(
            letters, lambda name: plain_element(name, letters[name])
        )

    def renamed(self) -> list[str]:
        """Which names had to change in more than case."""
        changes = []
        for what, names in (("node", self._node_names), ("element", self._element_names)):
            changes += [
                f"{what} {old!a} is {new} here"
                for old, new in names.items()
                if old.lower() != new.lower()
            ]
        return changes

    def add(self, element: Element) -> None:
        """Write an element.

        Raises:
            NetlistError: if it has no equivalent.
        """
        match element:
            case Resistor():
                self._resistor(element)
            case Resistors():
                self.statements += statements_of_group(element, self._node_names)
            case VoltageSource():
                self._apart(element.plus, element.minus)
                self._two_ends(element, element.volts)
            case CurrentSource():
                self._two_ends(element, element.amps)
            case Diode():
                self._diode(element)
            case IdealDiode():
                self._ideal_diode(element)
            case VoltageControlledVoltage() | VoltageControlledCurrent():
                self._by_voltage(element)
            case CurrentControlledCurrent() | CurrentControlledVoltage():
                self._by_current(element)
            case Amplifier():
                self._amplifier(element)
            case _:
                raise NetlistError("a curve has no equivalent in SPICE; leave it out, or fit one")

    def _line(self, *words: str) -> None:
        self.statements.append(" ".join(words))

    def _apart(self, plus: str, minus: str) -> None:
        if plus == minus:
            raise NetlistError("a voltage source between a node and itself; ngspice refuses that")

    def _two_ends(self, element: VoltageSource | CurrentSource, value: float) -> None:
        nodes = self._node_names
        name = self._element_names[element.name]
        self._line(name, nodes[element.plus], nodes[element.minus], number(value))

    def _resistor(self, element: Resistor) -> None:
        name = self._element_names[element.name]
        plus, minus = self._node_names[element.plus], self._node_names[element.minus]
        siemens = element.siemens
        if siemens == 0.0:
            self._line(f"* {name} {plus} {minus} is open")
        elif letter_of(element) == "r":
            self._line(name, plus, minus, number(reciprocal(siemens)))
        else:
            # A G element controlled by its own voltage is a conductance, of any sign.
            self._line(name, plus, minus, plus, minus, number(siemens))

    def _diode(self, element: Diode) -> None:
        check_model(element.model)
        if element.model not in self.models:
            self.models[element.model] = self._model_name("dmodel")
        words = [self._element_names[element.name], self._node_names[element.anode]]
        words += [self._node_names[element.cathode], self.models[element.model]]
        if not element.area > 0.0:
            raise NetlistError("the area of a diode must be above 0; correct it")
        if element.area != 1.0:
            words.append(f"area={number(element.area)}")
        self._line(*words)

    def _model_name(self, wanted: str) -> str:
        """A name that no node has: ngspice looks for the model among the words of a line."""
        name = self._models.new(wanted)
        return name if self._nodes.new(name) == name else self._model_name(wanted)

    def _ideal_diode(self, element: IdealDiode) -> None:
        if self.ideal_model is None:
            self.ideal_model = self._model_name("dideal")
        name, nodes = self._element_names[element.name], self._node_names
        anode, cathode = nodes[element.anode], nodes[element.cathode]
        if element.volts == 0.0:
            self._line(name, anode, cathode, self.ideal_model)
            return
        inner = self._nodes.new(f"{name}_source")
        self._line(name, anode, inner, self.ideal_model)
        self._line(self._elements.new(f"v{name}"), inner, cathode, number(element.volts))

    def _by_voltage(self, element: VoltageControlledVoltage | VoltageControlledCurrent) -> None:
        if isinstance(element, VoltageControlledVoltage):
            self._apart(element.plus, element.minus)
            gain = element.gain
        else:
            gain = element.siemens
        ends = (element.plus, element.minus, element.control_plus, element.control_minus)
        nodes = (self._node_names[node] for node in ends)
        self._line(self._element_names[element.name], *nodes, number(gain))

    def _by_current(self, element: CurrentControlledCurrent | CurrentControlledVoltage) -> None:
        if isinstance(element, CurrentControlledVoltage):
            self._apart(element.plus, element.minus)
            gain = element.ohms
        else:
            gain = element.gain
        if element.source not in self._sources:
            raise NetlistError(f"there is no voltage source `{element.source}`; correct the name")
        nodes = (self._node_names[node] for node in (element.plus, element.minus))
        source = self._element_names[element.source]
        self._line(self._element_names[element.name], *nodes, source, number(gain))

    def _amplifier(self, element: Amplifier) -> None:
        name = self._element_names[element.name]
        near, far = self._node_names[element.input], self._node_names[element.output]
        inner = self._nodes.new(f"{name}_sense")
        sense, back = self._elements.new(f"v{name}"), self._elements.new(f"f{name}")
        self._line(name, inner, "0", near, "0", number(element.forward_gain))
        self._line(sense, inner, far, "0")
        self._line(back, near, "0", sense, number(element.backward_gain))
