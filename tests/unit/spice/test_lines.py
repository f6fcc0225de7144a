"""Comments, continuations and line numbers, and what ngspice makes of the same netlists."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim_backend.nodal.elements import Resistor, VoltageSource
from sim_backend.spice.errors import NetlistError
from sim_backend.spice.lines import split_statements
from sim_backend.spice.reader import parse_netlist
from tests.unit.spice.oracle import needs_ngspice, ngspice

FIVE_VOLTS = {
    "continuation": "v1 a 0\n+ 5",
    "without a blank": "v1 a 0\n+5",
    "negative": "v1 0 a\n+-5",
    "indented": "v1 a 0\n \t + 5",
    "over a comment line": "v1 a 0\n* comment\n+ 5",
    "over blank lines": "v1 a 0\n\n   \n+ 5",
    "over everything": "v1 a 0\n  \n* a\n\n  * b\n$ c\n// d\n+ 5",
    "comment before": "v1 a 0 ; comment\n+ 5",
    "dollar before": "v1 a 0 $ comment\n+ 5",
    "empty ones": "v1 a\n+\n+ 0\n+ ; nothing\n+ 5",
    "semicolon": "v1 a 0 5;6",
    "dollar": "v1 a 0 5 $6",
    "dollar after a comma": "v1 a 0 5,$6",
    "slashes": "v1 a 0 5// 6",
    "slashes after a blank": "v1 a 0 5 // 6",
    "comment lines": "* v1 a 0 1\n ; v1 a 0 2\n\t* v1 a 0 3\n//v1 a 0 4\n$v1 a 0 6\nv1 a 0 5",
    "upper case": "V1 A 0 DC 5",
    "tabs": "v1\ta\t0\t5",
    "carriage returns": "v1 a 0 5\r\n* x\r\n",
    "leading blanks": "   v1 a 0 5",
    "commas and parentheses": "v1 (a,0) dc=(5)",
    "ground": "v1 a gnd 5",
    "upper case ground": "v1 a GND 5",
    "end": "v1 a 0 5\n* .end is next",
}


def netlist(case: str) -> str:
    return f"title\n{FIVE_VOLTS[case]}\nr1 a 0 1k\nr2 a$x 0 1k\nv2 a$x 0 1"


@pytest.mark.parametrize("case", FIVE_VOLTS)
def test_statements_are_put_together(case: str) -> None:
    source = parse_netlist(netlist(case)).circuit.elements[0]
    assert isinstance(source, VoltageSource)
    assert {source.plus, source.minus} == {"a", "0"}
    assert source.volts == (-5.0 if case == "negative" else 5.0) * (
        -1.0 if source.plus == "0" and case != "negative" else 1.0
    )


@needs_ngspice
@pytest.mark.parametrize("case", FIVE_VOLTS)
def test_ngspice_puts_the_same_statements_together(case: str) -> None:
    printed = ngspice(netlist(case))
    assert printed["a"] == 5.0
    assert printed["a$x"] == 1.0


def test_lines_are_numbered_from_one_at_the_first_of_each_statement() -> None:
    text = "title\n\nr1 a 0 1\n* c\n+ m=2\n.end\n"
    statements = split_statements(text, "f.cir", titled=True)
    assert [(line.text, line.path, line.number) for line in statements.lines] == [
        ("r1 a 0 1  m=2", "f.cir", 3)
    ]
    read = parse_netlist("t\n\nr1 a 0 1\nr2 a\n+ 0\n\n+ 1\nv1 a 0 1\n.end")
    assert read.lines == {"r1": ("<netlist>", 3), "r2": ("<netlist>", 4), "v1": ("<netlist>", 8)}


@pytest.mark.parametrize(
    ("first", "title"),
    [
        ("my circuit", "my circuit"),
        ("* starred *", "starred *"),
        ("", ""),
        ("r1 a 0 5", "r1 a 0 5"),
    ],
)
def test_the_first_line_is_the_title(first: str, title: str) -> None:
    read = parse_netlist(f"{first}\nr2 a 0 1k\n")
    assert read.circuit.title == title
    assert [element.name for element in read.circuit.elements] == ["r2"]


def test_names_are_lower_case() -> None:
    assert parse_netlist("t\nRload Out 0 1K").circuit.elements == (
        Resistor("rload", "out", "0", 1e-3),
    )


def test_a_byte_order_mark_is_no_part_of_the_title() -> None:
    assert parse_netlist("\ufefftitle\nr1 a 0 1").circuit.title == "title"


REFUSED = {
    "+ v1 a 0 5\nr1 a 0 1": (2, "continues the title"),
    "\n+ v1 a 0 5\nr1 a 0 1": (3, "continues the title"),
    "v1 a 0\n; x\n+ 5": (4, "begins with `;`"),
    "v1 a 0 5\n.end\nr1 a 0 1": (4, "after .end"),
    "v1 a 0 5\n.END\n\n* fine\n.op": (6, "after .end"),
    "v1 a 0 \\\\\n5": (2, "backslash"),
    "v1 a 0 \\\n5": (2, "backslash"),
    "v1 a 0 5\rr1 a 0 1": (2, "carriage return"),
    "v1 a 0 5\nr1 a 0 \x001": (3, "control character"),
    "v1 a 0 5\nr1 a 0 1\u03bc": (3, "ASCII"),
    "r1 \u00e9 0 1": (2, "ASCII"),
    "r1 a 0\u00a01k": (2, "ASCII"),
    "#r1 a 0 1k": (2, "begins with its letter"),
    "v1 a 0 5$ 6": (2, "not understood"),
    "v1 a 0 5 -- 6": (2, "not understood"),
    ".control\nop": (2, "without .endc"),
    ".control\n.control\nop\n.endc": (3, "inside another"),
    "r1 a 0 1\n.endc": (3, "without .control"),
    "r1 a 0\n.control\nop\n.endc\n+ 1k": (5, "stands alone"),
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_ngspice_drops_or_garbles_is_refused(text: str) -> None:
    line, word = REFUSED[text]
    with pytest.raises(NetlistError, match=word) as caught:
        parse_netlist("title\n" + text)
    assert caught.value.line == line


def test_a_title_that_swallows_the_next_line_is_refused() -> None:
    with pytest.raises(NetlistError, match="backslash") as caught:
        parse_netlist("title \\\\\nr1 a 0 1")
    assert caught.value.line == 1


@given(st.lists(st.sampled_from(["", "* c", "$ c", "// c", "+", "  ", "\t* c"]), max_size=6))
def test_nothing_between_the_parts_of_a_statement_matters(between: list[str]) -> None:
    text = "\n".join(["t", "r1 a 0", *between, "+ 2"])
    assert parse_netlist(text).circuit.elements == (Resistor("r1", "a", "0", 0.5),)


@given(st.text(alphabet="rv1a0 .+*;$/\\\n\r\t(){}'\"=,kKxX", max_size=60))
def test_any_text_is_read_or_refused_with_its_line(text: str) -> None:
    try:
        parse_netlist(text)
    except NetlistError as error:
        if error.line is None or not 1 <= error.line <= text.count("\n") + 1:
            raise
