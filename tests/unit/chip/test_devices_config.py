"""The key ``substrate.devices``: names, files, tables, and what is dumped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tomli_w
from pydantic import BaseModel, ValidationError

from sim_backend.chip.config import DevicesConfig, as_table, window_of
from sim_backend.memristors.catalogue import device, device_names
from tests.unit.chip.chips import IDEAL


class Holder(BaseModel):
    devices: DevicesConfig | None = None


def parse(devices: Any) -> DevicesConfig:
    found = Holder(devices=devices).devices
    assert found is not None
    return found


@pytest.mark.parametrize("name", device_names())
def test_a_name_means_the_whole_table(name: str) -> None:
    found = parse(name)
    known = device(name).model_dump()
    assert {key: value for key, value in found.model_dump().items() if key in known} == known
    assert (
        parse(name.replace("-", "_")) == parse({"preset": name}) == parse(as_table(name)) == found
    )
    dumped = found.model_dump(mode="json", exclude_none=True)
    assert "preset" not in dumped
    assert parse(dumped) == found


def test_keys_change_what_a_preset_says() -> None:
    found = parse(
        {
            "preset": "reram-es",
            "stuck": {"high": 0.05},
            "pulses": {"cycle_spread": 0.0},
            "phase_seconds": 2e-6,
            "access": {"on_ohms": 1e3},
        }
    )
    known = device("reram-es")
    assert found.stuck.high == 0.05
    assert found.pulses.cycle_spread == 0.0
    assert found.pulses.step_weight == known.pulses.step_weight
    assert found.write_noise_relative == known.write_noise_relative
    assert found.phase_seconds == 2e-6
    assert found.access is not None


def test_a_table_of_another_kind_replaces_the_presets() -> None:
    found = parse({"preset": "reram-es", "pulses": {"kind": "ideal_step", "step_weight": 0.01}})
    assert found.pulses.kind == "ideal_step"
    found = parse({"preset": "reram-es", "pulses": {"kind": "exponential_step", "offset": 0.25}})
    assert found.pulses.offset == 0.25


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(tomli_w.dumps(IDEAL))
    assert parse(str(path)) == parse({"preset": str(path)}) == parse(IDEAL)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("nonesuch", "there is no device 'nonesuch'"),
        ("nonesuch.toml", "cannot read the device in nonesuch.toml"),
        ({"preset": 3}, "name of a device"),
        ({"preset": "reram-es", "presets": 1}, "Extra inputs"),
        ({"preset": "reram-es", "stuck": {"high": 2.0}}, "less than or equal to 1"),
        ({"preset": "reram-es", "disturb": {"half_select_share": 0.1}}, "scheme"),
        (
            {"preset": "reram-es", "disturb": {"third_select_share": 0.1, "scheme": "half"}},
            "scheme",
        ),
        (
            {"preset": "reram-es", "access": {"on_ohms": 1.0}, "disturb": {"scheme": "half"}},
            "no device is selected by half",
        ),
        (3, "valid dictionary"),
    ],
)
def test_what_cannot_be_used_is_refused(given: Any, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        parse(given)


def test_the_window_keeps_its_upper_end_and_has_the_devices_ratio() -> None:
    config = parse("reram-es")
    ratio = config.g_min_siemens / config.g_max_siemens
    assert window_of(config, 1e-8, 1e-3) == (pytest.approx(1e-3 * ratio), 1e-3)
    assert window_of(config, 5e-4, 1e-3) == (5e-4, 1e-3)  # already narrower
    assert window_of(None, 1e-8, 1e-3) == (1e-8, 1e-3)
