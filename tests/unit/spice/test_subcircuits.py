"""Subcircuits, parameters, functions and models: scopes, names, and ngspice's operating points."""

from __future__ import annotations

import random

import pytest

from sim_backend.spice.errors import NetlistError
from sim_backend.spice.reader import parse_netlist
from tests.unit.spice.oracle import TIGHT, assert_same_solution, needs_ngspice, ngspice, solve

VOLTS = {
    "default": ("x1 a s\n.subckt s a r=3\nr1 a 0 {r}\n.ends", 3),
    "given": ("x1 a s r=2\n.subckt s a r=3\nr1 a 0 {r}\n.ends", 2),
    "blanks": ("x1 a s r = 2\n.subckt s a r = 3\nr1 a 0 {r}\n.ends", 2),
    "params:": ("x1 a s params: r={1 + 1}\n.subckt s a params: r=3 q=4\nr1 a 0 {r}\n.ends", 2),
    "unbraced": ("x1 a s r=1+1\n.subckt s a r=max(1, 3)\nr1 a 0 {r}\n.ends s", 2),
    "parentheses": ("x1 (a) s\n.subckt s (b)\nr1 b 0 2\n.ends", 2),
    "commas": ("x1 a,0 s\n.subckt s b,c\nr1 b c 2\n.ends", 2),
    "default of a default": ("x1 a s r=2\n.subckt s a r=3 q={r*2}\nr1 a 0 {q}\n.ends", 4),
    "in any order": ("x1 a s\n.subckt s a q={r*2} r=3\nr1 a 0 {q}\n.ends", 6),
    "passed on": (".param r=5\nx1 a s r={r}\n.subckt s a r=1\nr1 a 0 {r}\n.ends", 5),
    "passed on, doubled": (".param r=5\nx1 a s r='2*r'\n.subckt s a r=1\nr1 a 0 {r}\n.ends", 10),
    "global": (".param g=4\nx1 a s\n.subckt s a\nr1 a 0 {g}\n.ends", 4),
    "of the caller, not of the text": (
        ".param g=1\nx1 a s\n.subckt s a\n.param g=2\nx2 a t\n.ends\n"
        ".subckt t a\nr1 a 0 {g}\n.ends",
        2,
    ),
    "given to the caller": (
        "x1 a s g=2\n.subckt s a g=3\nx2 a t\n.ends\n.subckt t a\nr1 a 0 {g}\n.ends",
        2,
    ),
    "default from the caller": (
        "x1 a s\n.subckt s a\n.param u=2\nx2 a t\n.ends\n.subckt t a r={u*3}\nr1 a 0 {r}\n.ends",
        6,
    ),
    "local": ("x1 a s r=2\n.subckt s a r=1\n.param q='r*h'\n.param h=2\nr1 a 0 {q}\n.ends", 4),
    "local hides global": (
        ".param q=7 h=3\nx1 a s\n.subckt s a\n.param q='2*h' h=2\nr1 a 0 {q}\n.ends",
        4,
    ),
    "local from global": (".param r=3\nx1 a s\n.subckt s a\n.param r={r*2}\nr1 a 0 {r}\n.ends", 6),
    "default from global": (".param r=3\nx1 a s\n.subckt s a r={r*2}\nr1 a 0 {r}\n.ends", 6),
    "given and local": ("x1 a s r=2\n.subckt s a r=1\n.param r=9\nr1 a 0 {r}\n.ends", 2),
    "default and local": ("x1 a s\n.subckt s a r=1\n.param r=9\nr1 a 0 {r}\n.ends", 9),
    "last of two": (".param r=1\nr1 a 0 {q}\n.param q={r}\n.param r=2", 2),
    "last of two, local": ("x1 a s\n.subckt s a\n.param r=1\n.param r=2\nr1 a 0 {r}\n.ends", 2),
    "order does not matter": (".param c={b+1} b={d*2}\n.param d=3\nr1 a 0 {c}", 7),
    "bare parameter": (".param r=4\nr1 a 0 r", 4),
    "function": (".func f(x) {x*g}\n.param g=2\nr1 a 0 {f(3)}", 6),
    "function with a local parameter": (
        ".func f(x) {x*g}\n.param g=1\nx1 a s\n.subckt s a\n.param g=5\nr1 a 0 {f(3)}\n.ends",
        15,
    ),
    "local function": (
        ".func f(x) {x}\nx1 a s\n.subckt s a\n.func f(x) {2*x}\nr1 a 0 {f(3)}\n.ends",
        6,
    ),
    "function of the text, not of the caller": (
        ".func f(x) {x}\nx1 a s\n.subckt s a\n.func f(x) {2*x}\nx2 a t\n.ends\n"
        ".subckt t a\nr1 a 0 {f(3)}\n.ends",
        3,
    ),
    "function of the enclosing text": (
        "x1 a s\n.subckt s a\n.func f(x) {2*x}\nx2 a t\n.subckt t a\nr1 a 0 {f(3)}\n.ends\n.ends",
        6,
    ),
    "function of a function": (
        ".func f(x) {g(x)}\n.func g(x) {x}\nx1 a s\n.subckt s a\n.func g(x) {5*x}\n"
        "r1 a 0 {f(1)}\n.ends",
        1,
    ),
    "arguments seen by inner functions": (
        ".param y=7\n.func f(x) {x*y}\n.func h(y) {f(y)}\nr1 a 0 {h(3)}",
        9,
    ),
    "last of two functions": (".func f(x) {x}\n.func f(x) {2*x}\nr1 a 0 {f(4)}", 8),
    "nested definition": (
        "x1 a s\n.subckt s a\nx2 a i\n.subckt i a\nr1 a 0 2\n.ends\n.ends",
        2,
    ),
    "defined before": (".subckt s a\nr1 a 0 2\n.ends\nx1 a s", 2),
    "global node": ("x1 a s\n.subckt s a\nr1 a vdd 2\n.ends\n.global vdd\nvd vdd 0 1", 3),
    "ground inside": ("x1 a s\n.subckt s a\nr1 a gnd 4\nr2 a 0 4\n.ends", 2),
    "ground outside": ("x1 a gnd s\n.subckt s a b\nr1 a b 2\n.ends", 2),
    "same node twice": ("x1 a a s\n.subckt s a b\nr1 a 0 4\nr2 b 0 4\n.ends", 2),
    "control inside": ("x1 a s\n.subckt s a\nv1 a b 0\nr1 b 0 1\nf1 a 0 v1 2\n.ends", 1 / 3),
    "control by full name": (
        "x1 a s\n.subckt s a\nv1 a b 0\nr1 b 0 1\n.ends\nf1 a 0 v.x1.v1 2",
        1 / 3,
    ),
}


def netlist(case: str) -> str:
    return f"t\ni1 0 a 1\n{VOLTS[case][0]}\n{TIGHT}"


@pytest.mark.parametrize("case", VOLTS)
def test_voltages(case: str) -> None:
    solved = solve(parse_netlist(netlist(case)).circuit)
    assert solved["a"] == pytest.approx(VOLTS[case][1], rel=1e-12)


@needs_ngspice
@pytest.mark.parametrize("case", VOLTS)
def test_ngspice_has_the_same_voltages(case: str) -> None:
    assert_same_solution(parse_netlist(netlist(case)).circuit, ngspice(netlist(case)))


NAMES = """names
v1 a 0 1
x1 a n1 top
.global common
rc common 0 1
.subckt top p q
r1 p n1 1
xin n1 q inner
.subckt inner p q
v2 p m 0
r1 m q 1
r2 m common 1
d1 q 0 dm
.model dm d
.ends
.ends
rn n1 0 1
"""


def test_names_are_those_ngspice_prints() -> None:
    read = parse_netlist(NAMES)
    assert [e.name for e in read.circuit.elements] == [
        "v1", "r.x1.r1", "v.x1.v.xin.v2", "r.x1.r.xin.r1", "r.x1.r.xin.r2", "d.x1.d.xin.d1", "rc",
        "rn",
    ]  # fmt: skip
    assert read.lines["r.x1.r.xin.r2"] == ("<netlist>", 12)
    nodes = {name for name in solve(read.circuit) if "#" not in name}
    assert nodes == {"0", "a", "n1", "common", "x1.n1", "x1.xin.m"}


@needs_ngspice
def test_ngspice_prints_these_names() -> None:
    printed = ngspice(NAMES + TIGHT)
    assert {"x1.n1", "x1.xin.m", "common", "n1", "a", "v.x1.v.xin.v2#branch"} <= set(printed)
    assert_same_solution(parse_netlist(NAMES).circuit, printed)


LEAF = ".subckt {} a\nv1 a m 0\nr1 m 0 1\n.ends\n"

NAMES_OF_SOURCES = {
    "x1 a s\n.subckt s a\nx2 a g\n.ends\n" + LEAF.format("g"): {"v.x1.x2.v1"},
    "x1 a s\n.subckt s a\nx2 a i\nx3 a g\n" + LEAF.format("i") + ".ends\n" + LEAF.format("g"): {
        "v.x1.v.x2.v1",
        "v.x1.x3.v1",
    },
    "x1 a s\n.subckt s a\nx2 a i\n.subckt i a\nx3 a j\n" + LEAF.format("j") + ".ends\n.ends": {
        "v.x1.v.x2.v.x3.v1"
    },
    "x1 a s\n.subckt s a\nx2 a i\n.subckt i a\nx3 a j\n.ends\n" + LEAF.format("j") + ".ends": {
        "v.x1.v.x2.x3.v1"
    },
    "x0 a q\n.subckt q a\nx1 a s\n.ends\n.subckt s a\nx2 a i\n" + LEAF.format("i") + ".ends": {
        "v.x0.x1.v.x2.v1"
    },
}


@needs_ngspice
@pytest.mark.parametrize("text", NAMES_OF_SOURCES)
def test_elements_of_nested_definitions_have_ngspices_names(text: str) -> None:
    text = f"t\ni1 0 a 1\n{text}"
    read = parse_netlist(text).circuit
    sources = {element.name for element in read.elements if element.name[0] == "v"}
    assert sources == NAMES_OF_SOURCES[text.removeprefix("t\ni1 0 a 1\n")]
    branches = {name for name in ngspice(text) if name.endswith("#branch")}
    assert branches == {f"{name}#branch" for name in sources} | {"vextra#branch"}


MODEL_AMPS = {
    "of the netlist": (".model m d(is=1e-9)\nx1 a s\n.subckt s a\nd1 a 0 m\n.ends", 1e-9),
    "local before global": (
        ".model m d(is=1e-9)\nx1 a s\n.subckt s a\nd1 a 0 m\n.model m d(is=1e-6)\n.ends",
        1e-6,
    ),
    "not of the caller": (
        ".model m d(is=1e-9)\nx1 a s\n.subckt s a\nx2 a t\n.model m d(is=1e-6)\n.ends\n"
        ".subckt t a\nd1 a 0 m\n.ends",
        1e-9,
    ),
    "of the enclosing text": (
        ".model m d(is=1e-9)\nx1 a s\n.subckt s a\nx2 a t\n.model m d(is=1e-6)\n"
        ".subckt t a\nd1 a 0 m\n.ends\n.ends",
        1e-6,
    ),
    "with a parameter": (
        "x1 a s j=1n\n.subckt s a j=1u\nd1 a 0 m\n.model m d(is={j})\n.ends",
        1e-9,
    ),
    "with a parameter of its block": (
        "x1 a s j=1n\n.subckt s a j=1u\n.model m d(is={j})\nx2 a t\n"
        ".subckt t a\n.param j=1m\nd1 a 0 m\n.ends\n.ends",
        1e-9,
    ),
}


@pytest.mark.parametrize("case", MODEL_AMPS)
def test_models_are_found(case: str) -> None:
    text, amps = MODEL_AMPS[case]
    (diode,) = parse_netlist("t\n" + text).circuit.elements
    assert diode.model.saturation_amps == pytest.approx(amps, rel=1e-12)


@needs_ngspice
@pytest.mark.parametrize("case", MODEL_AMPS)
def test_ngspice_finds_the_same_models(case: str) -> None:
    text = f"t\ni1 0 a 1m\n{MODEL_AMPS[case][0]}\n{TIGHT}"
    assert_same_solution(parse_netlist(text).circuit, ngspice(text))


def test_parameters_of_the_netlist_are_reported() -> None:
    read = parse_netlist("t\n.param a={2*b} b=3\nr1 n 0 1\n.subckt s a\n.param c=1\n.ends")
    assert read.parameters == {"a": 6.0, "b": 3.0}


class RandomHierarchy:
    """Subcircuits defined and called in each other, with every kind of definition."""

    NAMES = (*"pqrsuvw", "aa", "bb", "cc", "dd", "ee")

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.made = 0

    def netlist(self) -> str:
        values = [f"{name}={self.chance.randint(1, 9)}" for name in self.NAMES]
        lines = ["t", ".param " + " ".join(values), ".func f(x) {x*p+1}"]
        lines.append(".model dm d(is={1e-12*p})")
        top: dict[str, list[str]] = {}
        for _ in range(3):
            name, formals, more = self.subcircuit(2, top)
            top[name], lines = formals, lines + more
        lines += [f"v{k} n{k} 0 {k + 1}\nr{k} n{k} 0 1k" for k in range(3)]
        return "\n".join([*lines, *self.calls(top, ["n0", "n1", "n2"]), TIGHT])

    def subcircuit(
        self, depth: int, outer: dict[str, list[str]]
    ) -> tuple[str, list[str], list[str]]:
        """Name, parameters and lines."""
        chance = self.chance
        self.made += 1
        name, formals = f"s{self.made}", chance.sample(self.NAMES, chance.randint(0, 3))
        known, inside = dict(outer), []
        for _ in range(chance.randint(0, 2) if depth else 0):
            inner, inner_formals, lines = self.subcircuit(depth - 1, known)
            known[inner], inside = inner_formals, inside + lines
        defaults = " ".join(f"{formal}={self.value()}" for formal in formals)
        first, second, third = (chance.choice(self.NAMES) for _ in range(3))
        body = [f"r1 a m {{1k*({first}+{second})}}", f"r2 m b {{1k*f({third})}}", "d1 m b dm"]
        lines = [f".subckt {name} a b {defaults}", *inside, *self.definitions(), *body]
        return name, formals, [*lines, *self.calls(known, ["a", "m"]), ".ends"]

    def definitions(self) -> list[str]:
        chance, names = self.chance, self.NAMES
        chosen = chance.sample(names, chance.randint(0, 2))
        lines = [f".param {name}={self.value()}" for name in chosen]
        if chance.random() < 0.3:
            lines.append(f".func f(x) {{2*x+{chance.choice(names)}}}")
        if chance.random() < 0.3:
            lines.append(f".model dm d(is={{1e-12*{chance.choice(names)}}})")
        return lines

    def calls(self, known: dict[str, list[str]], nodes: list[str]) -> list[str]:
        lines = []
        for k, (name, formals) in enumerate(known.items()):
            if self.chance.random() < 0.6:
                given = [f"{f}={self.value()}" for f in formals if self.chance.random() < 0.6]
                lines.append(f"x{k} {self.chance.choice(nodes)} 0 {name} {' '.join(given)}")
        return lines

    def value(self) -> str:
        form = self.chance.choice(["{%s}", "{%s*2}", "{%s+1}", "{1+%s/2}", "'%s+3'", "%d"])
        return form % (
            self.chance.randint(1, 9) if form == "%d" else self.chance.choice(self.NAMES)
        )


@needs_ngspice
def test_ngspice_agrees_on_random_hierarchies() -> None:
    compared = 0
    for seed in range(200):
        text = RandomHierarchy(seed).netlist()
        try:
            circuit = parse_netlist(text).circuit
        except NetlistError:  # ambiguous or circular
            continue
        printed = ngspice(text)
        if printed:
            assert_same_solution(circuit, printed, atol=1e-7)
            compared += 1
    assert compared > 40
