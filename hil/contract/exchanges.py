"""Clauses on settling several drives in one exchange."""

from __future__ import annotations

from functools import partial

import numpy as np

from hil.contract.case import Case, refuses, require
from hil.errors import SafetyError, UsageError
from hil.substrate import Drive, Settled, SettlesEach

__all__ = ["CLAUSES"]


def _each_is_one_by_one(case: Case) -> None:
    """Settling each of several drives gives what settling them one by one gives."""
    substrate = case.substrate
    if not isinstance(substrate, SettlesEach):
        return
    (free, up, down), states = case.phases()
    inputs = case.inputs()
    strange = Drive(inputs, up.nudge_amps)
    strange_state = case.settle(inputs, up.nudge_amps)
    failed = np.arange(len(inputs)) == 1
    broken = Settled(np.where(failed[:, None], np.nan, states[1].node_volts), ~failed)
    series = {
        "two nudges": ([up, down], [states[1], states[2]]),
        "one nudge": ([down], [states[2]]),
        "free and nudged": ([down, free, up, free], [states[2], states[0], states[1], states[0]]),
        "other inputs between": ([up, strange, down], [states[1], strange_state, states[2]]),
    }
    for name, (drives, expected) in series.items():
        for start, near in {"cold": None, "warm": states[0], "from nowhere": broken}.items():
            found = substrate.settle_each(drives, near)
            require(len(found) == len(drives), f"{name}: {len(found)} states of {len(drives)}")
            for place, (one, other) in enumerate(zip(found, expected, strict=True)):
                what = f"{name}, {start}, state {place} of one exchange and on its own"
                require(one.node_volts.shape == other.node_volts.shape, f"{what}: other shapes")
                require(one.ok.shape == other.ok.shape, f"{what}: other shapes of ok")
                require(bool(np.all(one.ok)), f"{what}: an example did not settle")
                case.same_volts(one.node_volts, other.node_volts, what)
    require(len(substrate.settle_each([])) == 0, "no drives gave states")
    held = substrate.settle_each([up, down])
    kept = [settled.node_volts.copy() for settled in held]
    substrate.settle_each([down, strange])
    for settled, volts in zip(held, kept, strict=True):
        require(np.array_equal(settled.node_volts, volts), "a later exchange changed a state")


def _each_is_checked(case: Case) -> None:
    """Every drive of an exchange is checked, and nothing is applied if one is wrong."""
    substrate = case.substrate
    if not isinstance(substrate, SettlesEach):
        return
    (free, up, down), states = case.phases()
    inputs = free.input_volts
    before = case.settle(inputs).node_volts
    volts, amps = inputs.copy(), np.zeros((len(inputs), case.n_outputs))
    volts[-1, -1] = np.nextafter(case.spec.max_input_volts, np.inf)
    amps[-1, -1] = np.nan
    for what, bad in {"input beyond the limit": Drive(volts), "NaN": Drive(inputs, amps)}.items():
        for drives in ([up, bad], [bad, down]):
            act = partial(substrate.settle_each, drives, states[0])
            refuses(SafetyError, f"an exchange with an {what}", act)
            after = case.settle(inputs).node_volts
            case.same_volts(before, after, f"before and after an exchange with an {what}")
    wrong = Drive(inputs, amps[1:])
    refuses(UsageError, "an exchange with a wrong nudge", partial(substrate.settle_each, [wrong]))
    fewer = Settled(states[0].node_volts[1:], states[0].ok[1:])
    act = partial(substrate.settle_each, [up, down], fewer)
    refuses(UsageError, "an exchange near a state of another batch", act)


CLAUSES = (
    _each_is_one_by_one,
    _each_is_checked,
)
"""In the order in which they are checked."""
