"""Elements, sources, models and conditions: what they become, and ngspice's operating points."""

from __future__ import annotations

from typing import Any

import pytest

from sim_backend.nodal.elements import (
    CurrentControlledCurrent,
    CurrentControlledVoltage,
    CurrentSource,
    Diode,
    DiodeModel,
    Resistor,
    VoltageControlledCurrent,
    VoltageControlledVoltage,
    VoltageSource,
)
from sim_backend.spice.reader import parse_netlist
from tests.unit.spice.oracle import TIGHT, assert_same_solution, needs_ngspice, ngspice

DEFAULT = DiodeModel(reverse_cubic=True)

READ: dict[str, Any] = {
    "r1 a b 2": Resistor("r1", "a", "b", 0.5),
    "r1 a b r=2": Resistor("r1", "a", "b", 0.5),
    "r1 a b R = 2k": Resistor("r1", "a", "b", 1 / 2000),
    "r1 a b resistance=2": Resistor("r1", "a", "b", 0.5),
    "r1 (a,b) {1+1}": Resistor("r1", "a", "b", 0.5),
    "r1 a b ' 1 + 1 '": Resistor("r1", "a", "b", 0.5),
    "r1 a b two": Resistor("r1", "a", "b", 0.5),
    "r1 a b 4 m=2": Resistor("r1", "a", "b", 0.5),
    "r1 a b 2 tc1=0 tc2=0 temp=50 ac=7 noisy=0 w=1u l=2u": Resistor("r1", "a", "b", 0.5),
    "r1 a b 2 dtemp=3 scale=1 bv_max=5": Resistor("r1", "a", "b", 0.5),
    "r a b 2": Resistor("r", "a", "b", 0.5),
    "r#1 n[1] n:1+2 2": Resistor("r#1", "n[1]", "n:1+2", 0.5),
    "v1 a b 5": VoltageSource("v1", "a", "b", 5.0),
    "v1 a b dc 5": VoltageSource("v1", "a", "b", 5.0),
    "v1 a b dc=5": VoltageSource("v1", "a", "b", 5.0),
    "v1 a b DC {two}": VoltageSource("v1", "a", "b", 2.0),
    "v1 a b two ac 1 90": VoltageSource("v1", "a", "b", 2.0),
    "v1 a b ac 1": VoltageSource("v1", "a", "b", 0.0),
    "v1 a b ac 1 90 dc 5": VoltageSource("v1", "a", "b", 5.0),
    "v1 a b ac=1 90": VoltageSource("v1", "a", "b", 0.0),
    "v1 a b acmag=1 acphase=90 dc=3": VoltageSource("v1", "a", "b", 3.0),
    "v1 a b 5 ac": VoltageSource("v1", "a", "b", 5.0),
    "v1 a b 5 distof1 1 0 distof2 1": VoltageSource("v1", "a", "b", 5.0),
    "v1 a b pulse(1 2)": VoltageSource("v1", "a", "b", 1.0),
    "v1 a b PULSE 3 2 0 1n 1n 1u 2u": VoltageSource("v1", "a", "b", 3.0),
    "v1 a b pulse(1 2) ac 1": VoltageSource("v1", "a", "b", 1.0),
    "v1 a b 5 pulse(1 2 0 1n)": VoltageSource("v1", "a", "b", 5.0),
    "v1 a b pulse(1 2) dc 5": VoltageSource("v1", "a", "b", 5.0),
    "v1 a b sin(3 2 1k 0 0)": VoltageSource("v1", "a", "b", 3.0),
    "v1 a b sine({two} 2)": VoltageSource("v1", "a", "b", 2.0),
    "v1 a b exp(3 2 1)": VoltageSource("v1", "a", "b", 3.0),
    "v1 a b pwl(0 7 1 2)": VoltageSource("v1", "a", "b", 7.0),
    "v1 a b pwl(1 6 2 2)": VoltageSource("v1", "a", "b", 6.0),
    "v1 a b pwl(0 6 2 2) r=0 td=1": VoltageSource("v1", "a", "b", 6.0),
    "v1 a b dc 4 sffm(1 2 3)": VoltageSource("v1", "a", "b", 4.0),
    "v1 a b dc 4 am(1 2 3 4)": VoltageSource("v1", "a", "b", 4.0),
    "v1 a b dc 4 trnoise(1 1n 0 0)": VoltageSource("v1", "a", "b", 4.0),
    "i1 a b 5": CurrentSource("i1", "a", "b", 5.0),
    "i1 a b dc 5m m=3": CurrentSource("i1", "a", "b", 15e-3),
    "i1 a b ac 1": CurrentSource("i1", "a", "b", 0.0),
    "i1 a b pwl(0 3m 1 2)": CurrentSource("i1", "a", "b", 3e-3),
    "e1 a b c d 5": VoltageControlledVoltage("e1", "a", "b", "c", "d", 5.0),
    "e1 a b (c,d) gain={two}": VoltageControlledVoltage("e1", "a", "b", "c", "d", 2.0),
    "g1 a b c d 5": VoltageControlledCurrent("g1", "a", "b", "c", "d", 5.0),
    "g1 a b c d 5 m=2": VoltageControlledCurrent("g1", "a", "b", "c", "d", 10.0),
    "f1 a b vs 5": CurrentControlledCurrent("f1", "a", "b", "vs", 5.0),
    "f1 a b VS 5 m=2": CurrentControlledCurrent("f1", "a", "b", "vs", 10.0),
    "h1 a b vs 5": CurrentControlledVoltage("h1", "a", "b", "vs", 5.0),
    "h1 a b vs gain=two": CurrentControlledVoltage("h1", "a", "b", "vs", 2.0),
    "d1 a b dd": Diode("d1", "a", "b", DEFAULT),
    "d1 a b dd 2": Diode("d1", "a", "b", DEFAULT, 2.0),
    "d1 a b dd 2 off": Diode("d1", "a", "b", DEFAULT, 2.0),
    "d1 a b dd off": Diode("d1", "a", "b", DEFAULT),
    "d1 a b dd area={two} m=3": Diode("d1", "a", "b", DEFAULT, 6.0),
    "d1 a b dd ic=0.3 pj=5 dtemp=0": Diode("d1", "a", "b", DEFAULT),
    "d1 a b darea": Diode("d1", "a", "b", DEFAULT, 4.0),
    "d1 a b darea area=2": Diode("d1", "a", "b", DEFAULT, 2.0),
    "l1 a b 1m": VoltageSource("l1", "a", "b", 0.0),
    "l1 a b 1m ic=3": VoltageSource("l1", "a", "b", 0.0),
    "c1 a b 1u": None,
    "c1 a b cmodel ic=3": None,
    "k1 la lb 0.9": None,
}

NOT_NGSPICE = {"d1 a b dd 2", "d1 a b dd 2 off"}
"""A bare area, which SPICE3 reads; ngspice 39 takes it for the name of the model."""

AROUND = [
    ".param two=2",
    "vs s 0 1.5",
    "rs s 0 1k",
    "ra a 0 3",
    "rb b 0 2",
    "rc c 0 5",
    "rd d b 7",
    "rq n[1] n:1+2 1",
    "rz n[1] 0 1",
    "ic2 0 c 0.5",
    "ib2 0 b 1m",
    "la la 0 1m",
    "lb lb 0 1m",
    ".model dd d",
    ".model darea d(area=4)",
    ".model cmodel c(cj=1)",
]


@pytest.mark.parametrize("text", READ)
def test_elements_are_read(text: str) -> None:
    read = parse_netlist("\n".join(["t", text, *AROUND]))
    first = read.circuit.elements[0]
    if READ[text] is None:
        assert first.name == "vs"
    else:
        assert first == READ[text]
        assert read.lines[first.name] == ("<netlist>", 2)


@needs_ngspice
@pytest.mark.parametrize("text", [text for text in READ if text not in NOT_NGSPICE])
def test_ngspice_has_the_same_operating_point(text: str) -> None:
    netlist = "\n".join(["t", text, *AROUND, TIGHT])
    assert_same_solution(parse_netlist(netlist).circuit, ngspice(netlist))


MODELS: dict[str, dict[str, float]] = {
    "": {},
    "is=1e-9": {"saturation_amps": 1e-9},
    "(IS=1e-9, N = 2)": {"saturation_amps": 1e-9, "ideality": 2.0},
    "(js=1e-9 rs=10)": {"saturation_amps": 1e-9, "series_ohms": 10.0},
    "(is 1e-9 n 1.5)": {"saturation_amps": 1e-9, "ideality": 1.5},
    "(is={1e-9*two} n='1+0.5')": {"saturation_amps": 2e-9, "ideality": 1.5},
    "(eg=0.69 xti=2)": {"gap_electronvolts": 0.69, "temperature_exponent": 2.0},
    "(tnom=50)": {"nominal_kelvin": 50 + 273.15},
    "(tref=50 n=1.8)": {"nominal_kelvin": 50 + 273.15, "ideality": 1.8},
    "(cjo=1p tt=1n m=0.4 vj=0.8 fc=0.5 kf=1 af=1 cjsw=1p mjsw=0.3)": {},
    "(ikf=0 ikr=0 isr=0 nr=2 jsw=0 jtun=0 trs=0 level=1)": {},
    "(bv=1e9 ibv=1m)": {},
    "(ibv=1m nbv=2 tcv=1 fv_max=3 id_max=1 rth0=5 cth0=1)": {},
    "(is=1e-28)": {"saturation_amps": 1e-28},
}


@pytest.mark.parametrize("text", MODELS)
@pytest.mark.parametrize("celsius", [27.0, 85.0, -40.0])
def test_diode_models_are_read(text: str, celsius: float) -> None:
    read = parse_netlist(_diode_netlist(text, celsius))
    (diode,) = (e for e in read.circuit.elements if isinstance(e, Diode) and e.name == "d1")
    assert diode.model == DiodeModel(**MODELS[text], reverse_cubic=True)
    assert read.circuit.kelvin == celsius + 273.15


@needs_ngspice
@pytest.mark.parametrize("text", MODELS)
@pytest.mark.parametrize("celsius", [27.0, 85.0, -40.0])
def test_ngspice_has_the_same_currents_of_diodes(text: str, celsius: float) -> None:
    netlist = _diode_netlist(text, celsius)
    # Newton's method in ngspice stops at 1e-9 of the currents, here at most 1 mA.
    assert_same_solution(parse_netlist(netlist).circuit, ngspice(netlist), atol=2e-9)


def _diode_netlist(model: str, celsius: float) -> str:
    return "\n".join(
        [
            "diodes forward, far and little in reverse",
            f".model m d{model if model.startswith('(') else ' ' + model}",
            ".param two=2",
            "i1 0 a 1m",
            "d1 a 0 m",
            "v2 b 0 -5",
            "r2 b c 1k",
            "d2 c 0 m area=3",
            "v3 d 0 -0.05",
            "d3 d 0 m m=2",
            f".temp {celsius}",
            TIGHT,
        ]
    )


CONDITIONS = {
    "": (300.15, 1e-12, 300.15),
    ".temp 50": (323.15, 1e-12, 300.15),
    ".options temp=50 tnom=10": (323.15, 1e-12, 283.15),
    ".OPTION temp = 50": (323.15, 1e-12, 300.15),
    ".opt gmin=1e-6": (300.15, 1e-6, 300.15),
    ".options gmin={1e-6*two}, tnom='20+two'": (300.15, 2e-6, 295.15),
    ".temp {25*two}": (323.15, 1e-12, 300.15),
    ".temp 50\n.options temp=50": (323.15, 1e-12, 300.15),
    ".options gmin=0": (300.15, 0.0, 300.15),
    ".options epsmin=1e-20 gmin=1e-9": (300.15, 1e-9, 300.15),
    ".options list node acct savecurrents reltol=1e-9 method=gear": (300.15, 1e-12, 300.15),
}


@pytest.mark.parametrize("text", CONDITIONS)
def test_conditions_are_read(text: str) -> None:
    read = parse_netlist(f"t\n{text}\n.param two=2\nd1 a 0 m\ni1 0 a 1m\n.model m d(is=1e-14)")
    diode = read.circuit.elements[0]
    assert isinstance(diode, Diode)
    kelvin, gmin, nominal = CONDITIONS[text]
    assert read.circuit.kelvin == pytest.approx(kelvin, rel=1e-15)
    assert read.circuit.gmin_siemens == pytest.approx(gmin, rel=1e-15)
    assert diode.model.nominal_kelvin == pytest.approx(nominal, rel=1e-15)
    assert read.nominal_celsius == pytest.approx(nominal - 273.15, rel=1e-12)


@needs_ngspice
@pytest.mark.parametrize("text", CONDITIONS)
def test_ngspice_has_the_same_conditions(text: str) -> None:
    netlist = f"t\n{text}\n.param two=2\nd1 a 0 m\ni1 0 a 1u\n.model m d(is=1e-14)\n{TIGHT}"
    assert_same_solution(parse_netlist(netlist).circuit, ngspice(netlist))


def test_what_is_not_used_is_noted() -> None:
    read = parse_netlist("t\nr1 a 0 1\n.nodeset v(a)=1\n.options reltol=1e-9\n.ic v(a)=2")
    assert [note.split(":")[0] for note in read.notes] == ["line 3", "line 5", "line 4"]
    assert ["nodeset" in n or "reltol" in n or ".ic" in n for n in read.notes] == [True] * 3


INERT = [
    ".op", ".print dc v(a)", ".plot v(a)", ".save all", ".probe v(a)", ".width out=80", ".title x",
    ".options noacct", ".nodeset v(a)=3", ".ic v(a)=3", ".model unused npn(bf=100)",
    ".subckt unused a b\nq1 a b 0 nosuch\nr1 a b 0\n.ends", ".global b", ".param unused=3",
    ".func unused(x) {nosuch+x}", ".control\nset numdgt=15\nop\nprint all v(a)\nlet x = v(a)\n"
    "if x > 1\necho big\nend\nwrdata out v(a)\n.endc",
]  # fmt: skip


@pytest.mark.parametrize("text", INERT)
def test_statements_without_effect_are_accepted(text: str) -> None:
    read = parse_netlist(f"t\nr1 a 0 2\n{text}\nv1 a 0 1\n.end\n")
    assert read.circuit.elements == (
        Resistor("r1", "a", "0", 0.5),
        VoltageSource("v1", "a", "0", 1.0),
    )
