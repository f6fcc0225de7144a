"""Circuits written as netlists: read back, and read by ngspice."""

from __future__ import annotations

import math
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim_backend.nodal.elements import (
    Amplifier,
    Circuit,
    CurrentControlledCurrent,
    CurrentControlledVoltage,
    CurrentSource,
    Curve,
    Diode,
    DiodeModel,
    IdealDiode,
    Resistor,
    VoltageControlledCurrent,
    VoltageControlledVoltage,
    VoltageSource,
)
from sim_backend.spice.errors import NetlistError
from sim_backend.spice.reader import parse_netlist
from sim_backend.spice.writer import write_netlist
from tests.unit.spice.oracle import (
    NGSPICE,
    assert_same_solution,
    needs_ngspice,
    ngspice,
    solve,
)


def without_end(text: str) -> str:
    return text.replace("\n.op\n.end\n", "\n")


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
    assert parse_netlist(write_netlist(Circuit((), kelvin=kelvin))).circuit.kelvin == kelvin


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


MIXED = Circuit(
    (
        VoltageSource("V1", "in", "0", 1.2),
        Resistor("R1", "in", "A node", 1e-3),
        Diode("D1", "A node", "a node", DiodeModel(1e-12, 1.7, 5.0, reverse_cubic=True), 2.0),
        Diode("D2", "0", "low", DiodeModel(1e-30, 1.0, gap_electronvolts=0.7, reverse_cubic=True)),
        Resistor("R2", "a node", "0", 2e-3),
        VoltageSource("Vs", "a node", "GND", 0.0),
        Resistor("R3", "GND", "0", 1e-4),
        CurrentControlledCurrent("F1", "low", "0", "Vs", 0.5),
        CurrentControlledVoltage("H1", "h", "0", "Vs", 100.0),
        VoltageControlledVoltage("E1", "e", "0", "A node", "a node", -3.0),
        VoltageControlledCurrent("G1", "e", "h", "in", "0", 1e-4),
        Resistor("R4", "e", "h", 1e-4),
        Resistor("R5", "low", "0", 1e-5),
        Resistor("negative", "h", "low", -1e-6),
        CurrentSource("I1", "0", "low", 1e-5),
    ),
    title="everything with one equivalent",
    kelvin=320.0,
    gmin_siemens=1e-11,
)


@needs_ngspice
def test_ngspice_solves_what_is_written() -> None:
    text = write_netlist(MIXED)
    printed = ngspice(without_end(text))
    assert_same_solution(parse_netlist(text).circuit, printed)
    # Beyond what the reader makes of it: the circuit itself has this solution.
    exact = solve(MIXED)
    names = {"A node": "a_node", "a node": "a_node_2", "GND": "gnd_", "in": "in", "low": "low"}
    for node, name in {**names, "h": "h", "e": "e"}.items():
        assert printed[name] == pytest.approx(exact[node], rel=1e-5)


@needs_ngspice
def test_ngspice_solves_random_circuits_that_were_written() -> None:
    random = np.random.default_rng(5)
    for _ in range(10):
        nodes = ["0", *(f"n{i}" for i in range(6))]
        elements: list[Any] = [VoltageSource("v1", "n0", "0", random.uniform(-2, 2))]
        for i, a in enumerate(nodes):
            for b in nodes[:i]:
                elements.append(Resistor(f"r{a}{b}", a, b, 10.0 ** random.uniform(-6, -3)))
            b = str(random.choice(nodes[:i] or ["n3"]))
            model = DiodeModel(
                10.0 ** random.uniform(-14, -8), random.uniform(1, 2), random.choice([0.0, 20.0]),
                reverse_cubic=True,
            )  # fmt: skip
            elements.append(Diode(f"d{a}", a, b, model, random.uniform(0.5, 2)))
        circuit = Circuit(tuple(elements), kelvin=random.uniform(250, 350))
        assert_same_solution(circuit, ngspice(without_end(write_netlist(circuit))), atol=1e-8)


@needs_ngspice
@pytest.mark.parametrize("kelvin", [250.0, 300.15, 400.0])
@pytest.mark.parametrize("volts", [0.0, 0.3, -0.2])
def test_ideal_diodes_are_ideal_to_a_tenth_of_a_millivolt(kelvin: float, volts: float) -> None:
    elements = (
        VoltageSource("v1", "top", "0", 2.0),
        Resistor("r1", "top", "low", 1e-3),
        IdealDiode("d1", "low", "0", volts),
        Resistor("r2", "top", "high", 1e-3),
        IdealDiode("d2", "0", "high", volts),
        Resistor("r3", "high", "0", 1e-4),
    )
    text = write_netlist(Circuit(elements, kelvin=kelvin))
    assert re.search(r"^\* Ideal diodes are approximated", text, re.MULTILINE)
    printed = ngspice(without_end(text))
    assert printed["low"] == pytest.approx(volts, abs=1e-4)
    assert printed["high"] == pytest.approx(2.0 / 1.1, abs=1e-4)


@needs_ngspice
def test_ngspice_solves_a_network_of_many_ideal_diodes() -> None:
    # Every node hangs on sources only, and a pair of ideal diodes clips it.
    random = np.random.default_rng(7)
    n, limit = 20, 0.12
    g = random.uniform(1e-5, 1e-3, (n, n))
    inputs = random.uniform(-1, 1, n)
    elements: list[Any] = [VoltageSource(f"v{j}", f"in{j}", "0", inputs[j]) for j in range(n)]
    for i in range(n):
        elements += [Resistor(f"r{i}_{j}", f"h{i}", f"in{j}", g[i, j]) for j in range(n)]
        elements.append(IdealDiode(f"dup{i}", f"h{i}", "0", limit))
        elements.append(IdealDiode(f"dlow{i}", "0", f"h{i}", limit))
    printed = ngspice(without_end(write_netlist(Circuit(tuple(elements)))))
    free = g @ inputs / g.sum(axis=1)
    assert 3 < np.count_nonzero(np.abs(free) > limit) < n - 3
    solved = [printed[f"h{i}"] for i in range(n)]
    np.testing.assert_allclose(solved, np.clip(free, -limit, limit), atol=1e-4)


@needs_ngspice
def test_amplifiers_carry_voltages_forward_and_currents_back() -> None:
    elements = (
        VoltageSource("v1", "top", "0", 1.0),
        Resistor("r1", "top", "near", 1e-3),
        Amplifier("amp", "near", "far", 4.0, 0.25),
        Resistor("r2", "far", "0", 1e-3),
    )
    text = write_netlist(Circuit(elements))
    # The amplifier takes 0.25 * 4 V * 1 mS out of `near`: 1 mS (1 - v) = 1 mS v.
    printed = ngspice(without_end(text))
    assert printed["near"] == pytest.approx(0.5, rel=1e-9)
    assert printed["far"] == pytest.approx(2.0, rel=1e-9)
    solved = solve(parse_netlist(text).circuit)
    assert (solved["near"], solved["far"]) == pytest.approx((0.5, 2.0), rel=1e-9)


@needs_ngspice
@pytest.mark.parametrize(
    "title", ["", ".end", "+ x", "* y", "a\\", "t\u00e9", "a\nr9 a 0 1", ".control"]
)
def test_no_title_disturbs_ngspice(title: str) -> None:
    elements = (VoltageSource("v1", "a", "0", 3.0), Resistor("r1", "a", "0", 1.0))
    printed = ngspice(without_end(write_netlist(Circuit(elements, title=title))))
    assert (printed["a"], printed["v1#branch"]) == (3.0, -3.0)


@needs_ngspice
@pytest.mark.parametrize(
    "node",
    ["gnd", "ac", "poly", "temp", "n[1]", "n:1", "a-b+c", "n<1>", "x.y", "m", "1e3", "00", "5k"],
)
def test_nodes_of_any_name_are_nodes_for_ngspice(node: str) -> None:
    elements = (
        VoltageSource("v1", "top", "0", 2.0),
        Resistor("r1", "top", node, 1e-3),
        Resistor("r2", node, "0", 1e-3),
        VoltageControlledVoltage("e1", "e", "0", node, "0", 3.0),
        Resistor("r3", "e", "0", 1.0),
        VoltageControlledCurrent("g1", "g", "0", node, "e", 1.0),
        Resistor("r4", "g", "0", 1.0),
        Diode("d1", "0", node, DiodeModel()),
    )
    text = write_netlist(Circuit(elements))
    printed = ngspice(without_end(text))
    assert printed["e"] == pytest.approx(3.0, rel=1e-6)
    assert printed["g"] == pytest.approx(2.0, rel=1e-6)
    assert_same_solution(parse_netlist(text).circuit, printed)


@needs_ngspice
@pytest.mark.parametrize(
    "name", ["v", "v1[2]", "v:a", "v<1>", "v+1-2", "V.x1.v1", "vv_1.", "5", "a b"]
)
def test_elements_of_any_name_are_elements_for_ngspice(name: str) -> None:
    elements = (
        VoltageSource(name, "a", "0", 2.0),
        Resistor("r" + name, "a", "0", 1.0),
        CurrentControlledCurrent("f" + name, "0", "b", name, -0.5),
        Resistor("R2", "b", "0", 1.0),
        Diode("d" + name, "0", "b", DiodeModel()),
    )
    text = write_netlist(Circuit(elements))
    printed = ngspice(without_end(text))
    assert (printed["a"], printed["b"]) == pytest.approx((2.0, 1.0), rel=1e-6)
    assert_same_solution(parse_netlist(text).circuit, printed)


@needs_ngspice
def test_ngspice_runs_the_netlist_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "written.cir"
    path.write_text(write_netlist(MIXED))
    assert NGSPICE is not None
    done = subprocess.run(
        [NGSPICE, "-b", str(path)], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0
    volts = dict(re.findall(r"^\t(\w+) +(\S+)$", done.stdout, re.MULTILINE))
    assert float(volts["a_node"]) == pytest.approx(solve(MIXED)["A node"], rel=1e-4)
    assert "rror" not in done.stdout + done.stderr
