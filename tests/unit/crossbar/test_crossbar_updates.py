from __future__ import annotations

import numpy as np
import pytest

from sim_backend.crossbar import leaf_kernels
from sim_backend.crossbar.crossbar import Crossbar
from sim_backend.crossbar.ports import CrossbarPorts
from tests.unit.crossbar.references import drawn


@pytest.mark.parametrize("updatable", [True, False])
@pytest.mark.parametrize("n_changed", [0, 1, 3, 2000])
def test_an_update_is_a_fresh_factorisation(updatable: bool, n_changed: int) -> None:
    array = drawn(70, 45, 1)
    volts = np.random.default_rng(2).normal(size=(3, 70))
    crossbar = Crossbar(array.siemens, array.word_ohms, array.bit_ohms, updatable=updatable)
    before = crossbar.solve(volts)
    kept = before.word_volts.copy()
    changed = array.siemens.copy()
    random = np.random.default_rng(3)
    for _ in range(2):
        places = random.choice(changed.size, n_changed, replace=False)
        changed.flat[places] *= random.uniform(0.0, 2.0, n_changed)
        crossbar.update(changed)
    fresh = Crossbar(changed, array.word_ohms, array.bit_ohms).solve(volts)
    found = crossbar.solve(volts)
    for name in ("column_amps", "row_amps", "word_volts", "bit_volts", "device_amps"):
        assert (getattr(found, name) == getattr(fresh, name)).all(), name
    assert (before.word_volts == kept).all()
    assert n_changed == 0 or (found.word_volts != kept).any()


def test_few_changes_leave_most_leaves_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    array = drawn(70, 45, 1)
    crossbar = Crossbar(array.siemens, 1.0, 1.0, updatable=True)
    done = []
    original = leaf_kernels.eliminate

    def counting(program: object, places: np.ndarray, *rest: object) -> None:
        done.append(len(places))
        original(program, places, *rest)

    monkeypatch.setattr(leaf_kernels, "eliminate", counting)
    changed = array.siemens.copy()
    changed[60, 3] *= 2.0
    crossbar.update(changed)
    assert sum(done) == 1
    done.clear()
    crossbar.update(2.0 * changed)
    assert sum(done) > 5


def test_ports_take_up_new_conductances() -> None:
    array, other = drawn(20, 15, 1), drawn(20, 15, 2)
    ports = CrossbarPorts(array.siemens, 1.0, 2.0)
    ports.admittance()
    ports.update(other.siemens)
    assert (ports.admittance() == CrossbarPorts(other.siemens, 1.0, 2.0).admittance()).all()
    with pytest.raises(ValueError, match="crossbar is"):
        ports.update(np.ones((15, 20)))
