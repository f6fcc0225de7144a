"""The world of a bench: one circuit, and the channels and switches of all its instruments.

What is true at every moment is the operating point of the circuit with each channel's stance and
every closed contact in it. It is worked out when somebody asks, but none that existed is left
out: changes queue up and are solved one after the other, however short they lasted, so that the
extreme voltage of every programmable device is known (:meth:`CircuitWorld.take_drops`).

Nets that no source can reach rest at 0 V, and every net leaks to ground (1e-14 S unless stated
otherwise), which settles what nothing else does. Noise is the matter of instruments.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from drivers.emulated.circuit_world_devices import DevicePhysics, DropLog, Drops
from drivers.emulated.circuit_world_laws import AMPS, IDEAL, VOLTS
from drivers.emulated.circuit_world_parts import Parts
from drivers.emulated.circuit_world_reduction import Network, Reduction, reduce
from drivers.emulated.circuit_world_settling import Capacitances
from drivers.emulated.circuit_world_solving import BranchState, Solving
from drivers.emulated.circuit_world_stamps import Branches, State
from drivers.emulated.circuit_world_switches import Switches
from drivers.emulated.world import (
    Channel,
    CurrentForce,
    Meter,
    Open,
    Reading,
    Stance,
    VoltageForce,
)
from hil.errors import UsageError
from sim_backend.nodal.elements import Circuit

__all__ = ["LEAK_SIEMENS", "CircuitWorld"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEAK_SIEMENS = 1e-14
"""Of every net to ground unless stated otherwise."""

_MOST_PENDING = 1024
"""Changes that wait to be solved; more of them are solved at once."""
_MOST_REDUCTIONS = 512
_LIVE_VOLTS = 1e-3


class CircuitWorld:
    """A circuit that channels and switches are wired to.

    Args:
        circuit: what is soldered; its nodes are nets. Nets that only channels and switches name
            exist as well.
        devices: groups of resistors in it that are programmable, in the order of the devices.
        channels: to attach, see :meth:`attach`. Each channel's ``on_change`` becomes this world's.
        switches: to attach, see :meth:`attach_switches`.
        physics: what voltages do to the devices; None: nothing. Its conductances replace those
            of the circuit.
        farads: capacitance of nets to ground; a reading soon after a change shows them. See
            ``circuit_world_settling`` for what is left out.
        leak_siemens: of every net to ground.

    Raises:
        ConfigurationError: see :class:`~drivers.emulated.circuit_world_parts.Parts`.
    """

    def __init__(
        self,
        circuit: Circuit,
        devices: Sequence[str] = (),
        channels: Sequence[Channel] = (),
        switches: Sequence[Switches] = (),
        physics: DevicePhysics | None = None,
        farads: Mapping[str, float] | None = None,
        leak_siemens: float = LEAK_SIEMENS,
    ) -> None:
        self._parts = parts = Parts(circuit, devices)
        self._physics = physics
        self._leak = leak_siemens
        self._siemens = parts.device_siemens.copy() if physics is None else physics.siemens()
        self._log = DropLog(self._siemens.size)
        self._now_seconds = 0.0
        self._channels: dict[Channel, int] = {}
        self._ends: list[tuple[int, int]] = []
        self._stances: list[Stance] = []
        self._sorts: list[object] = []
        self._switches: dict[str, Switches] = {}
        self._contacts: dict[str, dict[str, list[tuple[int, int]]]] = {}
        self._closed: dict[str, frozenset[str]] = {}
        capacitances = {parts.nets[net]: value for net, value in (farads or {}).items()}
        self._capacitances = Capacitances(capacitances, leak_siemens) if capacitances else None
        kind, self._tail, self._head, a, b, c = parts.branches.arrays()
        self._fixed = kind.size
        held = (kind == VOLTS) & np.isinf(b) & ((self._tail == 0) | (self._head == 0))
        self._held = (self._tail + self._head)[held]
        self._solving = Solving(
            BranchState.of(kind, a, b, c), len(parts.nets), len(parts.amplifiers)
        )
        gains = list(zip(*parts.amplifiers, strict=True)) or [()] * 4
        near, far = (np.array(column, np.int64) for column in gains[:2])
        forward, backward = (np.array(column, float) for column in gains[2:])
        self._amplifiers = near, far, forward, backward
        self._resistors = parts.resistors.arrays()
        self._reductions: OrderedDict[object, tuple[Reduction, Ints]] = OrderedDict()
        self._reduction: tuple[Reduction, Ints] | None = None
        self._pending: deque[Callable[[], bool]] = deque([lambda: True])
        for each in switches:
            self.attach_switches(each)
        for channel in channels:
            self.attach(channel)

    # -- wiring

    def attach(self, channel: Channel) -> None:
        """Wire a channel to the nets that its ``hi`` and ``lo`` name now.

        Raises:
            UsageError: it is wired already.
        """
        if channel in self._channels:
            raise UsageError(
                f"channel {channel.name} is wired to this world already; attach each once"
            )
        hi, lo = ends = self._parts.nets[channel.hi], self._parts.nets[channel.lo]
        self._channels[channel] = len(self._ends)
        self._ends.append(ends)
        self._stances.append(Open())
        self._sorts.append(_sort(Open()))
        self._tail, self._head = np.append(self._tail, hi), np.append(self._head, lo)
        self._solving.branches.append()
        self._rewired()
        channel.on_change = self._on_change
        if channel.stance != Open():
            self._on_change(channel)

    def attach_switches(self, switches: Switches) -> None:
        """Wire the contacts of an instrument, all of them open.

        Raises:
            UsageError: there are switches of that name already.
        """
        if switches.name in self._switches:
            raise UsageError(
                f"there are switches called {switches.name!r} already; name each instrument once"
            )
        nets = self._parts.nets
        self._switches[switches.name] = switches
        self._contacts[switches.name] = {
            key: [(nets[one], nets[other]) for one, other in pairs]
            for key, pairs in switches.contacts.items()
        }
        self._closed[switches.name] = frozenset()
        self._rewired()

    def _rewired(self) -> None:
        self._reductions.clear()
        self._reduction = None
        self._solving.grow(len(self._parts.nets))

    # -- time

    @property
    def now_seconds(self) -> float:
        """Time of the emulated world; it moves only by :meth:`elapse`."""
        return self._now_seconds

    def elapse(self, seconds: float) -> None:
        """Let time pass; devices live through it.

        Raises:
            UsageError: time would run backwards.
        """
        if not seconds >= 0.0:
            raise UsageError(f"time cannot run backwards, by {seconds:g} s; pass 0 or more")
        self._catch_up()
        self._now_seconds += seconds
        if self._physics is not None and seconds > 0.0:
            drops = self._drops(self._solving.net_volts)
            if self._physics.lived(drops, seconds, self._now_seconds):
                self._program(self._physics.siemens())
                self._catch_up()

    # -- what instruments see

    def reading(self, channel: Channel) -> Reading:
        """What is true at the channel's terminals now.

        Raises:
            UsageError: the channel is not part of this world.
            SettleError: the circuit has no operating point.
        """
        k = self._place(channel)
        self._catch_up()
        hi, lo = self._ends[k]
        net_volts = self._net_volts_now()
        volts = float(net_volts[hi] - net_volts[lo])
        stance = self._stances[k]
        if isinstance(stance, VoltageForce | CurrentForce):
            branches, at = self._solving.branches, self._fixed + k
            amps = 0.0 - float(branches.amps[at])
            return Reading(volts, amps, bool(branches.states[at]))
        if isinstance(stance, Meter) and math.isfinite(stance.input_ohms):
            return Reading(volts, 0.0 - volts / stance.input_ohms)
        return Reading(volts, 0.0)

    def net_volts(self, net: str) -> float:
        """Voltage of a net against ground now.

        Raises:
            UsageError: there is no such net.
        """
        if net not in self._parts.nets:
            raise UsageError(f"the world has no net {net!r}; it has {self._parts.nets.names[1:]}")
        self._catch_up()
        return float(self._net_volts_now()[self._parts.nets[net]])

    def is_live(self, switches: str, contact: str, least_volts: float = _LIVE_VOLTS) -> bool:
        """Whether a contact has voltage at either side; for counting hot switching."""
        self._catch_up()
        volts = self._net_volts_now()
        pairs = self._contacts[switches].get(contact, ())
        return any(max(abs(volts[one]), abs(volts[other])) > least_volts for one, other in pairs)

    # -- what instruments do

    def switch(self, switches: str, closed: frozenset[str]) -> None:
        """All contacts of one instrument that are closed from now on; names of others lead nowhere.

        Raises:
            UsageError: there is no such instrument.
        """
        if switches not in self._switches:
            raise UsageError(
                f"the world has no switches {switches!r}; it has {', '.join(self._switches)}"
            )
        known = frozenset(closed & self._contacts[switches].keys())

        def apply() -> bool:
            changed = self._closed[switches] != known
            self._closed[switches] = known
            if changed:
                self._reduction = None
            return changed

        self._wait(apply)

    def relays(self, switches: str) -> Callable[[frozenset[str]], None]:
        """What a mainframe calls with everything that is closed; see :meth:`switch`."""
        return lambda closed: self.switch(switches, closed)

    # -- devices

    @property
    def device_siemens(self) -> Floats:
        """(n_devices,) conductances now, a copy."""
        self._catch_up()
        return self._siemens.copy()

    def set_device_siemens(self, siemens: Floats) -> None:
        """Change all devices, (n_devices,), as if others had been soldered in.

        Raises:
            UsageError: their number is wrong, or one is negative or not finite.
        """
        wanted = np.array(siemens, float)
        if wanted.shape != self._siemens.shape:
            raise UsageError(
                f"{self._siemens.size} devices need one conductance each; got {wanted.shape}"
            )
        if not (np.isfinite(wanted) & (wanted >= 0.0)).all():
            raise UsageError("a conductance is negative or not finite; give siemens, 0 for open")
        self._program(wanted)

    def drops(self) -> Floats:
        """(n_devices,) volts across the devices now, tail minus head."""
        self._catch_up()
        return self._drops(self._net_volts_now())

    def take_drops(self) -> Drops:
        """Extreme drops in all states since this was last called."""
        self._catch_up()
        found = self._log.take()
        # The state that is on now goes on.
        self._log.add(self._drops(self._net_volts_now()), self._now_seconds)
        return found

    # -- inside

    def _place(self, channel: Channel) -> int:
        if channel not in self._channels:
            raise UsageError(
                f"channel {channel.name} is not wired to this world; pass it to CircuitWorld"
            )
        return self._channels[channel]

    def _on_change(self, channel: Channel) -> None:
        k, stance = self._place(channel), channel.stance
        self._wait(lambda: self._take_stance(k, stance))

    def _wait(self, change: Callable[[], bool]) -> None:
        self._pending.append(change)
        if len(self._pending) > _MOST_PENDING:
            self._catch_up()

    def _program(self, siemens: Floats) -> None:
        def apply() -> bool:
            self._siemens = siemens
            self._reductions.clear()
            self._reduction = None
            return True

        self._wait(apply)

    def _take_stance(self, k: int, stance: Stance) -> bool:
        """Put a stance into the circuit; whether that changes anything."""
        before, after = self._sorts[k], _sort(stance)
        self._stances[k], self._sorts[k] = stance, after
        branches, at = self._solving.branches, self._fixed + k
        numbers: tuple[int, float, float, float] | None = None
        if isinstance(stance, VoltageForce):
            numbers = VOLTS, stance.volts, abs(stance.limit_amps), stance.series_ohms
        elif isinstance(stance, CurrentForce):
            numbers = AMPS, stance.amps, abs(stance.limit_volts), 0.0
        if numbers is not None:
            branches.kind[at], branches.a[at], branches.b[at], branches.c[at] = numbers
        if after == before:
            return numbers is not None
        branches.states[at], branches.amps[at] = 0, 0.0
        self._reduction = None
        return True

    def _catch_up(self) -> None:
        """Solve every state that there was, in order."""
        while self._pending:
            if self._pending.popleft()():
                self._solve()

    def _solve(self) -> None:
        if self._reduction is None:
            self._reduction = self._reduced()
        reduction, active = self._reduction
        state = self._solving.solve(reduction, active)
        net_volts = self._solving.net_volts
        self._log.add(self._drops(net_volts), self._now_seconds)
        if self._capacitances is not None:
            self._charge(self._capacitances, reduction, active, state)

    def _charge(
        self, capacitances: Capacitances, reduction: Reduction, active: Ints, state: State
    ) -> None:
        all_, net_volts = self._solving.branches, self._solving.net_volts
        numbers = all_.a[active], all_.b[active], all_.c[active]
        branches = Branches(all_.kind[active], reduction.tail, reduction.head, *numbers)
        first = net_volts.copy()
        first[capacitances.nets] = capacitances.change(
            reduction, branches, state, net_volts, self._now_seconds
        )
        self._log.add(self._drops(first), self._now_seconds)

    def _net_volts_now(self) -> Floats:
        """(n_nets,) where nets are on their way to where they settle."""
        found = self._solving.net_volts
        if self._capacitances is not None:
            found = found.copy()
            found[self._capacitances.nets] = self._capacitances.volts(self._now_seconds)
        return found

    def _drops(self, net_volts: Floats) -> Floats:
        return np.asarray(net_volts[self._parts.device_tail] - net_volts[self._parts.device_head])

    def _reduced(self) -> tuple[Reduction, Ints]:
        """The circuit as it is switched now, and the branches that are in it."""
        key = (tuple(self._closed.values()), tuple(self._sorts))
        if key in self._reductions:
            self._reductions.move_to_end(key)
            return self._reductions[key]
        forced = [isinstance(s, VoltageForce | CurrentForce) for s in self._stances]
        used = np.concatenate([np.ones(self._fixed, np.bool_), np.array(forced, np.bool_)])
        active = np.flatnonzero(used).astype(np.int64)
        branches = self._solving.branches
        sources = np.isin(branches.kind[active], (VOLTS, AMPS))
        sources |= (branches.kind[active] == IDEAL) & (branches.a[active] < 0.0)
        wires, conductances = self._between()
        found = reduce(
            Network(
                len(self._parts.nets),
                wires,
                conductances,
                (self._tail[active], self._head[active]),
                sources,
                self._amplifiers,
                np.empty(0, np.int64) if self._capacitances is None else self._capacitances.nets,
                self._held,
                self._leak,
            )
        )
        self._reductions[key] = found, active
        if len(self._reductions) > _MOST_REDUCTIONS:
            self._reductions.popitem(last=False)
        return found, active

    def _between(self) -> tuple[tuple[Ints, Ints], tuple[Ints, Ints, Floats]]:
        """Wires and conductances of devices, resistors, closed contacts and meters."""
        wires: list[tuple[int, int]] = []
        lossy: list[tuple[int, int, float]] = []
        for name, closed in self._closed.items():
            ohms = self._switches[name].on_ohms
            for key in sorted(closed):
                pairs = self._contacts[name][key]
                if ohms == 0.0:
                    wires += pairs
                else:
                    lossy += [(one, other, 1.0 / ohms) for one, other in pairs]
        for (hi, lo), stance in zip(self._ends, self._stances, strict=True):
            if isinstance(stance, Meter) and math.isfinite(stance.input_ohms):
                lossy.append((hi, lo, 1.0 / stance.input_ohms))
        parts = self._parts
        columns = list(zip(*lossy, strict=True)) or [(), (), ()]
        tails, heads, siemens = self._resistors
        ends = np.array(wires, np.int64).reshape(-1, 2)
        return (ends[:, 0], ends[:, 1]), (
            np.concatenate([parts.device_tail, tails, np.array(columns[0], np.int64)]),
            np.concatenate([parts.device_head, heads, np.array(columns[1], np.int64)]),
            np.concatenate([self._siemens, siemens, np.array(columns[2], float)]),
        )


def _sort(stance: Stance) -> object:
    """What of a stance shapes the circuit; levels and limits do not."""
    if isinstance(stance, Meter):
        return stance if math.isfinite(stance.input_ohms) else Open
    return type(stance)
