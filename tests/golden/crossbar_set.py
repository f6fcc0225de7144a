"""Crossbars with wires, their netlists, and ngspice's solutions of them.

``crossbars/*.json`` hold everything that defines a case, and what ngspice found.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim_backend.memristors.conduction import Conduction, Cubic, Linear
from sim_backend.nodal.elements import Circuit
from tests.golden.ngspice_runs import operating_point

__all__ = ["CASES", "FOLDER", "Case", "Found", "load", "netlist", "run", "store"]

FOLDER = Path(__file__).parent / "crossbars"
CASES = sorted(path.stem for path in FOLDER.glob("*.json"))

_LARGEST_WITH_VOLTS = 16
"""Rows of arrays up to which node voltages are stored too."""

_OPTIONS = ".options reltol=1e-11 vntol=1e-13 abstol=1e-17 itl1=500"

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    """A crossbar: conductances and wires (rows, cols), rows' voltages, ``a`` of ``V + a V^3``."""

    siemens: Floats
    word_ohms: Floats
    bit_ohms: Floats
    row_volts: Floats
    per_volt2: float

    @property
    def conduction(self) -> Conduction:
        return Cubic(self.per_volt2) if self.per_volt2 else Linear()


@dataclass(frozen=True)
class Found:
    """Column currents (cols,), and node voltages (rows, cols), if they were kept."""

    column_amps: Floats
    word_volts: Floats | None
    bit_volts: Floats | None


def netlist(case: Case) -> str:
    """Every element on a line of its own; sources of 0 V measure the columns' currents."""
    rows, cols = case.siemens.shape
    lines = [f"crossbar {rows} x {cols}", _OPTIONS]
    lines += [f"vr{i} s{i} 0 {float(v)!r}" for i, v in enumerate(case.row_volts)]
    lines += [f"vc{j} e{j} 0 0" for j in range(cols)]
    for i in range(rows):
        for j in range(cols):
            word, bit = f"w{i}_{j}", f"b{i}_{j}"
            before = f"w{i}_{j - 1}" if j else f"s{i}"
            after = f"b{i + 1}_{j}" if i + 1 < rows else f"e{j}"
            lines.append(f"rw{i}_{j} {before} {word} {float(case.word_ohms[i, j])!r}")
            lines.append(f"rb{i}_{j} {bit} {after} {float(case.bit_ohms[i, j])!r}")
            siemens, drop = float(case.siemens[i, j]), f"v({word},{bit})"
            if siemens == 0.0:
                continue
            if case.per_volt2:
                law = f"{siemens!r}*{drop}*(1+{float(case.per_volt2)!r}*{drop}*{drop})"
                lines.append(f"bd{i}_{j} {word} {bit} i={law}")
            else:
                lines.append(f"gd{i}_{j} {word} {bit} {word} {bit} {siemens!r}")
    return "\n".join([*lines, ".op", ".end", ""])


def run(case: Case, folder: Path) -> Found:
    """What the ngspice that is installed finds."""
    path = folder / "case.cir"
    path.write_text(netlist(case))
    point = operating_point(path, Circuit([]))
    assert point is not None, "ngspice finds no solution"
    rows, cols = case.siemens.shape
    amps = np.array([point.amps[f"vc{j}"] for j in range(cols)])
    planes = [
        np.array([[point.volts[f"{letter}{i}_{j}"] for j in range(cols)] for i in range(rows)])
        for letter in "wb"
    ]
    return Found(amps, *planes)


def store(name: str, case: Case, found: Found, version: str) -> None:
    """Write a case and its solution."""
    parts: dict[str, Any] = {
        "ngspice": version,
        "per_volt2": case.per_volt2,
        "row_volts": case.row_volts.tolist(),
        "siemens": case.siemens.tolist(),
    }
    for key in ("word_ohms", "bit_ohms"):
        values = getattr(case, key)
        is_even = (values == values.flat[0]).all()
        parts[key] = float(values.flat[0]) if is_even else values.tolist()
    parts["column_amps"] = found.column_amps.tolist()
    if len(case.siemens) <= _LARGEST_WITH_VOLTS:
        assert found.word_volts is not None
        assert found.bit_volts is not None
        parts["word_volts"] = found.word_volts.tolist()
        parts["bit_volts"] = found.bit_volts.tolist()
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in parts.items())
    (FOLDER / f"{name}.json").write_text(f"{{\n{lines}\n}}\n")


def load(name: str) -> tuple[Case, Found]:
    """A stored case and ngspice's solution."""
    parts = json.loads((FOLDER / f"{name}.json").read_text())
    siemens = np.array(parts["siemens"])
    word, bit = (np.broadcast_to(parts[key], siemens.shape) for key in ("word_ohms", "bit_ohms"))
    case = Case(siemens, word, bit, np.array(parts["row_volts"]), parts["per_volt2"])
    planes = [np.array(parts[key]) if key in parts else None for key in ("word_volts", "bit_volts")]
    return case, Found(np.array(parts["column_amps"]), *planes)
