"""Clauses on the spec and on settling."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from hil.arrays import Floats
from hil.contract.case import Case, refuses, require
from hil.energy import Term
from hil.errors import SafetyError, UsageError
from hil.substrate import Drive, Settled

__all__ = ["CLAUSES"]


def _spec_is_consistent(case: Case) -> None:
    """The spec is consistent."""
    spec, topology = case.spec, case.topology
    require(isinstance(spec.kind, str) and spec.kind != "", "kind is empty")
    low, high = spec.window_siemens
    require(0.0 <= low < high < np.inf, f"window {spec.window_siemens} is not 0 <= low < high")
    require(0.0 < spec.max_input_volts < np.inf, "max_input_volts is not positive and finite")
    require(spec.max_nudge_amps > 0.0, "max_nudge_amps is not positive")
    require(0.0 < spec.pulse_siemens < np.inf, "pulse_siemens is not positive and finite")
    require(0.0 < spec.settle_tolerance < 1.0, "settle_tolerance is not between 0 and 1")
    require(0.0 <= spec.noise_volts < np.inf, "noise_volts is negative or not finite")
    require(0.0 <= spec.read_siemens < np.inf, "read_siemens is negative or not finite")
    roles = np.concatenate([topology.inputs, topology.outputs, topology.hidden])
    require(
        np.array_equal(np.sort(roles), np.arange(topology.n_nodes)),
        "inputs, outputs and hidden nodes do not make up the nodes",
    )
    shape = (topology.n_devices,)
    require(topology.tails.shape == shape, "topology.tails is not one node a device")
    require(topology.heads.shape == shape, "topology.heads is not one node a device")
    zeros = np.zeros((1, topology.n_nodes))
    contrast = spec.energy.contrast([Term(1.0, zeros), Term(-1.0, zeros)])
    require(contrast.shape == shape, f"energy.contrast has shape {contrast.shape}, not {shape}")


def _settle_returns_what_it_promises(case: Case) -> None:
    """Settle returns the promised shapes and types, inputs at their nodes."""
    for dtype in (np.float32, np.float64):
        for batch in (1, 3):
            inputs: Floats = case.inputs(batch).astype(dtype)
            given = inputs.copy()
            settled = case.substrate.settle(Drive(inputs))
            shape = (batch, case.topology.n_nodes)
            volts, ok = settled.node_volts, settled.ok
            require(volts.shape == shape, f"node_volts has shape {volts.shape}, not {shape}")
            require(volts.dtype.char in "fd", f"node_volts is {volts.dtype}")
            require(ok.shape == (batch,), f"ok has shape {ok.shape}, not {(batch,)}")
            require(ok.dtype == np.bool_, f"ok is {ok.dtype}")
            require(np.array_equal(inputs, given), "settle changed the drive it was given")
            require(bool(ok.all()), "an example at half the input limit did not settle")
            case.same_volts(volts[:, case.topology.inputs], inputs, "input nodes off their drive")
    case.settle(np.full((1, case.topology.inputs.size), case.spec.max_input_volts))


def _settling_repeats(case: Case) -> None:
    """Equal drives settle to equal states, and a held state stays as it was."""
    inputs = case.inputs()
    first = case.settle(inputs)
    held = first.node_volts.copy()
    case.settle(-inputs[::-1])
    require(np.array_equal(first.node_volts, held), "a later settle changed an earlier state")
    case.same_volts(held, case.settle(inputs).node_volts, "the same drive settled twice")


def _companions_do_not_matter(case: Case) -> None:
    """An example settles the same alone and in any batch."""
    inputs = case.inputs()
    level = case.level(inputs)
    nudge = case.rng.uniform(-level, level, (len(inputs), case.n_outputs))
    together = case.settle(inputs, nudge).node_volts
    for b in range(len(inputs)):
        alone = case.settle(inputs[b : b + 1], nudge[b : b + 1]).node_volts
        case.same_volts(together[b], alone[0], f"example {b} in a batch and alone")


def _near_does_not_matter(case: Case) -> None:
    """A state believed to be near never changes the answer."""
    drives, (free, up, down) = case.phases()
    inputs, nudge = drives[1].input_volts, drives[1].nudge_amps
    failed = np.arange(len(inputs)) == 1
    nears = {
        "the free state": free,
        "an opposite state": down,
        "other examples": Settled(free.node_volts[::-1].copy(), free.ok),
        "zero": Settled(np.zeros_like(free.node_volts), free.ok),
        "nowhere": Settled(np.full_like(free.node_volts, 1e30), free.ok),
        "a failed example": Settled(np.where(failed[:, None], np.nan, up.node_volts), ~failed),
    }
    for name, near in nears.items():
        kept = near.node_volts.copy()
        warm = case.settle(inputs, nudge, near).node_volts
        case.same_volts(up.node_volts, warm, f"started near {name} and cold")
        unchanged = np.array_equal(near.node_volts, kept, equal_nan=True)
        require(unchanged, "settle changed the near state")


def _zero_nudge_is_free(case: Case) -> None:
    """Zero nudge current is the free phase."""
    inputs = case.inputs()
    nudged = case.settle(inputs, np.zeros((len(inputs), case.n_outputs)))
    case.same_volts(case.settle(inputs).node_volts, nudged.node_volts, "free and zero nudge")


def _nudge_acts(case: Case) -> None:
    """A nudge current moves its output in its own direction."""
    chosen = np.arange(min(case.n_outputs, 8))
    inputs = np.repeat(case.inputs(1), chosen.size, axis=0)
    level = case.level(inputs)
    unit = np.eye(case.n_outputs)[chosen]
    free = case.settle(inputs)
    for sign in (1.0, -1.0):
        nudged = case.settle(inputs, sign * level * unit)
        rise = sign * (case.outputs(nudged) - case.outputs(free))[chosen, chosen]
        least = case.least_move(free, nudged)
        k = int(rise.argmin())
        require(
            rise[k] > least,
            f"{sign * level:.3g} A into output {k} moved it by {sign * rise[k]:.3g} V; "
            f"expected the sign of the current and more than {least:.3g} V",
        )


def _wrong_arrays_are_refused(case: Case) -> None:
    """Wrong shapes and types are usage errors."""
    inputs = case.inputs()
    nudge = np.zeros((len(inputs), case.n_outputs))
    wrong: dict[str, tuple[Any, Any]] = {
        "an empty batch": (inputs[:0], None),
        "inputs with one axis": (inputs[0], None),
        "inputs with three axes": (inputs[None], None),
        "inputs without an axis": (np.array(0.0), None),
        "one input too many": (np.concatenate([inputs, inputs[:, :1]], axis=1), None),
        "one input too few": (inputs[:, 1:], None),
        "integer inputs": (np.zeros(inputs.shape, np.int64), None),
        "half-precision inputs": (np.zeros(inputs.shape, np.float16), None),
        "a nudge for one example less": (inputs, nudge[1:]),
        "a nudge with one axis": (inputs, nudge[0]),
        "one nudge too many": (inputs, np.concatenate([nudge, nudge[:, :1]], axis=1)),
        "an integer nudge": (inputs, nudge.astype(np.int64)),
    }
    for what, arrays in wrong.items():
        refuses(UsageError, what, partial(case.substrate.settle, Drive(*arrays)))
    one = case.settle(inputs[:1])
    fewer_nodes = Settled(case.settle(inputs).node_volts[:, 1:], np.ones(len(inputs), np.bool_))
    for what, near in {
        "a near state of another batch": one,
        "one node too few": fewer_nodes,
    }.items():
        refuses(UsageError, what, partial(case.substrate.settle, Drive(inputs), near))


def _limits_hold(case: Case) -> None:
    """Levels that are too large or not finite are safety errors, and nothing is applied."""
    inputs = case.inputs()
    nudge = np.zeros((len(inputs), case.n_outputs))
    before = case.settle(inputs).node_volts
    limits = {"input": case.spec.max_input_volts, "nudge": case.spec.max_nudge_amps}
    for name, limit in limits.items():
        beyond = float(np.nextafter(limit, np.inf))
        for level in (np.nan, np.inf, -np.inf, beyond, -beyond):
            volts, amps = inputs.copy(), nudge.copy()
            (volts if name == "input" else amps)[1, -1] = level
            what = f"{name} level {level:.6g} beyond {limit:.6g}"
            refuses(SafetyError, what, partial(case.substrate.settle, Drive(volts, amps)))
            after = case.settle(inputs).node_volts
            case.same_volts(before, after, f"before and after the refused {what}")


def _lists_are_refused(case: Case) -> None:
    """Lists in place of arrays are usage errors."""
    inputs = case.inputs()
    nudge = np.zeros((len(inputs), case.n_outputs))
    wrong: dict[str, tuple[Any, Any]] = {
        "a list of inputs": (inputs.tolist(), None),
        "a list of nudges": (inputs, nudge.tolist()),
    }
    for what, arrays in wrong.items():
        refuses(UsageError, what, partial(case.substrate.settle, Drive(*arrays)))


CLAUSES = (
    _spec_is_consistent,
    _settle_returns_what_it_promises,
    _settling_repeats,
    _companions_do_not_matter,
    _near_does_not_matter,
    _zero_nudge_is_free,
    _nudge_acts,
    _wrong_arrays_are_refused,
    _limits_hold,
    _lists_are_refused,
)
"""In the order in which they are checked."""
