"""Random netlists with exactly one operating point each, by seed.

Uniqueness is by construction.  A *block* is passive: resistors, diodes, gyrators (two G elements)
and ideal transformers (E and F) conduct a current that grows with the voltages, in the sense of
monotone operators.  Blocks joined by bidirectional amplifiers stay so when each is weighed with
the amplifiers' backward over forward gain (thesis 4.4.2), which therefore is the same for all
amplifiers that lead into a block.  *Stages* of blocks influence only later stages, through
controlled sources of any gain.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.golden.random_values import TOLERANCES, Draw, Lines

__all__ = ["FAMILIES", "random_netlist"]

AMPLIFIER = [
    ".subckt bidirectional in out forward=1 backward={1/forward}",
    "e1 mid 0 in 0 {forward}",
    "v1 mid out 0",
    "f1 in 0 v1 {backward}",
    ".ends",
]


def random_netlist(seed: int) -> str:
    """The netlist of a seed."""
    draw = Draw(seed)
    family = list(FAMILIES)[seed % len(FAMILIES)]
    lines = Lines(f"* random circuit of the family {family}, seed {seed}", draw)
    _conditions(lines)
    draw.define_parameters([f"p{k}" for k in range(draw.count(1, 4))], lines.rows)
    models = [f"diode{k}" for k in range(draw.count(1, 4))]
    lines.rows += [draw.model(name, leaks=draw.chance(0.2)) for name in models]
    FAMILIES[family](lines, models)
    return lines.text()


def _conditions(lines: Lines) -> None:
    draw = lines.draw
    options = [TOLERANCES, f"gmin={draw.choice((1e-12, 1e-12, 1e-9, 1e-14)):g}"]
    if draw.chance(0.5):
        celsius = f"{draw.uniform(-40.0, 110.0):g}"
        if draw.chance(0.5):
            lines.rows.append(f".temp {celsius}")
        else:
            options.append(f"temp={celsius}")
    if draw.chance(0.3):
        options.append(f"tnom={draw.uniform(10.0, 40.0):g}")
    lines.rows.append(f".options {' '.join(options)}")


def _resistor(lines: Lines, a: str, b: str, low: float = 100.0, high: float = 1e5) -> None:
    spread = 10.0 if lines.draw.is_harsh else 1.0
    lines.add("r", a, b, lines.draw.write(lines.draw.decades(low / spread, spread * high), "ohm"))


def _diode(lines: Lines, a: str, b: str, models: Sequence[str]) -> None:
    draw, model = lines.draw, lines.draw.choice(models)
    area = draw.uniform(0.2, 5.0)
    form = draw.choice(("", "", f" {area:g}", f" area={area:g}", f" m={draw.count(1, 3)}"))
    # ngspice 39 drops models that only stand before a number as if they were not used.
    form = form if model in lines.models_in_use else ""
    lines.models_in_use.add(model)
    lines.add("d", a, b, model + form)


def _amplifier(lines: Lines, a: str, b: str, forward: float, backward: float) -> None:
    """Written out, or as an instance."""
    if lines.draw.chance(0.5):
        gains = f"forward={forward:.4g} backward={backward:.4g}"
        lines.add("x", a, b, "bidirectional", gains)
        return
    mid = lines.name("mid")
    lines.add("e", mid, "0", a, "0", f"{forward:.4g}")
    sense = lines.add("v", mid, b, "0")
    lines.add("f", a, "0", sense, f"{backward:.4g}")


def _two(lines: Lines, nodes: Sequence[str]) -> tuple[str, str]:
    draw = lines.draw
    a = draw.choice(nodes)
    b = draw.choice([node for node in (*nodes, "0", "0") if node != a])
    return (a, b) if draw.chance(0.5) else (b, a)


class _Block:
    """A passive network on given nodes, each with resistors on its way to ground.

    Attributes:
        nodes: those given, and those of its sources.
        sensed: voltage sources that measure a current in it.
    """

    def __init__(
        self, lines: Lines, nodes: Sequence[str], models: Sequence[str], cells: Sequence[str] = ()
    ) -> None:
        self.lines, self.models, self.cells = lines, models, cells
        self.nodes = list(nodes)
        self.sensed: list[str] = []
        draw, n = lines.draw, len(nodes)
        for k, node in enumerate(nodes):
            self._edge(node, draw.choice(("0", *nodes[:k], *nodes[max(0, k - 2) : k])))
        if n == 1:
            return
        for _ in range(draw.count(0, n)):
            self._edge(*_two(lines, self.nodes))
        for _ in range(draw.count(1, n + 1)):
            _diode(lines, *_two(lines, self.nodes), models)

    def _edge(self, a: str, b: str) -> None:
        draw = self.lines.draw
        if self.cells and draw.chance(0.2):
            ohms = draw.write(draw.decades(300.0, 3e4))
            given = draw.choice(("", f" ohms={ohms}"))
            self.lines.add("x", a, b, draw.choice(self.cells) + given)
        else:
            _resistor(self.lines, a, b)

    def add_sources(self) -> None:
        lines, draw = self.lines, self.lines.draw
        for _ in range(draw.count(1, 1 + len(self.nodes) // 5)):
            node = lines.name("s")
            most = 40.0 if draw.is_harsh else 8.0
            volts = draw.choice((draw.uniform(-2.0, 2.0), draw.uniform(-most, most)))
            base = "0" if draw.chance(0.7) else draw.choice(self.nodes)
            form = draw.choice(("{}", "dc {}", "{} ac 1", "dc={}", "sin({} 1 1k)", "pulse({} 1)"))
            lines.add("v", node, base, form.format(draw.write(volts)))
            self._edge(node, draw.choice(self.nodes))
            self.nodes.append(node)
        for _ in range(draw.count(0, 2)):
            lines.add("i", *_two(lines, self.nodes), draw.write(draw.signed(1e-7, 3e-4), "A"))

    def add_sensed(self) -> None:
        """Branches whose current is measured."""
        for _ in range(2):
            a, b = _two(self.lines, self.nodes)
            node = self.lines.name("q")
            self.sensed.append(self.lines.add("v", a, node, "0"))
            _resistor(self.lines, node, b, 1e3)

    def add_passive_sources(self) -> None:
        """Gyrators and ideal transformers."""
        lines, draw = self.lines, self.lines.draw
        if draw.chance(0.5):
            a, b = self.nodes[0], self.nodes[-1]
            siemens = draw.signed(1e-5, 2e-3)
            lines.add("g", a, "0", b, "0", f"{siemens:.4g}")
            lines.add("g", b, "0", a, "0", f"{-siemens:.4g}")
        if draw.chance(0.5):
            ratio, node = draw.signed(0.3, 3.0), lines.name("w")
            _amplifier(lines, draw.choice(self.nodes), node, ratio, ratio)
            _resistor(lines, node, "0")
            _diode(lines, node, draw.choice(self.nodes), self.models)


def _cells(lines: Lines) -> list[str]:
    """Definitions of two-terminal subcircuits, with local models and one inside the other."""
    draw = lines.draw
    lines.rows += [
        f".subckt pair a b ohms={draw.engineering(draw.decades(500.0, 1e4))} share=0.3",
        "r1 a mid {ohms*share}",
        "r2 mid b {ohms*(1-share)}",
        "d1 a mid local",
        "d2 mid a local 2",
        draw.model("local"),
        ".ends pair",
        ".subckt ladder a b ohms=1k",
        ".param half={ohms/2}",
        f"x1 a mid pair ohms={{half}} share={draw.uniform(0.1, 0.9):g}",
        "r1 mid b half",
        "d1 b mid diode0",
        "r2 mid 0 {10*ohms}",
        ".ends",
    ]
    return ["pair", "ladder"]


def _mesh(lines: Lines, models: Sequence[str]) -> None:
    """One block of any size."""
    draw = lines.draw
    n = int(draw.decades(3, 80))
    block = _Block(lines, [f"n{k}" for k in range(n)], models, _cells(lines))
    block.add_sources()
    if draw.chance(0.5):
        lines.rows += AMPLIFIER
        block.add_passive_sources()


def _stages(lines: Lines, models: Sequence[str]) -> None:
    """Stages that drive later ones through all four controlled sources."""
    draw = lines.draw
    lines.rows += AMPLIFIER
    cells = _cells(lines)
    nodes: list[str] = []
    sensed: list[str] = []
    for stage in range(draw.count(2, 4)):
        names = [f"{'abcd'[stage]}{k}" for k in range(draw.count(2, 12))]
        block = _Block(lines, names, models, cells)
        if nodes:
            _drive(lines, block, nodes, sensed)
        block.add_sources()
        block.add_sensed()
        if draw.chance(0.4):
            block.add_passive_sources()
        nodes += block.nodes
        sensed += block.sensed


def _drive(lines: Lines, block: _Block, nodes: Sequence[str], sensed: Sequence[str]) -> None:
    """Controlled sources into a block, from nodes and currents of earlier ones."""
    draw = lines.draw
    for letter in "efgh":
        for _ in range(draw.count(1, 2)):
            control = " ".join(_two(lines, nodes)) if letter in "eg" else draw.choice(sensed)
            low, high = {"e": (0.1, 3), "f": (0.1, 4), "g": (1e-6, 1e-3), "h": (10, 3e3)}[letter]
            gain = draw.write(draw.signed(low, high))
            if letter in "fg":
                lines.add(letter, *_two(lines, block.nodes), control, gain)
                continue
            node = lines.name("c")
            base = "0" if draw.chance(0.6) else draw.choice(block.nodes)
            lines.add(letter, node, base, control, gain)
            _resistor(lines, node, draw.choice(block.nodes))


def _layers(lines: Lines, models: Sequence[str]) -> None:
    """Crossbars in series, with diode pairs on rails, amplifiers and nudged outputs."""
    draw = lines.draw
    lines.rows += AMPLIFIER
    sizes = [draw.count(2, 9) for _ in range(draw.count(2, 4))]
    below = [f"in{k}" for k in range(sizes[0])]
    for node in below:
        lines.add("v", node, "0", draw.write(draw.uniform(-1.5, 1.5), "V"))
    rails = draw.uniform(0.0, 0.3), draw.uniform(0.0, 0.3)
    lines.rows += [f"vup up 0 {rails[0]:g}", f"vlow low 0 {-rails[1]:g}", "vbias bias 0 0.5"]
    for depth, size in enumerate(sizes[1:]):
        above = [f"h{depth}_{k}" for k in range(size)]
        for a in (*below, *(("bias",) if draw.chance(0.6) else ())):
            for b in above:
                _resistor(lines, a, b, 1e3, 1e5)
        if depth == len(sizes) - 2:
            for node in above:
                lines.add("i", "0", node, draw.write(draw.signed(1e-6, 1e-3)))
            return
        ratio = draw.decades(0.03, 2.0)
        below = [f"g{depth}_{k}" for k in range(size)]
        for node, out in zip(above, below, strict=True):
            lines.add("d", node, "up", draw.choice(models))
            lines.add("d", "low", node, draw.choice(models))
            forward = draw.uniform(0.8, 4.0)
            _amplifier(lines, node, out, forward, ratio * forward)


def _lattice(lines: Lines, models: Sequence[str]) -> None:
    """A square lattice of resistors and diodes with a few driven corners."""
    draw = lines.draw
    width, height = draw.count(3, 11), draw.count(3, 11)
    for x in range(width):
        for y in range(height):
            for right, up in ((1, 0), (0, 1)):
                if x + right >= width or y + up >= height:
                    continue
                a, b = f"n{x}_{y}", f"n{x + right}_{y + up}"
                _resistor(lines, a, b, 300.0, 1e5)
                if draw.chance(0.4):
                    _diode(lines, *draw.choice(((a, b), (b, a))), models)
    # Without a resistor in between, 50 V on four diodes would make 1e126 A.
    most = 50.0 if draw.is_harsh else 5.0
    for corner, sign in (("n0_0", 1.0), (f"n{width - 1}_{height - 1}", -1.0)):
        source = lines.name("s")
        lines.add("v", source, "0", draw.write(sign * draw.uniform(0.5, most)))
        _resistor(lines, source, corner, 50.0, 1e3)
    lines.add("v", f"n{width - 1}_0", "n0_1", draw.write(draw.uniform(-1.0, 1.0)))
    lines.add("i", "0", f"n0_{height - 1}", draw.write(draw.decades(1e-5, 1e-3)))
    _diode(lines, f"n{width // 2}_{height // 2}", "0", models)


FAMILIES: dict[str, Callable[[Lines, Sequence[str]], None]] = {
    "mesh": _mesh, "stages": _stages, "layers": _layers, "lattice": _lattice,
}  # fmt: skip
