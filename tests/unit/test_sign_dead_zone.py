"""The sign rule's dead zone: devices on which a batch says next to nothing rest."""

from __future__ import annotations

import numpy as np
import pytest

import hil
from hil.rules import SignRule
from hil.substrate import Adjusts, Drive, ReadsConductance, Settled, Substrate


class AdjustOnly(Substrate):
    """A substrate without the fused update."""

    def __init__(self, inner: Substrate) -> None:
        super().__init__(inner.spec)
        self.inner = inner

    def _settle(self, drive: Drive, near: Settled | None) -> Settled:
        return self.inner.settle(drive, near)

    def _pulse(self, counts: np.ndarray) -> None:
        self.inner.pulse(counts)

    def _make_safe(self) -> None:
        self.inner.make_safe()

    def adjust(self, delta_siemens: np.ndarray) -> None:
        assert isinstance(self.inner, Adjusts)
        self.inner.adjust(delta_siemens)


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("amplified", [False, True])
def test_only_steep_devices_move(fused: bool, amplified: bool) -> None:
    overrides = {"threads": 1, "precision": "float64", "substrate.initial.kind": "uniform",
                 "substrate.initial.low_siemens": 1e-4,
                 "substrate.initial.high_siemens": 2e-4}  # fmt: skip
    if amplified:
        overrides["substrate.amplifiers"] = {"forward_gain": 4.0, "backward_gain": 0.25}
    with hil.build(hil.resolve("digits", overrides=overrides)) as experiment:
        trainer, inner = experiment.trainer, experiment.substrate
        assert isinstance(inner, ReadsConductance)
        substrate: Substrate = inner if fused else AdjustOnly(inner)
        rows = np.arange(16)
        volts = trainer.inputs.encode(experiment.dataset.train_inputs[rows])
        targets = trainer.targets.encode(experiment.dataset.train_targets[rows])
        free = trainer.scheduler.free(substrate, volts, targets)
        rng = np.random.default_rng(0)
        terms, _ = trainer.scheduler.terms(substrate, volts, free, rng)
        gradient = substrate.spec.energy.contrast(terms)
        dead_zone = float(np.quantile(np.abs(gradient), 0.6))
        before = inner.read_conductance()
        rule = SignRule((1e-7, 2e-7), dead_zone)
        rule.learn(substrate, trainer.scheduler, volts, free, 1.0, rng)
        moved = inner.read_conductance() - before
    steep = np.abs(gradient) > dead_zone * (1 + 1e-9)
    flat = np.abs(gradient) < dead_zone * (1 - 1e-9)
    steps = np.repeat([1e-7, 2e-7], [g.n_devices for g in inner.spec.topology.groups])
    np.testing.assert_allclose(
        moved[steep], -np.sign(gradient[steep]) * steps[steep], rtol=1e-6, atol=0
    )
    assert not moved[flat].any()
    assert 0.3 < steep.mean() < 0.5


def test_absurd_wishes_are_cut_to_the_window() -> None:
    """Counts beyond 32 bits must not wrap round and drive a device to the other end."""
    overrides = {
        "threads": 1,
        "rule": {"kind": "sign", "steps_siemens": [1e3], "quantised": True},
        "substrate.pulse_siemens": 1e-12,
    }
    with hil.build(hil.resolve("iris", overrides=overrides)) as experiment:
        trainer, substrate = experiment.trainer, experiment.substrate
        volts = trainer.inputs.encode(experiment.dataset.train_inputs[:8])
        targets = trainer.targets.encode(experiment.dataset.train_targets[:8])
        free = trainer.scheduler.free(substrate, volts, targets)
        rng = np.random.default_rng(0)
        terms, _ = trainer.scheduler.terms(substrate, volts, free, rng)
        gradient = substrate.spec.energy.contrast(terms)
        trainer.rule.learn(substrate, trainer.scheduler, volts, free, 1.0, rng)
        low, high = substrate.spec.window_siemens
        after = experiment.conductance_siemens()
    np.testing.assert_allclose(after[gradient < 0], high, rtol=1e-4)
    np.testing.assert_allclose(after[gradient > 0], low, rtol=0.1, atol=1e-9)
    assert (gradient < 0).any()
    assert (gradient > 0).any()
