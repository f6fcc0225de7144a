"""Device passes over crossbars of many strips, against the contrast of the energy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hil.arrays import Floats
from hil.energy import Term
from hil.errors import UsageError
from hil.substrate import Drive

Build = Callable[..., Any]


def phases(built: Any, batch: int, density: float) -> tuple[Floats, list[Term]]:
    """Inputs of which so many are not 0 V, and the terms of a centred estimate."""
    rng = np.random.default_rng(batch)
    inputs = rng.uniform(-1.0, 1.0, (batch, built.topology.inputs.size))
    inputs[rng.random(inputs.shape) >= density] = 0.0
    nudge = rng.uniform(-1e-3, 1e-3, (batch, built.topology.outputs.size))
    up, down = built.substrate.settle_each([Drive(inputs, nudge), Drive(inputs, -nudge)])
    assert up.ok.all()
    assert down.ok.all()
    return inputs, [Term(0.5, up.node_volts), Term(-0.5, down.node_volts)]


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("batch", [1, 4, 11])
@pytest.mark.parametrize("density", [0.02, 0.2, 1.0])
@pytest.mark.parametrize(("hidden", "threads"), [((40,), 2), ((40,), 3), ((120, 100), 2)])
def test_a_pass_is_the_contrast_step_by_step(
    build: Build, hidden: tuple[int, ...], threads: int, density: float, batch: int, precision: str
) -> None:
    built = build(hidden, n_signals=610, n_outputs=10, threads=threads, precision=precision)
    substrate, topology = built.substrate, built.topology
    low, high = substrate.spec.window_siemens
    _, terms = phases(built, batch, density)
    contrast = substrate.spec.energy.contrast(terms).astype(np.float64)
    sizes = [group.n_devices for group in topology.groups]
    # So large that devices reach both ends of their window.
    rates = [0.8 * (high - low) / np.abs(contrast[part]).max() for part in topology.slices]
    before = substrate.read_conductance()
    rounding = 1e3 * np.finfo(before.dtype).eps
    # Rows at 0 V have their contrasts in common; the threshold must not be one of those.
    zone = 1.01 * float(np.quantile(np.abs(contrast), 0.3))
    for sign_only in (False, True):
        substrate.load_conductance(before)
        substrate.load_write_counts(np.zeros(before.size, np.int64))
        steps = np.repeat(np.full(len(sizes), 0.1 * high) if sign_only else rates, sizes)
        wish = np.sign(contrast) * (np.abs(contrast) > zone) if sign_only else contrast
        given = steps[np.cumsum(sizes) - 1].tolist()
        substrate.descend(terms, given, sign_only=sign_only, dead_zone=zone if sign_only else 0.0)
        after = substrate.read_conductance()
        expected = np.clip(before - steps * wish, low, high)
        scale = np.repeat([np.abs(contrast[part]).max() for part in topology.slices], sizes)
        unclear = np.abs(np.abs(contrast) - zone) <= rounding * scale
        close = np.abs(after - expected) <= rounding * high
        assert np.all(close | (sign_only & unclear))
        assert np.mean(close) > 0.999
        np.testing.assert_array_equal(substrate.write_counts() > 0, after != before)
        assert (after == np.float64(low).astype(after.dtype)).any() or sign_only


def test_sums_do_not_drift_from_the_conductances(build: Build) -> None:
    """A pass leaves the sums that loading the same conductances leaves, bit for bit."""
    built = build((40,), n_signals=610, n_outputs=10)
    other = build((40,), n_signals=610, n_outputs=10)
    inputs, terms = phases(built, 4, 0.2)
    built.substrate.descend(terms, [1e-4, 1e-4])
    other.substrate.load_conductance(built.substrate.read_conductance())
    one, two = (b.substrate.settle(Drive(inputs)).node_volts for b in (built, other))
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("density", [0.02, 1.0])
def test_only_rows_of_a_spoilt_line_are_left_alone(build: Build, density: float) -> None:
    built = build((40,), n_signals=610, n_outputs=10)
    substrate = built.substrate
    _, terms = phases(built, 5, density)
    before = substrate.read_conductance()
    substrate.descend(terms, [1e-4, 1e-4])
    clean = substrate.read_conductance()
    substrate.load_conductance(before)
    for term in terms:
        term.node_volts[2, 77] = np.nan
    with pytest.raises(UsageError, match="not finite"):
        substrate.descend(terms, [1e-4, 1e-4])
    spoilt = built.topology.tails == 77
    found = substrate.read_conductance()
    np.testing.assert_array_equal(found[spoilt], before[spoilt])
    np.testing.assert_allclose(found[~spoilt], clean[~spoilt], rtol=1e-12)
    assert np.any(clean[spoilt] != before[spoilt])
