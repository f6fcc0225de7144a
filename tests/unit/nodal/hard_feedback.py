"""Hard circuits with feedback, falling curves or ideal diodes, by name."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sim_backend.nodal.elements import DiodeModel, Element, IdealDiode
from tests.property.nodal_reference import curve
from tests.unit.nodal.hard_circuits import PLAIN, D, E, G, Hard, I, Maker, R, V, hard


def tunnel(n: int, siemens: float) -> Hard:
    """Curves with a falling part behind load lines: three solutions for each at 1.2 V."""
    elements: list[Element] = [V("v", "in", "0", 0.0)]
    for k in range(n):
        elements += [R(f"r{k}", "in", f"n{k}", siemens)]
        # 1e-3 (9 v - 12 v^2 + 4 v^3): a peak at 0.5 V, a valley at 1.5 V.
        elements += [curve(f"k{k}", f"n{k}", "0", 0.0, 9e-3, -12e-3, 4e-3)]
        if k:
            elements += [R(f"c{k}", f"n{k}", f"n{k - 1}", 1e-4)]
    return hard(elements, v=[0.0, 0.5, 1.2, 2.5, 10.0, -10.0, 1e3])


def tunnel_at_the_fold() -> Hard:
    """Load lines close to where two solutions meet and vanish."""
    # 1e-3 (9 v - 12 v^2 + 4 v^3) + 1e-3 v has slope 1e-3 (10 - 24 v + 12 v^2).
    v = 1.0 - np.sqrt(24.0**2 - 480.0) / 24.0
    peak = 10 * v - 12 * v**2 + 4 * v**3
    levels = [peak + d for d in (-1e-3, -1e-6, -1e-9, 1e-9, 1e-6, 1e-3)]
    return hard(
        [
            V("v", "a", "0", 0.0),
            R("r", "a", "b", 1e-3),
            curve("k", "b", "0", 0.0, 9e-3, -12e-3, 4e-3),
        ],
        v=levels,
    )


def cross_coupled(gain: float, clamp: DiodeModel) -> Hard:
    elements: list[Element] = [I("kick", "0", "a", 0.0)]
    for one, other in (("a", "b"), ("b", "a")):
        elements += [
            E(f"e{one}", f"{one}i", "0", other, "0", -gain),
            R(f"r{one}", f"{one}i", one, 1e-3),
            D(f"p{one}", one, "0", clamp),
            D(f"m{one}", "0", one, clamp),
        ]
    return hard(elements, kick=[0.0, 1e-12, 1e-5, -1e-5, 1e-2])


def schmitt(gain: float) -> Hard:
    """An amplifier with diode clamps whose output feeds back to its positive input."""
    return hard(
        [
            V("in", "in", "0", 0.0),
            R("ri", "in", "p", 1e-4),
            R("rf", "out", "p", 1e-4),
            E("e", "x", "0", "p", "0", gain),
            R("rx", "x", "out", 1e-3),
            D("up", "out", "h", PLAIN),
            V("vh", "h", "0", 1.0),
            D("down", "l", "out", PLAIN),
            V("vl", "l", "0", -1.0),
        ],
        **{"in": [-5.0, -1.0, 0.0, 0.1, 1.0, 5.0]},
    )


def negative_conductance(siemens: float) -> Hard:
    """A controlled source takes away what a resistor gives, all but a part."""
    return hard(
        [
            V("v", "a", "0", 0.0),
            R("r", "a", "b", 1e-3),
            R("g", "b", "0", 1e-3),
            G("n", "b", "0", "b", "0", -2e-3 + siemens),
            D("p", "b", "0", PLAIN),
            D("m", "0", "b", PLAIN),
        ],
        v=[0.0, 0.1, 1.0, -5.0],
    )


def nearly_singular(missing: float) -> Hard:
    """Positive feedback of a loop gain of one, but for ``missing``."""
    return hard(
        [
            V("v", "in", "0", 1.0),
            R("r", "in", "a", 1e-3),
            E("e", "b", "0", "a", "0", 2.0 - missing),
            R("f", "b", "a", 1e-3),
        ],
        0.0,
        v=[1.0, 1e-3],
    )


def inverting_amplifier(gain: float) -> Hard:
    return hard(
        [
            V("v", "in", "0", 0.0),
            R("r", "in", "m", 1e-4),
            R("f", "m", "out", 1e-5),
            E("op", "out", "0", "0", "m", gain),
            R("load", "out", "0", 1e-2),
        ],
        v=[1.0, -1e3, 1e-9],
    )


def logarithmic_amplifier(gain: float) -> Hard:
    return hard(
        [
            V("v", "in", "0", 0.0),
            R("r", "in", "m", 1e-4),
            D("d", "m", "out", PLAIN),
            R("limit", "m", "out", 1e-9),
            E("op", "out", "0", "0", "m", gain),
        ],
        v=[1e-9, 1e-3, 1.0, 100.0, -1.0],
    )


def precision_rectifier(gain: float) -> Hard:
    """Half wave: an amplifier of huge gain around two diodes."""
    return hard(
        [
            V("v", "in", "0", 0.0),
            R("r", "in", "m", 1e-4),
            R("f", "m", "y", 1e-4),
            D("d1", "out", "y", PLAIN),
            D("d2", "m", "out", PLAIN),
            R("load", "y", "0", 1e-4),
            E("op", "out", "0", "0", "m", gain),
        ],
        v=[1.0, -1.0, 1e-6, -1e-6, 100.0, -100.0],
    )


def exponential_converter(gain: float) -> Hard:
    """A diode into the virtual ground of an amplifier: the output rises by decades."""
    return hard(
        [
            V("v", "in", "0", 0.0),
            D("d", "in", "m", PLAIN),
            R("f", "m", "out", 1e-3),
            E("op", "out", "0", "0", "m", gain),
        ],
        v=[0.1, 0.6, 0.8, -5.0],
    )


def chain_of_amplifiers(n: int) -> Hard:
    """Gain upon gain, each stage clamped by diodes."""
    elements: list[Element] = [V("v", "n0", "0", 0.0)]
    for k in range(n):
        elements += [
            E(f"e{k}", f"x{k}", "0", f"n{k}", "0", -50.0),
            R(f"r{k}", f"x{k}", f"n{k + 1}", 1e-3),
            D(f"p{k}", f"n{k + 1}", "0", PLAIN),
            D(f"m{k}", "0", f"n{k + 1}", PLAIN),
        ]
    return hard(elements, v=[1e-9, 1e-3, 1.0, -1.0])


def ring(n: int, gain: float) -> Hard:
    """An odd or even ring of clamped inverters."""
    elements: list[Element] = [I("kick", "0", "n0", 0.0)]
    for k in range(n):
        elements += [
            E(f"e{k}", f"x{k}", "0", f"n{k}", "0", -gain),
            R(f"r{k}", f"x{k}", f"n{(k + 1) % n}", 1e-3),
            D(f"p{k}", f"n{k}", "0", PLAIN),
            D(f"m{k}", "0", f"n{k}", PLAIN),
        ]
    return hard(elements, kick=[0.0, 1e-6, 1e-2])


def ideal_network(seed: int, n: int, n_diodes: int, smooth: bool = False) -> Hard:
    """Ideal diodes of many voltages between the nodes of a random graph."""
    rng = np.random.default_rng(seed)
    elements: list[Element] = [V("v", "n0", "0", 0.0)]
    for k in range(1, n):
        elements += [
            R(f"g{k}", f"n{k}", "0", float(10 ** rng.uniform(-7, -3))),
            I(f"i{k}", "0", f"n{k}", float(rng.normal(0, 1e-4))),
        ]
    for k in range(2 * n):
        a, b = rng.choice(n, size=2, replace=False)
        elements.append(R(f"r{k}", f"n{a}", f"n{b}", float(10 ** rng.uniform(-6, -2))))
    for k in range(n_diodes):
        a, b = rng.choice(n, size=2, replace=False)
        elements.append(IdealDiode(f"x{k}", f"n{a}", f"n{b}", float(rng.uniform(0.0, 0.5))))
    if smooth:
        elements += [D(f"d{k}", f"n{k}", f"n{k - 1}", PLAIN) for k in range(2, n, 2)]
    return hard(elements, v=[0.0, 1.0, -1.0, 10.0, -100.0])


def ideal_ladder(n: int) -> Hard:
    """A ladder of thresholds; which diodes conduct depends on all before."""
    elements: list[Element] = [V("v", "n0", "0", 0.0)]
    for k in range(n):
        elements += [
            R(f"r{k}", f"n{k}", f"n{k + 1}", 1e-3),
            IdealDiode(f"u{k}", f"n{k + 1}", "0", 2.0 - 1.9 * k / n),
            IdealDiode(f"l{k}", "0", f"n{k + 1}", 2.0 - 1.9 * k / n),
        ]
    return hard(elements, v=[0.0, 1.0, 3.0, 100.0, -1e4])


def ideal_chain(n: int) -> Hard:
    """Ideal diodes in series, a weak resistor to ground at every joint."""
    elements: list[Element] = [V("v", "n0", "0", 0.0)]
    for k in range(n):
        elements += [
            IdealDiode(f"x{k}", f"n{k}", f"n{k + 1}", 0.1),
            R(f"r{k}", f"n{k + 1}", "0", 1e-6),
            I(f"i{k}", f"n{k + 1}", "0", 1e-6 * (-1) ** k),
        ]
    return hard(elements, v=[0.0, 1.0, 0.05 * n, 0.2 * n, -3.0])


def ideal_flipflop() -> Hard:
    """Amplifiers clamped by ideal diodes, in a loop: three solutions."""
    elements: list[Element] = [I("kick", "0", "a", 0.0)]
    for one, other in (("a", "b"), ("b", "a")):
        elements += [
            E(f"e{one}", f"{one}i", "0", other, "0", -3.0),
            R(f"r{one}", f"{one}i", one, 1e-3),
            IdealDiode(f"p{one}", one, "0", 1.0),
            IdealDiode(f"m{one}", "0", one, 1.0),
        ]
    return hard(elements, kick=[0.0, 1e-5, -1e-3, 1.0])


def ideal_rectifier(gain: float) -> Hard:
    return hard(
        [
            V("v", "in", "0", 0.0),
            R("r", "in", "m", 1e-4),
            R("f", "m", "y", 1e-4),
            IdealDiode("d1", "out", "y"),
            IdealDiode("d2", "m", "out"),
            R("load", "y", "0", 1e-4),
            E("op", "out", "0", "0", "m", gain),
        ],
        v=[1.0, -1.0, 1e-6, 100.0, -100.0],
    )


def feedback() -> Iterator[tuple[str, Maker]]:
    for n in (1, 3, 12):
        yield f"tunnel-{n}", lambda n=n: tunnel(n, 1e-3)
    yield "tunnel-steep", lambda: tunnel(3, 1e-1)
    yield "tunnel-fold", tunnel_at_the_fold
    for gain in (3.0, 1e3, 1e6):
        yield f"cross-coupled-{gain:g}", lambda g=gain: cross_coupled(g, PLAIN)
        yield f"schmitt-{gain:g}", lambda g=gain: schmitt(g)
    for gain in (1e3, 1e6, 1e9):
        yield f"inverting-{gain:g}", lambda g=gain: inverting_amplifier(g)
        yield f"logarithmic-{gain:g}", lambda g=gain: logarithmic_amplifier(g)
        yield f"rectifier-{gain:g}", lambda g=gain: precision_rectifier(g)
        yield f"exponential-{gain:g}", lambda g=gain: exponential_converter(g)
    for n in (3, 8):
        yield f"amplifiers-{n}", lambda n=n: chain_of_amplifiers(n)
    for n in (3, 4, 7):
        yield f"ring-{n}", lambda n=n: ring(n, 10.0)
    for siemens in (1e-3, 1e-9, -1e-9, -1e-3):
        yield f"negative-{siemens:g}", lambda s=siemens: negative_conductance(s)
    for missing in (1e-3, 1e-9, 1e-13):
        yield f"singular-{missing:g}", lambda m=missing: nearly_singular(m)


def ideal() -> Iterator[tuple[str, Maker]]:
    for seed in range(8):
        n = 6 + 4 * seed
        yield f"ideal-{seed}", lambda s=seed, n=n: ideal_network(s, n, n)
        yield f"ideal-smooth-{seed}", lambda s=seed, n=n: ideal_network(s, n, n, True)
        yield f"ideal-many-{seed}", lambda s=seed, n=n: ideal_network(s, n, 3 * n)
    for n in (10, 60):
        yield f"ideal-ladder-{n}", lambda n=n: ideal_ladder(n)
        yield f"ideal-chain-{n}", lambda n=n: ideal_chain(n)
    yield "ideal-flipflop", ideal_flipflop
    for gain in (1e3, 1e6):
        yield f"ideal-rectifier-{gain:g}", lambda g=gain: ideal_rectifier(g)
