"""Random circuits that have one solution each."""

from __future__ import annotations

import numpy as np

from sim_backend.nodal.elements import (
    Amplifier,
    Circuit,
    CurrentControlledCurrent,
    CurrentControlledVoltage,
    CurrentSource,
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

R = Resistor
MODELS = (
    DiodeModel(1e-12),
    DiodeModel(1e-9, 1.4, series_ohms=25.0),
    DiodeModel(1e-7, reverse_cubic=True),
)


def passive(
    rng: np.random.Generator, n_nodes: int, *, ideal: bool = False, spread: float = 1.0
) -> Circuit:
    """Resistors, some of 0 S, sources and diodes; conductances over ``spread`` decades."""
    nodes = [f"n{k}" for k in range(n_nodes)]
    elements: list[Element] = [
        VoltageSource("va", "a", "0", float(rng.uniform(-3, 3))),
        VoltageSource("vb", "b", "a", float(rng.uniform(-3, 3))),
        CurrentSource("i", nodes[0], "0", float(rng.uniform(-1e-3, 1e-3))),
    ]
    held, every = ["0", "a", "b"], ["0", "a", "b", *nodes]
    for k, node in enumerate(nodes):
        before = every[int(rng.integers(3 + k))]
        elements.append(R(f"r{node}", node, before, float(10.0 ** -rng.uniform(3, 3 + spread))))
        if rng.random() < 0.6:
            pair = (node, held[int(rng.integers(3))]) if rng.random() < 0.7 else (node, before)
            anode, cathode = pair if rng.random() < 0.5 else pair[::-1]
            model = MODELS[int(rng.integers(3))]
            area = float(rng.uniform(0.5, 2.0))
            elements.append(Diode(f"d{node}", anode, cathode, model, area))
        if ideal and rng.random() < 0.4:
            pair = (node, held[int(rng.integers(3))])
            anode, cathode = pair if rng.random() < 0.5 else pair[::-1]
            elements.append(IdealDiode(f"z{node}", anode, cathode, float(rng.uniform(0.1, 1.0))))
    plus, minus = rng.integers(0, len(every), (2, 3 * n_nodes))
    siemens = 10.0 ** -rng.uniform(3, 3 + spread, plus.size)
    siemens[rng.random(plus.size) < 0.3] = 0.0
    elements.append(Resistors("more", tuple(every), plus, minus, siemens))
    return Circuit(elements)


def layered(rng: np.random.Generator, sizes: tuple[int, ...], *, uneven: bool = False) -> Circuit:
    """Crossbars with diode pairs and amplifiers between them; ``uneven``: gains at random."""
    rows = [f"in{k}" for k in range(3)]
    elements: list[Element] = [
        VoltageSource(f"v{node}", node, "0", float(rng.uniform(-5, 5))) for node in rows
    ]
    elements += [VoltageSource("up", "up", "0", 0.1), VoltageSource("low", "low", "0", -0.1)]
    for layer, size in enumerate(sizes):
        columns = [f"l{layer}n{k}" for k in range(size)]
        siemens = rng.uniform(0.0, 1e-3, (len(rows), size))
        siemens[rng.random(siemens.shape) < 0.2] = 0.0
        siemens[0] = 1e-4
        elements.append(Resistors.crossbar(f"r{layer}", rows, columns, siemens))
        rows = [f"a{node}" for node in columns]
        for node, out in zip(columns, rows, strict=True):
            gain = float(rng.uniform(2, 6))
            back = float(rng.uniform(0.1, 0.5)) if uneven else 0.25
            elements += [
                Diode(f"u{node}", node, "up", MODELS[2]), Diode(f"d{node}", "low", node, MODELS[1]),
                Amplifier(f"x{node}", node, out, gain if uneven else 4.0, back),
            ]  # fmt: skip
    elements += [R(f"load{node}", node, "0", 1e-4) for node in rows]
    return Circuit(elements)


def active(rng: np.random.Generator) -> Circuit:
    """Every kind of controlled source, and one that floats, with diodes behind them."""

    def gain(low: float, high: float) -> float:
        return float(rng.uniform(low, high))

    return Circuit([
        VoltageSource("v", "in", "0", gain(-2, 2)), R("r1", "in", "x", 1e-3),
        VoltageSource("sense", "x", "y", 0.0), R("r2", "y", "0", 1e-3),
        VoltageControlledVoltage("e", "e", "0", "x", "0", gain(-3, 3)), R("r3", "e", "p", 1e-3),
        VoltageControlledCurrent("g", "q", "0", "in", "p", gain(-1e-3, 1e-3)),
        R("r4", "q", "0", 1e-3), R("r8", "p", "q", 0.0),
        CurrentControlledCurrent("f", "s", "0", "sense", gain(-3, 3)), R("r5", "s", "t", 1e-3),
        CurrentControlledVoltage("h", "h", "0", "sense", gain(-1e3, 1e3)), R("r6", "h", "t", 2e-3),
        VoltageSource("float", "t", "u", gain(-1, 1)), R("r7", "u", "0", 1e-4),
        Diode("d1", "p", "0", MODELS[0]), Diode("d2", "0", "q", MODELS[1]),
        Diode("d3", "u", "0", MODELS[2]), Diode("d4", "s", "t", MODELS[0]),
    ])  # fmt: skip
