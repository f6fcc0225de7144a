"""``hil devices`` and the configuration behind it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hil.cli.main import app
from sim_backend.memristors.catalogue import device, device_names
from sim_backend.memristors.conduction import Linear
from sim_backend.memristors.config import DeviceConfig
from sim_backend.memristors.drift import Drift
from sim_backend.memristors.stuck import Stuck

MINIMAL = """
g_min_siemens = 1e-6
g_max_siemens = 1e-4
[pulses]
kind = "ideal_step"
step_weight = 0.01
"""


def hil(*args: str) -> Any:
    return CliRunner().invoke(app, args)


def refused(*args: str) -> str:
    result = hil(*args)
    assert result.exit_code == 2, (result.exit_code, result.stderr, result.exception)
    assert "Traceback" not in result.stderr
    assert result.stderr.startswith("hil: ")
    return result.stderr


def test_list_names_every_device() -> None:
    lines = hil("devices", "list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(device_names())
    assert {"ideal", "reram-es", "reram-sb", "reram-om-2022", "reram-hfo2-2022", "ecram-li",
            "prezioso-2015", "vteam-2015"} <= set(device_names())  # fmt: skip


@pytest.mark.parametrize("name", device_names())
def test_show_prints_numbers_units_and_source(name: str) -> None:
    result = hil("devices", "show", name)
    assert result.exit_code == 0, result.stderr
    config = device(name)
    assert config.description
    assert f"source: {config.source}" in result.stdout
    rows = {line.split()[0]: line.split()[1:] for line in result.stdout.splitlines() if line}
    assert rows["g_min_siemens"][:2] == [f"{config.g_min_siemens:g}", "S"]
    assert rows["pulses.kind"][0] == config.pulses.kind
    assert rows["drift.reference_seconds"][:2] == ["20", "s"]
    for line in result.stdout.splitlines()[3:]:
        if line and not line.split()[0].endswith("kind"):
            assert len(line.split()) > 2, line  # every number is explained


@pytest.mark.parametrize("ending", ["png", "pdf", "svg"])
def test_plot_writes_a_picture(tmp_path: Path, ending: str) -> None:
    target = tmp_path / f"response.{ending}"
    result = hil("devices", "show", "reram-om-2022", "--plot", str(target), "--seed", "3")
    assert result.exit_code == 0, result.stderr
    assert str(target) in result.stdout
    begin = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}[ending]
    content = target.read_bytes()
    assert content.startswith(begin)
    assert len(content) > 5000


@pytest.mark.parametrize("name", device_names())
def test_every_device_can_be_drawn(tmp_path: Path, name: str) -> None:
    result = hil("devices", "show", name, "--plot", str(tmp_path / "response.png"))
    assert result.exit_code == 0, result.stderr


def test_a_device_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(MINIMAL)
    result = hil("devices", "show", str(file))
    assert result.exit_code == 0, result.stderr
    assert "not stated" in result.stdout


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["nonesuch"], ("nonesuch", "reram-es", "toml")),
        (["absent.toml"], ("absent.toml", "check the path")),
        (["ideal", "--plot", "picture.xyz"], ("picture.xyz", ".png")),
        (["ideal", "--plot", "no/such/folder/picture.png"], ("no/such/folder", "check the folder")),
    ],
)
def test_what_cannot_work_is_one_message(args: list[str], words: tuple[str, ...]) -> None:
    message = refused("devices", "show", *args)
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("g_min_siemens = ", ("not valid TOML",)),
        (MINIMAL + "stepsize = 1", ("stepsize", "no such key")),
        (MINIMAL.replace("ideal_step", "idealstep"), ("idealstep", "soft_bounds")),
        (MINIMAL.replace("1e-6", "1e-3"), ("g_max_siemens must lie above",)),
        (MINIMAL + "[stuck]\nhigh = 0.7\nlow = 0.7", ("stuck", "over 1")),
        (MINIMAL + "[stuck]\nbetween_range = [0.7, 0.1]", ("must not fall",)),
        (MINIMAL.replace("0.01", "true"), ("step_weight", "not true or false")),
        (MINIMAL + "[read_noise.flicker]\nrelative_rms = 0.1\nlow_hertz = 2.0\nhigh_hertz = 1.0",
         ("high_hertz",)),
        (MINIMAL.replace("ideal_step", "soft_bounds") + "low_weight = 0\nhigh_weight = 0",
         ("high_weight must lie above",)),
        ("", ("g_min_siemens", "required")),
    ],
)  # fmt: skip
def test_a_bad_file_is_explained(tmp_path: Path, text: str, words: tuple[str, ...]) -> None:
    file = tmp_path / "bad.toml"
    file.write_text(text)
    message = refused("devices", "show", str(file))
    for word in ("bad.toml", *words):
        assert word in message


def test_by_default_nothing_is_wrong_with_a_device() -> None:
    config = DeviceConfig.model_validate(
        {"g_min_siemens": 1e-6, "g_max_siemens": 1e-4,
         "pulses": {"kind": "soft_bounds", "step_weight": 0.01}}
    )  # fmt: skip
    model = config.build()
    assert model.stuck == Stuck()
    assert model.drift == Drift()
    assert model.drift.none
    assert model.read_noise.silent
    assert model.write_noise_relative == 0.0
    assert model.disturb.half_select_share == model.disturb.read_share == 0.0
    assert model.conduction == Linear()
    assert model.access is None
    steps = model.pulses.steps
    spreads = ("step_spread", "asymmetry", "asymmetry_spread", "low_spread", "high_spread",
               "cycle_spread")  # fmt: skip
    assert not any(getattr(steps, name) for name in spreads)
