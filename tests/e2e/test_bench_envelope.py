"""What devices of an emulated bench truly see never leaves the envelope of the bench file.

Either the file is refused, and not one byte is sent, or the circuit itself says that no device saw
more than the envelope allows: in phases, while devices are read, and while they are pulsed.
Instruments have the errors of their data sheets.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from drivers.bench.config import BenchConfig
from drivers.bench.substrate import BenchSubstrate, open_bench
from drivers.emulated.bench import EmulatedBench
from hil.composition import build
from hil.errors import ConfigurationError, SafetyError, SettleError
from hil.substrate import Drive, ReadsConductance
from tests.e2e.watched import KINDS, Lab, bench_text, experiment_on

ROUNDING = 1.0 + 1e-9
ROOMY = {"read_volts": 1.02, "program_volts": 2.02, "half_select_volts": 1.02}
"""What the bench of the tests can bring, with the errors of its sources."""


def microvolts(volts: float) -> float:
    """Rounded: a board states its ranges in whole ones."""
    return round(volts, 6)


LEVELS = st.fixed_dictionaries(
    {
        "input_volts": st.floats(0.05, 1.0).map(microvolts),
        "nudge_limit_volts": st.floats(0.05, 2.0).map(microvolts),
        "gain": st.sampled_from([None, 0.5, 1.0, 4.0]),
        "neuron_volts": st.sampled_from([0.0, 0.0, 0.4]),
        "set_volts": st.floats(0.4, 4.0).map(microvolts),
        "reset_volts": st.floats(0.4, 4.0).map(microvolts),
        "access_volts": st.floats(0.02, 0.5).map(microvolts),
        "scheme": st.sampled_from(["half", "third"]),
        "read_room": st.floats(0.99, 1.3),
        "program_room": st.floats(0.995, 1.2),
        "half_room": st.floats(0.99, 1.3),
        "seed": st.integers(0, 1000),
    }
)
"""Levels of a bench, and envelopes around what they bring at the most, or a little less."""


def text_of(kind: str, x: dict[str, Any]) -> str:
    """A bench file with such levels; whether it may be used is for others to say."""
    gain = x["gain"]
    top = max(1.0, gain or 1.0)
    phases = 2.0 * top * max(x["input_volts"], x["neuron_volts"], x["nudge_limit_volts"] / top)
    pulse = max(x["set_volts"], x["reset_volts"])
    half = pulse / (2.0 if x["scheme"] == "half" else 3.0)
    network: dict[str, Any] = {"neuron_volts": x["neuron_volts"]}
    substrate: dict[str, Any] = {}
    if gain is not None:
        network["amplifiers"] = {"forward_gain": gain, "backward_gain": 1.0 / gain}
    if x["neuron_volts"]:
        substrate["neurons"] = {
            "kind": "shockley_pairs",
            "lower_volts": -x["neuron_volts"],
            "upper_volts": x["neuron_volts"],
        }
    text = bench_text(
        kind,
        network=network,
        envelope={
            "read_volts": max(phases, x["access_volts"]) * x["read_room"],
            "program_volts": pulse * x["program_room"],
            "half_select_volts": max(half, phases, x["access_volts"]) * x["half_room"],
            "source_amps": 0.05,
            "program_amps": 0.05,
        },
        phases={
            "max_input_volts": x["input_volts"],
            "nudge_limit_volts": x["nudge_limit_volts"],
        },
        access={"read_volts": x["access_volts"]},
        programming={
            "scheme": x["scheme"],
            "set_volts": x["set_volts"],
            "reset_volts": x["reset_volts"],
            "limit_amps": 0.05,
        },
        emulation={"noise": "data_sheet", "substrate": substrate},
    )
    for name, value in (("volts_limit", 20.0), ("amps_limit", 0.05), ("volts_range", 10.0)):
        text = re.sub(rf"{name} = .*", f"{name} = {value}", text)
    return text


def largest_phases(substrate: BenchSubstrate, rng: np.random.Generator) -> None:
    """Phases at the corners of what may be asked, and some within."""
    topology, phases = substrate.spec.topology, substrate.config.phases
    shape, outputs = (6, topology.inputs.size), (6, topology.outputs.size)
    corners = rng.choice([-1.0, 1.0], shape) * phases.max_input_volts
    amps = rng.choice([-1.0, 1.0], outputs) * phases.max_nudge_amps
    corners[4:] *= rng.uniform(0.0, 1.0, (2, 1))
    amps[3:] *= rng.uniform(0.0, 1.0, (3, 1))
    substrate.settle_each([Drive(corners), Drive(corners, amps), Drive(corners, -amps)])


@pytest.mark.parametrize("kind", KINDS)
def test_devices_never_see_more_than_the_envelope(kind: str) -> None:
    used: list[bool] = []

    @settings(max_examples=25)
    @given(LEVELS)
    def check(x: dict[str, Any]) -> None:
        try:
            config = BenchConfig.model_validate(tomllib.loads(text_of(kind, x)))
        except ValidationError:
            used.append(False)
            return
        used.append(True)
        bench, rng = EmulatedBench(config, x["seed"]), np.random.default_rng(x["seed"])
        envelope = config.envelope
        with open_bench(config, bench.transport, bench.sleep) as substrate:
            largest_phases(substrate, rng)
            assert isinstance(substrate, ReadsConductance)
            substrate.read_conductance()
            assert np.abs(bench.take_drops()).max() <= envelope.read_volts * ROUNDING
            meant = rng.random(substrate.spec.topology.n_devices) < 0.3
            counts = np.where(meant, rng.integers(-3, 4, meant.size), 0)
            substrate.pulse(counts)
            drops = np.abs(bench.take_drops())
            assert drops[counts != 0].max(initial=0.0) <= envelope.program_volts * ROUNDING
            assert drops[counts == 0].max() <= envelope.half_select_volts * ROUNDING
        assert np.abs(bench.take_drops()).max() <= envelope.read_volts * ROUNDING

    check()
    assert 3 <= sum(used) < len(used)


EXPERIMENTS = st.fixed_dictionaries(
    {
        "encoding.input_volts": st.floats(0.01, 1.0),
        "encoding.bias_volts": st.floats(0.01, 1.0).map(lambda volts: [volts, 0.0]),
        "encoding.target_volts": st.floats(0.01, 0.3),
        "estimator.beta_siemens": st.floats(-7.0, -2.5).map(lambda power: 10.0**power),
    }
)


@pytest.mark.parametrize("kind", KINDS)
def test_experiments_are_refused_or_stay_within(kind: str, tmp_path: Path) -> None:
    used: list[bool] = []

    @settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(EXPERIMENTS)
    def check(asked: dict[str, Any]) -> None:
        text = bench_text(kind, envelope=ROOMY, emulation={"noise": "data_sheet"})
        config = experiment_on(tmp_path / "bench.toml", text, **asked)
        lab = Lab()
        try:
            with build(config, reach=lab.reach) as experiment:
                for _ in experiment.steps():
                    pass
        except ConfigurationError:
            assert not lab.was_reached
        except (SafetyError, SettleError):
            # Nudges grew beyond the limits, or clamped all outputs: seen on the way, not before.
            assert lab.was_reached
        used.append(lab.was_reached)
        if lab.was_reached:
            assert np.abs(lab.bench.take_drops()).max() <= ROOMY["program_volts"] * ROUNDING
            assert lab.bench.report().is_safe

    check()
    assert 1 <= sum(used) < len(used)
