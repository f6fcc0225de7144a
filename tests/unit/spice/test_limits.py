"""Hostile and large netlists: clear errors in little time, and speed where it matters."""

from __future__ import annotations

from pathlib import Path

import pytest

from sim_backend.nodal.elements import VoltageSource
from sim_backend.spice import files, lines, subcircuits
from sim_backend.spice.errors import NetlistError
from sim_backend.spice.reader import parse_netlist, read_netlist
from sim_backend.spice.writer import write_netlist

"""Of processor time; several times what is needed here."""


def doubling(depth: int) -> str:
    blocks = [f".subckt s{i} a\nx1 a s{i + 1}\nx2 a s{i + 1}\n.ends\n" for i in range(depth)]
    return "t\nx1 a s0\n" + "".join(blocks) + f".subckt s{depth} a\nr1 a 0 1\n.ends"


HOSTILE = {
    "functions that call the next twice": (
        "t\n" + "".join(f".func f{i}(x) {{f{i + 1}(x)+f{i + 1}(x)}}\n" for i in range(40))
        + ".func f40(x) {x}\nr1 a 0 {f0(1)}",
        "too much work",
    ),
    "a function that calls itself": (".x\n.func f(x) {f(x)}\nr1 a 0 {f(1)}", "60 deep"),
    "a chain of parameters against the order": (
        "t\n" + "".join(f".param p{i}=p{i + 1}\n" for i in range(100)) + ".param p100=1\nr1 a 0 p0",
        "60 deep",
    ),
    "parentheses": (f"t\nr1 a 0 {{{'(' * 4000}1{')' * 4000}}}", "30 deep"),
    "a long expression": (f"t\nr1 a 0 {{{'1+' * 20000}1}}", "10000 characters"),
    "nested definitions": ("t\n" + "".join(f".subckt s{i} a\n" for i in range(50)), "20 deep"),
    "nested instances": (
        "t\nx1 a s0\n"
        + "".join(f".subckt s{i} a\nx1 a s{i + 1}\n.ends\n" for i in range(50))
        + ".subckt s50 a\n.ends",
        "20 deep",
    ),
    "a large exponent": ("t\nr1 a 0 1e99999999999999", "digits"),
    "many digits": (f"t\nr1 a 0 {'9' * 5000}", "range"),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_netlists_are_refused(case: str) -> None:
    text, word = HOSTILE[case]
    with pytest.raises(NetlistError, match=word) as caught:
        parse_netlist(text)
    assert caught.value.line is not None


def test_expansion_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(parse_netlist(doubling(8)).circuit.elements) == 256
    monkeypatch.setattr(subcircuits, "MOST_ELEMENTS", 10_000)
    with pytest.raises(NetlistError, match="more than 10000 elements"):
        parse_netlist(doubling(19))


def test_instances_of_empty_subcircuits_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subcircuits, "MOST_ELEMENTS", 10_000)
    with pytest.raises(NetlistError, match="more than 10000 elements"):
        parse_netlist(doubling(18).replace("r1 a 0 1\n", ""))


def test_sizes_are_limited(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert lines.MOST_CHARACTERS == files.MOST_CHARACTERS == 128 * 2**20
    monkeypatch.setattr(files, "MOST_CHARACTERS", 1000)
    with pytest.raises(NetlistError, match="more than 1000"):
        parse_netlist("t\n" + "* x\n" * 300)
    path = tmp_path / "large.cir"
    path.write_text("t\n" + "* x\n" * 300)
    with pytest.raises(NetlistError, match="more than 1000"):
        read_netlist(path)
    (tmp_path / "part.inc").write_text("* x\n" * 100)
    path.write_text("t\n" + ".include part.inc\n" * 3)
    with pytest.raises(NetlistError, match="1000 characters in all"):
        read_netlist(path)


def test_parameters_in_order_may_be_many() -> None:
    text = "t\n.param p0=1\n" + "".join(f".param p{i + 1}={{p{i}+1}}\n" for i in range(2000))
    assert parse_netlist(text + "r1 a 0 p2000").parameters["p2000"] == 2001


def test_continuations_may_be_long() -> None:
    text = "t\nv1 a 0 pwl(\n" + "".join(f"+ {i} {i}\n" for i in range(50_000)) + "+ )\nr1 a 0 1"
    source = parse_netlist(text).circuit.elements[0]
    assert isinstance(source, VoltageSource)
    assert source.volts == 0.0


def test_160000_resistors_are_read_and_written() -> None:
    rows = [f"R{i} n{i % 400} m{i // 400} {1e3 + i * 0.1:.17g}" for i in range(160_000)]
    text = "\n".join(["crossbar", *rows, ".end\n"])
    circuit = parse_netlist(text).circuit
    assert len(circuit.elements) == 160_000
    assert write_netlist(circuit).count("\n") == 160_004


def test_instances_may_be_many() -> None:
    text = "t\n.subckt s a b r=1k\nr1 a m {r}\nd1 m b dm\n.model dm d(is={1e-12*r})\n.ends\n"
    text += "".join(f"x{i} n{i % 100} 0 s r={{{1 + i % 7}k}}\n" for i in range(10_000))
    assert len(parse_netlist(text).circuit.elements) == 20_000
