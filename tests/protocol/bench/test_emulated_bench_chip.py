"""What is in the sockets: the chip that a simulation has, and what contradicts the bench file."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hil.errors import ConfigurationError
from tests.protocol.bench.emulated import IRIS, bench_of, iris

WINDOW = {"g_min_siemens": 1e-6, "g_max_siemens": 1e-4, "pulse_siemens": 1e-7}
DEVICES = "ecram-li"


def both(kind: str, seed: int, **substrate: Any) -> tuple[np.ndarray, np.ndarray]:
    """Start conductances on the bench and of the experiment."""
    bench = bench_of(kind, IRIS, seed, {"substrate": substrate})
    experiment = iris(WINDOW | {"initial.scale_siemens": [1e-4]} | substrate, seed)
    return bench.device_siemens(), experiment.conductance_siemens()


@pytest.mark.parametrize("kind", ["smu", "board"])
@pytest.mark.parametrize(
    "substrate",
    [{}, {"devices": DEVICES}, {"devices": DEVICES, "chip_seed": 77}],
    ids=["ideal", "devices", "another chip"],
)
def test_start_is_that_of_a_simulation(kind: str, substrate: dict[str, Any]) -> None:
    found, expected = both(kind, 5, **substrate)
    np.testing.assert_array_equal(found, expected)
    other, _ = both(kind, 6, **substrate)
    assert not np.array_equal(other, found)


def test_start_is_as_the_table_says() -> None:
    initial = {"kind": "uniform", "low_siemens": 2e-5, "high_siemens": 3e-5}
    bench = bench_of("smu", IRIS, 5, {"substrate": {"initial": initial}})
    experiment = iris(WINDOW | {f"initial.{key}": value for key, value in initial.items()}, 5)
    np.testing.assert_array_equal(bench.device_siemens(), experiment.conductance_siemens())
    assert bench.device_siemens().min() >= 2e-5


@pytest.mark.parametrize("kind", ["smu", "board"])
def test_devices_that_are_off_by_factors_are_so_on_the_bench(kind: str) -> None:
    spread = {"mismatch": {"conductance_spread": 0.1}}
    bench = bench_of(kind, IRIS, 5, {"substrate": spread})
    experiment = iris(
        WINDOW | {"initial.scale_siemens": [1e-4], "mismatch.conductance_spread": 0.1}, 5
    )
    actual = experiment.substrate.actual_conductance()  # type: ignore[attr-defined]
    np.testing.assert_array_equal(bench.device_siemens(), actual)


@pytest.mark.parametrize(
    ("substrate", "match"),
    [
        ({"hidden": [4]}, r"hidden is \(4,\), network.hidden is \(2,\)"),
        ({"g_min_siemens": 2e-6}, "g_min_siemens is 2e-06, network.g_min_siemens is 1e-06"),
        ({"g_max_siemens": 2e-4}, "network.g_max_siemens is 0.0001"),
        ({"pulse_siemens": 3e-7}, "network.pulse_siemens is 1e-07"),
        ({"amplifiers": {}}, r"gains \(4.0, 0.25\), network.amplifiers None"),
        ({"kind": "nodal"}, "kind is 'nodal'"),
        ({"hiden": [2]}, "substrate.hiden: there is no such key"),
        ({"wires": {"segment_ohms": 1.0}}, "wires"),
        (
            {"neurons": {"kind": "ideal_pairs", "lower_volts": -0.2, "upper_volts": 0.1}},
            "up to 0.2 V, network.neuron_volts is 0",
        ),
        ({"devices": {"preset": DEVICES, "access": {"on_ohms": 100.0}}}, "no gate lines"),
        (
            {"devices": {"preset": DEVICES, "read_noise": {"white_relative_rms": 0.01}}},
            "read noise",
        ),
        ({"devices": {"preset": DEVICES, "disturb": {"read_share": 0.01}}}, "read_share"),
        ({"board": {"adc": {"offset_volts": 1e-3}}}, "no board"),
    ],
)
def test_contradictions_are_refused(substrate: dict[str, Any], match: str) -> None:
    with pytest.raises(ConfigurationError, match=match):
        bench_of("smu", emulation={"substrate": substrate})


@pytest.mark.parametrize(
    ("emulation", "match"),
    [
        ({"noises": "none"}, "emulation.noises: there is no such key"),
        ({"models": {"smu9": "2602B"}}, "there is no instrument 'smu9'"),
        ({"models": {"in1": "2602"}}, "there is no model '2602'; choose one of: 2601B"),
        ({"models": {"meter": "x"}}, "a daq6510 comes as one only"),
        ({"cards": {"matrix": {"1": "3731"}}}, "there is no card '3731'"),
        ({"cards": {"matrix": {"9": "3730"}}}, "there is no slot 9"),
        ({"cards": {"matrix": {"1": "3730"}}}, "matrix has no crosspoint 4001"),
    ],
)
def test_what_the_bench_does_not_have_is_refused(emulation: dict[str, Any], match: str) -> None:
    with pytest.raises(ConfigurationError, match=match):
        bench_of("smu", emulation=emulation)


@pytest.mark.parametrize("number", ["299", "121"])  # the latter is for currents
def test_a_voltmeter_channel_that_is_none_is_refused(number: str) -> None:
    channels = ["101", "102", number]
    with pytest.raises(ConfigurationError, match=f"no channel {number} for voltages"):
        bench_of("smu", phases={"voltmeter_channels": channels})


def test_amplifiers_and_neurons_are_those_of_the_file() -> None:
    gains = {"forward_gain": 4.0, "backward_gain": 0.25}
    neurons = {"kind": "shockley_pairs", "lower_volts": -0.1, "upper_volts": 0.1}
    changes: dict[str, Any] = {
        "network": {"amplifiers": gains, "neuron_volts": 0.1},
        "envelope": {"read_volts": 4.02},
    }
    bench = bench_of("board", emulation={"substrate": {"neurons": neurons}}, **changes)
    assert bench.device_siemens().size == bench.config.network.topology.n_devices
    weaker = {"amplifiers": {"forward_gain": 2.0, "backward_gain": 0.25}, "neurons": neurons}
    with pytest.raises(ConfigurationError, match=r"network.amplifiers \(4.0, 0.25\)"):
        bench_of("board", emulation={"substrate": weaker}, **changes)
