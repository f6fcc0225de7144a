"""The emulated 707B and 3706A in their own dialect: channel lists, order, time, patterns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.emulated.keithley707b import EmulatedKeithley707B
from drivers.emulated.keithley3706a import EmulatedKeithley3706A
from drivers.emulated.switch_mainframe import SwitchMainframe
from drivers.emulated.tsp.switch_cards import CARDS
from drivers.emulated.world import ResistorWorld
from tests.protocol.tsp.bench import ask, errors, say


@pytest.fixture
def matrix() -> EmulatedKeithley707B:
    return EmulatedKeithley707B(ResistorWorld())


@pytest.fixture
def switch() -> EmulatedKeithley3706A:
    return EmulatedKeithley3706A(ResistorWorld())


def closed(mainframe: SwitchMainframe) -> str:
    return ask(mainframe, "channel.getclose('allslots')")[0]


# -- identity


def test_identity(matrix: EmulatedKeithley707B, switch: EmulatedKeithley3706A) -> None:
    assert say(matrix, "*IDN?").startswith("Keithley Instruments Inc., Model 707B, ")
    assert ask(switch, "localnode.model, slot[2].idn, slot[6].rows.matrix, slot[7]") == [
        "3706A",
        "3730,6x16 High Density Matrix,01.40a,1200002",
        "6.000000000e+00",
        "nil",
    ]
    assert ask(matrix, "slot[1].rows.matrix, slot[1].columns.matrix") == [
        "8.000000000e+00",
        "1.200000000e+01",
    ]


def test_empty_slots_and_other_cards() -> None:
    switch = EmulatedKeithley3706A(ResistorWorld(), {3: CARDS["3720"]})
    assert ask(switch, "slot[1].idn, slot[1].rows") == ["Empty Slot", "nil"]
    say(switch, "channel.close('3001:3003, 3060')")
    assert closed(switch) == "3001;3002;3003;3060"
    say(switch, "channel.close('1101')")
    assert [code for code, _ in errors(switch)] == [1115]


# -- closing and opening


def test_close_adds_and_open_takes_away(matrix: EmulatedKeithley707B) -> None:
    assert closed(matrix) == "nil"
    say(matrix, "channel.close('2B03, 1a01:1A03; 1H12')")
    assert closed(matrix) == "1A01;1A02;1A03;1H12;2B03"
    assert ask(matrix, "channel.getclose('slot2'), channel.getclose('1A01:1A02, 1A04')") == [
        "2B03",
        "1A01;1A02",
    ]
    assert ask(matrix, "channel.getstate('1A03:1A05')") == ["1,0,0"]
    say(matrix, "channel.open('1A02, 1A09') channel.open('slot2')")
    assert closed(matrix) == "1A01;1A03;1H12"
    say(matrix, "channel.open('allslots')")
    assert closed(matrix) == "nil"
    assert matrix.closed == frozenset()
    assert errors(matrix) == []


def test_exclusive_closing(switch: EmulatedKeithley3706A) -> None:
    say(switch, "channel.close('1101, 2101, 2911')", "channel.exclusiveslotclose('2102')")
    assert closed(switch) == "1101;2102"
    say(switch, "channel.exclusiveclose('1101, 3616')")
    assert closed(switch) == "1101;3616"
    say(switch, "channel.exclusiveclose('')")
    assert closed(switch) == "nil"


def test_numbers_are_taken_for_names(switch: EmulatedKeithley3706A) -> None:
    say(switch, "channel.close(1105)")
    assert ask(switch, "channel.getclose(1105), tonumber(channel.getstate(1105))") == [
        "1105",
        "1.000000000e+00",
    ]


@pytest.mark.parametrize(
    "line",
    [
        "channel.close('')",
        "channel.close('1A13')",
        "channel.close('7A01')",
        "channel.close('slot1')",
        "channel.close('allslots')",
        "channel.close('1A02:1A01')",
        "channel.close('1A01:2A01')",
        "channel.close('1A01,,1A02')",
        "channel.close('nosuchpattern')",
        "channel.exclusiveslotclose('')",
        "channel.open('slot9')",
        "channel.getstate('1Z01')",
    ],
)
def test_a_list_that_cannot_be_read_changes_nothing(
    matrix: EmulatedKeithley707B, line: str
) -> None:
    say(matrix, "channel.close('1C03')", line)
    assert [code for code, _ in errors(matrix)] == [1115]
    assert closed(matrix) == "1C03"


def test_one_bad_name_spoils_the_list(matrix: EmulatedKeithley707B) -> None:
    say(matrix, "channel.close('1A01, 1A99')")
    assert closed(matrix) == "nil"


def test_forbidden_channels(matrix: EmulatedKeithley707B) -> None:
    say(matrix, "channel.setforbidden('1A01, 3B02')")
    assert ask(matrix, "channel.getforbidden('allslots'), channel.getforbidden('slot2')") == [
        "1A01,3B02",
        "nil",
    ]
    say(matrix, "channel.close('1A02, 1A01')", "channel.exclusiveclose('3B02')")
    assert [code for code, _ in errors(matrix)] == [1114, 1114]
    assert closed(matrix) == "nil"
    say(matrix, "channel.clearforbidden('1A01') channel.close('1A01')")
    assert closed(matrix) == "1A01"
    say(matrix, "reset()")
    assert ask(matrix, "channel.getforbidden('allslots')") == ["nil"]


def test_patterns(matrix: EmulatedKeithley707B) -> None:
    say(matrix, "channel.pattern.setimage('1A01, 1B02', 'path1')", "channel.close('path1, 2A01')")
    assert closed(matrix) == "1A01;1B02;2A01"
    say(matrix, "channel.pattern.snapshot('all3') channel.open('path1')")
    assert closed(matrix) == "2A01"
    assert ask(matrix, "channel.pattern.getimage('all3')") == ["1A01,1B02,2A01"]
    names = say(matrix, "for name in channel.pattern.catalog() do print(name) end")
    assert names == "path1\nall3\n"
    say(matrix, "channel.pattern.delete('path1')", "channel.close('path1')")
    say(matrix, "channel.pattern.setimage('1A01', '1path')")
    assert [code for code, _ in errors(matrix)] == [1115, 1115]


def test_settings_of_channels(switch: EmulatedKeithley3706A) -> None:
    say(switch, "channel.setdelay('1101:1102', 0.5) channel.setpole('1103', 4)")
    say(switch, "channel.setbackplane('1104', '1911, 1912') channel.setlabel('1105', 'gate')")
    assert ask(switch, "channel.getdelay('1101:1103')") == ["5.00000e-01,5.00000e-01,0.00000e+00"]
    assert ask(switch, "channel.getpole('1103'), channel.getlabel('1105')") == ["4", "gate"]
    assert ask(switch, "channel.getbackplane('1104'), channel.getimage('1104')") == [
        "1911,1912",
        "1104,1911,1912",
    ]
    say(switch, "channel.close('1104')")
    assert closed(switch) == "1104;1911;1912"
    say(switch, "channel.reset('1104')")
    assert closed(switch) == "nil"
    assert ask(switch, "channel.getbackplane('1104')") == [""]
    say(switch, "channel.setdelay('1911', 1)")
    assert [code for code, _ in errors(switch)] == [1115]


def test_labels_stand_for_channels(matrix: EmulatedKeithley707B) -> None:
    say(matrix, "channel.setlabel('1A05', 'gate') channel.close('gate, 1A06')")
    assert closed(matrix) == "1A05;1A06"
    say(matrix, "channel.setlabel('1A05', 'drain') channel.open('drain')")
    assert closed(matrix) == "1A06"
    assert errors(matrix) == []
    say(matrix, "channel.close('gate')", "channel.setlabel('1A07', 'drain')")
    assert [code for code, _ in errors(matrix)] == [1115, 1115]


def test_closures_are_counted(matrix: EmulatedKeithley707B) -> None:
    say(matrix, *["channel.close('1A01') channel.open('1A01')"] * 3)
    assert ask(matrix, "channel.getcount('1A01, 1A02')") == ["3,0"]


# -- order and time


@pytest.mark.parametrize(
    ("rule", "seen"),
    [
        ("channel.BREAK_BEFORE_MAKE", [[], ["1A02"]]),
        ("channel.MAKE_BEFORE_BREAK", [["1A01", "1A02"], ["1A02"]]),
        ("channel.OFF", [["1A02"]]),
    ],
)
def test_the_connect_rule_orders_break_and_make(rule: str, seen: list[list[str]]) -> None:
    changes: list[list[str]] = []
    world = ResistorWorld()
    matrix = EmulatedKeithley707B(world, on_change=lambda names: changes.append(sorted(names)))
    say(matrix, f"channel.connectrule = {rule}", "channel.close('1A01')")
    changes.clear()
    begin = world.now_seconds
    say(matrix, "channel.exclusiveclose('1A02')")
    assert changes == seen
    assert world.now_seconds - begin == pytest.approx(4e-3 * len(seen))


def test_the_log_says_what_moved_when() -> None:
    matrix = EmulatedKeithley707B(ResistorWorld())
    say(matrix, "channel.close('1A01')", "channel.exclusiveclose('1A02, 1A03')")
    assert [(round(o.seconds, 6), o.opened, o.closed) for o in matrix.relays.log] == [
        (0.0, (), ("1A01",)),
        (0.004, ("1A01",), ()),
        (0.008, (), ("1A02", "1A03")),
    ]


def test_one_relay_at_a_time() -> None:
    world = ResistorWorld()
    matrix = EmulatedKeithley707B(world)
    say(matrix, "channel.connectsequential = channel.ON", "channel.close('1A01:1A03')")
    assert world.now_seconds == pytest.approx(12e-3)
    assert [operation.closed for operation in matrix.relays.log] == [
        ("1A01",),
        ("1A02",),
        ("1A03",),
    ]


def test_a_user_delay_is_kept() -> None:
    world = ResistorWorld()
    matrix = EmulatedKeithley707B(world)
    say(matrix, "channel.setdelay('1A01', 0.25)", "channel.close('1A01')")
    assert world.now_seconds == pytest.approx(0.254)


def test_hot_switching_is_counted() -> None:
    live = {"1A01"}
    matrix = EmulatedKeithley707B(ResistorWorld(), is_live=lambda name: name in live)
    say(matrix, "channel.close('1A01, 1A02')")
    assert matrix.relays.n_hot == 1
    live.clear()
    say(matrix, "channel.open('allslots')")
    assert matrix.relays.n_hot == 1


def test_reset_opens_everything_and_restores_the_rule(matrix: EmulatedKeithley707B) -> None:
    say(matrix, "channel.connectrule = channel.OFF channel.close('6H12')", "*RST")
    assert closed(matrix) == "nil"
    assert ask(matrix, "channel.connectrule") == ["1.000000000e+00"]


NAMES = st.sampled_from(
    [f"{slot}{row}0{column}" for slot in "12" for row in "AH" for column in "19"]
)


CHANGES: list[frozenset[str]] = []
WATCHED = EmulatedKeithley707B(ResistorWorld(), on_change=CHANGES.append)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["close", "open", "exclusiveclose", "exclusiveslotclose"]),
            st.lists(NAMES, min_size=1, max_size=4),
        ),
        max_size=8,
    )
)
def test_what_is_closed_is_what_sets_say(calls: list[tuple[str, list[str]]]) -> None:
    """The same operations on a plain set; one matrix serves all examples."""
    say(WATCHED, "reset()")
    expected: set[str] = set()
    for call, names in calls:
        say(WATCHED, f"channel.{call}('{','.join(names)}')")
        if call == "exclusiveclose":
            expected.clear()
        if call == "exclusiveslotclose":
            slots = {name[0] for name in names}
            expected = {name for name in expected if name[0] not in slots}
        expected = expected - set(names) if call == "open" else expected | set(names)
        assert WATCHED.closed == (CHANGES or [frozenset()])[-1] == expected
    assert errors(WATCHED) == []


def test_numbers_have_ten_digits(matrix: EmulatedKeithley707B) -> None:
    assert ask(matrix, "format.asciiprecision, 1/3") == ["1.000000000e+01", "3.333333333e-01"]
