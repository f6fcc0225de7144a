"""The SCPI engine against a small instrument made of every kind of parameter."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.emulated.scpi import values
from drivers.emulated.scpi.commands import Command, Parameters
from drivers.emulated.scpi.engine import ScpiEngine, common_commands
from drivers.emulated.scpi.errors import ErrorQueue, ScpiError
from drivers.emulated.scpi.framing import LONGEST_MESSAGE
from drivers.emulated.scpi.settings import Choice, Flag, Number, Settings, Text
from drivers.emulated.scpi.status import StatusSystem


class Toy:
    """An instrument with two channels and no physics."""

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.status = StatusSystem(ErrorQueue(4), {"OPERation": 7})
        self.settings = Settings(
            (
                Number("[:SOURce[1]]:VOLTage[:LEVel][:IMMediate]", "V", 0.0, -21.0, 21.0, "V"),
                Number(":SOURce[1]:VOLTage:RANGe", "R", 20.0, 0.0, 200.0, "V"),
                Number(":SOURce[1]:CURRent[:LEVel]", "I", 0.0, -1.0, 1.0, "A"),
                Number(":TRIGger:COUNt", "N", 1, 1, 2500, whole=True),
                Number(":WAVE:FREQuency", "F", 1e3, 0.0, 1e9, "HZ"),
                Flag(":SYSTem:RSENse", "RSEN", False),
                Choice(":FORMat[:DATA]", "FORM", "ASC", ("ASCii", "REAL")),
                Text(":DISPlay:TEXT", "TEXT", ""),
            ),
            self.calls.append,
        )
        self.engine = ScpiEngine(self._commands(), self.status)

    def _commands(self) -> Any:
        yield from common_commands("MAKER,TOY,1,0", self.status, self.settings.reset)
        yield from self.status.commands()
        yield from self.settings.commands()
        yield Command(":OUTPut<n>", lambda p: self.calls.append((p.suffixes, p.boolean())))
        yield Command(":CALCulate3:DATA", query=lambda _: "3")
        yield Command(":ROUTe:CLOSe", lambda p: self.calls.append(p.channels()))
        yield Command(":BULK", lambda p: self.calls.append(p.block()), query=lambda _: BLOCK)
        yield Command(":WORDs", lambda p: self.calls.append(list(p.rest())), takes=(1, 9))
        yield Command(":BUSY", self._busy, takes=(0, 0))

    def _busy(self, _: Parameters) -> None:
        raise ScpiError(803, "Not now")

    def ask(self, message: str) -> str:
        return self.engine.receive(message.encode("latin-1") + b"\n").decode("latin-1")


BLOCK = values.definite_block(b"a\n;,\xff")


@pytest.fixture
def toy() -> Toy:
    return Toy()


@pytest.mark.parametrize(
    "header",
    [
        ":SOURce1:VOLTage:LEVel:IMMediate",
        ":sour:volt:lev:imm",
        "VOLT",
        "sour1:VoLt",
        ":VOLTage:IMM",
        "  SOURCE:VOLT:LEVEL",
    ],
)
def test_long_short_and_omitted_nodes(toy: Toy, header: str) -> None:
    assert toy.ask(f"{header} 1.5;:SOUR:VOLT?") == "1.500000E+00\n"


@pytest.mark.parametrize(
    "header", [":VOLTA", ":SOUR2:VOLT", ":SOUR:VOLT:LEV:LEV", ":CALC:DATA", "", ":", "*", ":VOLT1"]
)
def test_headers_that_are_not_known(toy: Toy, header: str) -> None:
    assert toy.ask(f"{header}?") == ""
    assert toy.ask("SYST:ERR?") == '-113,"Undefined header"\n'


def test_a_header_continues_from_the_one_before(toy: Toy) -> None:
    assert toy.ask(":SOUR:VOLT 2;CURR 0.5;VOLT:RANG 2;:SOUR:VOLT?;CURR?") == (
        "2.000000E+00;5.000000E-01\n"
    )
    assert toy.ask(":SOUR:VOLT:LEV 1;RANG 5;*OPC?;RANG?") == "1;5.000000E+00\n"
    assert toy.ask(":SOUR:CURR 0.1;TRIG:COUN?") == ""  # TRIG is no neighbour of CURR
    assert toy.ask("SYST:ERR?").startswith("-113")


@pytest.mark.parametrize(
    ("text", "volts"),
    [
        ("1.5E0", 1.5),
        ("150 mV", 0.15),
        ("250UV", 250e-6),
        (".5", 0.5),
        ("+2.", 2.0),
        ("-1e-3", -1e-3),
        ("1 e 1", 10.0),
        ("0.02KV", 20.0),
        ("MIN", -21.0),
        ("maximum", 21.0),
        ("DEF", 0.0),
        ("#HF", 15.0),
        ("#b101", 5.0),
        ("#q17", 15.0),
    ],
)
def test_numbers(toy: Toy, text: str, volts: float) -> None:
    assert float(toy.ask(f"VOLT {text};:VOLT?")) == pytest.approx(volts)


def test_mega_before_hertz_and_milli_before_amperes(toy: Toy) -> None:
    assert float(toy.ask("WAVE:FREQ 2 MHZ;FREQ?")) == 2e6
    assert float(toy.ask("SOUR:CURR 2 MA;CURR?")) == 2e-3


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("VOLT", -109),
        ("VOLT 1,2", -108),
        ("VOLT 22", -222),
        ("VOLT 1 A", -131),
        ("VOLT abc", -104),
        ("VOLT 1x1", -121),
        ("TRIG:COUN 3 S", -138),
        ("FORM HEX", -224),
        ("DISP:TEXT hello", -104),
        ("DISP:TEXT 'hello", -151),
        ("ROUT:CLOS 101", -104),
        ("ROUT:CLOS (@1:)", -171),
        ("BULK #A", -161),
        ("SYST:RSEN?  1", -108),
        ("CALC3:DATA 1", -113),
        ("OUTP1?", -113),
        ("BUSY", 803),
    ],
)
def test_errors_are_queued(toy: Toy, message: str, code: int) -> None:
    assert toy.ask(message) == ""
    assert int(toy.ask("SYST:ERR?").split(",")[0]) == code
    assert toy.ask("SYST:ERR?") == '0,"No error"\n'


def test_a_command_error_ends_its_message_and_an_execution_error_does_not(toy: Toy) -> None:
    assert toy.ask("VOLT 99;:SYST:ERR?") == '-222,"Parameter data out of range"\n'
    assert toy.ask("NONSENSE;:SYST:ERR?") == ""


def test_words_strings_numbers_and_flags_answer_in_their_own_forms(toy: Toy) -> None:
    assert toy.ask("FORM ASCII;:FORM?") == "ASC\n"
    assert toy.ask("DISP:TEXT 'a;b,\"c\"';:DISP:TEXT?") == '"a;b,""c"""\n'
    assert toy.ask("TRIG:COUN 2.6;:TRIG:COUN?;COUN? MAX") == "3;2500\n"
    assert toy.ask("SYST:RSEN ON;:SYST:RSEN?;RSEN 0;RSEN?") == "1;0\n"


def test_channels_suffixes_and_blocks(toy: Toy) -> None:
    toy.ask("ROUT:CLOS (@101, 103:105,3:2)")
    toy.ask("ROUT:CLOS (@)")
    toy.ask("OUTP ON;:OUTP7 0")
    toy.ask("BULK #15a\n;,b")
    toy.ask("BULK #0xyz")
    assert toy.calls == [
        [101, 103, 104, 105, 3, 2],
        [],
        ((1,), True),
        ((7,), False),
        b"a\n;,b",
        b"xyz",
    ]
    assert toy.engine.receive(b"BULK?\n") == BLOCK + b"\n"


def test_status_bits(toy: Toy) -> None:
    assert toy.ask("*ESR?") == "128\n"  # power on
    toy.ask("*ESE 32;*SRE 32;NONSENSE")
    assert toy.ask("*STB?") == f"{32 + 64 + 4}\n"
    assert toy.ask("*ESR?;*STB?") == "32;4\n"
    toy.ask("*OPC")
    assert toy.ask("*ESR?;*OPC?") == "1;1\n"
    toy.ask("*CLS")
    assert toy.ask("SYST:ERR:COUN?;:STAT:QUE?") == '0;0,"No error"\n'


def test_a_register_latches_what_rises(toy: Toy) -> None:
    register = toy.status.registers["OPERation"]
    toy.ask("STAT:OPER:ENAB 16")
    register.set_condition(4, True)
    register.set_condition(4, False)
    assert toy.ask("*STB?;:STAT:OPER:COND?;ENAB?") == "128;0;16\n"
    assert toy.ask("STAT:OPER?;OPER:EVEN?;:*STB?") == "16;0;0\n"
    assert toy.ask("STAT:PRES;OPER:ENAB?") == "0\n"


def test_the_queue_says_that_it_overflowed(toy: Toy) -> None:
    for _ in range(9):
        toy.ask("NONSENSE")
    codes = [toy.ask("SYST:ERR:CODE?").strip() for _ in range(5)]
    assert codes == ["-113", "-113", "-113", "-350", "0"]


def test_reset_session_forgets_half_a_message(toy: Toy) -> None:
    toy.engine.receive(b"VOLT 3;VOL")
    toy.engine.reset_session()
    assert toy.ask("VOLT?") == "0.000000E+00\n"


def test_a_message_too_long_is_dropped_whole(toy: Toy) -> None:
    data = b"X" * (LONGEST_MESSAGE + 1)
    assert toy.engine.receive(data + b" 1;VOLT 1\nVOLT?\n") == b"0.000000E+00\n"
    assert toy.ask("SYST:ERR?") == '-363,"Input buffer overrun"\n'


PIECES = st.sampled_from(
    [
        b"VOLT 1",
        b"VOLT?",
        b";",
        b":",
        b"\n",
        b"BULK #13a\n;",
        b"#",
        b"#1",
        b" #9",
        b"'",
        b'"',
        b"(@1,2",
        b"SYST:ERR?",
        b"*IDN?",
        b",",
        b" ",
        b"\r",
        b"?",
        b"#0",
    ]
)
STREAMS = st.lists(st.one_of(PIECES, st.binary(max_size=4)), max_size=30).map(b"".join)


@given(stream=STREAMS, cuts=st.lists(st.integers(0, 120), max_size=8))
def test_splitting_the_stream_changes_nothing_and_nothing_crashes(
    stream: bytes, cuts: list[int]
) -> None:
    stream += b"\n'\n*IDN?\n"
    whole, split = Toy(), Toy()
    at_once = whole.engine.receive(stream)
    ends = sorted({*cuts, len(stream)})
    pieces = [stream[a:b] for a, b in zip([0, *ends], ends, strict=False)]
    in_pieces = b"".join(split.engine.receive(piece) for piece in pieces)
    assert in_pieces == at_once
    assert split.calls == whole.calls


@given(payload=st.binary(max_size=50))
def test_blocks_survive(payload: bytes) -> None:
    toy = Toy()
    toy.engine.receive(b"BULK " + values.definite_block(payload) + b";:WORD a\n")
    assert toy.calls == [payload, ["a"]]


@given(text=st.text(st.characters(max_codepoint=255, exclude_characters="\n"), max_size=20))
def test_strings_survive(text: str) -> None:
    toy = Toy()
    reply = toy.ask(f"DISP:TEXT {values.quoted(text)};:DISP:TEXT?")
    assert reply == values.quoted(text) + "\n"


@given(value=st.floats(-21, 21))
def test_numbers_survive(value: float) -> None:
    assert float(Toy().ask(f"VOLT {value!r};:VOLT?")) == pytest.approx(value, rel=1e-6, abs=1e-300)


@given(numbers=st.lists(st.integers(0, 999999), max_size=20))
def test_channel_lists_survive(numbers: list[int]) -> None:
    assert values.channels(values.channel_list(numbers)) == numbers
