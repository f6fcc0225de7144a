"""What is written, solved by ngspice as it stands."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sim_backend.nodal.elements import (
    Amplifier,
    Circuit,
    CurrentControlledCurrent,
    CurrentControlledVoltage,
    CurrentSource,
    Diode,
    DiodeModel,
    IdealDiode,
    Resistor,
    VoltageControlledCurrent,
    VoltageControlledVoltage,
    VoltageSource,
)
from sim_backend.spice.reader import parse_netlist
from sim_backend.spice.writer import write_netlist
from tests.unit.spice.oracle import (
    NGSPICE,
    assert_same_solution,
    needs_ngspice,
    ngspice,
    solve,
    without_end,
)

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
