"""Phases by a board: states, exchanges, and what makes an example unfit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from drivers.bench.phases_board import BoardPhases
from hil.arrays import Floats
from hil.errors import ConfigurationError, InstrumentError, SafetyError, UsageError
from hil.substrate import Drive, Settled
from tests.protocol.bench.board_rig import LSB_VOLTS, Rig, inputs, nudges
from tests.protocol.bench.test_phases_smu import small as smus

VOLTS, AMPS = inputs(), nudges()
FREE, DOWN, UP = Drive(VOLTS), Drive(VOLTS, -AMPS), Drive(VOLTS, AMPS)


def assert_near(rig: Rig, state: Settled, drive: Drive) -> None:
    wanted = rig.inner.settle(drive).node_volts
    assert state.ok.all()
    assert np.abs(state.node_volts - wanted).max() <= LSB_VOLTS
    assert np.abs(state.node_volts - wanted).max() > 0.0


def test_states_are_those_of_the_network() -> None:
    rig = Rig()
    (free,) = rig.phases.settle_each([FREE])
    down, up = rig.phases.settle_each([DOWN, UP])
    for state, drive in ((free, FREE), (down, DOWN), (up, UP)):
        assert_near(rig, state, drive)
    assert np.abs(up.node_volts - down.node_volts).max() > 20 * LSB_VOLTS


def test_readings_are_the_nearest_codes_for_the_levels_that_were_sent() -> None:
    rig = Rig(parts={"dac": {"bits": 6, "range_volts": 0.6}})
    (free,) = rig.phases.settle_each([FREE])
    sent = free.node_volts[:, :6]
    assert np.abs(sent - VOLTS).max() > 10 * LSB_VOLTS
    assert np.abs(sent / (0.6 / 31) - np.rint(sent / (0.6 / 31))).max() < 1e-9
    wanted = rig.inner.settle(Drive(sent)).node_volts
    assert np.abs(free.node_volts - wanted).max() <= (0.5 + 1e-6) * LSB_VOLTS


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_voltages_have_the_type_of_the_drive(dtype: Any) -> None:
    rig = Rig()
    states = rig.phases.settle_each([Drive(VOLTS.astype(dtype)), Drive(VOLTS.astype(dtype), AMPS)])
    assert [state.node_volts.dtype for state in states] == [dtype] * 2
    assert_near(rig, states[1], UP)


# --- exchanges --------------------------------------------------------------------------------


def test_a_batch_takes_one_exchange_and_its_pairs_another_one() -> None:
    rig = Rig()
    rig.phases.settle_each([FREE])
    assert rig.runs() == ["LOAD,A0R"]
    rig.phases.settle_each([DOWN, UP])
    assert rig.runs() == ["KEEP,A+1R,B-1R"]
    rig.phases.compare(DOWN, UP, 0.0)
    assert rig.runs() == ["KEEP,A+1,B-1C"]
    rig.phases.compare(FREE, UP, 0.0)
    assert rig.runs() == ["KEEP,A0,B+1C"]
    rig.phases.pulse(np.arange(24) % 5 - 2)
    assert [text[:12] for text in rig.runs()] == [":PULS:EXEC? "]


def test_equal_inputs_are_not_sent_again_and_others_are() -> None:
    rig = Rig()
    rig.phases.settle_each([FREE])
    rig.phases.settle_each([Drive(VOLTS.copy())])
    rig.phases.settle_each([Drive(VOLTS[:4])])
    changed = VOLTS[:4].copy()
    changed[0, 0] += 0.01
    rig.phases.settle_each([Drive(changed)])
    (state,) = rig.phases.settle_each([Drive(VOLTS, AMPS)])
    assert rig.runs() == ["LOAD,A0R", "KEEP,A0R", "LOAD,A0R", "LOAD,A0R", "LOAD,A+1R"]
    assert_near(rig, state, UP)


def test_nudges_that_differ_in_sign_share_a_set() -> None:
    rig = Rig()
    drives = [FREE, UP, DOWN, Drive(VOLTS, 0.5 * AMPS), Drive(VOLTS, -0.5 * AMPS), UP]
    states = rig.phases.settle_each(drives)
    assert rig.runs() == ["LOAD,A0R,B+1R,A-1R,B+2R,A-2R,B+1R"]
    for state, drive in zip(states, drives, strict=True):
        assert_near(rig, state, drive)


def test_more_than_an_exchange_holds_is_split() -> None:
    rig = Rig()
    five = [Drive(VOLTS, share * AMPS) for share in (1.0, 0.8, 0.6, 0.4, 0.2)]
    for state, drive in zip(rig.phases.settle_each(five), five, strict=True):
        assert_near(rig, state, drive)
    assert rig.runs() == ["LOAD,A+1R,B+2R,A+3R,B+4R", "KEEP,A+1R"]
    assert len(rig.phases.settle_each([UP, DOWN] * 5)) == 10
    assert [len(words.split(",")) - 1 for words in rig.runs()] == [8, 2]


def test_drives_of_different_inputs() -> None:
    rig = Rig()
    other = Drive(VOLTS[::-1].copy(), AMPS)
    states = rig.phases.settle_each([FREE, other, UP])
    assert rig.runs() == ["LOAD,A0R", "LOAD,A+1R", "LOAD,A+1R"]
    for state, drive in zip(states, (FREE, other, UP), strict=True):
        assert_near(rig, state, drive)


def test_a_batch_beyond_the_queue_goes_in_pieces() -> None:
    rig = Rig(geometry={"queue_length": 3})
    (free,) = rig.phases.settle_each([FREE])
    assert rig.runs() == ["LOAD,A0R"] * 3
    assert_near(rig, free, FREE)
    for state, drive in zip(rig.phases.settle_each([DOWN, UP]), (DOWN, UP), strict=True):
        assert_near(rig, state, drive)


def test_no_drives_no_messages() -> None:
    rig = Rig()
    assert rig.phases.settle_each([]) == []
    rig.phases.rest()
    assert rig.line.sent == []


# --- what is refused, and what is not ok ------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "spoiled"),
    [
        ({"adc": {"bits": 12, "range_volts": 0.25}}, "reading"),
        ({"supply": {"upper_volts": 0.25, "lower_volts": -0.25}}, "node"),
    ],
)
def test_out_of_range_and_compliance(parts: dict[str, Any], spoiled: str) -> None:
    volts = VOLTS.copy()
    volts[3] = 0.5
    rig = Rig(parts=parts)
    true = rig.inner.settle(Drive(volts)).node_volts[:, 6:]
    wanted = np.abs(true).max(axis=1) < 0.25
    assert np.abs(np.abs(true) - 0.25).min() > LSB_VOLTS, f"choose a clearer {spoiled}"
    (state,) = rig.phases.settle_each([Drive(volts)])
    assert state.ok.tolist() == wanted.tolist()
    assert not state.ok[3]
    assert state.ok.any()
    assert np.isfinite(state.node_volts).all()


def test_what_does_not_settle_is_not_ok() -> None:
    rig = Rig()
    settle = rig.inner.settle_each

    def fails(drives: Any, near: Any = None) -> list[Settled]:
        found: list[Settled] = settle(drives, near)
        found[1].ok[2] = False
        return found

    rig.inner.settle_each = fails
    down, up = rig.phases.settle_each([DOWN, UP])
    assert down.ok.tolist() == up.ok.tolist() == [k != 2 for k in range(8)]


def test_levels_at_the_limit_stay_within_it() -> None:
    """With 7 bits, 0.5 V is nearer to code 53 than to 52, which is the limit."""
    rig = Rig(parts={"dac": {"bits": 7, "range_volts": 0.6}})
    assert 0.5 / (0.6 / 63) == pytest.approx(52.5)
    volts = VOLTS.copy()
    volts[:, :2] = [0.5, -0.5]
    (state,) = rig.phases.settle_each([Drive(volts)])
    assert state.node_volts[:, :2] == pytest.approx(np.tile([1, -1], (8, 1)) * 52 * 0.6 / 63)
    assert rig.hardware.worst_input_volts <= 0.5
    with pytest.raises(SafetyError, match="the limit is 52"):
        rig.phases.settle_each([Drive(1.03 * volts)])


def test_levels_beyond_the_limits_are_refused_before_anything_is_sent() -> None:
    rig = Rig()
    for drive in (Drive(1.1 * VOLTS / np.abs(VOLTS).max() * 0.5), Drive(VOLTS, AMPS + 1.1e-5)):
        with pytest.raises(SafetyError, match="nothing was sent"):
            rig.phases.settle_each([FREE, drive])
    assert rig.line.sent == []


# --- comparisons ------------------------------------------------------------------------------


def votes_of(rig: Rig, first: Drive, second: Drive, dead_zone_volts: float) -> list[int]:
    """From the true voltages."""
    topology = rig.config.network.topology
    rise: Floats = np.zeros(())
    for sign, drive in ((-1.0, first), (1.0, second)):
        volts = rig.inner.settle(drive).node_volts
        rise = rise + sign * np.abs(volts[:, topology.tails] - volts[:, topology.heads])
    assert np.abs(np.abs(rise) - dead_zone_volts).min() > 1e-5, "too near to tell"
    return (np.sign(rise) * (np.abs(rise) > dead_zone_volts)).sum(axis=0).astype(int).tolist()


@pytest.mark.parametrize("first", [DOWN, FREE])
def test_votes_are_those_of_the_true_drops(first: Drive) -> None:
    rig = Rig()
    found = rig.phases.compare(first, UP, 0.0)
    assert found.votes.tolist() == votes_of(rig, first, UP, 0.0)
    assert found.ok.all()
    assert np.unique(found.votes).size > 3


def test_a_dead_zone_is_sent_when_it_changes() -> None:
    rig = Rig()
    zone = 20 * LSB_VOLTS
    for _ in range(2):
        found = rig.phases.compare(DOWN, UP, zone + 0.3 * LSB_VOLTS)
        assert found.votes.tolist() == votes_of(rig, DOWN, UP, zone)
    assert rig.runs() == [":COMP:DEAD 20\n:SYST:ERR?", "LOAD,A+1,B-1C", "KEEP,A+1,B-1C"]
    rig.phases.energise()  # resets the board
    rig.line.sent.clear()
    rig.phases.compare(DOWN, UP, zone)
    rig.phases.compare(DOWN, UP, 0.0)
    assert [text for text in rig.runs() if "COMP" in text] == [
        ":COMP:DEAD 20\n:SYST:ERR?",
        ":COMP:DEAD 0\n:SYST:ERR?",
    ]
    with pytest.raises(UsageError, match="dead zone"):
        rig.phases.compare(DOWN, UP, 20.0)


def test_without_comparators_readings_are_compared() -> None:
    rig = Rig(geometry={"has_comparators": False, "adc_microvolts": 600_000, "adc_bits": 16})
    found = rig.phases.compare(DOWN, UP, 0.0101)
    assert found.votes.tolist() == votes_of(rig, DOWN, UP, 0.0101)
    assert np.unique(found.votes).size > 3
    assert rig.runs() == ["LOAD,A+1R,B-1R"]


def test_phases_of_different_inputs_are_compared_by_readings() -> None:
    rig = Rig(geometry={"adc_bits": 16})
    other = Drive(VOLTS[::-1].copy(), AMPS)
    found = rig.phases.compare(DOWN, other, 0.01)
    assert found.votes.tolist() == votes_of(rig, DOWN, other, 0.01)
    assert rig.runs() == ["LOAD,A+1R", "LOAD,A+1R"]


def test_an_example_that_fails_has_no_vote() -> None:
    volts = VOLTS.copy()
    volts[3] = 0.5
    rig = Rig(parts={"supply": {"upper_volts": 0.3, "lower_volts": -0.3}})
    found = rig.phases.compare(Drive(volts, -AMPS), Drive(volts, AMPS), 0.0)
    assert not found.ok[3]
    assert found.ok.any()
    kept = found.ok
    fine = Drive(volts[kept], -AMPS[kept]), Drive(volts[kept], AMPS[kept])
    assert found.votes.tolist() == votes_of(rig, *fine, 0.0)


# --- life -------------------------------------------------------------------------------------


def test_limits_are_never_above_those_of_the_file() -> None:
    rig = Rig(
        phases={"settle_seconds": 1.5e-4, "acquire_seconds": 3.01e-5},
        programming={"scheme": "third", "most_pulses": 9, "width_seconds": 2e-4},
    )
    asked = dict(
        zip(
            ["LIM:INP", "LIM:NUDG", "LIM:PROG", "LIM:PULS", "DEAD", "TIM:SETT", "TIM:ACQ"],
            rig.board.session.ask(
                ":LIM:INP?;:LIM:NUDG?;:LIM:PROG?;:LIM:PULS?;:DEAD?;:TIM:SETT?;:TIM:ACQ?"
            ).split(";"),
            strict=True,
        )
    )
    program_step = 5.0 / 2047
    assert asked == {
        "LIM:INP": str(int(0.5 / (0.6 / 32767))),
        "LIM:NUDG": str(int(1e-5 / (2e-5 / 32767))),
        "LIM:PROG": str(int(1.5 / program_step)),
        "LIM:PULS": "9",
        "DEAD": "30000",
        "TIM:SETT": "150",
        "TIM:ACQ": "31",
    }
    levels = f"{int(1.2 / program_step)},{int(1.5 / program_step)}"
    assert rig.board.session.ask(":PROG:SCH?;:PROG:LEV?;:PROG:GATE?;:PROG:WIDT?") == (
        f"THIR;{levels};0,0;200"
    )
    assert rig.board.state().armed


def test_nothing_is_armed_before() -> None:
    rig = Rig(energise=False)
    assert not rig.board.state().armed
    assert not any("ARM" in text for text in rig.energising)
    rig.phases.energise()
    assert rig.line.sent[-1].startswith(":ARM")


def test_gates_have_levels_of_their_own() -> None:
    rig = Rig(programming={"scheme": "gate", "set_gate_volts": 2.5, "reset_gate_volts": 4.0})
    gates = f"{int(2.5 / (5.0 / 2047))},{int(4.0 / (5.0 / 2047))}"
    assert rig.board.session.ask(":PROG:SCH?;:PROG:GATE?;:LIM:PROG?") == (
        f"GATE;{gates};{gates.split(',')[1]}"
    )


def test_the_array_is_lent_to_another_instrument_and_taken_back() -> None:
    rig = Rig()
    rig.phases.settle_each([FREE])
    rig.phases.release()
    state = rig.board.state()
    assert (state.armed, state.n_isolated, state.floating) == (False, 5, True)
    rig.phases.resume()
    state = rig.board.state()
    assert (state.armed, state.n_isolated, state.floating) == (True, 0, False)
    rig.line.sent.clear()
    (free,) = rig.phases.settle_each([FREE])
    assert rig.runs() == ["LOAD,A0R"]  # the board kept nothing
    assert_near(rig, free, FREE)


def test_pulses_reach_the_devices() -> None:
    rig = Rig()
    before = rig.inner.read_conductance()
    counts = np.zeros(24, np.int64)
    counts[[0, 5, 23]] = [3, -2, 1]
    rig.phases.pulse(counts)
    assert rig.inner.read_conductance() - before == pytest.approx(1e-7 * counts, abs=1e-15)


def test_a_board_that_refuses_is_not_asked_again() -> None:
    rig = Rig()
    rig.board.make_safe()
    with pytest.raises(InstrumentError, match="armed"):
        rig.phases.settle_each([FREE])
    assert sum(":RUN?" in text for text in rig.line.sent) == 1


def test_waits_for_the_slowest_node() -> None:
    network = {"node_farads": 1e-10, "g_min_siemens": 1e-5}
    rig = Rig(network=network)
    before = int(rig.board.session.ask(":TIM:SETT?"))
    assert 30 < before < 1000
    rig.phases.know(np.full(24, 1e-4))
    assert rig.line.sent == [":TIM:SETT?"]
    rig.phases.know(np.full(24, 2e-6))
    assert int(rig.board.session.ask(":TIM:SETT?")) == pytest.approx(5 * before, abs=5)
    rig.phases.settle_each([FREE])


def test_waits_no_longer_than_a_board_can() -> None:
    rig = Rig(network={"node_farads": 2e-7, "g_min_siemens": 1e-5})
    assert 50_000 < int(rig.board.session.ask(":TIM:SETT?")) < 900_000
    rig.phases.know(np.full(24, 5e-7))
    assert rig.board.session.ask(":TIM:SETT?") == "1000000"


@pytest.mark.parametrize(
    ("geometry", "told"),
    [
        ({"n_inputs": 7, "arrays": ((7, 3), (3, 2))}, "it has 7 input lines, the network 6"),
        ({"n_outputs": 1}, "1 outputs, the network 2"),
        ({"n_nodes": 6}, "6 nodes, the network 5"),
        (
            {"arrays": ((6, 2), (3, 4))},
            "arrays are 6 x 2, 3 x 4, those of the network 6 x 3, 3 x 2",
        ),
        ({"dac_microvolts": 400_000}, r"max_input_volts of 0\.5 V is beyond its range of 0\.4 V"),
        ({"nudge_picoamps": 1_000_000}, "max_nudge_amps of 1e-05 A is beyond"),
        ({"nudge_bits": 2, "nudge_picoamps": 100_000_000}, "less than its smallest step"),
        ({"program_microvolts": 1_000_000}, r"programming voltage of 1\.5 V is beyond"),
        ({"schemes": 2}, "it programs by THIRD, not by HALF"),
    ],
)
def test_a_board_of_another_kind_is_refused(geometry: dict[str, Any], told: str) -> None:
    with pytest.raises(
        ConfigurationError, match=rf"/dev/board does not fit the bench file.*{told}"
    ):
        Rig(geometry=geometry)


def test_all_that_does_not_fit_is_told_at_once() -> None:
    with pytest.raises(ConfigurationError, match=r"1 outputs.*; it has 6 nodes"):
        Rig(geometry={"n_outputs": 1, "n_nodes": 6})


def test_a_time_that_no_board_waits_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"phases\.settle_seconds.* at most 1 s"):
        Rig(phases={"settle_seconds": 1.5})


def test_another_wiring_is_refused() -> None:
    rig = Rig()
    with pytest.raises(ConfigurationError, match="needs a board"):
        BoardPhases(smus(), rig.equipment, lambda _: None)
