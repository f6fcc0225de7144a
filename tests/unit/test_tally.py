"""Running figures: whatever the batches, the same sums as over all examples at once."""

from __future__ import annotations

import numpy as np
import pytest

from hil.costs import SquaredError
from hil.encoding import TargetEncoder
from hil.tally import Figures, Tally


@pytest.mark.parametrize("classes", [3, None])
@pytest.mark.parametrize("batch", [1, 7, 600])
def test_sums_do_not_depend_on_the_batches(batch: int, classes: int | None) -> None:
    rng = np.random.default_rng(batch)
    n = 1300
    outputs, ok = rng.normal(size=(n, 3)), rng.random(n) < 0.8
    labels = rng.integers(0, 3, n) if classes else rng.normal(size=(n, 3))
    encoder = TargetEncoder(0.5, 0.0, classes)
    tally = Tally(SquaredError(), encoder, labels)
    total = Figures()
    for start in range(0, n, batch):
        rows = np.arange(start, min(start + batch, n))
        if tally.add(rows, outputs[rows], ok[rows]):
            total += tally.take()
    total += tally.take()
    if classes:
        targets = 0.5 * np.eye(3)[labels]
        wrong = np.count_nonzero(outputs[ok].argmax(1) != labels[ok]) + np.count_nonzero(~ok)
    else:
        targets = 0.5 * labels
        wrong = np.sum((2.0 * outputs[ok] - labels[ok]) ** 2) + np.sum(labels[~ok] ** 2)
    assert total.cost_volts2 == pytest.approx(0.5 * np.sum((outputs - targets)[ok] ** 2))
    assert total.wrong == pytest.approx(wrong)
    assert (total.examples, total.unsettled) == (n, np.count_nonzero(~ok))
    assert tally.take() == Figures()
