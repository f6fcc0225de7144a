"""What is refused: always with its line, and with a word that tells what is wrong."""

from __future__ import annotations

import pickle
import re

import pytest

from sim_backend.spice.errors import NetlistError
from sim_backend.spice.reader import parse_netlist

ELEMENTS = {
    "r1 a": "too few", "r1 a b 1 2": "one value", "r1 a b 1 r=2": "one value",
    "r1 a b 0": "above 0 ohm", "r1 a b -5": "above 0 ohm", "r1 a b {1-1}": "above 0 ohm",
    "r1 a b 1e-320": "range", "r1 a b 1k tc1=1m": "tc1", "r1 a b 1k tc=1m": "`tc`",
    "r1 a b 1k tc2=1m": "tc2", "r1 a b 1k tce=1": "tce", "r1 a b 1k scale=2": "scale",
    "r1 a b 1k zork=2": "zork", "r1 a b 1k m=0": "above 0", "r1 a b 1k m=-1": "above 0",
    "r1 a b rmodel": "resistor models", "r1 a b nosuch": "no parameter",
    "r1 a b 1k m=2 m=3": "twice", "r1 a b m=2 1k": "after name=value", "r1 {a} b 1k": "a node is",
    "r1 a b 1{two}": "one value", "r1 a b {1": "partner", "r1 a b 1}": "partner",
    "r1 a b '1": "partner", 'r1 a "b" 1': "partner", "r1 a b = 1": "too few",
    "r1 a b 1k =": "equals", "r1 a b r==1": "equals", "r1 a b 4k7": "suffix",
    "r1 a b {1k tc1=0}": "ASCII|cannot stand|operator", "r1 a b 1k off": "one value",
    "v1 a b": "too few", "v1 a b dc": "one number", "v1 a b 1 2": "not understood",
    "v1 a b 5 dc 6": "more than one", "v1 a b dc 5 dc 6": "more than one", "v1 a a 5": "same node",
    "v1 a b ac 1 0 5": "not understood", "v1 a b 5 ac 1 2 3": "not understood",
    "v1 a b 5 m=2": "not understood", "v1 a b dc 5 portnum 1 z0 50": "not understood",
    "v1 a b sffm(1 2 3)": "time zero", "v1 a b am(1 2)": "time zero",
    "v1 a b trnoise(1 2)": "time", "v1 a b sin(1 2 3 0 0 90)": "not understood",
    "v1 a b pulse(1)": "dc value", "v1 a b pulse(1 2 -1)": "negative delay",
    "v1 a b sin(1 2 3 -1)": "negative delay", "v1 a b exp(1 2 -1)": "negative delay",
    "v1 a b pwl(-1 0 1 2)": "pairs", "v1 a b pwl(0 1 2)": "pairs",
    "v1 a b pwl(0 1 1 2) td=-1": "td", "v1 a b pulse(1 2) sin(1 2)": "more than one",
    "v1 a b r=5": "not understood|no parameter", "v1 a b 5 zork": "not understood",
    "i1 a b": "too few", "i1 a b 1 m=0": "above 0", "i1 a b 2a": "ambiguous", "d1 a b": "too few",
    "d1 a b off": "needs a model", "d1 a b nosuch": "no model", "d1 a b dm 1 2": "one area",
    "d1 a b dm 1 area=2": "one area", "d1 a b dm area=0": "above 0", "d1 a b dm -1": "above 0",
    "d1 a b dm temp=50": "temp", "d1 a b dm dtemp=5": "dtemp",
    "d1 a b dm thermal": "not a number|no parameter", "d1 a b dm w=1u": "w=",
    "d1 a b c dm": "no model", "d1 a b npn": "type `npn`", "d1 a b dm m=0": "above 0",
    "e1 a b c d": "one gain", "e1 a b c": "wrong number", "e1 a b c d 1 2": "wrong number",
    "e1 a b c d 1 gain=2": "one gain", "e1 a a c d 5": "same node", "e1 a b c d 1 m=2": "m=",
    "e1 a b poly(1) c d 0 1": "poly", "e1 a b value={v(a)}": "value", "e1 a b vol='v(a)'": "vol",
    "e1 a b table {v(a)} = (0,0) (1,1)": "table", "e1 a b vcvs c d 5": "wrong number",
    "g1 a b c d": "one gain", "g1 a b cur='v(a)'": "cur", "g1 a b c d 1 m=0": "above 0",
    "f1 a b vx": "one gain", "f1 a b vx 1 2": "wrong number",
    "f1 a b nosuch 2": "no voltage source", "f1 a b v9 2": "no voltage source",
    "f1 a b r9 2": "no voltage source", "f1 a b e9 2": "no voltage source",
    "f1 a b l9 2": "no voltage source", "f1 a b poly(2) vx vx 0 1 1": "poly",
    "h1 a b nosuch 2": "no voltage source", "h1 a b vx": "one gain", "h1 a a vx 2": "same node",
    "l1 a a 1m": "same node", "l1 a": "too few", "c1 a": "too few", "b1 a b v=5": "behavioural",
    "q1 a b c npn": "bipolar", "m1 a b c d nm": "MOSFET", "j1 a b c jm": "JFET",
    "s1 a b c d sw": "switches", "w1 a b vx sw": "switches", "t1 a 0 b 0 z0=50": "transmission",
    "u1 a b c": "RC lines", "a1 a b am": "XSPICE", "z1 a b c zm": "MESFET",
    "x1 a b nosuch": "no subcircuit", "x1": "an instance is written", "x1 a s": "2 nodes",
    "x1 a b c s": "2 nodes", "x1 a b s q=1": "no parameter `q`", "x1 a b s m=2": "parallel",
    "x1 a b s r=1 r=2": "twice", "x1 a b s r=": "without a value", "x1 a b s r={1": "missing",
    "x1 a b s r={1}2": "blank", "x1 a b s r=1 + 1": "not name=value", "x1 {a} b s": "a node is",
    "rx a b 1": "exists already", "RX a b 1": "exists already", "xx a b s": "exists already",
    "vx a b 1": "exists already", "5 a b 1": "begins with its letter", "y1 a b 1": "transmission",
    "r1 a(b) 1": "one name", "r1 a b(1)": "one name", "v1 a b(1)": "one name",
    "v1(a b) 1": "one name", "d1 a b( dm": "partner", "d1 a b(dm)": "one name",
    "r1 a b 1)": "partner", "r1 (a b 1": "partner", "r1 a) (b 1": "partner",
    "x1(a b) s": "one name", "x1 a b)s": "partner", "x1 a(b) s": "one name",
    "i1 a m=2 b 1": "after name=value", "v1 dc=5 a b": "after name=value", "r1 a b": "too few",
    "c1 a b": "too few", "l1 a b": "too few", "r1 a , b 1": "comma", "r1 a b 1 ,": "comma",
    "x1 a , b s": "comma", "r1=2": "such elements", "= a b 1": "begins with its letter",
    "(r1 a b 1)": "begins with its letter",
}  # fmt: skip

COMMANDS = {
    ".dc v1 0 1 1": "operating point", ".ac dec 10 1 1k": "operating point",
    ".tran 1n 1u": "operating point", ".noise v(a) v1 dec 1 1 2": "operating point",
    ".tf v(a) v1": "operating point", ".sens v(a)": "operating point",
    ".pz a 0 b 0 cur pol": "operating point", ".disto dec 1 1 2": "operating point",
    ".four 1k v(a)": "operating point", ".meas tran x max v(a)": "operating point",
    ".step v1 0 1 1": "operating point", ".zork": "misspelled", ".if (1)": ".lib sections",
    ".else": ".lib sections", ".endif": ".lib sections", ".csparam a=1": "misspelled",
    ".par a=1": "misspelled", ".en": "misspelled", ".end now": "misspelled",
    ".alter": "misspelled", ".options zork": "unknown", ".options rshunt=1": "unknown",
    ".options gshunt=1": "unknown", ".options scale=2": "unknown",
    ".options temp": "needs a value", ".options temp 50": "needs a value",
    ".options temp=tt": "not a number", ".options temp=-300": "absolute zero",
    ".options tnom=-273.15": "absolute zero", ".options gmin=-1": "negative",
    ".options temp=50 temp=70": "twice", ".options temp={nosuch}": "no parameter",
    ".temp": "one temperature", ".temp 50 70": "one temperature", ".temp hot": "not a number",
    ".temp -300": "absolute zero", ".options temp=50\n.temp 70": "already",
    ".temp 50\n.temp 70": "already", ".global a b=1": "names of nodes", ".param": "no parameter",
    ".param a": "not name=value", ".param a=": "without a value", ".param a=1, b=2": "operator",
    ".param a=1,b=2": "operator", ".param (a=1)": "not name=value",
    ".param a = 1 + 1": "not name=value", ".param a={1": "missing", ".param a='1": "missing",
    ".param a={1}b=2": "blank", ".param 1a=1": "not name=value", ".param a.b=1": "not name=value",
    ".param a=a": "defined by itself", ".param a=b b=a": "depends on itself",
    ".param a=nosuch": "no parameter", ".param sqrt=1": "is a function", ".param off=1": "keyword",
    ".param dc=1": "keyword", ".param agauss=1": "is a function", ".param a=1/0": "not a finite",
    ".param a={}": "the end", ".param a=\"1\"": "cannot stand", ".func f": "is written",
    ".func f(x)": "is written", ".func f(x,x) {x}": "different names",
    ".func f(1) {x}": "different names", ".func sqrt(x) {x}": "is a function",
    ".func f {x}": "is written", ".model": "needs a name", ".model m": "needs a name",
    ".model dm d": "second model", ".subckt": "needs a name", ".subckt u a": "without .ends",
    ".subckt u a a\n.ends": "same node twice", ".subckt u 0\n.ends": "ground",
    ".subckt u gnd\n.ends": "ground", ".subckt u a r=1 r=2\n.ends": "twice",
    ".subckt u a r\n.ends\nx1 a u": "2 nodes", ".subckt u a exp=1\n.ends": "is a function",
    ".subckt s a\n.ends": "second subcircuit",
    ".subckt u a\n.subckt s a\n.ends\n.ends": "second subcircuit",
    ".subckt u a\n.ends v": "`u` is open", ".ends": "without .subckt",
    ".subckt u a\n.temp 50\n.ends": "main netlist",
    ".subckt u a\n.options gmin=1\n.ends": "main netlist",
    ".subckt u a\n.dc v1 0 1 1\n.ends": "operating point",
    ".subckt u a\nx1 a u\n.ends\nx1 a u": "contains itself",
    ".subckt u a\nx1 a w\n.ends\n.subckt w a\nx1 a u\n.ends\nx1 a u": "contains itself",
    ".subckt u g9\n.ends\n.global g9\nx1 b u": ".global",
    ".subckt u a r=1\nr1 a 0 {r}\n.ends\nx1 a u r={q}": "no parameter",
    ".subckt u a r=1 q=7\nr1 a 0 {r}\n.ends\n.param q=3\nx1 a u r={q}": "simulators differ",
    ".subckt u a r=1\n.param h=8\nr1 a 0 {r}\n.ends\n.param h=3\nx1 a u r={h}": "simulators differ",
    ".subckt u a r=1 q=2\nr1 a 0 {r}\n.ends\n.param q=3 r=4\nx1 a u r={q} q={r}": "on itself",
    ".subckt u a r=1\nr1 a 0 0\n.ends\nx1 a u": r"\(in x1\)",
    ".subckt u a\nv1 a 0 1\n.ends\nf1 a 0 v1 1\nx1 b u": "no voltage source",
    ".subckt u a\nf1 a 0 vx 1\n.ends\nx1 a u": "no voltage source",
    ".subckt u a\nd1 a 0 um\n.model um d\n.ends\nd1 a 0 um\nx1 a u": "no model",
    ".subckt u a\n.param p=nosuch\n.ends\nx1 a u": "no parameter",
    ".subckt u a\n.func ff(x) {x}\n.ends\nr1 a 0 {ff(1)}": "no function",
}  # fmt: skip

LINES_LATER = {
    ".options temp=50\n.temp 70": 1, ".temp 50\n.temp 70": 1, ".subckt u a r\n.ends\nx1 a u": 2,
    ".subckt u a\n.subckt s a\n.ends\n.ends": 1, ".subckt u a\n.ends v": 1,
    ".subckt u a\n.temp 50\n.ends": 1, ".subckt u a\n.options gmin=1\n.ends": 1,
    ".subckt u a\n.dc v1 0 1 1\n.ends": 1, ".subckt u a\nx1 a u\n.ends\nx1 a u": 1,
    ".subckt u a\nx1 a w\n.ends\n.subckt w a\nx1 a u\n.ends\nx1 a u": 4,
    ".subckt u g9\n.ends\n.global g9\nx1 b u": 3,
    ".subckt u a r=1\nr1 a 0 {r}\n.ends\nx1 a u r={q}": 3,
    ".subckt u a r=1 q=7\nr1 a 0 {r}\n.ends\n.param q=3\nx1 a u r={q}": 4,
    ".subckt u a r=1\n.param h=8\nr1 a 0 {r}\n.ends\n.param h=3\nx1 a u r={h}": 5,
    ".subckt u a r=1 q=2\nr1 a 0 {r}\n.ends\n.param q=3 r=4\nx1 a u r={q} q={r}": 4,
    ".subckt u a r=1\nr1 a 0 0\n.ends\nx1 a u": 1,
    ".subckt u a\nv1 a 0 1\n.ends\nf1 a 0 v1 1\nx1 b u": 3,
    ".subckt u a\nf1 a 0 vx 1\n.ends\nx1 a u": 1,
    ".subckt u a\nd1 a 0 um\n.model um d\n.ends\nd1 a 0 um\nx1 a u": 4,
    ".subckt u a\n.param p=nosuch\n.ends\nx1 a u": 1,
    ".subckt u a\n.func ff(x) {x}\n.ends\nr1 a 0 {ff(1)}": 3,
}  # fmt: skip
"""Where it is not the first line that is wrong."""

MODELS = {
    "is=0": "IS=0", "is=-1": "IS=-1", "is=1e-29": "epsmin", "n=0": "N must", "n=-1": "N must",
    "rs=-1": "RS", "tnom=-300": "TNOM", "bv=100": "breakdown", "bv=-50": "breakdown",
    "ikf=1m": "ikf", "ik=1": "`ik`", "ikr=1": "ikr", "isr=1n": "isr", "jsw=1n": "jsw",
    "jtun=1n": "jtun", "jtunsw=1": "jtunsw", "trs=1m": "trs", "trs1=1": "trs1", "trs2=1": "trs2",
    "tlev=1": "tlev", "level=3": "level 3", "zork=1": "zork", "is=1n is=2n": "twice",
    "is=1n js=2n": "twice", "is": "no value", "is=": "equals", "is=nosuch": "no parameter",
    "is=2*j": "not a number", "gmin=1": "no diode parameter", "is=1n 2": "no value",
}  # fmt: skip

COMMANDS_IN_CONTROL = {
    "alter v1 2": "alter v1", "alterparam a=1": "alterparam", "altermod dm is=1": "altermod",
    "source x.cir": "source", "set temp=50": "set temp", "set gmin = 1": "set gmin",
    "set rshunt=1": "set rshunt", "option temp=50": "option", "unset gmin": "unset gmin",
    "let @r1[resistance]=5": "let @r1", "dc v1 0 1 1": "dc v1", "tran 1n 1u": "tran",
    "reset": "reset", "shell rm x": "shell", "circbyline r1 a 0 1": "circbyline",
    "mc_source": "mc_source", "@v1[dc]=3": "@v1", "zork": "zork", "load x.raw": "load",
}  # fmt: skip

AROUND = [
    "title", "rx a b 5", "vx a c 1", "v9x b 0 1", "r9 a 0 1", "e9 e 0 a 0 1", "l9 a 0 1m",
    "xx a b s", ".param two=2", ".model dm d", ".model npn npn(bf=100)", ".model rmodel r(tc1=0)",
    ".subckt s a b r=1", "r1 a b {r}", ".ends",
]  # fmt: skip


def refused(lines: list[str], word: str, line: int) -> None:
    text = "\n".join(lines)
    with pytest.raises(NetlistError, match=word) as caught:
        parse_netlist(text)
    assert caught.value.line == line
    assert caught.value.text is not None
    # Cause and remedy, and the place in front.
    assert len(caught.value.message) > 15
    assert str(caught.value).startswith(f"line {line}: `{caught.value.text[:100]}")


@pytest.mark.parametrize("text", ELEMENTS)
def test_elements(text: str) -> None:
    refused([*AROUND, text], ELEMENTS[text], len(AROUND) + 1)


@pytest.mark.parametrize("text", COMMANDS)
def test_commands(text: str) -> None:
    refused([*AROUND, text], COMMANDS[text], len(AROUND) + 1 + LINES_LATER.get(text, 0))


@pytest.mark.parametrize("text", MODELS)
def test_models(text: str) -> None:
    lines = [*AROUND, ".param j=1n", "d1 a 0 m", f".model m d({text})"]
    refused(lines, MODELS[text], len(lines))


@pytest.mark.parametrize("text", COMMANDS_IN_CONTROL)
def test_commands_in_control_sections(text: str) -> None:
    lines = [*AROUND, ".control", "op", text, "print all", ".endc"]
    refused(lines, re.escape(COMMANDS_IN_CONTROL[text]), len(AROUND) + 3)


def test_the_netlist_around_is_fine() -> None:
    read = parse_netlist("\n".join(AROUND))
    assert len(read.circuit.elements) == 7


def test_an_error_tells_file_line_text_cause_and_remedy() -> None:
    error = NetlistError("a cause; a remedy", "f.cir", 12, "r1 a b")
    assert str(error) == "f.cir:12: `r1 a b`: a cause; a remedy"
    assert (error.message, error.path, error.line) == ("a cause; a remedy", "f.cir", 12)
    assert isinstance(error, ValueError)
    assert str(NetlistError("a cause")) == "a cause"
    assert str(NetlistError("a cause", line=3)) == "line 3: a cause"
    assert str(NetlistError("a cause", "f.cir")) == "f.cir: a cause"
    assert len(str(NetlistError("a cause", None, 1, "x" * 10_000))) < 200
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_the_place_of_an_error_is_the_innermost() -> None:
    error = NetlistError("a cause").at("inner.cir", 3, "r1")
    assert error.at("outer.cir", 7, "x1") is error
