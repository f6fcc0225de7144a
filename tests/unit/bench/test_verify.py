"""Write-verify with devices that answer unevenly, at random, or not at all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from drivers.bench.verify import checked_targets, write_verify
from hil.errors import ProgramError, UsageError

Values = NDArray[np.float64]

LOW, HIGH = WINDOW = (1e-6, 1e-4)
STEP = 1e-6


class Devices:
    """Soft bounds: up steps fall towards the upper bound, down steps towards the lower one."""

    def __init__(
        self,
        n: int,
        rng: np.random.Generator,
        cycle_spread: float = 0.3,
        read_siemens: float = 0.0,
        down_share: float = 0.5,
        neighbours: float = 0.0,
    ) -> None:
        self.siemens = rng.uniform(LOW, HIGH, n)
        self.stuck = np.zeros(n, np.bool_)
        self.strength = rng.uniform(0.6, 1.6, n)
        self.n_readings = np.zeros(n, int)
        self.n_pulses = np.zeros(n, int)
        self._rng = rng
        self._cycle_spread = cycle_spread
        self._read_siemens = read_siemens
        self._down_share = down_share
        self._neighbours = neighbours

    def read(self, devices: NDArray[np.integer]) -> Values:
        self.n_readings[devices] += 1
        noise = self._read_siemens * self._rng.standard_normal(devices.size)
        return np.asarray(self.siemens[devices] + noise)

    def pulse(self, counts: NDArray[np.integer]) -> None:
        self.n_pulses += np.abs(counts)
        for k in np.flatnonzero(counts != 0):
            for _ in range(0 if self.stuck[k] else abs(int(counts[k]))):
                self.siemens[k] += self._step(k, counts[k] > 0)
        if self._neighbours:
            rest = (counts == 0) & ~self.stuck
            self.siemens[rest] += self._neighbours * np.abs(counts).sum()
        np.clip(self.siemens, LOW, HIGH, out=self.siemens)

    def _step(self, k: int, up: bool) -> float:
        share = (HIGH - self.siemens[k]) if up else (LOW - self.siemens[k]) * self._down_share
        spread = 1.0 + self._cycle_spread * self._rng.standard_normal()
        return float(2.0 * STEP * self.strength[k] * share / (HIGH - LOW) * spread)


def verified(
    devices: Devices, target: Values, tolerance: float = 1.5 * STEP, most_rounds: int = 60
) -> Values:
    found = write_verify(devices.read, devices.pulse, target, WINDOW, STEP, tolerance, most_rounds)
    return np.asarray(found)


@pytest.mark.parametrize("seed", range(5))
def test_uneven_devices_come_to_their_targets(seed: int) -> None:
    rng = np.random.default_rng(seed)
    devices = Devices(40, rng)
    target = rng.uniform(0.15 * HIGH, 0.85 * HIGH, 40)
    readings = verified(devices, target)
    np.testing.assert_array_equal(readings, devices.siemens)
    assert np.abs(readings - target).max() <= 1.5 * STEP
    # Learned responses: a few rounds, where single pulses would take tens of them.
    assert np.median(devices.n_readings) <= 12


@pytest.mark.parametrize("seed", range(3))
def test_noisy_readings_do_not_keep_it_from_ending(seed: int) -> None:
    rng = np.random.default_rng(100 + seed)
    devices = Devices(40, rng, read_siemens=0.3 * STEP)
    target = rng.uniform(0.15 * HIGH, 0.85 * HIGH, 40)
    readings = verified(devices, target)
    assert np.abs(readings - target).max() <= 1.5 * STEP
    # The last reading may have been lucky by as much as its noise.
    assert np.abs(devices.siemens - target).max() <= 1.5 * STEP + 5 * 0.3 * STEP


def test_a_device_that_is_there_is_read_once_and_never_pulsed() -> None:
    devices = Devices(4, np.random.default_rng(0))
    start = devices.siemens.copy()
    np.testing.assert_array_equal(verified(devices, start), start)
    assert devices.n_readings.tolist() == [1, 1, 1, 1]
    assert not devices.n_pulses.any()


def test_stuck_devices_are_given_up_and_the_others_brought_there() -> None:
    rng = np.random.default_rng(3)
    devices = Devices(20, rng, read_siemens=0.05 * STEP)
    devices.stuck[[4, 11]] = True
    devices.siemens[[4, 11]] = HIGH, LOW
    target = rng.uniform(0.3 * HIGH, 0.7 * HIGH, 20)
    with pytest.raises(ProgramError, match="2 of 20 devices") as caught:
        verified(devices, target)
    evidence = caught.value.evidence
    assert evidence["devices"].tolist() == [4, 11]
    readings = evidence["readings"]
    others = ~devices.stuck
    assert np.abs(readings - target)[others].max() <= 1.5 * STEP
    np.testing.assert_allclose(readings[devices.stuck], [HIGH, LOW], atol=0.3 * STEP)
    # Given up before the rounds are used up.
    assert devices.n_readings[devices.stuck].max() < 20
    np.testing.assert_array_equal(evidence["target"], target)


def test_steps_too_coarse_for_the_tolerance_are_given_up() -> None:
    siemens = np.array([5e-5])
    rounds = []

    def pulse(counts: NDArray[np.integer]) -> None:
        rounds.append(int(counts[0]))
        siemens[0] += 1e-5 * counts[0]

    with pytest.raises(ProgramError, match="swing about"):
        write_verify(lambda _: siemens.copy(), pulse, np.array([5.5e-5]), WINDOW, STEP, 1e-6, 1000)
    assert len(rounds) < 40


def test_rounds_are_bounded() -> None:
    devices = Devices(3, np.random.default_rng(5))
    target = np.full(3, 0.5 * HIGH)
    devices.siemens[:] = LOW
    with pytest.raises(ProgramError, match="ran out of rounds"):
        verified(devices, target, tolerance=0.1 * STEP, most_rounds=2)
    assert devices.n_readings.tolist() == [2, 2, 2]


def test_neighbours_that_pulses_moved_are_looked_after() -> None:
    """The first device is there at once; pulses of the others push it away."""
    rng = np.random.default_rng(8)
    devices = Devices(6, rng, neighbours=0.05 * STEP)
    target = np.full(6, 0.5 * HIGH)
    devices.siemens[:] = [0.5 * HIGH, *[0.2 * HIGH] * 5]
    verified(devices, target)
    assert devices.n_pulses[0] > 0
    assert abs(devices.siemens[0] - target[0]) <= 2 * 1.5 * STEP


def test_pulses_go_the_right_way_at_least_once_each_round() -> None:
    seen: list[NDArray[np.integer]] = []
    siemens = np.array([3e-5, 6e-5, 5e-5])

    def pulse(counts: NDArray[np.integer]) -> None:
        seen.append(counts.copy())
        siemens[:] += 0.2 * STEP * counts

    write_verify(
        lambda k: siemens[k], pulse, np.array([3.2e-5, 5.98e-5, 5e-5]), WINDOW, STEP, 1e-7, 50
    )
    assert seen[0].tolist() == [2, -1, 0]
    assert all((counts[0] >= 0) and (counts[1] <= 0) for counts in seen)


@pytest.mark.parametrize("up", [0.3, 3.0])
@pytest.mark.parametrize("target", [2e-5, 8e-5])
def test_responses_up_and_down_are_learned_apart(up: float, target: float) -> None:
    """Steps of 0.3 and 3 nominal ones; unlearned, the smaller need 12 rounds for this way."""
    siemens, n_rounds = np.array([5e-5]), 0

    def pulse(counts: NDArray[np.integer]) -> None:
        nonlocal n_rounds
        n_rounds += 1
        siemens[0] += STEP * (up if counts[0] > 0 else 0.9 / up) * counts[0]

    found = write_verify(
        lambda k: siemens[k], pulse, np.array([target]), WINDOW, STEP, 1.6 * STEP, 60
    )
    assert abs(found[0] - target) <= 1.6 * STEP
    assert n_rounds <= 8


@pytest.mark.parametrize(
    ("target", "tolerance", "most_rounds"),
    [
        ([0.5 * LOW], STEP, 5),
        ([2 * HIGH], STEP, 5),
        ([np.nan], STEP, 5),
        ([[2e-5]], STEP, 5),
        ([2e-5], 0.0, 5),
        ([2e-5], np.nan, 5),
        ([2e-5], STEP, 0),
        (["2e-5"], STEP, 5),
        ([2e-5 + 0j], STEP, 5),
        ([None], STEP, 5),
        ([2e-5], "1e-6", 5),
        ([2e-5], 1e-6j, 5),
        ([2e-5], None, 5),
    ],
)
def test_what_cannot_be_is_refused(target: Any, tolerance: Any, most_rounds: int) -> None:
    devices = Devices(1, np.random.default_rng(0))
    with pytest.raises(UsageError):
        verified(devices, np.array(target), tolerance, most_rounds)
    assert not devices.n_readings.any()


def test_targets_of_uneven_rows_are_refused() -> None:
    with pytest.raises(UsageError, match="one conductance a device"):
        checked_targets([[2e-5], [2e-5, 3e-5]], STEP, WINDOW)  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_targets_are_an_array_of_their_own(dtype: type[np.floating]) -> None:
    given = np.full(3, 2e-5, dtype)
    target = checked_targets(given, np.float32(STEP), WINDOW)  # type: ignore[arg-type]
    assert target.dtype == np.float64
    assert not np.shares_memory(target, given)
