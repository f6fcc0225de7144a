"""The emulated board around a simulated network, against the simulated board of the same parts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from drivers.board.codec import COMPLIANCE, MOVING, RANGE, Phase
from drivers.board.conversion import Converter
from drivers.board.driver import Board
from drivers.board.settings import BoardSettings
from drivers.emulated.shboard import ShBoard
from drivers.emulated.shboard_analog import SubstrateCore
from drivers.emulated.shboard_electronics import Electronics, geometry_of
from drivers.transport.memory import MemoryTransport
from hil.arrays import Floats
from hil.errors import ConfigurationError
from hil.substrate import Drive
from sim_backend.board.config import BoardConfig
from tests.unit.board.rig import N_INPUTS, OHMS, Linear, Rig, inputs

PARTS: dict[str, Any] = {
    "dac": {"bits": 14, "range_volts": 1.0, "gain_spread": 0.01, "offset_volts": 1e-3},
    "nudge": {"bits": 14, "range_amps": 1e-3, "gain_spread": 0.02, "offset_amps": 1e-6},
    "adc": {"bits": 16, "range_volts": 4.0, "offset_volts": 1e-3, "inl_lsb": 1.0},
}
HOLDS: dict[str, Any] = {
    "banks": 2,
    "step_volts": 1e-3,
    "step_spread_volts": 1e-3,
    "offset_volts": 2e-3,
    "gain_spread": 1e-3,
    "droop_volts_per_second": 3.0,
    "droop_spread_volts_per_second": 1.0,
}
TIMES = {"wait_seconds": 100e-6, "acquisition_seconds": 20e-6}
NUDGE = 1e-5 * np.array([[3.0, -2.0], [0.5, 4.0], [-3.0, 1.0], [0.0, 2.0]])


class Pair:
    """An emulated board and a simulated one with the same constants."""

    def __init__(self, *, message_bytes: int = 65536, **board: Any) -> None:
        self.rig = Rig(**board)
        self.config: BoardConfig = self.rig.config
        self.inner = Linear()
        core = SubstrateCore(self.inner)
        geometry = geometry_of(core, self.config, message_bytes=message_bytes)
        rng = np.random.default_rng(3)
        self.hardware = Electronics(core, self.config, self.rig.drawn, rng, geometry)
        self.seconds = 0.0
        self.emulated = ShBoard(self.hardware, lambda: self.seconds)
        self.host = Board(MemoryTransport(self.emulated), lambda _: None, bytes_per_second=1e6)
        self.host.configure(
            BoardSettings(
                input_limit=(1 << (geometry.dac_bits - 1)) - 1,
                nudge_limit=(1 << (geometry.nudge_bits - 1)) - 1,
                program_limit=100,
                pulse_limit=5,
                settle_us=round(self.config.timing.wait_seconds * 1e6),
                acquire_us=round(self.config.timing.acquisition_seconds * 1e6),
                level_codes=(50, 60),
            )
        )
        self.host.arm()
        can = self.host.capability
        self.dac = Converter.nominal(can.dac_bits, can.dac_volts)
        self.nudge = Converter.nominal(can.nudge_bits, can.nudge_amps)
        self.adc = Converter.nominal(can.adc_bits, can.adc_volts)

    def read(self, phases: list[Phase], volts: Floats, *amps: Floats) -> Floats:
        sets = [self.nudge.codes(a) for a in amps]
        reply = self.host.run(phases, self.dac.codes(volts), sets)
        assert not reply.status.any()
        return self.adc.levels(reply.readings)

    def simulated(self, volts: Floats, *amps: Floats | None) -> Floats:
        board, drives = self.rig.board, [Drive(volts, a) for a in amps]
        states = board.settle_each(drives) if len(drives) > 1 else [board.settle(drives[0])]
        return np.stack([state.node_volts[:, N_INPUTS:] for state in states], axis=1)


@pytest.mark.parametrize("shared", [True, False])
def test_readings_are_those_of_the_simulated_board(shared: bool) -> None:
    adc = PARTS["adc"] | {"shared": shared, "conversion_seconds": 2e-6}
    pair = Pair(**(PARTS | {"adc": adc, "hold": HOLDS, "timing": TIMES}), seed=5)
    volts = inputs()
    free = [Phase("A", read=True)]
    assert pair.read(free, volts) == pytest.approx(pair.simulated(volts, None), abs=1e-9)
    both = [Phase("A", -1, read=True), Phase("B", +1, read=True)]
    found, wanted = pair.read(both, volts, NUDGE), pair.simulated(volts, -NUDGE, NUDGE)
    assert found[:, 0] == pytest.approx(wanted[:, 0], abs=1e-9)
    # Here the second bank waits for the conversions of the first one, there it does not.
    wait = 2e-6 * (5 if shared else 1)
    drift = 4.0 / 32767 + wait * np.abs(pair.rig.drawn.hold_droop_volts_per_second).max()
    assert np.abs(found[:, 1] - wanted[:, 1]).max() <= drift
    assert np.abs(found - found.round(1)).max() > 1e-3  # it did read something


def test_banks_swap_their_errors() -> None:
    pair = Pair(**(PARTS | {"hold": {"offset_volts": 0.01}}))
    a, b = (pair.read([Phase(bank, read=True)], inputs()) for bank in ("A", "B"))  # type: ignore[arg-type]
    offsets = pair.rig.drawn.hold_offset_volts[:, N_INPUTS:]
    assert b - a == pytest.approx(
        np.broadcast_to(offsets[1] - offsets[0], (4, 1, 5)), abs=2.1 * 4.0 / 32767
    )


@pytest.mark.parametrize("offset", [0.0, 0.05])
def test_votes_are_those_of_the_simulated_comparators(offset: float) -> None:
    parts = PARTS | {"comparator": {"offset_volts": offset}, "hold": HOLDS, "timing": TIMES}
    pair = Pair(**parts, seed=6)
    volts, amps = inputs(8), np.tile(NUDGE, (2, 1))
    phases = [Phase("A", -1), Phase("B", +1, compare=True)]
    reply = pair.host.run(phases, pair.dac.codes(volts), [pair.nudge.codes(amps)])
    wanted = pair.rig.board.accumulate_comparisons(Drive(volts, -amps), Drive(volts, amps), 0.0)
    assert reply.votes is not None
    assert reply.votes.tolist() == wanted.votes.tolist()
    assert np.unique(reply.votes).size > 1


def test_swapped_roles_turn_votes_around() -> None:
    pair = Pair(**PARTS)
    volts, sets = pair.dac.codes(inputs(8)), [pair.nudge.codes(np.tile(NUDGE, (2, 1)))]
    forward = pair.host.run([Phase("A", -1), Phase("B", +1, compare=True)], volts, sets)
    backward = pair.host.run([Phase("B", +1), Phase("A", -1, compare=True)], volts, sets)
    assert forward.votes is not None
    assert backward.votes is not None
    assert forward.votes.any()
    assert (forward.votes == -backward.votes).all()


def test_what_fails_is_marked() -> None:
    pair = Pair(**(PARTS | {"supply": {"upper_volts": 0.7}, "adc": {"range_volts": 0.8}}))
    volts = np.array([[0.2, 0.1], [0.125, 0.0], [0.9, 0.9], [-0.95, -0.95]])
    pair.inner.weights[:] = np.abs(pair.inner.weights)
    pair.rig.drawn.dac_gain[:] = 1.0
    pair.rig.drawn.dac_offset_volts[:] = 0.0
    codes = pair.dac.codes(volts)
    pair.inner._settle = failing(pair.inner, codes[1, 0])  # type: ignore[method-assign]
    status = pair.host.run([Phase("A", read=True)], codes).status
    assert status.tolist() == [0, MOVING, COMPLIANCE, RANGE]


def failing(inner: Linear, code: int) -> Any:
    """Settles all but the second example."""
    settle = Linear._settle

    def settled(drive: Drive, near: Any) -> Any:
        state = settle(inner, drive, near)
        state.ok[1] = False
        state.node_volts[1] = np.nan
        return state

    return settled


def test_nodes_need_time_to_charge() -> None:
    parts = PARTS | {"settling": {"node_farads": 1e-8}, "timing": {"wait_seconds": 100e-6}}
    pair = Pair(**parts)
    slow = pair.read([Phase("A", read=True)], inputs())
    pair.host.session.tell(":TIM:SETT 1")
    fast = pair.read([Phase("A", read=True)], inputs())
    pair.host.session.tell(":TIM:SETT 1000000")
    ready = pair.read([Phase("A", read=True)], inputs())
    assert np.abs(slow - ready).max() < 2e-3
    assert np.abs(fast - ready).max() > 0.1


def test_holds_remember_what_they_kept() -> None:
    parts = PARTS | {"hold": {"tau_seconds": 20e-6}, "timing": TIMES}
    pair = Pair(**parts)
    volts = inputs()
    first = pair.read([Phase("A", read=True)], volts)
    assert first == pytest.approx(pair.simulated(volts, None), abs=1e-9)


def test_by_hand() -> None:
    pair = Pair(**PARTS)
    session = pair.host.session
    session.tell(":INP:CODE 0,4000;:INP:CODE 1,-3000;:HOLD A;:NUDG:CODE 0,500;:HOLD B")
    volts = pair.dac.levels(np.array([[4000, -3000]], np.int16))
    amps = pair.nudge.levels(np.array([[500, 0]], np.int16))
    status, *codes = session.numbers(":READ? A", 6)
    assert status == 0
    wanted = pair.simulated(volts, None)[0, 0]
    assert pair.adc.levels(np.array(codes, np.int16)) == pytest.approx(wanted, abs=1e-9)
    raised = np.array(session.numbers(":READ? B", 6)[1:]) - codes
    assert raised[-2] == pytest.approx(OHMS * amps[0, 0] / float(pair.adc.step), rel=0.1)
    votes = pair.rig.board.accumulate_comparisons(Drive(volts), Drive(volts, amps), 0.0).votes
    found = [session.numbers(f":COMP? A,{device}", 1)[0] for device in range(votes.size)]
    assert found == votes.tolist()


def test_pulses_reach_the_network() -> None:
    pair = Pair(**PARTS)
    counts = np.arange(12) % 4 - 2
    pair.host.pulse(counts)
    assert pair.inner.conductance == pytest.approx(1e-3 + 1e-5 * counts)
    assert pair.hardware.worst_program_volts == pytest.approx(60 * 5.0 / 2047)


def test_what_left_the_sources_is_on_record() -> None:
    pair = Pair(**PARTS)
    pair.read([Phase("A", +1, read=True)], np.full((1, 2), 0.7), np.full((1, 2), 2e-4))
    assert pair.hardware.worst_input_volts == pytest.approx(0.7, rel=0.05)
    assert pair.hardware.worst_nudge_amps == pytest.approx(2e-4, rel=0.1)


def test_a_state_known_is_where_the_network_starts() -> None:
    """The free state of the same inputs is near their nudged ones."""
    pair = Pair(**PARTS)
    near: list[Any] = []
    settle = Linear._settle

    def settled(drive: Drive, start: Any) -> Any:
        near.append(start)
        return settle(pair.inner, drive, start)

    pair.inner._settle = settled  # type: ignore[method-assign]
    pair.host.run([Phase("A", read=True)], pair.dac.codes(inputs()))
    pair.host.rerun([Phase("A", +1, read=True)], [pair.nudge.codes(NUDGE)])
    pair.host.pulse(np.ones(12, np.int8))
    pair.host.rerun([Phase("A", +1, read=True)], [pair.nudge.codes(NUDGE)])
    assert [start is not None for start in near] == [False, True, False]


def test_more_bits_than_the_protocol_carries_are_refused() -> None:
    config = BoardConfig.model_validate({"adc": {"bits": 18, "range_volts": 1.0}})
    with pytest.raises(ConfigurationError, match="16 bits"):
        geometry_of(SubstrateCore(Linear()), config)


def test_a_range_that_nobody_states_is_refused() -> None:
    core = SubstrateCore(Linear(max_input_volts=3e38))
    with pytest.raises(ConfigurationError, match=r"dac\.range_volts"):
        geometry_of(core, BoardConfig())
