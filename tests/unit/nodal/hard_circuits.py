"""Circuits that are hard to solve, by name, each with the levels it is solved at.

Chains, wide ranges of conductances and of currents; ``hard_feedback`` has more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim_backend.nodal.elements import (
    Circuit,
    CurrentSource,
    Diode,
    DiodeModel,
    Element,
    Resistor,
    VoltageControlledCurrent,
    VoltageControlledVoltage,
    VoltageSource,
)

R, V, I, D = Resistor, VoltageSource, CurrentSource, Diode  # noqa: E741
E, G = VoltageControlledVoltage, VoltageControlledCurrent
Floats = NDArray[np.float64]
PLAIN = DiodeModel(1e-14)


@dataclass
class Hard:
    """A circuit and levels of its sources, (batch,) each."""

    circuit: Circuit
    levels: dict[str, Floats]


Maker = Callable[[], Hard]


def hard(elements: list[Element], gmin: float = 1e-12, **levels: list[float]) -> Hard:
    return Hard(
        Circuit(elements, gmin_siemens=gmin), {k: np.array(v, float) for k, v in levels.items()}
    )


def diode_chain(n: int, gmin: float, by_amps: bool) -> Hard:
    chain: list[Element] = [D(f"d{k}", f"n{k}", f"n{k + 1}", PLAIN) for k in range(n)]
    if by_amps:
        chain += [I("i", "0", "n0", 0.0), R("load", f"n{n}", "0", 1.0), R("leak", "n0", "0", 1e-9)]
        return hard(chain, gmin, i=[1e-15, 1e-9, 1e-3, 1.0, 100.0, -1e-9, 0.0])
    chain += [V("v", "n0", "0", 0.0), R("load", f"n{n}", "0", 1e-3)]
    return hard(chain, gmin, v=[0.6 * n, 0.8 * n, 0.1 * n, 5000.0, 0.0, -2.0 * n])


def diode_chain_with_series_resistance(n: int) -> Hard:
    model = DiodeModel(1e-12, 1.7, series_ohms=3.0)
    chain: list[Element] = [D(f"d{k}", f"n{k}", f"n{k + 1}", model) for k in range(n)]
    chain += [V("v", "n0", "0", 0.0), R("load", f"n{n}", "0", 1e2)]
    return hard(chain, v=[0.8 * n, 3.0 * n, -1.0 * n])


def diode_ladder(n: int) -> Hard:
    """Series resistors, a diode to ground at each rung."""
    rungs: list[Element] = [V("v", "n0", "0", 0.0)]
    for k in range(n):
        rungs += [R(f"r{k}", f"n{k}", f"n{k + 1}", 1e-3), D(f"d{k}", f"n{k + 1}", "0", PLAIN)]
    return hard(rungs, v=[1.0, 10.0, 1e4, -1e4])


def multiplier(n: int) -> Hard:
    """Diodes in series with a resistor to ground at every joint, by decades."""
    rungs: list[Element] = [V("v", "n0", "0", 0.0)]
    for k in range(n):
        rungs += [D(f"d{k}", f"n{k}", f"n{k + 1}", PLAIN)]
        rungs += [R(f"r{k}", f"n{k + 1}", "0", 10.0 ** (-2 - 10 * k / n))]
    return hard(rungs, v=[0.5, 0.9 * n, 1000.0, -1000.0])


def exponential_ladder(n: int, first: float, last: float, gmin: float = 0.0) -> Hard:
    """Conductances that run through all decades, series and shunt in opposite order."""
    series = np.geomspace(first, last, n)
    rungs: list[Element] = [V("v", "n0", "0", 0.0), I("i", "0", f"n{n}", 0.0)]
    for k in range(n):
        rungs += [R(f"s{k}", f"n{k}", f"n{k + 1}", float(series[k]))]
        rungs += [R(f"p{k}", f"n{k + 1}", "0", float(series[n - 1 - k]))]
    return hard(rungs, gmin, v=[1.0, 1e3, 0.0], i=[0.0, 1e-3, 1e-12])


def mixed_graph(seed: int, n: int, n_diodes: int) -> Hard:
    """Conductances from 1e-12 to 1e2 S side by side."""
    rng = np.random.default_rng(seed)
    elements: list[Element] = [V("v", "n0", "0", 0.0), I("i", "0", f"n{n - 1}", 0.0)]
    for k in range(1, n):
        other = int(rng.integers(k))
        elements.append(R(f"t{k}", f"n{k}", f"n{other}", float(10 ** rng.uniform(-12, 2))))
    for k in range(2 * n):
        a, b = rng.integers(n, size=2)
        elements.append(R(f"r{k}", f"n{a}", f"n{b}", float(10 ** rng.uniform(-12, 2))))
    elements.append(R("g", f"n{n // 2}", "0", float(10 ** rng.uniform(-12, 2))))
    for k in range(n_diodes):
        a, b = rng.choice(n, size=2, replace=False)
        model = DiodeModel(float(10 ** rng.uniform(-18, -6)), float(rng.uniform(0.5, 3)))
        elements.append(D(f"d{k}", f"n{a}", f"n{b}", model))
    return hard(elements, v=[1.0, -20.0, 0.0], i=[1e-3, 1e-12, 1e-15])


def floating_pair(strong: float, weak: float) -> Hard:
    """Two nodes joined strongly that hardly anything joins with ground."""
    return hard(
        [I("i", "0", "a", 0.0), R("strong", "a", "b", strong), R("weak", "b", "0", weak)],
        0.0,
        i=[weak, 1e3 * weak, -5.0 * weak],
    )


def diode_behind_resistor(model: DiodeModel, siemens: float, gmin: float) -> Hard:
    levels = [1e-15, 1e-6, 0.3, 0.7, 3.0, 100.0, 5e3, -1e-6, -1.0, -5e3]
    return hard(
        [V("v", "a", "0", 0.0), R("r", "a", "b", siemens), D("d", "b", "0", model)], gmin, v=levels
    )


def femtoamps(model: DiodeModel, gmin: float) -> Hard:
    """A current source into nothing but a diode; reverse currents stay below saturation."""
    reverse = [] if gmin == 0.0 else [-1e-15, -1e-9]
    amps = [1e-18, 1e-15, 1e-12, 1e-6, 1.0, 0.0, -0.5 * model.saturation_amps, *reverse]
    return hard([I("i", "0", "a", 0.0), D("d", "a", "0", model)], gmin, i=amps)


def bridge(gmin: float, tie: float, model: DiodeModel = PLAIN) -> Hard:
    """A rectifier whose source floats."""
    ends = [("p", "out"), ("m", "out"), ("g", "p"), ("g", "m")]
    diodes: list[Element] = [D(f"d{k}", a, b, model) for k, (a, b) in enumerate(ends)]
    rest: list[Element] = [
        V("v", "p", "s", 0.0),
        R("rs", "s", "m", 0.1),
        R("load", "out", "g", 1e-3),
        R("tie", "g", "0", tie),
    ]
    return hard([*diodes, *rest], gmin, v=[0.1, 3.0, -3.0, 1e3, -5e3, 0.0])


def antiparallel(n: int) -> Hard:
    elements: list[Element] = [V("v", "n0", "0", 0.0), R("end", f"n{n}", "0", 1e-6)]
    for k in range(n):
        elements += [
            D(f"p{k}", f"n{k}", f"n{k + 1}", PLAIN),
            D(f"m{k}", f"n{k + 1}", f"n{k}", PLAIN),
        ]
    return hard(elements, v=[1e-3, 0.1 * n, -0.7 * n, 1e3])


def sources_in_chains(n: int) -> Hard:
    """Floating sources in series that only weak conductances tie to ground."""
    elements: list[Element] = [R("tie", "n0", "0", 1e-12), R("far", f"n{n}", "0", 1e-12)]
    for k in range(n):
        elements += [
            V(f"v{k}", f"n{k + 1}", f"n{k}", (-1) ** k * 10.0 * (k + 1)),
            R(f"r{k}", f"n{k + 1}", f"n{k}", 1.0 if k % 2 else 1e-9),
        ]
    elements += [D("d", f"n{n}", "0", PLAIN)]
    return hard(elements, v0=[10.0, 1e3, -1e3])


MODELS = [
    DiodeModel(amps, n, series_ohms=ohms, reverse_cubic=cubic)
    for amps in (1e-18, 1e-14, 1e-9, 1e-6)
    for n in (0.5, 1.0, 3.0)
    for ohms, cubic in ((0.0, False), (10.0, True))
]


def chains() -> Iterator[tuple[str, Maker]]:
    for n in (10, 50, 200):
        for gmin in (0.0, 1e-12):
            for by in (True, False):
                name = f"chain-{n}-{'amps' if by else 'volts'}-gmin-{gmin:g}"
                yield name, lambda n=n, gmin=gmin, by=by: diode_chain(n, gmin, by)
        yield f"chain-rs-{n}", lambda n=n: diode_chain_with_series_resistance(n)
        yield f"diode-ladder-{n}", lambda n=n: diode_ladder(n)
        yield f"multiplier-{n}", lambda n=n: multiplier(n)
        yield f"antiparallel-{n}", lambda n=n: antiparallel(n)
        yield f"chain-of-sources-{n}", lambda n=n: sources_in_chains(n)


def ranges() -> Iterator[tuple[str, Maker]]:
    for n in (5, 20, 60):
        yield f"ladder-up-{n}", lambda n=n: exponential_ladder(n, 1e-12, 1e2)
        yield f"ladder-down-{n}", lambda n=n: exponential_ladder(n, 1e2, 1e-12)
    for seed in range(12):
        yield f"mixed-{seed}", lambda seed=seed: mixed_graph(seed, 4 + 2 * seed, 0)
        yield f"mixed-diodes-{seed}", lambda seed=seed: mixed_graph(seed, 4 + 2 * seed, 3 + seed)
    for strong, weak in ((1e2, 1e-12), (1.0, 1e-9), (1e2, 1e-15), (1e-3, 1e-12)):
        yield f"pair-{strong:g}-{weak:g}", lambda s=strong, w=weak: floating_pair(s, w)


def diodes() -> Iterator[tuple[str, Maker]]:
    for k, model in enumerate(MODELS):
        for siemens in (1e-9, 1e-3, 1e2):
            for gmin in (0.0, 1e-12):
                yield (
                    f"diode-{k}-{siemens:g}-{gmin:g}",
                    lambda m=model, s=siemens, g=gmin: diode_behind_resistor(m, s, g),
                )
        for gmin in (0.0, 1e-12):
            yield f"femtoamps-{k}-{gmin:g}", lambda m=model, g=gmin: femtoamps(m, g)
    for gmin in (0.0, 1e-12):
        for tie in (1e-12, 1e-3):
            yield f"bridge-{gmin:g}-{tie:g}", lambda g=gmin, t=tie: bridge(g, t)
    yield "bridge-small", lambda: bridge(0.0, 1e-9, DiodeModel(1e-18, 2.0))
