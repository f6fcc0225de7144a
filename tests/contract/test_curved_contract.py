"""The substrate contract on stacks of curved devices."""

from __future__ import annotations

from typing import Any

import pytest

from hil.contract import check_substrate
from hil.substrate import Adjusts, ComparesDrops, CountsWrites, Descends, SettlesEach
from sim_backend.curved.adapter import CurvedSubstrate
from sim_backend.drawing import DrawsCircuit
from tests.unit.curved_stacks import CURVES, circuit, substrate

GAINS = (4.0, 0.25)
KINDS: dict[str, dict[str, Any]] = {
    "one hidden": {"hidden": (6,), "kind": "ideal_diodes"},
    "no hidden": {"hidden": (), "kind": "linear"},
    "biased, two hidden": {"hidden": (5, 4), "kind": "ideal_diodes", "biased": (True,) * 3},
    "amplified": {"hidden": (5,), "kind": "pairs", "gains": GAINS},
    "many outputs": {"hidden": (3,), "kind": "ideal_diodes", "n_outputs": 66},
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("curve", ["cubic", "sinh"])
@pytest.mark.parametrize("kind", KINDS)
def test_curved_substrates_honour_the_contract(kind: str, curve: str, dtype: str) -> None:
    of = circuit(**KINDS[kind])
    gains = KINDS[kind].get("gains")
    tolerance = 1e-6 if dtype == "float32" else 1e-10
    check_substrate(
        lambda: substrate(of, CURVES[curve], gains=gains, dtype=dtype, tolerance=tolerance)
    )


def test_what_it_can_and_cannot() -> None:
    for ability in (SettlesEach, Adjusts, ComparesDrops, CountsWrites, DrawsCircuit):
        assert issubclass(CurvedSubstrate, ability)
    assert not issubclass(CurvedSubstrate, Descends)
