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


@pytest.mark.parametrize("updatable", [True, False])
@pytest.mark.parametrize("ohms", [0.0, 1e-12])
@pytest.mark.parametrize("start", [0.0, 1e-40, 1e-30])
def test_wires_stay_good_when_devices_improve(updatable: bool, ohms: float, start: float) -> None:
    # In steps below and above what the wires' limit allows, and of one device alone.
    siemens = np.full((20, 30), start)
    volts = np.random.default_rng(0).normal(size=(2, 20))
    crossbar = Crossbar(siemens, ohms, ohms, updatable=updatable)
    ports = CrossbarPorts(siemens, ohms, ohms)
    for factor in (500.0, 1e4, 1e12, 1e20):
        siemens[3, 4] = max(start, 1e-40) * factor
        crossbar.update(siemens)
        found = crossbar.solve(volts).column_amps
        np.testing.assert_allclose(found, volts @ siemens, rtol=1e-12)
    siemens[:] = 1e-3
    crossbar.update(siemens)
    ports.update(siemens)
    np.testing.assert_allclose(crossbar.solve(volts).column_amps, volts @ siemens, rtol=1e-6)
    transfer = -ports.admittance()[:20, 20:]
    np.testing.assert_allclose(transfer, siemens, rtol=1e-6)
    fresh = Crossbar(siemens, ohms, ohms).solve(volts)
    assert (crossbar.solve(volts).column_amps == fresh.column_amps).all() or start == 0.0


def test_wires_are_kept_while_they_are_good_enough() -> None:
    siemens = np.full((3, 3), 1e-5)
    crossbar = Crossbar(siemens, 0.0, 1.0, updatable=True)
    before = crossbar.solve(np.ones((1, 3))).planes
    crossbar.update(100.0 * siemens)
    after = crossbar.solve(np.ones((1, 3))).planes
    assert after[1] is before[1]
    assert after[2] is before[2]


def test_wires_that_were_given_may_be_changed_later() -> None:
    ohms = np.zeros((3, 3))
    crossbar = Crossbar(np.full((3, 3), 1e-30), ohms, ohms)
    ohms[:] = 1e6
    crossbar.update(np.full((3, 3), 1e-3))
    np.testing.assert_allclose(crossbar.solve(np.ones((1, 3))).column_amps, 3e-3)
