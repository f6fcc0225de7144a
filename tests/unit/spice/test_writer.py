"""Circuits written as netlists: read back, and read by ngspice."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim_backend.nodal.elements import (
    Circuit,
    CurrentControlledCurrent,
    CurrentControlledVoltage,
    CurrentSource,
    Curve,
    Diode,
    DiodeModel,
    Resistor,
    Resistors,
    VoltageControlledCurrent,
    VoltageControlledVoltage,
    VoltageSource,
)
from sim_backend.spice.errors import NetlistError
from sim_backend.spice.reader import parse_netlist
from sim_backend.spice.writer import write_netlist
from tests.unit.spice.oracle import (
    solve,
)

finite = st.floats(allow_nan=False, allow_infinity=False)
positive = st.floats(1e-12, 1e12)
nodes = st.sampled_from(["0", "a", "n1", "x1.n[2]", "2", "b-c"])
models = st.builds(
    DiodeModel,
    saturation_amps=st.floats(1e-40, 1e-3),
    ideality=st.floats(1e-3, 10),
    series_ohms=st.one_of(st.just(0.0), positive),
    gap_electronvolts=st.floats(0, 3),
    temperature_exponent=st.floats(-5, 5),
    nominal_kelvin=st.floats(50, 1000),
    reverse_cubic=st.just(True),
)


apart = st.sampled_from([("a", "0"), ("0", "n1"), ("b-c", "a"), ("2", "x1.n[2]")])


def drawn_element(draw: Any, k: int) -> Any:
    (plus, minus), c, d = draw(apart), draw(nodes), draw(nodes)
    kind = draw(st.sampled_from("rRvideegfh"))
    name = f"r.x1.r{k}" if kind == "R" else f"{kind}{k}"
    if kind in "rR":
        return Resistor(name, c, d, draw(positive))
    if kind == "d":
        return Diode(name, c, d, draw(models), draw(positive))
    value = draw(finite)
    if kind in "vi":
        return {"v": VoltageSource, "i": CurrentSource}[kind](name, plus, minus, value)
    if kind == "e":
        return VoltageControlledVoltage(name, plus, minus, c, d, value)
    if kind == "g":
        return VoltageControlledCurrent(name, c, d, plus, minus, value)
    if kind == "f":
        return CurrentControlledCurrent(name, c, d, "vs", value)
    return CurrentControlledVoltage(name, plus, minus, "vs", value)


@st.composite
def circuits(draw: Any) -> Circuit:
    """Any elements that have one equivalent, with names that may stay."""
    elements = [drawn_element(draw, k) for k in range(draw(st.integers(0, 8)))]
    return Circuit(
        (VoltageSource("vs", "s", "0", draw(finite)), *elements),
        title=draw(st.from_regex(r"[A-Za-z0-9][ -)+-\[\]-~]{0,20}", fullmatch=True)).strip(),
        kelvin=draw(st.floats(1, 2000)),
        gmin_siemens=draw(st.one_of(st.just(0.0), st.floats(1e-20, 1e-3))),
    )


def assert_equal_but_for_rounding(read: Any, circuit: Circuit) -> None:
    """Equal, but for the last bit of conductances and of temperatures."""
    assert len(read.elements) == len(circuit.elements)
    for one, other in zip(read.elements, circuit.elements, strict=True):
        assert type(one) is type(other)
        for field in one.__slots__:
            a, b = getattr(one, field), getattr(other, field)
            if field == "siemens" and isinstance(one, Resistor):
                assert a == pytest.approx(b, rel=3e-16)
            elif field == "model":
                assert a.nominal_kelvin == pytest.approx(b.nominal_kelvin, rel=1e-15)
                assert {**_fields(a), "nominal_kelvin": 0} == {**_fields(b), "nominal_kelvin": 0}
            else:
                assert a == b


def _fields(model: DiodeModel) -> dict[str, Any]:
    return {name: getattr(model, name) for name in DiodeModel.__slots__}


@given(circuits())
def test_what_is_written_is_read_back(circuit: Circuit) -> None:
    read = parse_netlist(write_netlist(circuit)).circuit
    assert_equal_but_for_rounding(read, circuit)
    assert read.title == circuit.title.lstrip("*").strip()
    assert read.kelvin == pytest.approx(circuit.kelvin, rel=1e-15)
    assert read.gmin_siemens == circuit.gmin_siemens


@given(st.floats(200, 500))
def test_usual_temperatures_come_back_exactly(kelvin: float) -> None:
    circuit = Circuit((Resistor("r1", "a", "0", 1.0),), kelvin=kelvin)
    assert parse_netlist(write_netlist(circuit)).circuit.kelvin == kelvin


@given(st.floats(1e-12, 1e3))
def test_most_conductances_come_back_exactly(siemens: float) -> None:
    circuit = Circuit((Resistor("r1", "a", "0", siemens),))
    (resistor,) = parse_netlist(write_netlist(circuit)).circuit.elements
    assert resistor.siemens == pytest.approx(siemens, rel=2.3e-16)
    # Where a resistance with exactly this reciprocal exists, it is written.
    ohms = 1 / siemens
    near = [ohms, math.nextafter(ohms, 0), math.nextafter(ohms, math.inf)]
    if siemens in [1 / candidate for candidate in near]:
        assert resistor.siemens == siemens


@given(
    st.lists(st.text(min_size=0, max_size=6), min_size=1, max_size=12, unique=True),
    st.lists(st.text(min_size=0, max_size=6), min_size=12, max_size=12, unique=True),
)
def test_any_names_become_different_ones_that_are_read(
    node_names: list[str], element_names: list[str]
) -> None:
    elements = tuple(
        Resistor(element, node, "0", 0.5)
        for element, node in zip(element_names, node_names, strict=False)
        if node != "0"
    )
    read = parse_netlist(write_netlist(Circuit(elements))).circuit
    assert len(read.elements) == len(elements)
    assert len({e.plus for e in read.elements}) == len(elements)
    assert all(e.minus == "0" and e.plus != "0" for e in read.elements)


def test_plain_names_stay_and_others_are_listed() -> None:
    elements = (
        Resistor("R1", "Out", "x1.n[2]", 1.0),
        Resistor("r.x1.r2", "out2", "0", 1.0),
        Resistor("load 1", "in put", "GND", 1.0),
        Resistor("load_1", "in_put", "out", 1.0),
        Resistor("5", "Stra\u00dfe", "ac", 1.0),
        VoltageSource("r1", "", "0", 1.0),
    )
    text = write_netlist(Circuit(elements))
    assert "R1 Out x1.n[2] 1.0\nr.x1.r2 out2 0 1.0\n" in text
    comments = [line for line in text.split("\n") if " is " in line and line.startswith("* ")]
    assert comments == [
        "* node 'in put' is in_put_2 here",
        "* node 'GND' is GND_ here",
        "* node 'out' is out_2 here",
        "* node 'Stra\\xdfe' is Stra_e here",
        "* node 'ac' is ac_ here",
        "* node '' is n here",
        "* element 'load 1' is rload_1 here",
        "* element 'load_1' is rload_1_2 here",
        "* element '5' is r5 here",
        "* element 'r1' is vr1 here",
    ]
    assert write_netlist(Circuit(elements)) == text
    plain = Circuit((Resistor("R1", "Out", "0", 1.0), VoltageSource("V1", "Out", "0", 1.0)))
    assert " here" not in write_netlist(plain)


def test_numbers_keep_all_digits() -> None:
    volts = [1 / 3, 0.1, math.pi * 1e-300, 5e-324, 1.7976931348623157e308, -0.0, 123456789.0]
    elements = tuple(VoltageSource(f"v{i}", f"n{i}", "0", v) for i, v in enumerate(volts))
    read = parse_netlist(write_netlist(Circuit(elements))).circuit
    assert [e.volts for e in read.elements] == volts


def test_open_resistors_are_comments() -> None:
    text = write_netlist(Circuit((Resistor("r1", "a", "b", 0.0), Resistor("r2", "a", "0", 1.0))))
    assert "\n* r1 a b is open\n" in text
    assert [e.name for e in parse_netlist(text).circuit.elements] == ["r2"]


@pytest.mark.parametrize("siemens", [-0.25, 1e-320, -1e-3])
def test_conductances_without_a_resistance_are_controlled_sources(siemens: float) -> None:
    read = parse_netlist(write_netlist(Circuit((Resistor("r1", "a", "b", siemens),)))).circuit
    assert read.elements == (VoltageControlledCurrent("gr1", "a", "b", "a", "b", siemens),)


def test_round_resistances_stay_round() -> None:
    ohms = [1000.0, 1e5, 3.3, 47e3, 1e6, 0.7]
    circuit = Circuit(tuple(Resistor(f"r{i}", "a", "0", 1 / r) for i, r in enumerate(ohms)))
    rows = [line.split() for line in write_netlist(circuit).split("\n") if line.startswith("r")]
    assert [float(row[3]) for row in rows] == ohms


def test_equal_models_are_written_once() -> None:
    model, other = DiodeModel(ideality=1.5), DiodeModel(ideality=2.0)
    diodes = [Diode(f"d{i}", "a", "0", DiodeModel(ideality=1.5), 1.0 + i) for i in range(3)]
    text = write_netlist(Circuit((*diodes, Diode("dmodel", "dmodel", "0", other))))
    assert text.count(".model") == 2
    read = parse_netlist(text).circuit.elements
    assert [e.model.ideality for e in read] == [1.5, 1.5, 1.5, 2.0]
    assert [e.area for e in read] == [1.0, 2.0, 3.0, 1.0]
    assert not model.reverse_cubic
    assert "cubic" in text
    exact = Diode("d1", "a", "0", DiodeModel(reverse_cubic=True))
    assert "cubic" not in write_netlist(Circuit((exact,)))


def curve(volts: Any) -> Any:
    return np.asarray(volts)


def test_names_given_twice_are_refused() -> None:
    twice = Circuit((Resistor("r1", "a", "0", 1.0), Resistor("r1", "b", "0", 1.0)))
    with pytest.raises(NetlistError, match="same name"):
        write_netlist(twice)


REFUSED: dict[str, Any] = {
    "curve": Curve("u1", "a", "b", curve, curve),
    "is no number": VoltageSource("v1", "a", "b", math.nan),
    "inf is no": Resistor("r1", "a", "b", math.inf),
    "and itself": VoltageSource("v1", "a", "a", 1.0),
    "node and itself": VoltageControlledVoltage("e1", "a", "a", "b", "0", 1.0),
    "there is no voltage source": CurrentControlledCurrent("f1", "a", "b", "r1", 1.0),
    "no voltage source `e1`": CurrentControlledVoltage("h1", "a", "b", "e1", 1.0),
    "above 0": Diode("d1", "a", "b", DiodeModel(saturation_amps=0.0)),
    "N and Tnom": Diode("d1", "a", "b", DiodeModel(ideality=-1.0)),
    "series resistance": Diode("d1", "a", "b", DiodeModel(series_ohms=-1.0)),
    "area": Diode("d1", "a", "b", DiodeModel(), 0.0),
}


@pytest.mark.parametrize("word", REFUSED)
def test_what_has_no_equivalent_is_refused_by_name(word: str) -> None:
    with pytest.raises(NetlistError, match=word) as caught:
        write_netlist(Circuit((REFUSED[word],)))
    assert str(caught.value).startswith(f"element `{REFUSED[word].name}`: ")


@pytest.mark.parametrize("changed", [{"kelvin": 0.0}, {"gmin_siemens": -1.0}, {"kelvin": math.nan}])
def test_impossible_conditions_are_refused(changed: dict[str, float]) -> None:
    with pytest.raises(NetlistError, match="0 K"):
        write_netlist(Circuit((), **changed))


def test_groups_of_resistors_are_written_one_by_one() -> None:
    siemens = np.array([[1e-3, 2e-3], [4e-3, 0.0]])
    group = Resistors.crossbar("bar", ["a", "0"], ["b", "c"], siemens)
    circuit = Circuit([VoltageSource("v", "a", "0", 1.0), group, Resistor("r", "c", "0", 2e-3)])
    volts = solve(parse_netlist(write_netlist(circuit)).circuit)
    assert volts["b"] == pytest.approx(0.2)
    assert volts["c"] == pytest.approx(0.5)
