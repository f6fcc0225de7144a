"""Clauses on drops: comparisons and the energy."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from hil.arrays import Floats, IntArray
from hil.contract.case import MARGIN, Case, close, refuses, require
from hil.energy import Term
from hil.errors import SafetyError
from hil.substrate import ComparesDrops, Drive

__all__ = ["CLAUSES"]


def _comparisons_match_held_drops(case: Case) -> None:
    """Comparisons say what two settled states say, outside the tolerance."""
    substrate, topology = case.substrate, case.topology
    if not isinstance(substrate, ComparesDrops):
        return
    drives, states = case.phases()
    slack = 2.0 * case.volts_tolerance(*(s.node_volts for s in states))
    drops = [
        np.abs(s.node_volts[:, topology.tails] - s.node_volts[:, topology.heads]) for s in states
    ]

    def vote(rise: Floats, dead_zone: float) -> IntArray:
        more, less = rise > dead_zone, rise < -dead_zone
        return np.asarray(np.count_nonzero(more, axis=0) - np.count_nonzero(less, axis=0))

    for i, j in ((2, 1), (0, 1), (1, 1)):
        rise = drops[j] - drops[i]
        for dead_zone in (0.0, float(np.quantile(np.abs(rise), 0.6))):
            result = substrate.accumulate_comparisons(drives[i], drives[j], dead_zone, states[0])
            votes, ok = result.votes, result.ok
            require(votes.shape == (case.n_devices,), f"votes have shape {votes.shape}")
            require(votes.dtype.kind == "i", f"votes are {votes.dtype}")
            require(ok.shape == (len(rise),) and bool(np.all(ok)), "not every example took part")
            least, most = vote(rise - slack, dead_zone), vote(rise + slack, dead_zone)
            wrong = int(np.count_nonzero((votes < least) | (votes > most)))
            require(
                wrong == 0,
                f"{wrong} of {votes.size} devices voted other than their held drops "
                f"(dead zone {dead_zone:.3g} V)",
            )
    limit = np.full_like(drives[0].input_volts, np.nextafter(case.spec.max_input_volts, np.inf))
    for pair in ((Drive(limit), drives[1]), (drives[1], Drive(limit))):
        compare = partial(substrate.accumulate_comparisons, *pair, 0.0)
        refuses(SafetyError, "comparing beyond the input limit", compare)


def _energy_is_local(case: Case) -> None:
    """The energy's contrast is what each device's own drops say."""
    energy, topology = case.spec.energy, case.topology
    _, (free, up, down) = case.phases()
    volts = case.rng.normal(size=(3, 2, topology.n_nodes))
    combinations = {
        "two nudges": [Term(0.5, up.node_volts), Term(-0.5, down.node_volts)],
        "one nudge": [Term(3.0, up.node_volts), Term(-3.0, free.node_volts)],
        "one state": [Term(-2.0, free.node_volts)],
        "random voltages": [Term(c, v) for c, v in zip((1.0, -0.7, -0.3), volts, strict=True)],
        "unbalanced weights": [Term(c, v) for c, v in zip((1.0, 2.0, -0.5), volts, strict=True)],
    }
    weights = case.spread(getattr(energy, "weights", (1.0,) * len(topology.groups)))
    for name, terms in combinations.items():
        found = energy.contrast(terms)
        direct, scale = _local_gradients(case, terms)
        allowed = MARGIN * float(np.finfo(found.dtype).eps) * scale
        what = f"contrast of {name} and what the devices' own drops say"
        close(found / weights, direct, allowed, what, "V^2")


def _local_gradients(case: Case, terms: Sequence[Term]) -> tuple[Floats, float]:
    """``sum_k c_k sum_b dE/dg`` device by device, and the scale of what is summed."""
    local = case.spec.energy.local_gradient_volts2
    total, scale = np.zeros(case.n_devices), 0.0
    for term in terms:
        for volts in term.node_volts.astype(np.float64):
            drop = volts[case.topology.tails] - volts[case.topology.heads]
            total += term.coefficient * local(drop)
            widest = np.asarray(2.0 * np.max(np.abs(volts)))
            scale += abs(term.coefficient) * float(local(widest))
    return total, scale


CLAUSES = (
    _comparisons_match_held_drops,
    _energy_is_local,
)
"""In the order in which they are checked."""
