"""The MNIST presets on a part of the real data; their full figures come from listed commands."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import hil

FOLDER = os.environ.get("HIL_DATA", "")
pytestmark = pytest.mark.skipif(
    not any(Path(FOLDER).glob("train-images*")) if FOLDER else True,
    reason="HIL_DATA names no folder with the MNIST files",
)


@pytest.mark.parametrize(
    ("preset", "examples", "worst_percent"),
    [
        ("mnist-100", 10000, 13.0),
        ("mnist-sign", 20000, 15.0),
        ("mnist-kendall", 6000, 14.0),
        ("mnist-1024", 2000, 16.0),
    ],
)
def test_preset_learns(preset: str, examples: int, worst_percent: float) -> None:
    overrides = {
        "data.train_examples": examples,
        "data.test_examples": 1000,
        "epochs": 1,
        "schedule.kind": "constant",
        "threads": 2,
    }
    with hil.build(hil.resolve(preset, overrides=overrides)) as experiment:
        experiment.train()
        test, _ = experiment.evaluate()
        assert experiment.trainer.place.skipped == 0
    assert test.unsettled == 0
    assert test.error_percent < worst_percent
