"""The built-in imperfections, and what a study of them finds on a small scale."""

from __future__ import annotations

from pathlib import Path

import pytest

from hil.composition import dump_toml, preset_names, resolve
from hil.errors import ConfigurationError
from hil.study.config import dump_study, load_study
from hil.study.folder import StudyFolder
from hil.study.imperfections import MORE_NAMES, NAMES, base_preset, imperfection, mismatch_study
from hil.study.running import run_study
from hil.study.tasks import job_of, tasks_of
from tests.unit.study.small import Here, Notes, kept


@pytest.mark.parametrize("preset", ["study-digits", "study-mnist-100", "mnist-kendall"])
@pytest.mark.parametrize("name", [*NAMES, *MORE_NAMES])
def test_every_level_is_a_configuration(preset: str, name: str) -> None:
    study = mismatch_study(resolve(preset), names=[name], chips=1)
    for task in tasks_of(study):
        job = job_of(study, task, None, None)
        config = resolve(text=job.config_toml)
        assert config.threads == 1
        if task.arm != "ideal":
            assert config.substrate.chip_seed == 1
            assert "chip_seed = 1" in job.config_toml
            assert config.substrate != study.experiment.substrate


def test_levels_scale_all_keys_alike() -> None:
    sensing = imperfection("sensing", resolve("study-digits"))
    assert sensing.overrides(0.2) == {
        "substrate.board.hold.offset_volts": 0.1,
        "substrate.board.hold.gain_spread": 0.05,
        "substrate.board.hold.noise_volts": 0.001,
    }
    twice = resolve("study-digits", overrides={"encoding.target_volts": 2.0})
    assert imperfection("sensing", twice).overrides(0.2)["substrate.board.hold.offset_volts"] == 0.2


def test_ideal_diodes_have_no_saturation_current() -> None:
    keys = imperfection("diodes", resolve("digits")).keys
    assert set(keys) == {"substrate.mismatch.diode_offset_volts"}


def test_a_study_survives_its_file() -> None:
    study = mismatch_study(resolve("study-digits"), levels=[0.4, 0.1], chips=3, trainings=2)
    assert study.imperfections[0].levels == (0.1, 0.4)
    assert load_study(dump_study(study), "study.toml") == study


def test_presets_for_studies() -> None:
    assert base_preset(None) == base_preset("digits") == "study-digits"
    assert base_preset("mnist-100") == "study-mnist-100"
    assert base_preset("iris") == "iris"
    assert {"study-digits", "study-mnist-100"} <= set(preset_names())


def test_a_kept_chip_is_refused() -> None:
    config = resolve("study-digits", overrides={"substrate.chip": "0" * 64})
    with pytest.raises(ConfigurationError, match="a study draws its own chips"):
        mismatch_study(config)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("chips = ", "is not valid TOML"),
        ("chips = 1", "trainings: Field required"),
        (dump_toml(resolve("xor")), "cannot be used"),
    ],
)
def test_files_that_are_no_study(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        load_study(text, "study.toml")


def test_chips_with_noise_are_repeated_to_the_bit(tmp_path: Path) -> None:
    base = resolve("study-digits", overrides={"epochs": 1})
    study = mismatch_study(base, names=[*NAMES, *MORE_NAMES], levels=[0.4], chips=1)
    run_study(study, tmp_path / "one", lambda: Here(room=1), Notes())
    run_study(study, tmp_path / "many", lambda: Here(room=100), Notes())
    assert kept(tmp_path / "one") == kept(tmp_path / "many")
    results = StudyFolder(tmp_path / "one").results()
    costs = {key: result["test_cost_volts2"] for key, result in results.items()}
    assert len(set(costs.values())) == len(costs) == 11


def test_training_on_a_chip_makes_up_for_its_conductances(tmp_path: Path) -> None:
    base = resolve("study-digits", overrides={"epochs": 4})
    study = mismatch_study(base, names=["conductances"], levels=[0.8], chips=2)
    results = run_study(study, tmp_path, Here, Notes()).results
    for chip in range(2):
        trained = results[f"in_situ/conductances/0.8/chip-{chip}"]["test_error_percent"]
        moved = results[f"transfer/conductances/0.8/chip-{chip}"]["test_error_percent"]
        assert trained < 0.5 * moved
