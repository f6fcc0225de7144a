"""The Lua engine of TSP instruments: messages, printing, scripts, errors, and its walls."""

from __future__ import annotations

import struct

import pytest

from drivers.emulated.keithley2600b import EmulatedKeithley2600B
from drivers.emulated.keithley2600b_models import MODELS
from drivers.emulated.tsp.errors import ErrorQueue, TspError
from drivers.emulated.world import ResistorWorld
from tests.protocol.tsp.bench import ask, errors, say, value


@pytest.fixture
def instrument() -> EmulatedKeithley2600B:
    return EmulatedKeithley2600B(ResistorWorld(1e3), serial="77")


# -- messages and what is printed


def test_print_separates_by_tabs_and_writes_numbers_with_exponents(
    instrument: EmulatedKeithley2600B,
) -> None:
    assert say(instrument, "print(1, -0.25, 'text', nil, true, 6e23)") == (
        "1.00000e+00\t-2.50000e-01\ttext\tnil\ttrue\t6.00000e+23\n"
    )


def test_print_names_tables_and_functions_as_lua_does(instrument: EmulatedKeithley2600B) -> None:
    table, function = ask(instrument, "smua, print")
    assert table.startswith("table: ")
    assert function.startswith("function: ")


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_messages_may_come_in_any_pieces(instrument: EmulatedKeithley2600B, size: int) -> None:
    data = b"smua.source.levelv = 0.5\r\nprint(smua.source.levelv)\n*IDN?\n"
    reply = b"".join(instrument.receive(data[i : i + size]) for i in range(0, len(data), size))
    assert reply == b"5.00000e-01\nKeithley Instruments Inc., Model 2636B, 77, 3.3.5\n"


def test_precision_of_text(instrument: EmulatedKeithley2600B) -> None:
    say(instrument, "format.asciiprecision = 10")
    assert say(instrument, "print(math.pi)") == "3.141592654e+00\n"
    say(instrument, "reset()")
    assert say(instrument, "print(math.pi)") == "3.14159e+00\n"
    say(instrument, "format.asciiprecision = 17")
    assert [code for code, _ in errors(instrument)] == [1101]


@pytest.mark.parametrize(
    ("kind", "order", "letters"),
    [
        ("REAL32", "LITTLEENDIAN", "<3f"),
        ("SREAL", "SWAPPED", "<3f"),
        ("REAL64", "BIGENDIAN", ">3d"),
        ("DREAL", "NETWORK", ">3d"),
    ],
)
def test_binary_numbers(
    instrument: EmulatedKeithley2600B, kind: str, order: str, letters: str
) -> None:
    say(instrument, f"format.data = format.{kind} format.byteorder = format.{order}")
    reply = instrument.receive(b"printnumber(1, -2.5, 1e-9)\n")
    assert reply == b"#0" + struct.pack(letters, 1.0, -2.5, 1e-9) + b"\n"
    assert say(instrument, "print(1)") == "1.00000e+00\n"  # print is always text


def test_printbuffer_interleaves_and_takes_lua_lists(instrument: EmulatedKeithley2600B) -> None:
    assert say(instrument, "printbuffer(2, 3, {1, 2, 3}, {'a', 'b', 'c'})") == (
        "2.00000e+00, b, 3.00000e+00, c\n"
    )
    assert say(instrument, "printbuffer(1, 4, {1, 2, 3})") == ""
    assert [code for code, _ in errors(instrument)] == [4900]


# -- common commands and status


def test_common_commands(instrument: EmulatedKeithley2600B) -> None:
    assert say(instrument, "*idn?").startswith("Keithley Instruments Inc., Model 2636B, 77, ")
    assert say(instrument, "*OPC?") == "1\n"
    assert say(instrument, "*TST?") == "0\n"
    assert say(instrument, "*ESR?") == "128\n"  # power on
    assert say(instrument, "*ESR?") == "0\n"
    assert say(instrument, "*ESE 60;*SRE 32;*ESE?;*SRE?") == "60\n32\n"
    assert say(instrument, "nonsense(") == ""
    assert say(instrument, "*STB?") == "100\n"  # error, event summary, request
    say(instrument, "*CLS")
    assert say(instrument, "*STB?") == "0\n"
    assert say(instrument, "*FOO?") == ""
    assert [code for code, _ in errors(instrument)] == [-285]


def test_every_model_says_its_name() -> None:
    for name, model in MODELS.items():
        instrument = EmulatedKeithley2600B(ResistorWorld(), model)
        assert ask(instrument, "localnode.model, smub ~= nil") == [
            name,
            str(model.n_channels == 2).lower(),
        ]


def test_errors_have_code_text_severity_and_node(instrument: EmulatedKeithley2600B) -> None:
    assert say(instrument, "print(errorqueue.next())") == (
        "0.00000e+00\tQueue Is Empty\t0.00000e+00\t1.00000e+00\n"
    )
    say(instrument, "x = ", "nobody.knows()")
    assert value(instrument, "errorqueue.count") == 2
    assert say(instrument, "print(errorqueue.next())").startswith(
        "-2.85000e+02\tTSP Syntax error at line 1: unexpected symbol"
    )
    assert "attempt to index global 'nobody'" in say(instrument, "print(errorqueue.next())")
    say(instrument, "x = ", "errorqueue.clear()")
    assert errors(instrument) == []


def test_a_full_queue_keeps_the_oldest() -> None:
    queue = ErrorQueue()
    for code in range(1, 150):
        queue.put(TspError(code, "text"))
    entries = [queue.take() for _ in range(len(queue))]
    assert len(entries) == 100
    assert entries[0].code == 1
    assert entries[-1].code == -350
    assert queue.take().code == 0


def test_an_instrument_error_lets_the_script_go_on(instrument: EmulatedKeithley2600B) -> None:
    assert say(instrument, "smua.source.levelv = 1e6 print('on')") == "on\n"
    assert [code for code, _ in errors(instrument)] == [1101]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("smua.source.nothing = 1", -286),
        ("smua.source.compliance = 1", -286),
        ("smua.source.levelv = 'much'", -104),
        ("smua.source.levelv = nil", -109),
        ("smua.source.func = 2", 1101),
        ("smua.measure.nplc = 26", 1101),
        ("smua.measure.nplc = 0.0001", 1102),
        ("delay(-1)", 1102),
        ("delay()", -109),
        ("beeper.beep(0.1)", -109),
        ("smua.makebuffer({})", -104),
        ("script.run()", -286),
    ],
)
def test_what_cannot_be_is_an_error(
    instrument: EmulatedKeithley2600B, line: str, code: int
) -> None:
    assert say(instrument, line) == ""
    assert [found for found, _ in errors(instrument)] == [code]


# -- scripts


def test_an_anonymous_script_runs_at_once_and_again(instrument: EmulatedKeithley2600B) -> None:
    lines = ("loadandrunscript", "for i = 1, 2 do", "print(i)", "end", "endscript")
    assert say(instrument, *lines) == "1.00000e+00\n2.00000e+00\n"
    assert say(instrument, "script.run()") == "1.00000e+00\n2.00000e+00\n"
    assert say(instrument, "script.anonymous.run()") == "1.00000e+00\n2.00000e+00\n"


def test_named_scripts(instrument: EmulatedKeithley2600B) -> None:
    assert say(instrument, "loadscript greet", "print('hello')", "endscript") == ""
    assert say(instrument, "greet()") == "hello\n"
    assert say(instrument, "greet.run() greet.save()") == "hello\n"
    assert ask(instrument, "greet.name, greet.source") == ["greet", "print('hello')"]
    assert say(instrument, "greet.list()") == "loadscript greet\nprint('hello')\nendscript\n"
    assert say(instrument, "for name in script.user.catalog() do print(name) end") == "greet\n"
    say(instrument, "other = script.new('print(2)', 'two')")
    assert say(instrument, "two() script.user.scripts.two()") == "2.00000e+00\n" * 2
    say(instrument, "script.delete('greet')")
    assert say(instrument, "for name in script.user.catalog() do print(name) end") == "two\n"
    assert errors(instrument) == []


def test_errors_of_scripts_name_their_line(instrument: EmulatedKeithley2600B) -> None:
    say(instrument, "loadandrunscript", "x = 1", "", "error('so it is')", "endscript")
    say(instrument, "loadscript broken", "x = 1", "y = ", "endscript")
    assert errors(instrument)[0] == (-286, "TSP Runtime error at line 3: so it is")
    say(instrument, "loadscript broken", "x = 1", "y = ", "endscript")
    (error,) = errors(instrument)
    assert error[0] == -285
    assert "line 2" in error[1]


def test_a_new_session_forgets_half_a_script(instrument: EmulatedKeithley2600B) -> None:
    instrument.receive(b"loadscript half\nprint(1)\nprint(")
    instrument.reset_session()
    assert say(instrument, "print(half)") == "nil\n"


def test_prompts(instrument: EmulatedKeithley2600B) -> None:
    assert say(instrument, "localnode.prompts = 1") == "TSP>\n"
    assert say(instrument, "print(1)") == "1.00000e+00\nTSP>\n"
    assert say(instrument, "x =") == "TSP?\n"
    assert say(instrument, "loadscript a") == ">>>>\n"
    assert say(instrument, "endscript") == "TSP>\n"
    assert say(instrument, "localnode.prompts = 0") == ""


# -- the object model, as clients that explore it see it


def test_metatables_tell_what_a_table_has(instrument: EmulatedKeithley2600B) -> None:
    say(instrument, "mt = getmetatable(smua.source)")
    assert ask(instrument, "mt.Getters.levelv ~= nil, mt.Setters.levelv ~= nil") == ["true"] * 2
    assert ask(instrument, "mt.Getters.compliance ~= nil, mt.Setters.compliance") == ["true", "nil"]
    assert ask(instrument, "getmetatable(smua).Objects.source == smua.source") == ["true"]
    assert ask(instrument, "getmetatable(smua.nvbuffer1).luatype") == ["reading_buffer"]
    assert ask(instrument, "localnode.smua == smua, node[1] == localnode") == ["true"] * 2


def test_the_globals_can_be_walked(instrument: EmulatedKeithley2600B) -> None:
    say(instrument, "name = nil names = {} repeat name = next(_G, name) names[name or 1] = 1")
    assert errors(instrument) != []  # one line is one chunk
    lines = ("names = {}", "for name in pairs(_G) do names[name] = true end")
    say(instrument, "loadandrunscript", *lines, "endscript")
    assert ask(instrument, "names.smua, names.status, names.SweepVLinMeasureI") == ["true"] * 3


# -- walls


@pytest.mark.parametrize(
    "name", ["io", "package", "require", "dofile", "loadfile", "load", "debug", "python"]
)
def test_nothing_leads_outside(instrument: EmulatedKeithley2600B, name: str) -> None:
    assert ask(instrument, name) == ["nil"]


def test_bytecode_is_refused(instrument: EmulatedKeithley2600B) -> None:
    assert ask(instrument, "string.dump, loadstring('\\27Lua')")[:2] == ["nil", "nil"]
    instrument.receive(b"\x1bLua\n")
    assert [code for code, _ in errors(instrument)] == [-285]


@pytest.mark.parametrize(
    "line",
    [
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "co = coroutine.wrap(function() while true do end end) co()",
        "while true do smua.measure.nplc = 1 end",
    ],
)
def test_an_endless_loop_ends(instrument: EmulatedKeithley2600B, line: str) -> None:
    assert say(instrument, line) == ""
    ((code, text),) = errors(instrument)
    assert code == -286
    assert "longer than the instrument allows" in text
    assert say(instrument, "print(1)") == "1.00000e+00\n"


@pytest.mark.parametrize(
    ("line", "codes"),
    [
        ("s = 'x' while true do s = s .. s end", [-225]),
        ("string.rep('x', 1e9)", [-286]),
        ("for i = 1, 1e6 do print(string.rep('x', 1e5)) end", [-286]),
        ("local function f() return 1 + f() end f()", [-286]),
    ],
)
def test_memory_is_limited(instrument: EmulatedKeithley2600B, line: str, codes: list[int]) -> None:
    say(instrument, line)
    assert [code for code, _ in errors(instrument)] == codes
    assert say(instrument, "s = nil print(1)") == "1.00000e+00\n"


def test_a_line_without_end_is_thrown_away(instrument: EmulatedKeithley2600B) -> None:
    for _ in range(11):
        assert instrument.receive(b"x" * 100_000) == b""
    assert say(instrument, "", "print(1)") == "1.00000e+00\n"
    assert [code for code, _ in errors(instrument)] == [-363]


# -- what every TSP instrument has


def test_time_is_the_world_s() -> None:
    world = ResistorWorld()
    instrument = EmulatedKeithley2600B(world)
    say(instrument, "timer.reset() delay(2.5) beeper.beep(0.5, 2400)")
    assert world.now_seconds == pytest.approx(3.0)
    assert value(instrument, "timer.measure.t()") == pytest.approx(3.0)


def test_small_things(instrument: EmulatedKeithley2600B) -> None:
    say(instrument, "display.settext('hi') userstring.add('lab', 'B12') dataqueue.add(3)")
    assert ask(instrument, "display.gettext(), userstring.get('lab'), dataqueue.next()") == [
        "hi",
        "B12",
        "3.00000e+00",
    ]
    assert ask(instrument, "bit.bitand(12, 10), bit.bitor(12, 10), bit.bitxor(12, 10)") == [
        "8.00000e+00",
        "1.40000e+01",
        "6.00000e+00",
    ]
    assert ask(instrument, "bit.test(4, 3), bit.set(0, 3), bit.getfield(60, 3, 2)") == [
        "true",
        "4.00000e+00",
        "3.00000e+00",
    ]
    assert value(instrument, "localnode.linefreq") == 60
    say(instrument, "digio.writebit(3, 0)")
    assert ask(instrument, "digio.readbit(3), digio.readbit(4)") == ["0.00000e+00", "1.00000e+00"]
    assert errors(instrument) == []
