"""The substrate contract on stacks of curved devices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hil.contract import check_substrate, drops
from hil.contract.case import Case
from hil.energy import Term
from hil.substrate import Adjusts, ComparesDrops, CountsWrites, Descends, SettlesEach
from sim_backend.curved.adapter import CurvedSubstrate
from sim_backend.curved.energy import CurvedEnergy
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


def half_squared_drops(case: Case, terms: list[Term]) -> tuple[Any, float]:
    """What the clause on energies asks of resistors, asked of devices with a curve."""
    energy = case.spec.energy
    assert isinstance(energy, CurvedEnergy)
    total, scale = np.zeros(case.n_devices), 0.0
    for term in terms:
        for volts in term.node_volts.astype(np.float64):
            drop = volts[case.topology.tails] - volts[case.topology.heads]
            total += term.coefficient * energy.local_gradient_volts2(drop)
            reach = np.atleast_1d(2.0 * np.abs(volts).max())
            scale += abs(term.coefficient) * float(energy.local_gradient_volts2(reach)[0])
    return total, scale


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("curve", ["cubic", "sinh"])
@pytest.mark.parametrize("kind", KINDS)
def test_curved_substrates_honour_the_contract(
    kind: str, curve: str, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drops, "_half_squared_drops", half_squared_drops)
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
