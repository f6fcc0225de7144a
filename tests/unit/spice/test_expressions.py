"""Parameter expressions: values, refusals, random ones, and ngspice's values."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim_backend.nodal.elements import VoltageSource
from sim_backend.spice.errors import NetlistError
from sim_backend.spice.expressions import MOST_NESTED, compile_expression
from sim_backend.spice.machine import FunctionTable, Machine
from sim_backend.spice.reader import parse_netlist
from tests.unit.spice.oracle import needs_ngspice, ngspice

PARAMETERS = {"a": 2.0, "b": 3.0, "c": 4.0, "a_1": 7.0, "_d": 0.5}

FUNCTIONS = [
    ".func f(x) {x*x+c}",
    ".func g(x,y) 'x-y'",
    ".func h(c) {f(1)+c}",
    ".func k() {7}",
    ".func minus(x) = -x",
    ".func twice( x ) {2*x}",
    ".param sum(x, y)='x+y'",
]

VALUES = {
    "1+2*3": 7, "2*3^2": 18, "-2^2": -4, "(-2)^2": 4, "(-2)^3": 8, "(-2)**3": 8, "2^3^2": 64,
    "2**3**2": 64, "2^-1": 0.5, "2*-3": -6, "2--3": 5, "2+-3": -1, "2*-3^2": 18, "2^-1^2": 0.25,
    "- -2": 2, "--2": 2, "-a": -2, "-a^2": -4, "-(3)^2": -9, "-sqrt(4)": -2, "-a+b": 1, "+a": 2,
    "2*(-a)": -4, "-(-a)": 2, "-a%b": -2, "!0": 1, "!1": 0, "!0.5": 0, "!!a": 1, "!a^2": 0,
    "2^!0": 2, "!0+1": 2, "-!0": -1, "!a==0": 1, "1-2-3": -4, "8/4/2": 1, "7/2": 3.5, "7\\2": 3,
    "-7\\2": -3, "(0-7)\\2": 3, "7\\(0-2)": 3, "7%3": 1, "-7%3": -1, "(0-7)%2": -1, "7.5%-2": 1.5,
    "1>2": 0, "2>1": 1, "2>=2": 1, "2<=1": 0, "1==1": 1, "1=1": 1, "1!=1": 0, "1<>2": 1,
    "1==2==0": 1, "1<2<3": 1, "1+1==2": 1, "0.1+0.2==0.3": 0, "1&&0": 0, "1&&2": 1, "1||0": 1,
    "0||0": 0, "1||0&&0": 1, "2>1&&3>2": 1, "1>0?5:6": 5, "0?5:6": 6, "0.5?1:2": 1, "0?2:3+10": 13,
    "1?2:3+10": 2, "0?1:0?2:3": 3, "5+(1>0?5:6)": 10, "5+1>0?5:6": 5, "a>b?1:a>1?2:3": 2,
    "(a>b?1:a>1?2:3)*2": 4, "a + (b > c ? 1 : 2) * 3": 8, "0>0?1/0:5": 5, "a<b?-1:-2": -1,
    "a>1?(b>5?1:2):3": 2, "a>1?-2^b:9": 8, "a<1?9:-2+b": 1, "sqrt(4)": 2, "sqr(3)": 9,
    "sin(1)": math.sin(1), "cos(1)": math.cos(1), "tan(1)": math.tan(1),
    "asin(0.5)": math.asin(0.5), "acos(0.5)": math.acos(0.5), "atan(0.5)": math.atan(0.5),
    "arctan(0.5)": math.atan(0.5), "sinh(1)": math.sinh(1), "cosh(1)": math.cosh(1),
    "tanh(1)": math.tanh(1), "asinh(1)": math.asinh(1), "acosh(2)": math.acosh(2),
    "atanh(0.5)": math.atanh(0.5), "exp(1)": math.e, "ln(10)": math.log(10),
    "log(10)": math.log(10), "log10(100)": 2, "abs(-3)": 3, "min(1,2)": 1, "max(1, 2)": 2,
    "max(-1,-2)": -1, "min(a,-b)": -3, "pow(2,3)": 8, "pow(-2,3)": -8, "pow(-2,2)": 4,
    "pow(a,-b)": 0.125, "pwr(2,3)": 8, "pwr(-2,3)": 8, "pwr(-2,0.5)": math.sqrt(2), "pow(0,0)": 1,
    "sgn(-3)": -1, "sgn(0)": 0, "sgn(2)": 1, "int(2.7)": 2, "int(-2.7)": -2, "floor(-2.5)": -3,
    "ceil(-2.5)": -2, "nint(2.5)": 2, "nint(3.5)": 4, "nint(-2.5)": -2, "ternary_fcn(1,2,3)": 2,
    "exp (0)": 1, "sqrt( 4 )": 2, "SQRT(A*A)": 2, "a_1+_d": 7.5, "((a+b)*c)": 20, "1e3*a": 2000,
    "1e-3*a": 0.002, "a*1k": 2000, "a*1meg": 2e6, "a*2.5u": 5e-6, "a+10mV": 2.01, "1kohm*a": 2000,
    "2k*3k": 6e6, "1m+1": 1.001, "1e+3+2": 1002, "2e3m": 2, ".5k+1.": 501, "1e-20*3": 3e-20,
    "1.11eV*1": 1.11, "max(a>b?1:2,a<b?5:6)": 5, "abs(a-b)>0?ln(a):exp(b)": math.log(2),
    "a*b^2": 18, "a^2*b": 12, "f(3)": 13, "f(1+2)": 13, "1-f(a)": -7, "f(f(a))": 68, "f(-a)": 8,
    "g(a,b)": -1, "g(f(1),g(1,2))": 6, "h(a)": 5, "k()": 7, "2*minus(a)": -4, "2*minus(-3)": 6,
    "twice(1.5)": 3, "f(a>b?1:2)": 8, "sum(a , b)": 5, "twice((a==2))": 2, "abs(a==2)": 1,
    "twice(a>1)": 2,
}  # fmt: skip

REFUSED = {
    "": "the end", "()": "operand", "1+": "the end", "*2": "operand", "(1": "missing",
    "1)": "operator", "1 2": "operator", "a b": "operator", "a 3": "operator", "1:2": "operator",
    "a?b": "missing", "a==2?1": "missing", "2*-a": "parentheses", "2*-a^2": "parentheses",
    "2*-(3)": "parentheses", "2*-sqrt(4)": "parentheses", "2--a": "parentheses",
    "2^-a": "parentheses", "a*+b": "parentheses", "2*+3": "parentheses", "-+2": "parentheses",
    "--a": "parentheses", "2>-a": "parentheses", "a>1?-b:9": "parentheses",
    "a>1?9:-b": "parentheses", "a>1?-(b):9": "parentheses", "a>1?b>5?1:2:3": "parentheses",
    "twice(a==2)": "equality", "f(f(a)==8)": "equality", "g(1,a = 2)": "equality",
    "!-1": "parentheses", "1&1": "cannot stand", "1|0": "cannot stand", "5%": "the end",
    "{a}": "partner", "'a'": "cannot stand", "\"a\"": "cannot stand", "a#b": "cannot stand",
    "a$": "cannot stand", "nosuch": "no parameter", "v(a)": "no function",
    "nosuch(1)": "no function", "sqrt()": "takes 1", "sqrt(1,2)": "takes 1", "pow(2)": "takes 2",
    "min(1,2,3)": "takes 2", "f(1,2)": "takes 1", "k(1)": "takes 0", "sqrt(1,)": "operand",
    "f(,1)": "operand", "sqrt(4": "missing", "sin(1)(2)": "operator", "(1)k": "operator",
    "1k5": "operator", "1/0": "not a finite", "0/0": "not a finite", "0^-1": "not a finite",
    "1%0": "not a finite", "1\\0": "not a finite", "sqrt(-4)": "not a finite",
    "ln(-1)": "not a finite", "log(0)": "not a finite", "exp(1000)": "not a finite",
    "asin(2)": "not a finite", "pow(-8,1/3)": "not a finite", "10^400": "not a finite",
    "1e400": "range", "1mil": "mil", "1a": "ambiguous", "1d3": "exponent", "limit(5,1)": "random",
    "agauss(1,1,1)": "random", "pi": "no parameter", "time": "no parameter", "not 0": "operator",
    "1 and 1": "operator", "\u00e9": "ASCII",
}  # fmt: skip


def netlist(expressions: list[str]) -> str:
    lines = ["expressions", ".param " + " ".join(f"{k}={v}" for k, v in PARAMETERS.items())]
    lines += FUNCTIONS
    for i, text in enumerate(expressions):
        lines += [f"v{i} n{i} 0 {{{text}}}", f"r{i} n{i} 0 1k"]
    return "\n".join(lines)


def value(text: str) -> float:
    source = parse_netlist(netlist([text])).circuit.elements[0]
    assert isinstance(source, VoltageSource)
    return source.volts


@pytest.mark.parametrize("text", VALUES)
def test_values(text: str) -> None:
    assert value(text) == pytest.approx(VALUES[text], rel=1e-14)


@pytest.mark.parametrize("text", REFUSED)
def test_refusals(text: str) -> None:
    with pytest.raises(NetlistError, match=REFUSED[text]) as caught:
        value(text)
    assert caught.value.line == 3 + len(FUNCTIONS)


def test_expressions_as_long_as_allowed_are_evaluated() -> None:
    text = "+".join(["a"] * 4000)
    assert value(text) == 8000
    with pytest.raises(NetlistError, match="10000 characters"):
        value("+".join(["a"] * 6000))


@pytest.mark.parametrize("opening", ["(", "sqrt(", "!", "-(", "1?1:", "1+(", "1||1&&1==1^("])
def test_nesting_is_limited_and_never_overflows_the_stack(opening: str) -> None:
    closing = ")" if "(" in opening else ""
    nested = opening * (MOST_NESTED - 2) + "1" + closing * (MOST_NESTED - 2)
    assert compile_expression(nested)
    for depth in (MOST_NESTED + 1, 600):
        with pytest.raises(NetlistError, match="more than 30"):
            compile_expression(opening * depth + "1" + closing * depth)


class _Expressions:
    """Random expressions."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def with_value(self, depth: int) -> tuple[str, float]:
        """An expression with its value by Python; operands are in parentheses, so precedence
        plays no part."""
        if depth == 0:
            name = self.random.choice(list(PARAMETERS))
            number = round(self.random.uniform(0.1, 9.0), 3)
            return self.random.choice([(name, PARAMETERS[name]), (str(number), number)])
        (left, x), (right, y) = self.with_value(depth - 1), self.with_value(depth - 1)
        cases = {
            f"({left}+{right})": lambda: x + y,
            f"({left})-({right})": lambda: x - y,
            f"({left}) * ({right})": lambda: x * y,
            f"({left})/(1+sqr({right}))": lambda: x / (1 + y * y),
            f"(-({left}))": lambda: -x,
            f"max({left},{right})": lambda: max(x, y),
            f"min({left}, {right})": lambda: min(x, y),
            f"abs({left})": lambda: abs(x),
            f"sqrt(abs({left}))": lambda: math.sqrt(abs(x)),
            f"tanh({left})": lambda: math.tanh(x),
            f"(({left})>({right}) ? ({left}) : ({right})+1)": lambda: x if x > y else y + 1,
            f"(({left})<({right}) && ({left})>0)": lambda: float(x < y and x > 0),
            f"!(({left})>=({right}))": lambda: float(not x >= y),
            f"(tanh({left}))^2": lambda: math.tanh(x) ** 2,
            f"pow({left},2)": lambda: x * x,
            f"f({left})": lambda: x * x + 4.0,
            f"g({left},{right})": lambda: x - y,
        }
        text = self.random.choice(list(cases))
        return (text, cases[text]()) if len(text) < 400 else self.with_value(0)

    def free(self, depth: int) -> str:
        """An expression whose value hangs on precedence and grouping."""
        text = self.random.choice(["", "", "-"]) + self._atom(depth)
        for _ in range(self.random.choice([0, 1, 2, 3])):
            operator = self.random.choice("+ - * / % ^ ** < > <= >= == != && ||".split())
            blank = self.random.choice(["", " "])
            sign = self.random.choice(["-2", "-3.5"]) if self.random.random() < 0.1 else ""
            text += f"{blank}{operator}{blank}{sign or self._atom(depth)}"
        return text

    def _atom(self, depth: int) -> str:
        kind = self.random.randrange(8) if depth else 0
        if kind < 4:
            return self.random.choice([*PARAMETERS, "1", "2", "0", "0.5", "3k", "2.5"])
        inner = self.free(depth - 1)
        if kind == 4:
            return f"({inner})"
        if kind == 5:
            return f"({inner} ? {self.free(0).lstrip('-')} : {self.free(0).lstrip('-')})"
        name = self.random.choice(["abs", "sgn", "int", "tanh", "floor", "max", "min"])
        return f"{name}({inner}{',1' * (name[0] == 'm')})"


@given(st.integers(0, 10**9), st.integers(0, 4))
def test_random_expressions_have_the_values_python_gives(seed: int, depth: int) -> None:
    text, expected = _Expressions(seed).with_value(depth)
    assert value(text) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(st.text(alphabet="0123ab.+-*/%\\^!<>=&|?:(), efsqrtk", max_size=30))
def test_any_text_has_a_finite_value_or_is_refused(text: str) -> None:
    class Names:
        def value(self, name: str) -> float:
            return 2.0

    try:
        result = Machine().evaluate(text, Names(), FunctionTable())
    except NetlistError:
        return
    assert math.isfinite(result)


@needs_ngspice
def test_ngspice_gives_the_same_values() -> None:
    printed = ngspice(netlist(list(VALUES)))
    assert printed, "ngspice refused the netlist"
    for i, (text, expected) in enumerate(VALUES.items()):
        assert printed[f"n{i}"] == pytest.approx(expected, rel=1e-12, abs=1e-12), text


@needs_ngspice
def test_ngspice_gives_the_same_values_of_random_expressions() -> None:
    made = []
    for seed in range(400):
        text = _Expressions(seed).free(seed % 3)
        try:
            made.append((text, value(text)))
        except NetlistError:  # x/0 and the like
            continue
    assert len(made) > 300
    printed = ngspice(netlist([text for text, _ in made]))
    assert printed, "ngspice refused the netlist"
    for i, (text, expected) in enumerate(made):
        assert printed[f"n{i}"] == pytest.approx(expected, rel=1e-10, abs=1e-10), text
