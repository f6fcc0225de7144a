"""Pulses one after the other, for models without a closed form."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sim_backend.memristors.interface import Bools, ChipT, Counts, Floats, take

__all__ = ["pulse_by_pulse"]


def pulse_by_pulse(
    step: Callable[[ChipT, Floats, Bools], Floats], chip: ChipT, siemens: Floats, counts: Counts
) -> Floats:
    """Apply every pulse by itself, all devices at once, keeping each within its limits.

    Args:
        step: conductances after one pulse, limits aside, from the chip, its conductances and the
            direction (True: up) of the devices still to be pulsed.
        chip: parameters of n devices.
        siemens: (n,) conductances.
        counts: (n,) signed pulses.

    Returns:
        (n,) conductances.
    """
    left = np.abs(counts)
    if not left.size or left.max() <= 1:
        after = np.where(left > 0, step(chip, siemens, counts > 0), siemens)
        return np.clip(after, chip.low_siemens, chip.high_siemens)
    # Sorted by pulses left, those still to be pulsed are always the first ones.
    order = np.argsort(-left, kind="stable")
    left = left[order]
    up = counts[order] > 0
    chip = take(chip, order)
    moved = siemens[order]
    for k in range(int(left[0])):
        active = slice(0, int(np.searchsorted(-left, -k, side="left")))
        part = take(chip, active)
        after = step(part, moved[active], up[active])
        moved[active] = np.clip(after, part.low_siemens, part.high_siemens)
    result = np.empty_like(moved)
    result[order] = moved
    return result
