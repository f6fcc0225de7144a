"""Clauses on what some substrates can do besides: adjust, load and descend."""

from __future__ import annotations

from functools import partial

import numpy as np

from hil.contract.case import MARGIN, Case, close, refuses, require
from hil.energy import Term
from hil.errors import UsageError
from hil.substrate import Adjusts, Descends, LoadsConductance, ReadsConductance

__all__ = ["CLAUSES"]


def _adjust_adds(case: Case) -> None:
    """Adjust adds what is asked, confined to the window."""
    substrate = case.substrate
    if not isinstance(substrate, Adjusts) or not isinstance(substrate, ReadsConductance):
        return
    low, high = case.spec.window_siemens
    n = case.n_devices
    for reach in (0.1, 2.0):
        before = substrate.read_conductance()
        delta = case.rng.uniform(-reach, reach, n) * (high - low)
        substrate.adjust(delta.astype(before.dtype))
        allowed = case.siemens_tolerance(before.dtype)
        expected = np.clip(before + delta, low, high)
        close(substrate.read_conductance(), expected, allowed, "adjusted and expected", "S")
    before = substrate.read_conductance()
    broken = np.where(np.arange(n) == n - 1, np.nan, 0.0)
    refuses(UsageError, "one adjustment too many", partial(substrate.adjust, np.zeros(n + 1)))
    refuses(UsageError, "a NaN adjustment", partial(substrate.adjust, broken))
    after = substrate.read_conductance()
    close(before, after, case.siemens_noise, "around refused adjustments", "S")


def _loading_restores(case: Case) -> None:
    """Loaded conductances read back exactly and settle as before."""
    substrate = case.substrate
    if not isinstance(substrate, LoadsConductance) or not isinstance(substrate, ReadsConductance):
        return
    inputs = case.inputs()
    given = case.conductances(substrate.read_conductance().dtype)
    substrate.load_conductance(given)
    if case.spec.pulse_spread > 0.0:
        # Real devices may be stuck, or have limits of their own; what they can hold, they hold.
        given = substrate.read_conductance()
        substrate.load_conductance(given)
    kept = given.copy()
    noise = case.siemens_noise
    close(substrate.read_conductance(), given, noise, "loaded and read", "S")
    before = case.settle(inputs).node_volts
    substrate.pulse(case.rng.integers(-3, 4, given.size))
    require(np.array_equal(given, kept), "pulses changed the array that was loaded")
    substrate.load_conductance(given)
    after = case.settle(inputs).node_volts
    case.same_volts(before, after, "with the same conductances loaded twice")
    low, high = case.spec.window_siemens
    last = np.arange(given.size) == given.size - 1
    wrong = {
        "one conductance too many": np.append(given, given[:1]),
        "a conductance outside the window": np.where(last, 2.0 * high - low, given),
        "a NaN conductance": np.where(last, np.nan, given),
    }
    for what, load in wrong.items():
        refuses(UsageError, what, partial(substrate.load_conductance, load.astype(given.dtype)))
    close(substrate.read_conductance(), given, noise, "around refused loads", "S")


def _descend_is_adjust(case: Case) -> None:
    """Descend adjusts by minus the rate times the contrast, or its sign."""
    substrate = case.substrate
    if not (
        isinstance(substrate, Descends)
        and isinstance(substrate, Adjusts)
        and isinstance(substrate, ReadsConductance)
        and isinstance(substrate, LoadsConductance)
    ):
        return
    _, (free, up, down) = case.phases()
    start = case.conductances(substrate.read_conductance().dtype)
    low, high = case.spec.window_siemens
    n_groups = len(case.topology.groups)
    steps = np.linspace(0.05, 0.1, n_groups) * (high - low)
    for combination in ([(0.5, up), (-0.5, down)], [(1.0, up), (-1.0, free)], [(1.0, up)]):
        terms = [Term(c, settled.node_volts) for c, settled in combination]
        contrast = case.spec.energy.contrast(terms)
        largest = [float(np.max(np.abs(contrast[part]))) for part in case.topology.slices]
        rounding = MARGIN * float(np.finfo(contrast.dtype).eps) * case.spread(largest)
        median = float(np.median(np.abs(contrast)))
        for sign_only, dead_zone in ((False, 0.0), (True, 0.0), (True, median)):
            rates = [
                float(s if sign_only or not m else s / m)
                for s, m in zip(steps, largest, strict=True)
            ]
            steep = np.abs(contrast) > dead_zone
            wish = np.where(steep, np.sign(contrast), 0.0) if sign_only else contrast
            substrate.load_conductance(start)
            substrate.adjust((-case.spread(rates) * wish).astype(start.dtype))
            expected = substrate.read_conductance()
            substrate.load_conductance(start)
            substrate.descend(terms, rates, sign_only=sign_only, dead_zone=dead_zone)
            found = substrate.read_conductance()
            if sign_only:  # what rounding decides may be either way
                undecided = np.abs(np.abs(contrast) - dead_zone) <= rounding
                found = np.where(undecided, expected, found)
            what = f"descend(sign_only={sign_only}, dead_zone={dead_zone:.3g}) and adjust"
            close(found, expected, case.siemens_tolerance(start.dtype), what, "S")
    refuses(UsageError, "a rate too many", partial(substrate.descend, terms, [0.0, *rates]))


CLAUSES = (
    _adjust_adds,
    _loading_restores,
    _descend_is_adjust,
)
"""In the order in which they are checked."""
