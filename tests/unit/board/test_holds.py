"""Sample-and-holds against closed formulas."""

from __future__ import annotations

import numpy as np
import pytest

from hil.substrate import Drive
from tests.unit.board.rig import N_INPUTS, N_OUTPUTS, Rig, inputs

TIMES = {"wait_seconds": 3e-5, "acquisition_seconds": 1e-5, "read_seconds": 2e-5}
PHASE = 4e-5
NUDGE = np.full((4, N_OUTPUTS), 1e-4)


def test_the_step_on_holding_has_its_mean_and_spread() -> None:
    rig = Rig(hold={"step_volts": 5e-3, "step_spread_volts": 1e-3}, inner={"n_hidden": 2000})
    error = rig.error(inputs())
    np.testing.assert_allclose(
        error, np.tile(rig.drawn.hold_step_volts[0, N_INPUTS:], (4, 1)), atol=1e-13
    )
    assert np.mean(error[0]) == pytest.approx(5e-3, abs=1e-4)
    assert np.std(error[0]) == pytest.approx(1e-3, rel=0.07)


@pytest.mark.parametrize("read_seconds", [1e-5, 1e-3, 1e-1])
def test_droop_is_proportional_to_the_time_held(read_seconds: float) -> None:
    rig = Rig(
        hold={"droop_volts_per_second": -8e-3, "droop_spread_volts_per_second": 1e-2},
        timing=TIMES | {"read_seconds": read_seconds},
    )
    rate = rig.drawn.hold_droop_volts_per_second[0, N_INPUTS:]
    assert (rate > 0.0).any()
    assert (rate < 0.0).any()
    np.testing.assert_allclose(
        rig.error(inputs()), np.tile(rate * read_seconds, (4, 1)), atol=1e-14
    )


def test_a_shared_converter_keeps_later_nodes_waiting() -> None:
    for shared in (True, False):
        rig = Rig(
            hold={"droop_volts_per_second": 10.0},
            adc={"conversion_seconds": 1e-3, "shared": shared},
        )
        turns = np.arange(5) if shared else np.zeros(5)
        np.testing.assert_allclose(rig.error(inputs())[0], 1e-2 * turns, atol=1e-14)


def test_with_one_bank_every_phase_is_read_before_the_next() -> None:
    rig = Rig(
        hold={"droop_volts_per_second": 10.0, "offset_volts": 1e-3},
        timing=TIMES,
        inner={"n_hidden": 3},
    )
    offset = rig.drawn.hold_offset_volts[0, N_INPUTS:]
    for amps in (NUDGE, -NUDGE):
        np.testing.assert_allclose(rig.error(inputs(), amps)[0], offset + 10.0 * 2e-5, atol=1e-13)


def test_with_two_banks_the_first_of_a_pair_is_held_for_a_phase_longer() -> None:
    rig = Rig(
        hold={
            "banks": 2,
            "droop_volts_per_second": 10.0,
            "droop_spread_volts_per_second": 1.0,
            "offset_volts": 1e-3,
            "gain_spread": 1e-3,
        },
        timing=TIMES,
    )
    volts = inputs()
    nudges = [NUDGE, -NUDGE, 2.0 * NUDGE, None, -2.0 * NUDGE]
    drives = [Drive(volts, amps) for amps in nudges]
    drawn, read = rig.drawn, 2e-5
    for count in (1, 2, 5):
        states = rig.board.settle_each(drives[:count])
        for p, (drive, state) in enumerate(zip(drives, states, strict=False)):
            bank = p % 2
            held = read + (PHASE if bank == 0 and p + 1 < count else 0.0)
            expected = (
                rig.inner.steady(drive) * drawn.hold_gain[bank, N_INPUTS:]
                + drawn.hold_offset_volts[bank, N_INPUTS:]
                + drawn.hold_droop_volts_per_second[bank, N_INPUTS:] * held
            )
            np.testing.assert_allclose(state.node_volts[:, N_INPUTS:], expected, atol=1e-13)


def test_acquisition_leaves_a_share_of_the_step_from_the_example_before() -> None:
    rig = Rig(hold={"tau_seconds": 5e-6}, timing=TIMES)
    left = np.exp(-2.0)
    kept = np.zeros(5)
    for seed in (0, 1):
        true = rig.inner.steady(Drive(inputs(seed=seed)))
        found = rig.read(inputs(seed=seed))
        for b in range(4):
            kept = true[b] + left * (kept - true[b])
            np.testing.assert_allclose(found[b], kept, rtol=1e-12)


@pytest.mark.parametrize("banks", [1, 2])
def test_acquisition_in_an_exchange_goes_example_by_example(banks: int) -> None:
    rig = Rig(hold={"tau_seconds": 5e-6, "banks": banks}, timing=TIMES)
    drives = [Drive(inputs(), NUDGE), Drive(inputs(), -NUDGE)]
    states = rig.board.settle_each(drives)
    kept = np.zeros((2, 5))
    for b in range(4):
        for p, drive in enumerate(drives):
            bank = p if banks == 2 else 0
            true = rig.inner.steady(drive)[b]
            kept[bank] = true + np.exp(-2.0) * (kept[bank] - true)
            np.testing.assert_allclose(states[p].node_volts[b, N_INPUTS:], kept[bank], rtol=1e-12)
