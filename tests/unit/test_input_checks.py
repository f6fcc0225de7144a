"""Inputs cut from one read-only array are checked together, and never less than alone."""

from __future__ import annotations

import numpy as np
import pytest

from hil.arrays import Floats
from hil.errors import SafetyError, UsageError
from hil.substrate import Drive
from tests.unit.recorders import Pulsed

LIMIT = 10.0
"""Of ``Pulsed``."""


def frozen(values: Floats) -> Floats:
    values.flags.writeable = False
    return values


def test_rows_beyond_the_limit_are_refused_where_they_come() -> None:
    whole = np.full((6, 2), 0.5)
    whole[4, 1] = 1.001 * LIMIT
    frozen(whole)
    substrate = Pulsed()
    for part in (slice(0, 2), slice(2, 4), slice(0, 2)):
        substrate.settle(Drive(whole[part]))
    with pytest.raises(SafetyError, match="input_volts reaches"):
        substrate.settle(Drive(whole[4:6]))
    substrate.settle(Drive(whole[2:4]))
    with pytest.raises(SafetyError):
        substrate.settle(Drive(whole))


@pytest.mark.parametrize("level", [np.nan, np.inf, -1.001 * LIMIT])
def test_another_array_is_looked_at_anew(level: float) -> None:
    substrate = Pulsed()
    good = frozen(np.zeros((4, 2)))
    substrate.settle(Drive(good[:2]))
    bad = np.zeros((4, 2))
    bad[0, 0] = level
    frozen(bad)
    with pytest.raises(SafetyError):
        substrate.settle(Drive(bad[:2]))
    substrate.settle(Drive(good[2:]))


def test_a_view_that_can_still_be_written_is_not_trusted() -> None:
    substrate = Pulsed()
    whole = np.zeros((4, 2))
    open_view = whole[2:]
    frozen(whole)
    substrate.settle(Drive(whole[:2]))
    open_view[0, 0] = 2.0 * LIMIT
    with pytest.raises(SafetyError):
        substrate.settle(Drive(open_view))


def test_other_cuts_of_a_checked_array_are_checked_for_themselves() -> None:
    substrate = Pulsed()
    whole = frozen(np.zeros((4, 2)))
    substrate.settle(Drive(whole[:2]))
    for cut in (whole[:, :1], whole[0], whole.view(np.int64), whole.view(np.complex128)):
        with pytest.raises(UsageError):
            substrate.settle(Drive(cut))
    with pytest.raises(UsageError, match="empty"):
        substrate.settle(Drive(whole[:0]))
    # The same bytes read as another type: a denormal there is a huge number here.
    bits = np.zeros((4, 4), np.float32)
    bits[3, 1] = 7.0
    frozen(bits)
    substrate.settle(Drive(whole[2:]))
    with pytest.raises(UsageError):
        substrate.settle(Drive(bits))


@pytest.mark.parametrize("limit", [1.0, 1e-9, 1e-25, np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nudges_close_to_the_limit(limit: float, dtype: type) -> None:
    import dataclasses

    substrate = Pulsed()
    substrate.spec = dataclasses.replace(substrate.spec, max_nudge_amps=limit)
    inputs = np.zeros((3, 2))
    top = np.finfo(dtype).max if np.isinf(limit) else limit
    nudge = np.full((3, 3), 0.999 * min(top, 1e30), dtype)
    substrate.settle(Drive(inputs, nudge))
    substrate.settle(Drive(inputs, -nudge))
    beyond = nudge.copy()
    beyond[1, 2] = np.inf if np.isinf(limit) else -1.001 * limit
    with pytest.raises(SafetyError):
        substrate.settle(Drive(inputs, beyond))
