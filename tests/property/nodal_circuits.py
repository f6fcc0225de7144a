"""Random circuits for nodal analysis.

Generators take a numpy generator and give a circuit in which every node is tied to ground by
resistors, sources or diodes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sim_backend.nodal.elements import (
    GROUND,
    Amplifier,
    Circuit,
    CurrentControlledCurrent,
    CurrentControlledVoltage,
    CurrentSource,
    Curve,
    Diode,
    DiodeModel,
    Element,
    IdealDiode,
    Resistor,
    Resistors,
    VoltageControlledCurrent,
    VoltageControlledVoltage,
    VoltageSource,
)
from sim_backend.nodal.solver import Solver

Array = NDArray[np.float64]
Rng = np.random.Generator


def edges(rng: Rng, shape: str, n: int) -> list[tuple[int, int]]:
    """Pairs of nodes 0 .. n-1 that a connected graph joins."""
    match shape:
        case "star":
            return [(0, k) for k in range(1, n)]
        case "ladder":
            return [(k, k + 1) for k in range(n - 1)] + [(k, k + 2) for k in range(n - 2)]
        case "lattice":
            side = max(2, int(np.sqrt(n)))
            right = [(k, k + 1) for k in range(n - 1) if (k + 1) % side]
            return right + [(k, k + side) for k in range(n - side)] or [(0, 1)]
        case "complete":
            return [(a, b) for b in range(n) for a in range(b)]
    tree = [(int(rng.integers(k)), k) for k in range(1, n)]
    more = [tuple(map(int, rng.choice(n, 2, replace=False))) for _ in range(n)]
    return tree + [(a, b) for a, b in more]


SHAPES = ("star", "ladder", "lattice", "complete", "tree")


def siemens(rng: Rng, spread: str) -> float:
    if spread == "extreme":
        return float(10 ** rng.uniform(-9, 1))
    return float(10 ** rng.uniform(-4, -2))


def resistors(rng: Rng, n: int, spread: str = "narrow") -> list[Element]:
    """A connected network over ``n0 .. n{n-1}``: parallel ones, open ones and loops as well."""
    pairs = edges(rng, str(rng.choice(SHAPES)), n)
    found: list[Element] = []
    tails, heads, values = [], [], []
    for k, (a, b) in enumerate(pairs):
        if k % 3:
            found.append(Resistor(f"r{k}", f"n{a}", f"n{b}", siemens(rng, spread)))
        else:
            tails.append(a)
            heads.append(b)
            values.append(siemens(rng, spread))
    names = tuple(f"n{k}" for k in range(n))
    found.append(
        Resistors("rg", names, np.array(tails, np.intp), np.array(heads, np.intp), np.array(values))
    )
    a, b = pairs[int(rng.integers(len(pairs)))]
    found.append(Resistor("rp", f"n{b}", f"n{a}", siemens(rng, spread)))
    if rng.random() < 0.3:
        found.append(Resistor("ro", f"n{rng.integers(n)}", f"n{rng.integers(n)}", 0.0))
    if rng.random() < 0.1:
        found.append(Resistor("rs", f"n{a}", f"n{a}", siemens(rng, spread)))
    grounded = rng.choice(n, size=1 + int(rng.integers(2)), replace=False)
    found += [Resistor(f"r0_{k}", f"n{k}", GROUND, siemens(rng, spread)) for k in grounded]
    return found


def sources(rng: Rng, n: int, volts: float = 2.0) -> list[Element]:
    """Voltage sources against ground, some of them stacked, each behind a resistor."""
    found: list[Element] = []
    below = GROUND
    for k in range(1 + int(rng.integers(3))):
        level = float(rng.uniform(-volts, volts))
        found.append(VoltageSource(f"v{k}", f"s{k}", below, level))
        found.append(Resistor(f"rv{k}", f"s{k}", f"n{rng.integers(n)}", siemens(rng, "narrow")))
        below = f"s{k}" if rng.random() < 0.5 else GROUND
    return found


def floating(rng: Rng, n: int, volts: float = 1.0) -> list[Element]:
    """Chains of voltage sources from a node of the network, ends tied by resistors."""
    found: list[Element] = []
    below = f"n{rng.integers(n)}"
    for k in range(1 + int(rng.integers(3))):
        plus, minus = (f"f{k}", below) if rng.random() < 0.5 else (below, f"f{k}")
        found.append(VoltageSource(f"vf{k}", plus, minus, float(rng.uniform(-volts, volts))))
        if rng.random() < 0.7:
            found.append(Resistor(f"rf{k}", f"f{k}", f"n{rng.integers(n)}", siemens(rng, "narrow")))
        below = f"f{k}"
    return found


def currents(rng: Rng, n: int, amps: float = 1e-3) -> list[Element]:
    ends = [*(f"n{k}" for k in range(n)), GROUND]
    found: list[Element] = []
    for k in range(1 + int(rng.integers(2))):
        a, b = rng.choice(len(ends), 2, replace=False)
        found.append(CurrentSource(f"i{k}", ends[a], ends[b], float(rng.normal(0.0, amps))))
    return found


def diode_model(rng: Rng, cubic: bool | None = None) -> DiodeModel:
    return DiodeModel(
        saturation_amps=float(10 ** rng.uniform(-16, -8)),
        ideality=float(rng.uniform(0.8, 2.2)),
        series_ohms=float(rng.choice([0.0, 0.0, rng.uniform(0.5, 50.0)])),
        reverse_cubic=bool(rng.random() < 0.5) if cubic is None else cubic,
    )


def diodes(rng: Rng, n: int, cubic: bool | None = None) -> list[Element]:
    ends = [*(f"n{k}" for k in range(n)), GROUND]
    models = [diode_model(rng, cubic) for _ in range(2)]
    found: list[Element] = []
    for k in range(1 + int(rng.integers(4))):
        a, b = rng.choice(len(ends), 2, replace=False)
        area = 1.0 if rng.random() < 0.5 else float(rng.uniform(0.3, 3.0))
        model = models[int(rng.integers(2))]
        found.append(Diode(f"d{k}", ends[a], ends[b], model, area))
        if rng.random() < 0.3:
            found.append(Diode(f"dp{k}", ends[b], ends[a], model, area))
    return found


def ideal_diodes(rng: Rng, n: int, most: int = 6) -> list[Element]:
    """Between any nodes, no two of them in parallel, all with voltages of their own."""
    ends = [*(f"n{k}" for k in range(n)), GROUND]
    pairs = [(a, b) for b in range(n + 1) for a in range(b)]
    chosen = rng.choice(
        len(pairs), size=min(len(pairs), 1 + int(rng.integers(most))), replace=False
    )
    found: list[Element] = []
    for k, place in enumerate(chosen):
        a, b = pairs[place] if rng.random() < 0.5 else pairs[place][::-1]
        found.append(IdealDiode(f"x{k}", ends[a], ends[b], float(rng.uniform(0.0, 0.5))))
    return found


def curves(rng: Rng, n: int) -> list[Element]:
    """Rising cubic curves."""
    found: list[Element] = []
    for k in range(1 + int(rng.integers(2))):
        a, b = f"n{rng.integers(n)}", GROUND
        one, three = rng.uniform(0.0, 1e-3), rng.uniform(1e-5, 1e-3)
        found.append(
            Curve(
                f"k{k}",
                a,
                b,
                lambda v, one=one, three=three: one * v + three * v**3,
                lambda v, one=one, three=three: one + 3.0 * three * v**2,
            )
        )
    return found


def controlled(rng: Rng, n: int, strength: float) -> list[Element]:
    """All four controlled sources: outputs behind resistors, currents sensed at a source."""

    def node() -> str:
        return f"n{rng.integers(n)}"

    def gain() -> float:
        return float(strength * rng.uniform(-1.0, 1.0))

    found: list[Element] = [
        VoltageSource("vs", node(), "sense", 0.0),
        Resistor("rsense", "sense", node(), siemens(rng, "narrow")),
        Resistor("rground", "sense", GROUND, siemens(rng, "narrow")),
    ]
    kinds = rng.choice(list("efgh"), size=2 + int(rng.integers(3)))
    for k, kind in enumerate(kinds):
        a, b = rng.choice(n, 2, replace=False)
        match kind:
            case "e":
                found.append(
                    VoltageControlledVoltage(f"e{k}", f"c{k}", GROUND, node(), node(), gain())
                )
            case "h":
                found.append(CurrentControlledVoltage(f"h{k}", f"c{k}", GROUND, "vs", 1e3 * gain()))
            case "g":
                found.append(
                    VoltageControlledCurrent(
                        f"g{k}", f"n{a}", f"n{b}", node(), GROUND, 1e-4 * gain()
                    )
                )
            case "f":
                found.append(CurrentControlledCurrent(f"f{k}", f"n{a}", f"n{b}", "vs", gain()))
        if kind in "eh":
            found.append(Resistor(f"rc{k}", f"c{k}", node(), siemens(rng, "narrow")))
    return found


def stack(rng: Rng, cubic: bool | None = None) -> list[Element]:
    """Layers with diode pairs, joined by bidirectional amplifiers of one gain per layer."""
    found: list[Element] = [
        VoltageSource(f"v{k}", f"s{k}", GROUND, float(rng.uniform(-1, 1))) for k in range(2)
    ]
    below = ["s0", "s1"]
    model = replace(diode_model(rng, cubic), series_ohms=0.0)
    for layer in range(1 + int(rng.integers(3))):
        forward = float(rng.uniform(1.0, 5.0))
        here = [f"l{layer}_{k}" for k in range(1 + int(rng.integers(3)))]
        values = rng.uniform(1e-4, 1e-3, (len(below), len(here)))
        found.append(Resistors.crossbar(f"w{layer}", below, here, values))
        for node in here:
            found += [
                Diode(f"u{node}", node, GROUND, model),
                Diode(f"d{node}", GROUND, node, model),
            ]
            found.append(Amplifier(f"a{node}", node, f"o{node}", forward, 1.0 / forward))
        below = [f"o{node}" for node in here]
    found.append(Resistors.crossbar("wo", below, ["out"], rng.uniform(1e-4, 1e-3, (len(below), 1))))
    found += [
        Resistor("rout", "out", GROUND, 1e-5),
        CurrentSource("iout", GROUND, "out", float(rng.normal(0, 1e-4))),
    ]
    return found


def conditions(rng: Rng, elements: list[Element]) -> Circuit:
    kelvin = 300.15 if rng.random() < 0.5 else float(rng.uniform(250.0, 400.0))
    return Circuit(elements, kelvin=kelvin, gmin_siemens=float(rng.choice([0.0, 1e-12, 1e-9])))


def size(rng: Rng, most: int = 9) -> int:
    return 2 + int(rng.integers(most - 1))


def resistive(rng: Rng, spread: str = "narrow") -> Circuit:
    n = size(rng)
    return Circuit([*resistors(rng, n, spread), *sources(rng, n)])


KINDS: dict[str, Callable[[Rng], Circuit]] = {
    "resistors": resistive,
    "extreme": lambda rng: resistive(rng, "extreme"),
    "sources": lambda rng: _with(rng, floating, currents),
    "diodes": lambda rng: _with(rng, currents, diodes),
    "floating-diodes": lambda rng: _with(rng, floating, diodes, spread="extreme"),
    "curves": lambda rng: _with(rng, floating, curves, diodes),
    "ideal": lambda rng: _with(rng, currents, ideal_diodes),
    "ideal-mixed": lambda rng: _with(rng, currents, ideal_diodes, diodes, floating),
    "controlled": lambda rng: _controlled(rng, 3.0),
    "controlled-diodes": lambda rng: _controlled(rng, 0.4, diodes),
    "amplifiers": lambda rng: conditions(rng, stack(rng)),
}
"""Generators by name; all but the controlled ones have exactly one operating point."""

Part = Callable[[Rng, int], list[Element]]


def generator(kind: str, number: int) -> Rng:
    """The same numbers for the same circuit, on every machine."""
    return np.random.default_rng([number, *kind.encode()])


def _with(rng: Rng, *parts: Part, spread: str = "narrow") -> Circuit:
    n = size(rng)
    elements = [*resistors(rng, n, spread), *sources(rng, n)]
    for part in parts:
        elements += part(rng, n)
    return conditions(rng, elements)


def _controlled(rng: Rng, strength: float, *parts: Part) -> Circuit:
    n = size(rng)
    elements = [*resistors(rng, n), *sources(rng, n), *controlled(rng, n, strength)]
    for part in parts:
        elements += part(rng, n)
    return conditions(rng, elements)


def levels_of(rng: Rng, solver: Solver, batch: int) -> Array:
    """The nominal levels, and others of the same sizes."""
    nominal = solver.equations.levels
    return np.concatenate([nominal[None], nominal * rng.normal(0, 1, (batch - 1, nominal.size))])
