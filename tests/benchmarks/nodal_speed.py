"""Speed of nodal analysis beside ngspice on the same circuits in the same run.

    python tests/benchmarks/nodal_speed.py [--quick]

Every circuit is an ordinary list of elements; ngspice gets its netlist.  Times are the shortest
of some repetitions.  For ngspice the table has the operating point alone, as ngspice itself
reports it (``rusage``: Total analysis time), and the whole process with reading the netlist, each
with the ratio to ours.  Ours is wall-clock time for one settled state: of a batch, its time divided
by its length.  Both run on one thread (ours on more with ``--threads``).  Kernels are compiled
before anything is timed.

``--quick`` leaves the large network out, for which one operating point of ngspice takes seconds.
"""

from __future__ import annotations

import argparse
import dataclasses
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numba
import numpy as np

from sim_backend.nodal.elements import (
    Amplifier,
    Circuit,
    Diode,
    DiodeModel,
    Element,
    Resistor,
    Resistors,
    VoltageSource,
)
from sim_backend.nodal.solver import Solver
from sim_backend.spice.reader import parse_netlist
from sim_backend.spice.writer import write_netlist

INPUT_VOLTS = 10.0
CONTROL = "\n.control\nop\nset numdgt=12\nprint all\nrusage\n.endc\n.end\n"


def stack(n_in: int, n_hidden: int, n_out: int, *, amplifiers: bool) -> Circuit:
    """Network of thesis Fig. 7: sourced inputs, diode pairs with series sources, amplifiers."""
    rng = np.random.default_rng(n_in)
    inputs = [f"i{k}" for k in range(n_in)]
    hidden = [f"h{k}" for k in range(n_hidden)]
    outputs = [f"o{k}" for k in range(n_out)]
    sent = [f"a{k}" for k in range(n_hidden)] if amplifiers else hidden
    volts = rng.uniform(-INPUT_VOLTS, INPUT_VOLTS, n_in)
    elements: list[Element] = [
        VoltageSource(f"v{name}", name, "0", float(v))
        for name, v in zip(inputs, volts, strict=True)
    ]
    elements += [VoltageSource("vu", "up", "0", 0.1), VoltageSource("vl", "lo", "0", -0.1)]
    model = DiodeModel(1e-6)
    for name in hidden:
        elements += [Diode(f"u{name}", name, "up", model), Diode(f"l{name}", "lo", name, model)]
    if amplifiers:
        pairs = zip(hidden, sent, strict=True)
        elements += [Amplifier(f"x{one}", one, other, 4.0, 0.25) for one, other in pairs]
    first = rng.uniform(1e-8, 2e-3 / np.sqrt(n_in), (n_in, n_hidden))
    last = rng.uniform(1e-8, 1e-3, (n_hidden, n_out))
    elements += [
        Resistors.crossbar("rin", inputs, hidden, first),
        Resistors.crossbar("rout", sent, outputs, last),
        Resistors.crossbar("rload", outputs, ["0"], np.full((n_out, 1), 1e-4)),
    ]
    return Circuit(elements)


def lattice(side: int) -> Circuit:
    """Square lattice of resistors with a diode to ground at every node and eight sources."""
    rng = np.random.default_rng(side)
    at = np.arange(side * side).reshape(side, side)
    plus = np.concatenate([at[:, :-1].ravel(), at[:-1].ravel()])
    minus = np.concatenate([at[:, 1:].ravel(), at[1:].ravel()])
    nodes = tuple(f"n{k}" for k in range(at.size))
    siemens = rng.uniform(1e-4, 1e-3, plus.size)
    elements: list[Element] = [Resistors("lattice", nodes, plus, minus, siemens)]
    elements += [Diode(f"d{name}", name, "0", DiodeModel(1e-9)) for name in nodes]
    for k, place in enumerate(rng.choice(at.size, 8, replace=False)):
        elements.append(VoltageSource(f"v{k}", f"s{k}", "0", float(rng.uniform(0.5, 2.0))))
        elements.append(Resistor(f"rs{k}", f"s{k}", nodes[place], 1e-2))
    return Circuit(elements)


def singly(circuit: Circuit) -> Circuit:
    """The same with a Resistor object for each resistor."""
    elements: list[Element] = []
    for element in circuit.elements:
        elements += element.singly() if isinstance(element, Resistors) else [element]
    return dataclasses.replace(circuit, elements=elements)


def batch_of(solver: Solver, batch: int) -> np.ndarray:
    """Levels of a batch: every source but the two at the diodes at random."""
    rng = np.random.default_rng(batch)
    nominal = solver.equations.levels
    levels = nominal * rng.uniform(-1.0, 1.0, (batch, nominal.size))
    fixed = [k for k, name in enumerate(solver.sources) if name in ("vu", "vl")]
    levels[:, fixed] = nominal[fixed]
    return levels


def shortest(work: Callable[[], object], repetitions: int, at_least: float = 0.0) -> float:
    """Shortest of some timings, seconds, repeated for so long at least."""
    times: list[float] = []
    while len(times) < repetitions or sum(times) < at_least:
        before = time.perf_counter()
        work()
        times.append(time.perf_counter() - before)
    return min(times)


@dataclasses.dataclass
class Spice:
    """What ngspice took: seconds of the operating point, of the process, and its node voltages."""

    point: float
    process: float
    volts: dict[str, float]


def ngspice(circuit: Circuit, repetitions: int) -> Spice:
    """Run ngspice on one core."""
    text = write_netlist(circuit).replace("\n.op\n.end\n", CONTROL)
    found = Spice(np.inf, np.inf, {})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "circuit.cir"
        path.write_text(text)
        for _ in range(repetitions):
            before = time.perf_counter()
            done = subprocess.run(["ngspice", "-b", str(path)], capture_output=True, text=True)
            found.process = min(found.process, time.perf_counter() - before)
            took = re.search(r"Total analysis time \(seconds\) = (\S+)", done.stdout)
            if took is None:
                raise SystemExit(f"ngspice did not solve the circuit:\n{done.stderr[-2000:]}")
            found.point = min(found.point, float(took[1]))
    pairs = re.findall(r"^(\S+) = (\S+)$", done.stdout, re.MULTILINE)
    found.volts = {name: float(value) for name, value in pairs if "#" not in name}
    return found


HEAD = f"{'':54} {'ours':>10} {'ngspice':>10} {'ratio':>8} {'process':>10} {'ratio':>8}"


def row(what: str, ours: float, spice: Spice | None = None) -> None:
    """Print one line: milliseconds, and ratios to ngspice."""
    line = f"{what:54} {ours * 1e3:8.3f} ms"
    if spice is not None:
        line += f" {spice.point * 1e3:7.0f} ms {spice.point / ours:8.0f}"
        line += f" {spice.process * 1e3:7.0f} ms {spice.process / ours:8.0f}"
    print(line, flush=True)


def agreement(circuit: Circuit, spice: Spice) -> None:
    """Print how far apart both are at nominal levels."""
    solver = Solver(circuit)
    volts = dict(zip(solver.nodes, solver.solve().node_volts[0], strict=True))
    both = [name for name in volts if name in spice.volts]
    worst = max(abs(volts[name] - spice.volts[name]) for name in both)
    print(f"{'':4}largest difference over {len(both)} nodes: {worst:.1e} V", flush=True)


def settle(circuit: Circuit, spice: Spice, name: str, batches: Sequence[int]) -> Solver:
    """Rows of a circuit: one input after the first, and batches."""
    solver = Solver(circuit)
    for batch in batches:
        levels = batch_of(solver, batch)
        assert solver.solve(levels).ok.all()
        seconds = shortest(lambda levels=levels: solver.solve(levels), 3, 1.5)
        what = "one input after the first" if batch == 1 else f"batch of {batch}, per input"
        row(f"{name}: {what}", seconds / batch, spice)
    return solver


def large(circuit: Circuit, spice: Spice, name: str) -> None:
    """Rows of the large network: assembly counts once for 32 states."""
    levels = batch_of(Solver(circuit), 32)
    one_by_one = singly(circuit)
    for given, how in ((circuit, "groups of resistors"), (one_by_one, "single resistors")):
        build = shortest(lambda given=given: Solver(given), 5)
        row(f"{name}, {how}: assembly", build)
        both = shortest(lambda given=given: Solver(given).solve(levels), 5)
        row(f"{name}, {how}: (assembly + 32 states) / 32", both / 32, spice)
    solver = settle(circuit, spice, name, (1, 32))
    siemens = solver.equations.siemens

    def again() -> None:
        solver.set_resistors(siemens)
        solver.solve(levels)

    row(f"{name}: new conductances and 32 states, / 32", shortest(again, 5) / 32, spice)


def parsed(circuit: Circuit, spice: Spice, name: str) -> None:
    """Rows of the large network as text."""
    text = write_netlist(circuit)
    row(f"{name}: reading its netlist", shortest(lambda: parse_netlist(text), 1))
    read = parse_netlist(text).circuit
    levels = batch_of(Solver(read), 32)
    both = shortest(lambda: Solver(read).solve(levels), 3)
    row(f"{name}, from the netlist: (assembly + 32 states) / 32", both / 32, spice)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="leave the large network out")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    numba.set_num_threads(options.threads)
    if shutil.which("ngspice") is None:
        sys.exit("ngspice is not installed")
    for amplifiers in (False, True):
        small = Solver(stack(4, 4, 2, amplifiers=amplifiers))
        small.solve(batch_of(small, 8))
    Solver(lattice(8)).solve()
    print(HEAD)
    for amplifiers in (False, True):
        name = "128-50-20" + (", amplifiers" if amplifiers else "")
        circuit = stack(128, 50, 20, amplifiers=amplifiers)
        spice = ngspice(circuit, 5)
        settle(circuit, spice, name, (1, 256))
        agreement(circuit, spice)
    circuit = lattice(64)
    spice = ngspice(circuit, 2)
    settle(circuit, spice, "64 x 64 lattice", (1, 32))
    agreement(circuit, spice)
    for amplifiers in () if options.quick else (False, True):
        name = "1568-100-20" + (", amplifiers" if amplifiers else "")
        circuit = stack(1568, 100, 20, amplifiers=amplifiers)
        spice = ngspice(circuit, 2 - amplifiers)
        large(circuit, spice, name)
        if not amplifiers:
            parsed(circuit, spice, name)
        agreement(circuit, spice)


if __name__ == "__main__":
    main()
