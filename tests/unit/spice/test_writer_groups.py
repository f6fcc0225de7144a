"""Groups of resistors in netlists: written in one go, and as if written one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim_backend.nodal.elements import Circuit, Element, Resistor, Resistors, VoltageSource
from sim_backend.spice import groups
from sim_backend.spice.errors import NetlistError
from sim_backend.spice.reader import parse_netlist
from sim_backend.spice.writer import write_netlist

NAMES = ["r", "R", "r1", "bar", "r 1", "r1[0]", "r[1][0]", "g", "r1[0] "]
NODES = ["a", "A", "b c", "b_c", "0", "GND", "r1[0]", ""]
SIEMENS = [0.0, 1e-3, 1 / 3, 0.7, 1e-320, -0.5, 5e-324, 1e308]


@st.composite
def groups_of_resistors(draw: Any) -> Resistors:
    count = draw(st.integers(0, 5))
    place = st.integers(0, len(NODES) - 1)
    siemens = st.one_of(st.floats(1e-12, 1e3), st.sampled_from(SIEMENS))
    return Resistors(
        draw(st.sampled_from(NAMES)),
        tuple(NODES),
        np.array([draw(place) for _ in range(count)], np.intp),
        np.array([draw(place) for _ in range(count)], np.intp),
        np.array([draw(siemens) for _ in range(count)], float),
    )


singles = st.one_of(
    st.builds(Resistor, st.sampled_from(NAMES), st.sampled_from(NODES), st.just("0"), st.just(0.5)),
    st.builds(
        VoltageSource, st.sampled_from(NAMES), st.sampled_from(["a", "A"]), st.just("0"), st.just(1)
    ),
)


def written(elements: list[Element]) -> str:
    try:
        return write_netlist(Circuit(tuple(elements)))
    except NetlistError as error:
        return f"refused: {error}"


def one_by_one(elements: list[Element]) -> list[Element]:
    found: list[Element] = []
    for element in elements:
        found += element.singly() if isinstance(element, Resistors) else [element]
    return found


@given(st.lists(st.one_of(groups_of_resistors(), singles), max_size=4))
def test_groups_are_written_as_if_one_by_one(elements: list[Element]) -> None:
    assert written(elements) == written(one_by_one(elements))


@given(st.lists(st.floats(5e-324, 1.7e308), min_size=1, max_size=30))
def test_all_conductances_are_written_as_if_one_by_one(siemens: list[float]) -> None:
    group: list[Element] = [Resistors.crossbar("r", ["a"], [f"b{k}" for k in range(len(siemens))],
                                               np.array([siemens]))]  # fmt: skip
    assert written(group) == written(one_by_one(group))


def test_a_crossbar_is_not_taken_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    g = rng.uniform(1e-6, 1e-3, (40, 30))
    g[3, 5] = 0.0
    rows, columns = [f"n{k}" for k in range(40)], [f"m{k}" for k in range(30)]
    elements: list[Element] = [
        VoltageSource("vr0", "n0", "0", 1.0),
        Resistors.crossbar("r0", rows, columns, g),
        Resistors.crossbar("r1", columns, ["0"], np.full((30, 1), 1e-3)),
    ]
    expected = written(one_by_one(elements))

    def refuse(self: Resistors) -> list[Resistor]:
        raise AssertionError("taken apart")

    monkeypatch.setattr(Resistors, "singly", refuse)
    text = written(elements)
    assert text == expected
    assert "* r0[95] n3 m5 is open" in text
    read = {e.name: e for e in parse_netlist(text).circuit.elements}
    kept = [read[f"r0[{k}]"].siemens for k in range(1200) if k != 95]
    np.testing.assert_allclose(kept, np.delete(g.ravel(), 95), rtol=3e-16)


@pytest.mark.parametrize(
    "other",
    [
        Resistor("R1[0]", "a", "0", 1.0),
        Resistor("r1[7]", "a", "0", -1.0),
        VoltageSource("r1[0]", "a", "0", 1.0),
        Resistors.crossbar("R1", ["a"], ["0"], np.ones((1, 1))),
        Resistors.crossbar("1", ["a"], ["0"], np.ones((1, 1))),
    ],
    ids=lambda element: f"{type(element).__name__} {element.name}",
)
def test_names_that_others_may_have_need_a_look(other: Element) -> None:
    group = Resistors.crossbar("r1", ["b"], ["0"], np.ones((1, 1)))
    assert groups.spread([group, other])[0] == Resistor("r1[0]", "b", "0", 1.0)
    assert groups.spread([group]) == [group]
    assert written([group, other]) == written(one_by_one([group, other]))
