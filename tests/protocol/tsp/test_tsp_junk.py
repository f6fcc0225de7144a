"""Whatever is sent, in whatever order, an emulated TSP instrument answers or queues an error."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.emulated.interface import EmulatedInstrument
from drivers.emulated.keithley707b import EmulatedKeithley707B
from drivers.emulated.keithley2600b import EmulatedKeithley2600B
from drivers.emulated.world import ResistorWorld

WORDS = st.sampled_from(
    """smua smub .source .levelv .limiti .rangei .output .func = 1 -3 1e-6 1e999 0/0 nil true {}
    {1,2} 'x' ( ) , .measure .i(smua.nvbuffer1) .iv() .nvbuffer1 .n .clear() print( printbuffer(1,2,
    channel.close( channel.exclusiveclose( '1A01:1A03' '1A01,2B02' 'slot1' .count .initiate()
    channel.pattern.setimage( .trigger .source.listv( .abort() .arm.stimulus trigger.EVENT_ID
    waitcomplete() reset() *TRG *RST *IDN? *CLS script.run() script.new( errorqueue.next() status
    .measurement .condition .enable format.data for i=1,3 do end function string.rep( -- \\r
    """.split()
)
LINES = st.lists(WORDS, min_size=1, max_size=7).map(" ".join)
INSTRUMENTS = (
    EmulatedKeithley2600B(ResistorWorld(1e3), random=np.random.default_rng(1)),
    EmulatedKeithley707B(ResistorWorld()),
)


@pytest.mark.parametrize("instrument", INSTRUMENTS, ids=lambda i: type(i).__name__)
@settings(max_examples=150)
@given(lines=st.lists(LINES, max_size=5), tail=st.binary(max_size=20))
def test_junk_is_survived(instrument: EmulatedInstrument, lines: list[str], tail: bytes) -> None:
    instrument.receive(b"".join(line.encode() + b"\n" for line in lines) + tail)
    instrument.reset_session()
    assert instrument.receive(b"*OPC?\n") in (b"1\n", b"")  # nothing while a sweep waits for ever
    instrument.receive(b"*CLS\n")
    assert instrument.receive(b"print(errorqueue.next())\n").startswith(b"0.0")
