"""The reference firmware and the emulated board answer whatever is sent with the same bytes."""

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers.emulated.shboard_commands import spellings, table
from tests.protocol.board.boards import EmulatedBoard, FirmwareBoard, pulse_block, run_block

PHASES = ["A0R", "B0", "a+1r", "B+1RC", "B-1C", "A-2R", "B+2RC", "A0C", "A5", "C0", "B+1CR"]
WORDS = ["A", "b", "ON", "off", "1", "0", "HALF", "thir", "GATE", "GRO", "FLOAT", "OPEN", ""]
HEADERS = [
    f"{header}{'?' * command.is_query}"
    for command in table()
    for header in (spellings(command.header)[0], spellings(command.header)[-1])
]

integers = st.one_of(
    st.integers(0, 6),
    st.integers(-40000, 40000),
    st.sampled_from([50, 127, 2047, 2048, 32767, -32768, 60000, 10**9, -(10**10)]),
).map(str)
blobs = st.binary(max_size=12).map(lambda b: b"#1%d%s" % (len(b), b) if len(b) < 10 else b"#9x")
words = st.one_of(integers, st.sampled_from(WORDS)).map(str.encode)


@st.composite
def commands(draw: st.DrawFn) -> bytes:
    """A header with some parameters, which may suit it."""
    header = draw(st.sampled_from([*HEADERS, "NONE", "SYST", ":", "*IDN"])).encode()
    colon = draw(st.sampled_from([b"", b":"]))
    parameters = draw(st.lists(st.one_of(words, words, words, blobs), max_size=3))
    return colon + header + b" " + draw(st.sampled_from([b",", b", ", b" ,"])).join(parameters)


@st.composite
def runs(draw: st.DrawFn) -> bytes:
    """A run, mostly a good one."""
    keep = draw(st.booleans())
    phases = draw(st.lists(st.sampled_from(PHASES[:7]), min_size=1, max_size=3))
    if draw(st.integers(0, 5)) == 0:
        phases.append(draw(st.sampled_from(PHASES)))
    n_sets = max(int(word[2]) if word[1] in "+-" else 0 for word in phases)
    n = draw(st.integers(1, 3))
    reach = draw(st.sampled_from([100, 1000, 32767]))
    codes = st.integers(-reach, reach)
    width = (0 if keep else 4) + 2 * n_sets
    rows = [draw(st.lists(codes, min_size=width, max_size=width)) for _ in range(n)]
    if keep:
        rows = [[draw(st.integers(0, 2)), *row] for row in rows]
    block = _damaged(draw, run_block(draw(st.integers(0, 1)), rows))
    return b":RUN? %s,%s,%s" % (b"KEEP" if keep else b"LOAD", ",".join(phases).encode(), block)


@st.composite
def pulses(draw: st.DrawFn) -> bytes:
    """Pulses, mostly the next ones in turn."""
    counts = draw(st.lists(st.integers(-3, 3), min_size=1, max_size=20))
    first = draw(st.integers(0, 5))
    block = pulse_block(draw(st.integers(1, 4)), first, counts)
    return b":PULS:EXEC? " + _damaged(draw, block)


def _damaged(draw: st.DrawFn, block: bytes) -> bytes:
    if draw(st.integers(0, 5)):
        return block
    place = draw(st.integers(0, len(block) - 1))
    return block[:place] + bytes([draw(st.integers(0, 255))]) + block[place + 1 :]


READY = (
    b"*RST;:LIM:INP 32767;:LIM:NUDG 20000;:LIM:PROG 2000;:LIM:PULS 3;"
    b":PROG:LEV 100,200;:PROG:GATE 300,300;:ARM"
)
messages = st.one_of(
    st.lists(commands(), min_size=1, max_size=3).map(b";".join),
    runs(),
    pulses(),
    st.just(READY),
    st.just(b":PULS:LAST?;:STAT?;*ESR?;:READ? A;:READ? B"),
).map(lambda text: text + b"\n")
streams = st.one_of(messages, messages, messages, messages, st.binary(max_size=40))
actions = st.one_of(
    streams,
    streams,
    streams,
    streams,
    st.sampled_from([0.05, 0.1, 1.0, 2.0]),
    st.booleans(),
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(actions, max_size=25), st.sampled_from([None, 1, 5]))
def test_random_dialogues_have_equal_replies(
    firmware: Path, tmp_path: Path, script: list[bytes | float | bool], opens_after: int | None
) -> None:
    emulated = EmulatedBoard(opens_after)
    real = FirmwareBoard(firmware, tmp_path, opens_after)
    try:
        for action in [READY + b"\n", *script, 1.0, b"\n:SYST:ERR:COUN?;:SYST:ERR?\n"]:
            if isinstance(action, bytes):
                assert real.raw(action) == emulated.raw(action), action
                continue
            for board in (emulated, real):
                if isinstance(action, bool):
                    board.set_interlock(action)
                else:
                    board.advance(action)
            assert real.raw(b"\n") == emulated.raw(b"\n"), action
    finally:
        real.close()
