"""Kirchhoff's law and the laws of limited sources, from what a world tells and nothing else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from drivers.emulated.circuit_world import LEAK_SIEMENS, CircuitWorld
from drivers.emulated.world import Channel, CurrentForce, Meter, VoltageForce
from sim_backend.nodal.elements import GROUND, Circuit, Diode, DiodeModel, IdealDiode, Resistor

BOLTZMANN_OVER_CHARGE = 1.380649e-23 / 1.602176634e-19
MODEL = DiodeModel(1e-9, 1.5)
CLOSE_VOLTS = 1e-8


@dataclass
class Bench:
    """A small circuit, its channels, and the world they are in."""

    resistors: Sequence[tuple[str, str, float]]
    channels: Sequence[Channel]
    diodes: Sequence[tuple[str, str]] = ()
    ideal: Sequence[tuple[str, str, float]] = ()
    world: CircuitWorld = field(init=False)

    def __post_init__(self) -> None:
        ends = [
            *(Resistor(f"r{k}", a, b, 1.0 / ohms) for k, (a, b, ohms) in enumerate(self.resistors)),
            *(Diode(f"d{k}", a, b, MODEL) for k, (a, b) in enumerate(self.diodes)),
            *(IdealDiode(f"i{k}", a, b, volts) for k, (a, b, volts) in enumerate(self.ideal)),
        ]
        self.world = CircuitWorld(Circuit(ends, gmin_siemens=0.0), channels=self.channels)

    def volts(self, net: str) -> float:
        return 0.0 if net == GROUND else self.world.net_volts(net)

    def assert_kirchhoff(self) -> None:
        """What leaves each net through elements is what channels deliver to it.

        Ideal diodes carry what is left over, which must not flow backwards.
        """
        left: dict[str, float] = {}
        scale: dict[str, float] = {}

        def flow(a: str, b: str, amps: float) -> None:
            for net, signed in ((a, amps), (b, -amps)):
                left[net] = left.get(net, 0.0) + signed
                scale[net] = scale.get(net, 0.0) + abs(signed)

        for a, b, ohms in self.resistors:
            flow(a, b, (self.volts(a) - self.volts(b)) / ohms)
        thermal = MODEL.ideality * BOLTZMANN_OVER_CHARGE * 300.15
        for a, b in self.diodes:
            u = (self.volts(a) - self.volts(b)) / thermal
            flow(a, b, MODEL.saturation_amps * math.expm1(u))
        for channel in self.channels:
            reading = self.world.reading(channel)
            flow(channel.hi, channel.lo, -reading.amps)
        for net in left:
            if net != GROUND:
                left[net] += LEAK_SIEMENS * self.volts(net)
        self._take_ideal(left)
        for net, amps in left.items():
            if net != GROUND:
                assert abs(amps) <= 1e-7 * scale.get(net, 0.0) + 1e-11, (net, amps)

    def _take_ideal(self, left: dict[str, float]) -> None:
        """At most one ideal diode a net, to ground, so that its current is what is left."""
        for anode, cathode, volts in self.ideal:
            net = anode if cathode == GROUND else cathode
            drop = self.volts(anode) - self.volts(cathode)
            assert drop <= volts + CLOSE_VOLTS
            here = left.setdefault(net, 0.0)
            amps = -here if net == anode else here
            if drop < volts - CLOSE_VOLTS:
                amps = 0.0
            assert amps >= -1e-12
            left[net] += amps if net == anode else -amps

    def assert_laws(self) -> None:
        """Each source reaches its level or stands at its limit, on the right side of it."""
        for channel in self.channels:
            volts, amps, limited = self.world.reading(channel)
            match channel.stance:
                case VoltageForce(volts=wanted, limit_amps=limit, series_ohms=ohms):
                    assert abs(amps) <= limit * (1 + 1e-9) + 1e-15
                    lack = wanted - volts - ohms * amps
                    if limited:
                        assert close(abs(amps), limit)
                        # A limit of zero has no side.
                        assert limit == 0.0 or lack * math.copysign(1.0, amps) >= -CLOSE_VOLTS
                    else:
                        assert abs(lack) <= CLOSE_VOLTS
                case CurrentForce(amps=wanted, limit_volts=limit):
                    assert abs(volts) <= limit + CLOSE_VOLTS
                    if limited:
                        assert abs(abs(volts) - limit) <= CLOSE_VOLTS
                        side = math.copysign(1.0, volts) if limit else 0.0
                        assert (wanted - amps) * side >= -1e-12
                    else:
                        assert close(amps, wanted)
                case Meter(input_ohms=ohms):
                    assert close(amps, -volts / ohms)
                case _:
                    assert amps == 0.0


def close(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-15)
