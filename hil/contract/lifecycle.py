"""Clauses on making safe and closing."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from hil.contract.case import Case, refuses, require
from hil.energy import Term
from hil.errors import ClosedError
from hil.substrate import (
    Adjusts,
    ComparesDrops,
    CountsWrites,
    Descends,
    Drive,
    LoadsConductance,
    ProgramsConductance,
    ReadsConductance,
    SettlesEach,
)

__all__ = ["CLAUSES"]


def _can_be_made_safe_twice(case: Case) -> None:
    """Making safe and closing may be repeated."""
    case.settle(case.inputs())
    case.substrate.make_safe()
    case.substrate.make_safe()
    case.substrate.close()
    case.substrate.make_safe()
    case.substrate.close()


def _closed_is_closed(case: Case) -> None:
    """After close every method raises ClosedError."""
    substrate, n = case.substrate, case.n_devices
    drives, states = case.phases()
    terms = [Term(1.0, states[1].node_volts), Term(-1.0, states[2].node_volts)]
    rates = [0.0] * len(case.topology.groups)
    middle = np.full(n, 0.5 * sum(case.spec.window_siemens))
    substrate.close()
    acts: dict[str, Callable[[], object]] = {
        "settle": partial(substrate.settle, drives[0]),
        "pulse": partial(substrate.pulse, np.zeros(n, np.int32)),
    }
    if isinstance(substrate, SettlesEach):
        acts["settle_each"] = partial(substrate.settle_each, drives)
    if isinstance(substrate, Adjusts):
        acts["adjust"] = partial(substrate.adjust, np.zeros(n))
    if isinstance(substrate, Descends):
        acts["descend"] = partial(substrate.descend, terms, rates)
    if isinstance(substrate, LoadsConductance):
        acts["load_conductance"] = partial(substrate.load_conductance, middle)
    if isinstance(substrate, ProgramsConductance):
        step = case.spec.pulse_siemens
        acts["program_conductance"] = partial(substrate.program_conductance, middle, step)
    if isinstance(substrate, ReadsConductance):
        acts["read_conductance"] = substrate.read_conductance
    if isinstance(substrate, CountsWrites):
        acts["write_counts"] = substrate.write_counts
        acts["load_write_counts"] = partial(substrate.load_write_counts, np.zeros(n, np.int64))
    if isinstance(substrate, ComparesDrops):
        compare = partial(substrate.accumulate_comparisons, drives[2], drives[1], 0.0)
        acts["accumulate_comparisons"] = compare
    for name, act in acts.items():
        refuses(ClosedError, f"{name} after close", act)


def _is_a_context_manager(case: Case) -> None:
    """A substrate is a context manager that closes however it is left."""
    drive = Drive(case.inputs())
    try:
        with case.substrate as entered:
            require(entered is case.substrate, "entering returned something else")
            raise _LeavingError
    except _LeavingError:
        pass
    else:
        raise AssertionError("leaving the context swallowed an exception")
    refuses(ClosedError, "settle after leaving", partial(case.substrate.settle, drive))


class _LeavingError(Exception):
    """Raised to leave a context early."""


CLAUSES = (
    _can_be_made_safe_twice,
    _closed_is_closed,
    _is_a_context_manager,
)
"""In the order in which they are checked."""
