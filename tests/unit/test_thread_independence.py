"""The number of threads that happen to work changes nothing, not even the last bit."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytest

import hil
from sim_backend.threads import limited


def trained_bits(overrides: dict[str, Any], threads: int) -> np.ndarray:
    config = hil.resolve("digits", overrides=overrides | {"threads": 2, "epochs": 1})
    with hil.build(config) as experiment, limited(2):
        numba.set_num_threads(threads)
        for step, _ in enumerate(experiment.trainer.run(lambda: 0.0)):
            if step == 40:
                break
        return experiment.conductance_siemens()


@pytest.mark.parametrize(
    "overrides",
    [
        {"substrate.hidden": [200]},
        {"substrate.hidden": [200], "batch_size": 64},
        {"substrate.hidden": [200], "precision": "float64"},
        {
            "substrate.hidden": [150, 120],
            "batch_size": 32,
            "encoding.bias_volts": [0.5, 0.0, 0.0],
            "rule.rates": [1e-4],
        },
        {
            "rule": {"kind": "comparison", "steps_siemens": [1e-7]},
            "substrate.hidden": [200],
        },
    ],
)
def test_threads_do_not_change_bits(overrides: dict[str, Any]) -> None:
    np.testing.assert_array_equal(trained_bits(overrides, 1), trained_bits(overrides, 2))
