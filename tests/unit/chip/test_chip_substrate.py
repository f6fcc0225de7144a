"""What chips of programmable devices do: pulses, disturbances, time, noise, access."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hil.errors import ConfigurationError, ProgramError, UsageError
from hil.substrate import Drive
from sim_backend.chip.config import window_of
from sim_backend.chip.making import chip_around, seen_window
from sim_backend.lot import Lot
from sim_backend.memristors.rosenbrock import StepsError
from sim_backend.nodal.elements import Resistors
from tests.unit.chip.chips import CUBES, WINDOW, chip, devices, graph_chip, layered

INPUTS = np.array([[0.3, -0.5, 0.8], [-0.2, 0.9, 0.1], [0.5, 0.5, -0.4]])
N = 25


def volts(substrate: Any, inputs: np.ndarray = INPUTS) -> np.ndarray:
    return np.asarray(substrate.settle(Drive(inputs)).node_volts)


def exact_volts(siemens: np.ndarray, inputs: np.ndarray = INPUTS) -> np.ndarray:
    """Of a network without any chip, with these conductances."""
    network = layered((1e-9, 1.0))
    network.load_conductance(siemens)
    return volts(network, inputs)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_spec_states_the_devices() -> None:
    substrate = chip({})
    low, high = WINDOW
    assert substrate.spec.kind == "layered chip"
    assert substrate.spec.window_siemens == (high / 200.0, high)
    step = 0.02 * (high - high / 200.0) / 2.0
    assert substrate.spec.pulse_siemens == pytest.approx(step)
    assert substrate.spec.pulse_spread == substrate.spec.noise_volts == 0.0
    assert low == high / 200.0
    noisy = chip(
        {"read_noise": {"white_relative_rms": 0.01}, "pulses": {**CUBES, "step_spread": 0.3}}
    )
    assert noisy.spec.noise_volts == pytest.approx(0.01 * noisy.spec.max_input_volts)
    assert noisy.spec.pulse_spread == pytest.approx(0.3, rel=0.1)


def test_the_network_sees_what_devices_are() -> None:
    table = {"pulses": {**CUBES, "step_spread": 0.3, "cycle_spread": 1.0},
             "stuck": {"high": 0.1, "low": 0.1}, "write_noise_relative": 0.03}  # fmt: skip
    substrate = chip(table)
    for k in range(3):
        substrate.pulse(rng(k).integers(-3, 4, N))
        seen = substrate.read_conductance()
        np.testing.assert_allclose(volts(substrate), exact_volts(seen), rtol=1e-9, atol=1e-12)
        elements = substrate.circuit(INPUTS[0], None).elements
        drawn = np.concatenate([e.siemens for e in elements if isinstance(e, Resistors)])
        np.testing.assert_allclose(np.sort(drawn), np.sort(seen))


def test_start_and_loaded_conductances_stop_at_limits() -> None:
    table = {"pulses": {**CUBES, "high_spread": 0.4, "low_spread": 0.4}, "stuck": {"high": 0.2}}
    substrate = chip(table)
    low, high = substrate.spec.window_siemens
    start = substrate.read_conductance()
    assert (start >= low).all()
    assert (start <= high).all()
    wish = rng().uniform(low, high, N)
    substrate.load_conductance(wish)
    found = substrate.read_conductance()
    assert 0 < np.count_nonzero(found == high)  # stuck
    assert 0 < np.count_nonzero(found == wish)
    substrate.load_conductance(found)
    np.testing.assert_array_equal(substrate.read_conductance(), found)
    np.testing.assert_array_equal(substrate.write_counts(), 0)
    for wrong in (np.full(N, 2 * high), np.full(N, np.nan), np.full(N + 1, low), np.zeros(N, int)):
        with pytest.raises(UsageError):
            substrate.load_conductance(wrong)


def test_writes_are_calls_that_changed_a_device() -> None:
    substrate = chip({"stuck": {"high": 0.3}})
    stuck = substrate._memristors.stuck
    assert 0 < stuck.sum() < N
    counts = np.where(np.arange(N) % 2, 3, 0)
    substrate.pulse(counts)
    substrate.pulse(np.zeros(N, np.int32))
    substrate.pulse(-counts)
    np.testing.assert_array_equal(substrate.write_counts(), 2 * ((counts > 0) & ~stuck))
    substrate.load_conductance(np.full(N, substrate.spec.window_siemens[1]))
    substrate.pulse(np.ones(N, np.int32))  # nothing above
    np.testing.assert_array_equal(substrate.write_counts(), 2 * ((counts > 0) & ~stuck))


def test_time_passes_with_examples_and_pulses() -> None:
    substrate = chip({"phase_seconds": 3.0, "pulse_seconds": 0.5})
    volts(substrate)
    assert substrate.now_seconds == pytest.approx(3 * 3.0)
    substrate.settle_each([Drive(INPUTS), Drive(INPUTS[:2])])
    assert substrate.now_seconds == pytest.approx(8 * 3.0)
    substrate.accumulate_comparisons(Drive(INPUTS), Drive(INPUTS), 0.0)
    assert substrate.now_seconds == pytest.approx(14 * 3.0)
    counts = np.zeros(N, np.int32)
    counts[:3] = 4, -5, 1
    substrate.pulse(counts)
    assert substrate.now_seconds == pytest.approx(14 * 3.0 + 10 * 0.5)


def test_drift_is_seen_from_exchange_to_exchange() -> None:
    table = {"drift": {"exponent": 0.1, "reference_seconds": 2.0}, "phase_seconds": 1.0}
    substrate = chip(table)
    start = substrate.read_conductance()
    for exchange in range(3):
        drifted = start * ((3 * exchange + 2.0) / 2.0) ** -0.1
        np.testing.assert_allclose(substrate.read_conductance(), drifted, rtol=1e-12)
        np.testing.assert_allclose(volts(substrate), exact_volts(drifted), rtol=1e-8, atol=1e-12)
    counts = np.zeros(N, np.int32)
    counts[4] = 1
    before = substrate.read_conductance()
    substrate.pulse(counts)
    moved = substrate.read_conductance() - before
    assert moved[4] == pytest.approx(substrate.spec.pulse_siemens, rel=1e-4)
    np.testing.assert_allclose(np.delete(moved, 4), 0.0, atol=1e-4 * moved[4])


def test_read_noise_is_one_sample_a_phase() -> None:
    substrate = chip({"read_noise": {"white_relative_rms": 0.02}})
    inputs = np.repeat(INPUTS[:1], 2, axis=0)
    found = [volts(substrate, inputs) for _ in range(300)]
    found += [s.node_volts for s in substrate.settle_each([Drive(inputs)] * 2)]
    for state in found:
        np.testing.assert_array_equal(state[0], state[1])
    states = np.array([state[0] for state in found])
    spread = states.std(axis=0)[3:]
    assert len(np.unique(states[:, -1])) > 250  # zero where a diode holds it
    assert spread.max() > 0.0
    assert spread.max() < substrate.spec.noise_volts
    exact = exact_volts(substrate.read_conductance(), inputs)[0]
    error = states.std(axis=0) / np.sqrt(len(states))
    assert (np.abs(states.mean(axis=0) - exact) <= 5 * error + 1e-3 * spread.max()).all()


def test_phases_that_are_compared_see_noise_of_their_own() -> None:
    silent, noisy = chip({}), chip({"read_noise": {"white_relative_rms": 0.02}})
    drive = Drive(INPUTS)
    votes = [s.accumulate_comparisons(drive, drive, 0.0) for s in (silent, noisy)]
    np.testing.assert_array_equal(votes[0].votes, 0)
    assert np.count_nonzero(votes[1].votes) > 0
    assert votes[1].ok.all()


def test_reading_disturbs_in_the_direction_of_the_drop() -> None:
    share = 1e-3
    substrate = chip({"disturb": {"read_share": share}})
    before = substrate.read_conductance()
    topology = substrate.spec.topology
    states = volts(substrate)
    drops = states[:, topology.tails] - states[:, topology.heads]
    expected = share * substrate.spec.pulse_siemens * np.sign(drops).sum(axis=0)
    moved = substrate.read_conductance() - before
    np.testing.assert_allclose(moved, expected, rtol=1e-6, atol=1e-15)
    assert np.count_nonzero(expected) > N // 2


@pytest.mark.parametrize("scheme", ["none", "half", "third"])
def test_selection_disturbs_the_same_crossbar(scheme: str) -> None:
    disturb = {} if scheme == "none" else {"scheme": scheme, f"{scheme}_select_share": 0.01}
    substrate = chip({"disturb": disturb})
    before = substrate.read_conductance()
    counts = np.zeros(N, np.int32)
    counts[0] = 2  # of the first crossbar of three rows and five columns
    substrate.pulse(counts)
    moved = (substrate.read_conductance() - before) / substrate.spec.pulse_siemens
    expected = np.zeros((3, 5))
    if scheme != "none":
        expected[:] = 0.0 if scheme == "half" else -0.02
        expected[0] = expected[:, 0] = 0.02
    expected[0, 0] = 2.0
    np.testing.assert_allclose(moved, np.append(expected, np.zeros(10)), atol=1e-9)
    np.testing.assert_array_equal(substrate.write_counts(), counts > 0)


def test_single_devices_share_no_lines() -> None:
    substrate = graph_chip({"disturb": {"scheme": "half", "half_select_share": 0.01}})
    before = substrate.read_conductance()
    counts = np.zeros(before.size, np.int32)
    counts[0] = 2
    substrate.pulse(counts)
    assert np.count_nonzero(substrate.read_conductance() != before) == 1


def test_access_is_seen_by_the_network_alone() -> None:
    ohms = 700.0
    substrate = chip({"access": {"on_ohms": ohms}})
    device = substrate.read_conductance()
    seen = 1.0 / (1.0 / device + ohms)
    np.testing.assert_allclose(volts(substrate), exact_volts(seen), rtol=1e-8, atol=1e-12)
    substrate.load_conductance(device)
    np.testing.assert_array_equal(substrate.read_conductance(), device)


def test_equal_lots_and_seeds_give_equal_chips() -> None:
    table = {"pulses": {**CUBES, "step_spread": 0.3, "cycle_spread": 1.0}, "stuck": {"low": 0.2}}

    def run(lot: int, seed: int) -> np.ndarray:
        substrate = chip(table, lot=lot, seed=seed)
        substrate.pulse(rng(1).integers(-3, 4, N))
        return substrate.read_conductance()

    np.testing.assert_array_equal(run(1, 2), run(1, 2))
    assert not np.array_equal(run(1, 2), run(2, 2))
    assert not np.array_equal(run(1, 2), run(1, 3))


def test_a_kept_chip_is_the_same_one() -> None:
    config = devices({"pulses": {**CUBES, "step_spread": 0.3}, "stuck": {"low": 0.2},
                      "drift": {"exponent_spread": 0.1},
                      "read_noise": {"telegraph": {"share": 0.5, "relative_step": 0.1,
                                     "high_seconds": 1.0, "low_seconds": 1.0}}})  # fmt: skip
    window = window_of(config, *WINDOW)

    def make(lot: Lot) -> Any:
        inner = layered(seen_window(config, 0.0, window))
        return chip_around(inner, config, 0.0, lot, rng(), window)

    lot = Lot((8,))
    one = make(lot)
    assert {name.split("/")[0] for name in lot.arrays} == {
        "devices-pulses", "devices-stuck", "devices-drift", "devices-telegraph",
    }  # fmt: skip
    other_lot = Lot((9,), lot.arrays)
    other = make(other_lot)
    assert not other_lot.unused()
    drawn = other._memristors.drawn_arrays()
    for name, values in one._memristors.drawn_arrays().items():
        np.testing.assert_array_equal(values, drawn[name])
    ideal = Lot((8,))
    chip_around(layered(WINDOW), devices({}), 0.0, ideal, rng(), WINDOW)
    assert {name.split("/")[0] for name in ideal.arrays} == {"devices-pulses"}


def test_parts_that_do_not_fit_are_refused() -> None:
    ideal, access = devices({}), devices({"access": {"on_ohms": 1e3}})
    curved = devices(
        {"access": {"on_ohms": 1e3}, "conduction": {"kind": "cubic", "per_volt2": 1.0}}
    )
    slow = devices(
        {
            "pulses": {
                **devices("vteam-2015").pulses.model_dump(),
                "up_volts": -1e-3,
                "down_volts": 1e-3,
            }
        }
    )
    for config, spread, inner, words in (
        (ideal, 0.1, WINDOW, "spread of their own"),
        (access, 0.0, WINDOW, "seen_window"),
        (curved, 0.0, (1e-9, 1.0), "not simulated"),
        (devices("prezioso-2015"), 0.0, (1e-9, 1.0), "linear resistors"),
        (slow, 0.0, WINDOW, "by nothing"),
        (None, 0.1, WINDOW, "seen_window"),
    ):
        with pytest.raises(ConfigurationError, match=words):
            chip_around(layered(inner), config, spread, Lot(), rng(), WINDOW)


def test_pulses_that_cannot_be_worked_out_are_program_errors(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise StepsError("too many steps")

    substrate = chip({})
    monkeypatch.setattr(substrate._memristors, "pulse_at", fail)
    with pytest.raises(ProgramError, match="25 pulses could not be worked out: too many steps"):
        substrate.pulse(np.ones(N, np.int32))


def test_a_closed_chip_closes_its_network() -> None:
    substrate = chip({})
    inner = substrate._inner
    substrate.make_safe()
    volts(inner)
    substrate.close()
    assert inner._closed
    substrate.make_safe()


@pytest.mark.parametrize(
    "table",
    [
        {"pulses": {**CUBES, "cycle_spread": 1.0}, "write_noise_relative": 0.03},
        {"stuck": {"high": 0.2}, "access": {"on_ohms": 700.0}},
        {"drift": {"exponent": 0.1}, "phase_seconds": 1.0},
        {"disturb": {"scheme": "half", "half_select_share": 0.01, "read_share": 1e-3}},
        {"read_noise": {"white_relative_rms": 0.02}, "write_noise_relative": 0.03},
    ],
)
def test_a_chip_goes_on_from_its_state_to_the_bit(table: dict[str, Any]) -> None:
    """Single devices pulsed since the network was loaded are no different from all anew."""
    one = chip(table, precision="float32")
    inputs = INPUTS.astype(np.float32)
    for k in range(8):
        counts = np.zeros(N, np.int32)
        counts[rng(k).choice(N, 3, replace=False)] = (1, -1, 2)
        one.pulse(counts)
        if k % 2:
            continue  # two calls between settled phases
        other = chip(table, precision="float32", seed=9)
        other.load_state(one.state_arrays())
        first, second = volts(one, inputs), volts(other, inputs)
        np.testing.assert_array_equal(first, second)
        np.testing.assert_array_equal(one.read_conductance(), other.read_conductance())
