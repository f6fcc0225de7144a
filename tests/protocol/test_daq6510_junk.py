"""Whatever is sent, in whatever order, the emulated scanners answer or queue an error."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.emulated.agilent34970a import EmulatedAgilent34970A
from drivers.emulated.interface import EmulatedInstrument
from drivers.emulated.keithley2750 import EmulatedKeithley2750
from drivers.emulated.keithleydaq6510 import EmulatedKeithleyDaq6510
from drivers.emulated.world import ScannerWorld
from tests.protocol.test_scpi_junk import headers

PARAMETERS = st.sampled_from(
    """0 1 -1 3 1e-6 0.5 20 1e40 INF NAN MIN MAX DEF ON OFF AUTO 'VOLT' 'VOLT:DC' 'RES' 'x' 100 300
    (@101) (@101:103) (@103,101,205) (@) (@999) (@SLOT1) 1,(@101) 10,(@101:120) 'VOLT',(@102) 1,2
    "defbuffer1" "defbuffer1",READ,CHAN 1,2,"defbuffer1",REL REAL SRE ASC DRE,64 SWAP NONE INT COMM
    BUS TIM IMM EXT 'SimpleLoop',3 "mine",100 READ,CHAN,RNUM #13abc #H1F CONT ONCE 1, , '""".split()
)


@pytest.mark.parametrize(
    ("maker", "model"),
    [
        (EmulatedKeithleyDaq6510, "DAQ6510"),
        (EmulatedAgilent34970A, "34970A"),
        (EmulatedKeithley2750, "2750"),
    ],
    ids=["daq6510", "34970a", "2750"],
)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_sequence_of_known_headers_is_survived(
    maker: Callable[..., EmulatedInstrument], model: str, data: st.DataObject
) -> None:
    instrument = maker(ScannerWorld({"101": 0.5}), random=np.random.default_rng(1))
    known = headers(instrument._engine._root)  # type: ignore[attr-defined]
    unit = st.tuples(st.sampled_from(known), st.sampled_from(["", "?"]), st.just("") | PARAMETERS)
    for header, mark, parameter in data.draw(st.lists(unit, max_size=40)):
        instrument.receive(f"{header}{mark} {parameter}\n".encode())
    assert model.encode() in instrument.receive(b"\n*IDN?\n")
