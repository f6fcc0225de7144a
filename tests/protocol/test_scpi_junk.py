"""Whatever is sent, in whatever order, an emulated instrument answers or queues an error."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.emulated.interface import EmulatedInstrument
from drivers.emulated.keithley2400 import EmulatedKeithley2400
from drivers.emulated.keithley6221 import EmulatedKeithley6221
from drivers.emulated.scpi.commands import Node
from drivers.emulated.world import ResistorWorld


def headers(node: Node, path: str = "") -> list[str]:
    """Every header of a tree, in its long form."""
    found = [path] if node.command is not None else []
    for edge in node.edges:
        name = max(edge.spellings, key=len)
        number = str(edge.number) if edge.must_be_sent else ""
        found += headers(edge.target, f"{path}:{name}{number}")
    return found


def build_2400() -> EmulatedKeithley2400:
    return EmulatedKeithley2400(ResistorWorld(1e3), random=np.random.default_rng(1))


def build_6221() -> EmulatedKeithley6221:
    return EmulatedKeithley6221(ResistorWorld(1e3), random=np.random.default_rng(1))


PARAMETERS = st.sampled_from(
    """0 1 -1 3 1e-6 0.5 20 2500 1e40 INF NAN MIN MAX DEF ON OFF UP DOWN AUTO VOLT CURR LIST SWE FIX
    IMM BUS 'VOLT' 'CURR','RES' 'RES' 1,2,3 (@101) #13abc #H1F REAL,32 HEX NEXT MAN LOG ARB0 EARL
    TIM SENS GUAR 1, , ' """.split()
)


@pytest.mark.parametrize(
    ("build", "maker"), [(build_2400, "2400"), (build_6221, "6221")], ids=["2400", "6221"]
)
@settings(max_examples=60)
@given(data=st.data())
def test_any_sequence_of_known_headers_is_survived(
    build: Callable[[], EmulatedInstrument], maker: str, data: st.DataObject
) -> None:
    instrument = build()
    known = headers(instrument._engine._root)  # type: ignore[attr-defined]
    unit = st.tuples(st.sampled_from(known), st.sampled_from(["", "?"]), st.just("") | PARAMETERS)
    for header, mark, parameter in data.draw(st.lists(unit, max_size=40)):
        instrument.receive(f"{header}{mark} {parameter}\n".encode())
    assert f"MODEL {maker}".encode() in instrument.receive(b"\n*IDN?\n")
