"""ngspice's operating point of a netlist file, and how exact it is.

Files are run as they are.  ngspice prints node voltages and currents of sources; the inner nodes
of diodes with a series resistance follow from the junction voltages it prints when asked.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from sim_backend.nodal.elements import GROUND, Circuit, Diode
from tests.unit.spice.oracle import Dense

__all__ = ["NGSPICE", "Constants", "Point", "constants", "newton_step_volts", "operating_point"]

NGSPICE = shutil.which("ngspice")

_PRINTED = re.compile(r"^(\S+) = ([-+.\de]+)$", re.MULTILINE)
_PER_COMMAND = 20
_PATIENCE_SECONDS = 30.0
"""Where it does not converge, ngspice may halve its steps for minutes."""


@dataclass(frozen=True)
class Constants:
    """What results depend on beside the netlist.

    Attributes:
        version: as ngspice names itself.
        volts_per_kelvin: ``k / q`` from the constants it prints.
    """

    version: str
    volts_per_kelvin: float


@dataclass(frozen=True)
class Point:
    """An operating point.

    Attributes:
        volts: of nodes by name, inner nodes of diodes (``d#inner``) included, ground not.
        amps: through sources and inductors (and E and H elements), by the element's name.
    """

    volts: dict[str, float]
    amps: dict[str, float]

    def as_json(self) -> dict[str, dict[str, float]]:
        return asdict(self)


def _run(commands: Sequence[str], folder: Path) -> tuple[dict[str, float], str]:
    """What commands print, by name, and all the output."""
    assert NGSPICE is not None
    with TemporaryDirectory() as temporary:
        script = Path(temporary) / "script.cir"
        lines = ["commands", ".control", "set numdgt=15", *commands, "quit", ".endc", ".end", ""]
        script.write_text("\n".join(lines))
        try:
            done = subprocess.run(
                [NGSPICE, "-b", str(script)],
                cwd=folder, capture_output=True, text=True, timeout=_PATIENCE_SECONDS, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return {}, "still running"
    output = done.stdout + done.stderr
    return {name: float(value) for name, value in _PRINTED.findall(done.stdout)}, output


@cache
def constants() -> Constants:
    """Version and ``k / q`` of the ngspice that is installed."""
    with TemporaryDirectory() as folder:
        (Path(folder) / "any.cir").write_text("any\nv1 a 0 1\nr1 a 0 1\n.op\n.end\n")
        found, output = _run(
            ["source any.cir", "op", "print boltz echarge", "version"], Path(folder)
        )
    version = re.search(r"ngspice-(\w+)", output)
    assert version is not None, output
    return Constants(version[1], found["boltz"] / found["echarge"])


def operating_point(path: Path, circuit: Circuit) -> Point | None:
    """ngspice's operating point of a file; None if it finds none.

    Args:
        path: of the netlist.
        circuit: what it says, for the names of the diodes with a series resistance.
    """
    inner = [e for e in circuit.elements if isinstance(e, Diode) and e.model.series_ohms > 0.0]
    asked = [f"@{diode.name}[vd]" for diode in inner]
    parts = [asked[k : k + _PER_COMMAND] for k in range(0, len(asked), _PER_COMMAND)]
    commands = [f"source {path.name}", "op", "print all", *(f"print {' '.join(p)}" for p in parts)]
    found, output = _run(commands, path.parent)
    if "No. of Data Rows : 1" not in output or "op simulation(s) aborted" in output:
        return None
    volts, amps = {}, {}
    for name, value in found.items():
        if name.endswith("#branch"):
            amps[name.removesuffix("#branch")] = value
        elif not name.startswith("@"):
            volts[re.sub(r"^v\((.*)\)$", r"\1", name)] = value
    named = {GROUND: 0.0, **volts}
    for diode, word in zip(inner, asked, strict=True):
        volts[f"{diode.name}#inner"] = named[diode.cathode] + found[word]
    return Point(volts, amps)


def newton_step_volts(circuit: Circuit, point: Point, volts_per_kelvin: float) -> float:
    """Largest change of a node voltage by one Newton step from a point: about its error.

    The step is that of a dense evaluation of Kirchhoff's laws which shares no code with the
    simulator.
    """
    dense = Dense(circuit, volts_per_kelvin)
    known = {GROUND: 0.0, **point.volts}
    matrix, right = np.zeros((dense.n + 1, dense.n + 1)), np.zeros(dense.n + 1)
    for element in circuit.elements:
        dense._stamp(element, matrix, right)
    for diode, anode, cathode in dense.diodes:
        inner = f"{diode.name}#inner" if diode.model.series_ohms else diode.anode
        drop = known[inner] - known[diode.cathode]
        dense._stamp_diode(diode, anode, cathode, drop, matrix, right)
    solved = np.append(np.linalg.solve(matrix[:-1, :-1], right[:-1]), 0.0)
    nodes = [name for name in dense.index if not name.endswith("#branch")]
    return max(abs(float(solved[dense.index[name]]) - known[name]) for name in nodes)
