"""Single devices through the matrix: what they see, what they get, what is said."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from drivers.bench.access import Access
from drivers.bench.lines import crosspoints_of, idle_state, work_state
from drivers.bench.passes import plan
from drivers.bench.verify import write_verify
from hil.errors import (
    ConfigurationError,
    InstrumentError,
    ProgramError,
    SafetyError,
    TransportError,
    UsageError,
)
from tests.protocol.bench.reached import Lab

Ints = NDArray[np.int64]

VOLTS = 2.0
ROUNDED = 1.0 + 1e-8  # levels are sent with nine digits
APART: dict[str, Any] = {
    "access": {"high": "one.a", "low": "two.a"},
    "instruments": {
        name: {
            "model": "keithley2600b",
            "address": name,
            "volts_limit": 2.0,
            "amps_limit": 1e-2,
            "line_cycles": 0.01,
        }
        for name in ("one", "two")
    },
}
"""high and low on instruments of their own."""

SCHEMES: dict[str, tuple[dict[str, Any], float]] = {
    "half": ({}, VOLTS / 2),
    "half apart": (APART, VOLTS / 2),
    "third": ({"programming": {"scheme": "third"}}, VOLTS / 3),
    "third apart": ({"programming": {"scheme": "third"}, **APART}, VOLTS / 3),
}


def random_counts(lab: Lab, most: int, seed: int = 0) -> Ints:
    rng = np.random.default_rng(seed)
    return rng.integers(-most, most + 1, lab.config.network.topology.n_devices)


# --- reading ----------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [(4, 3), (1, 1), (3, 2, 4)])
@pytest.mark.parametrize("changes", [{}, APART], ids=["dual", "apart"])
def test_readings_are_the_conductances(sizes: tuple[int, ...], changes: dict[str, Any]) -> None:
    lab = Lab(sizes, **changes).start()
    true = lab.world.device_siemens
    np.testing.assert_allclose(lab.access.read(), true, rtol=1e-6)
    # Nothing beyond the reading voltage, no pulses, and relays never moved under voltage.
    assert lab.largest_drops.max() <= 0.1 * ROUNDED
    assert not lab.physics.counts.any()
    assert lab.matrix.relays.n_hot == 0
    np.testing.assert_array_equal(lab.world.device_siemens, true)
    assert set(lab.levels().values()) == {0.0}


def test_some_devices_are_read_in_the_order_asked_for() -> None:
    lab = Lab((3, 2, 4)).start()
    devices = np.array([13, 0, 5, 6, 13])
    np.testing.assert_allclose(
        lab.access.read(devices), lab.world.device_siemens[devices], rtol=1e-6
    )
    lab.forget()
    assert lab.access.read(np.array([], int)).shape == (0,)
    assert lab.exchanges == []


@pytest.mark.parametrize("seed", range(4))
def test_errors_of_the_data_sheet_leave_a_thousandth(seed: int) -> None:
    """Gains of the meters, 0.015 % to 0.025 % each; offsets cancel between polarities."""
    lab = Lab(seed=seed, instruments={"access": {"line_cycles": 1.0}}).start()
    np.testing.assert_allclose(lab.access.read(), lab.world.device_siemens, rtol=1e-3)
    assert lab.matrix.relays.n_hot == 0


def test_resistance_of_contacts_costs_its_share() -> None:
    """1 Ohm in series with 100 kOhm to 10 kOhm, and a little current past the virtual ground."""
    lab = Lab(on_ohms=1.0).start()
    np.testing.assert_allclose(lab.access.read(), lab.world.device_siemens, rtol=1e-3)


def test_a_device_takes_an_exchange_with_matrix_and_source_each() -> None:
    lab = Lab().start()
    lab.access.read()
    assert lab.exchanges == ["matrix", "access"] * 12
    # One line at a time changes: four relays, and two lines before the first device.
    moves = sum(len(x.opened) + len(x.closed) for x in lab.matrix.relays.log)
    lab.forget()
    lab.access.read()
    assert lab.exchanges == ["matrix", "access"] * 12
    moves = sum(len(x.opened) + len(x.closed) for x in lab.matrix.relays.log) - moves
    assert moves <= 11 * 4 + 8


@pytest.mark.parametrize("changes", [{}, APART], ids=["dual", "apart"])
def test_a_short_is_told_with_its_lines(changes: dict[str, Any]) -> None:
    lab = Lab(shorts={("a0.r2", "a0.c1"): 1.0}, **changes).start()
    true = lab.world.device_siemens
    np.testing.assert_allclose(lab.access.read(np.array([0, 3])), true[[0, 3]], rtol=1e-6)
    told = r"device 7 .*a0\.r2 and a0\.c1.*in compliance.*through device 7 itself: probably a short"
    with pytest.raises(InstrumentError, match=told) as caught:
        lab.access.read(np.array([7]))
    assert caught.value.evidence["device"] == 7
    assert set(lab.levels().values()) == {0.0}
    # The source of a row with a short cannot read its other devices, and does not pretend to.
    told = r"device 6 .*through other devices of a0\.r2.*read_amps of 0\.001 A is too low"
    with pytest.raises(InstrumentError, match=told):
        lab.access.read()
    np.testing.assert_allclose(lab.access.read(np.array([10])), true[[10]], rtol=1e-6)


def test_a_source_that_is_off_is_noticed() -> None:
    lab = Lab().start()
    lab.smus["access"].receive(b"smua.source.output=0\n")
    with pytest.raises(InstrumentError, match=r"access\.a, access\.high, did not reach its level"):
        lab.access.read()


@pytest.mark.parametrize("wrong", [np.array([12]), np.array([-1]), np.array([0.0]), np.array(3)])
def test_devices_that_do_not_exist_are_refused(wrong: NDArray[Any]) -> None:
    lab = Lab().start()
    with pytest.raises(UsageError):
        lab.access.read(wrong)
    assert lab.exchanges == []


# --- pulses -----------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("seed", [None, 5], ids=["ideal", "data sheet"])
def test_every_device_gets_its_pulses_and_the_others_what_is_stated(
    scheme: str, seed: int | None
) -> None:
    changes, unintended = SCHEMES[scheme]
    lab = Lab(seed=seed, **changes).start()
    total = np.zeros(12, np.int64)
    slack = ROUNDED if seed is None else 1.002
    for k, counts in enumerate(
        [random_counts(lab, 3), random_counts(lab, 1, 1), np.eye(4, 3, dtype=np.int64).ravel() * -7]
    ):
        lab.forget()
        lab.access.pulse(counts)
        total += counts
        np.testing.assert_array_equal(lab.pulses, total)
        largest = lab.largest_drops
        assert largest[counts == 0].max(initial=0.0) <= unintended * slack, k
        np.testing.assert_allclose(largest[counts != 0], VOLTS, rtol=2e-3)
        assert largest.max() <= VOLTS * slack
    assert lab.matrix.relays.n_hot == 0
    assert set(np.round(list(lab.levels().values()), 2)) == {0.0}
    np.testing.assert_allclose(lab.access.read(), lab.world.device_siemens, rtol=1e-3)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("count", [1, -1])
def test_no_other_device_sees_more_after_any_single_message(scheme: str, count: int) -> None:
    """One device at a time, so that all others are not meant, whatever the sources do in turn."""
    changes, unintended = SCHEMES[scheme]
    lab = Lab(**changes).start()
    for device in range(12):
        counts = np.zeros(12, np.int64)
        counts[device] = count
        lab.forget()
        felt_before = lab.physics.counts.copy()
        lab.access.pulse(counts)
        others = np.delete(lab.largest_drops, device)
        felt = [np.delete(kind, device) for kind in lab.physics.counts - felt_before]
        assert others.max() <= unintended * ROUNDED
        assert lab.largest_drops[device] == pytest.approx(VOLTS)
        # V/2 disturbs those on one selected line, 2 + 3 of them; V/3 all others, by less.
        assert np.count_nonzero(felt[0]) == 0
        if scheme.startswith("third"):
            assert np.count_nonzero(felt[1]) == 0
            assert np.count_nonzero(felt[2]) == 11
        else:
            assert np.count_nonzero(felt[1]) == 5
            assert np.count_nonzero(felt[2]) == 0


@pytest.mark.parametrize("scheme", ["half", "third"])
def test_arrays_that_are_not_meant_rest(scheme: str) -> None:
    changes, _ = SCHEMES[scheme]
    lab = Lab((3, 2, 4), **changes).start()
    topology = lab.config.network.topology
    for array, part in enumerate(topology.slices):
        counts = np.zeros(topology.n_devices, np.int64)
        counts[part] = [2, -1, 0, 1, 3, 3, *[0] * 10][: part.stop - part.start]
        lab.forget()
        before = lab.pulses
        lab.access.pulse(counts)
        np.testing.assert_array_equal(lab.pulses - before, counts)
        resting = np.ones(topology.n_devices, np.bool_)
        resting[part] = False
        assert lab.largest_drops[resting].max() == pytest.approx(0.0, abs=1e-9), array


@pytest.mark.parametrize(
    ("scheme", "a_pass"),
    [
        ("half", ["matrix", "access"]),
        ("third", ["matrix", "more", "more", "access", "more"]),
        ("half apart", ["matrix", "two", "one", "two"]),
        ("third apart", ["matrix", "more", "more", "two", "one", "two", "more"]),
    ],
)
def test_messages_of_a_pass(scheme: str, a_pass: list[str]) -> None:
    lab = Lab(**SCHEMES[scheme][0]).start()
    counts = random_counts(lab, 2)
    lab.access.pulse(counts)
    aims = ["one", "two"] if "apart" in scheme else ["access", "access"]
    n_passes = len(plan(counts.reshape(4, 3)))
    assert lab.exchanges == aims + a_pass * n_passes
    # Aimed already; the last pass' lines are other ones than the first's.
    lab.forget()
    lab.access.pulse(counts)
    assert lab.exchanges == a_pass * n_passes
    lab.forget()
    lab.access.pulse(np.zeros(12, np.int64))
    assert lab.exchanges == []


def test_many_pulses_go_in_trains_of_fifty() -> None:
    lab = Lab().start()
    counts = np.zeros(12, np.int64)
    counts[4] = -120
    lab.access.pulse(counts)
    assert lab.exchanges == ["access", "access", "matrix", "access", "access", "access"]
    np.testing.assert_array_equal(lab.pulses, counts)


def test_pulses_beyond_the_most_are_cut() -> None:
    lab = Lab(programming={"most_pulses": 3}).start()
    counts = np.array([5, -9, 2] * 4)
    lab.access.pulse(counts)
    np.testing.assert_array_equal(lab.pulses, np.clip(counts, -3, 3))
    np.testing.assert_array_equal(lab.access.write_counts(), np.clip(np.abs(counts), 0, 3))


def test_the_budget_is_checked_before_anything_is_sent() -> None:
    lab = Lab(programming={"budget_pulses": 5}).start()
    counts = np.zeros(12, np.int64)
    counts[[2, 9]] = 3, -4
    lab.access.pulse(counts)
    np.testing.assert_array_equal(lab.access.write_counts(), np.abs(counts))
    lab.forget()
    counts[[2, 9]] = 2, 2
    with pytest.raises(SafetyError, match=r"device 9 got 4 pulses so far .* budget is 5"):
        lab.access.pulse(counts)
    assert lab.exchanges == []
    counts[9] = 1
    lab.access.pulse(counts)
    assert lab.access.write_counts()[[2, 9]].tolist() == [5, 5]
    lab.access.load_write_counts(np.arange(12))
    np.testing.assert_array_equal(lab.access.write_counts(), np.arange(12))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_compliance_ends_programming_and_says_where(scheme: str) -> None:
    changes, _ = SCHEMES[scheme]
    programming = changes.get("programming", {}) | {"limit_amps": 1e-3}
    shorts = {("a0.r1", "a0.c1"): 1e-2}
    lab = Lab(shorts=shorts, **(changes | {"programming": programming})).start()
    counts = np.zeros(12, np.int64)
    counts[[0, 4, 8]] = 2, 2, -1
    with pytest.raises(ProgramError, match="unknown number of pulses") as caught:
        lab.access.pulse(counts)
    assert "pass 2 of 3 (set, array 0, rows 1, columns 1)" in str(caught.value)
    assert caught.value.evidence["devices"].tolist() == [4]
    # The first pass was applied, the second is counted as if it had been, the third was not.
    assert lab.access.write_counts()[[0, 4, 8]].tolist() == [2, 2, 0]
    assert lab.pulses[[0, 8]].tolist() == [2, 0]
    assert set(lab.levels().values()) == {0.0}


def test_lines_that_cannot_be_held_are_noticed_before_a_pulse() -> None:
    """Lines that give way would let other devices see more than V/3."""
    lab = Lab(shorts={("a0.r1", "a0.c1"): 0.1}, programming={"scheme": "third"}).start()
    counts = np.zeros(12, np.int64)
    counts[0] = 1
    with pytest.raises(ProgramError, match=r"more\.a, more\.b was in compliance in pass 1 of 1"):
        lab.access.pulse(counts)
    assert not lab.physics.counts.any()
    assert lab.largest_drops.max() <= VOLTS / 3
    # What was at 0 already needs no ramp.
    assert lab.exchanges == ["access", "access", "matrix", *["more"] * 3, "access", "more"]
    assert set(lab.levels().values()) == {0.0}


@pytest.mark.parametrize(
    ("name", "part"), [("access", b"trigger.initiate"), ("more", b"smua.source.levelv=-0.33")]
)
@pytest.mark.parametrize("error", [TransportError("lost"), KeyboardInterrupt()])
def test_levels_are_at_zero_after_a_failure(name: str, part: bytes, error: BaseException) -> None:
    lab = Lab(programming={"scheme": "third"}).start()
    lab.fails = name, part, error
    counts = np.eye(4, 3, dtype=np.int64).ravel()
    with pytest.raises(type(error)):
        lab.access.pulse(counts)
    assert lab.fails is None
    assert set(lab.levels().values()) == {0.0}
    assert lab.access.write_counts().sum() == 1
    # What follows starts from a known state: aimed again, and read as ever.
    lab.forget()
    np.testing.assert_allclose(lab.access.read(), lab.world.device_siemens, rtol=1e-6)
    assert lab.exchanges[:2] == ["access", "access"]


def test_modes_have_limits_of_their_own() -> None:
    lab = Lab().start()
    smu = lab.smus["access"]

    def limits() -> list[float]:
        reply = smu.receive(b"print(smua.source.limiti, smub.source.limiti)\n")
        return [float(x) for x in reply.split()]

    assert limits() == [1e-3, 1e-3]
    counts = np.eye(4, 3, dtype=np.int64).ravel()
    lab.access.pulse(counts)
    assert limits() == [1e-2, 1e-2]
    lab.access.read(np.array([0]))
    assert limits() == [1e-3, 1e-3]
    lab.forget()
    lab.access.read(np.array([0]))
    assert lab.exchanges == ["access"]


@pytest.mark.parametrize("wrong", [np.zeros(11, int), np.zeros(12), np.zeros((4, 3), int)])
def test_counts_of_another_shape_are_refused(wrong: NDArray[Any]) -> None:
    lab = Lab().start()
    with pytest.raises(UsageError, match="12 integers"):
        lab.access.pulse(wrong)
    assert lab.exchanges == []


# --- lines, and what is not there ---------------------------------------------------------------


@pytest.mark.parametrize("idle", ["float", "soft_ground", "hard_ground"])
def test_work_and_idle(idle: str) -> None:
    lab = Lab(idle=idle).start()
    lab.access.read(np.array([5]))
    lab.access.connect_work()
    lab.access.connect_work()
    assert lab.exchanges == ["matrix", "access", "matrix"]
    assert lab.matrix.closed == crosspoints_of(lab.config, work_state(lab.config))["matrix"]
    lab.access.connect_idle()
    assert lab.matrix.closed == crosspoints_of(lab.config, idle_state(lab.config))["matrix"]
    assert lab.matrix.relays.n_hot == 0


def test_without_what_it_takes_nothing_is_sent() -> None:
    lab = Lab().start()
    bare = lab.config.model_copy(update={"access": None})
    with pytest.raises(ConfigurationError, match="describes no access"):
        Access(bare, lab.equipment, lab.slept.append)
    for scheme, told in (("gate", "a board does"), ("third", "needs access.third")):
        programming = lab.config.programming.model_copy(update={"scheme": scheme})
        config = lab.config.model_copy(update={"programming": programming})
        access = Access(config, lab.equipment, lab.slept.append)
        with pytest.raises(ConfigurationError, match=told):
            access.pulse(np.ones(12, np.int64))
    assert lab.exchanges == []


def test_devices_are_written_to_targets() -> None:
    """All of it together: noisy instruments, pulses by V/2, readings, responses learned."""
    lab = Lab(seed=2).start()
    network = lab.config.network
    window = network.g_min_siemens, network.g_max_siemens
    step = 0.5 * 0.01 * (window[1] - window[0])
    target = np.random.default_rng(4).uniform(*window, 12)
    found = write_verify(lab.access.read, lab.access.pulse, target, window, step, 0.6 * step, 30)
    assert np.abs(found - target).max() <= 0.6 * step
    np.testing.assert_allclose(lab.world.device_siemens, target, atol=0.7 * step)
    assert math.isclose(lab.access.write_counts().sum(), np.abs(lab.pulses).sum(), rel_tol=0.2)
