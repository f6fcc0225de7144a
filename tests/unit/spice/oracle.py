"""Two independent answers to what a netlist means: ngspice's, and a dense solution of the circuit
that was read, by modified nodal analysis and Newton's method."""

from __future__ import annotations

import math
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest

from sim_backend.nodal.elements import (
    GROUND,
    Circuit,
    CurrentControlledCurrent,
    CurrentControlledVoltage,
    CurrentSource,
    Diode,
    Resistor,
    VoltageControlledCurrent,
    VoltageControlledVoltage,
    VoltageSource,
)

NGSPICE = shutil.which("ngspice")
needs_ngspice = pytest.mark.skipif(NGSPICE is None, reason="ngspice is not installed")

TIGHT = ".options reltol=1e-9 vntol=1e-12 abstol=1e-15 itl1=1000"
EXTRA = "vextra extra 0 7"
"""ngspice prints ``all`` only if there are at least two vectors."""

_CONTROL = [".control", "set numdgt=15", "op", "print all", ".endc", ".end", ""]
_PRINTED = re.compile(r"^(\S+) = (\S+)$", re.MULTILINE)


def ngspice(text: str, folder: Path | None = None) -> dict[str, float]:
    """Operating point of a netlist without ``.end``; empty if ngspice refuses it."""
    assert NGSPICE is not None
    with TemporaryDirectory() as temporary:
        path = (folder or Path(temporary)) / "ngspice.cir"
        path.write_text("\n".join([text.rstrip("\n"), EXTRA, *_CONTROL]))
        done = subprocess.run(
            [NGSPICE, "-b", str(path)], capture_output=True, text=True, timeout=30, check=False
        )
    printed = dict(_PRINTED.findall(done.stdout))
    if "extra" not in printed:
        return {}
    return {re.sub(r"^v\((.*)\)$", r"\1", name): float(v) for name, v in printed.items()}


@cache
def k_over_q() -> float:
    """Boltzmann's constant over the elementary charge as this ngspice has them."""
    text = "\n".join(["constants", EXTRA, "r1 extra 0 1", *_CONTROL])
    text = text.replace("print all", "print boltz echarge")
    with TemporaryDirectory() as folder:
        path = Path(folder) / "constants.cir"
        path.write_text(text)
        assert NGSPICE is not None
        done = subprocess.run(
            [NGSPICE, "-b", str(path)], capture_output=True, text=True, timeout=30, check=False
        )
    values = dict(_PRINTED.findall(done.stdout))
    return float(values["boltz"]) / float(values["echarge"])


class Dense:
    """Modified nodal analysis of a small circuit."""

    def __init__(self, circuit: Circuit, volts_per_kelvin: float) -> None:
        self.circuit = circuit
        self.volts_per_kelvin = volts_per_kelvin
        self.index: dict[str, int] = {GROUND: -1}
        self.diodes: list[tuple[Diode, int, int]] = []
        for element in circuit.elements:
            self._enumerate(element)
        self.n = len(self.index) - 1
        self.junction_volts = np.full(len(self.diodes), 0.1)

    def _enumerate(self, element: Any) -> None:
        for field in ("plus", "minus", "anode", "cathode", "control_plus", "control_minus"):
            if hasattr(element, field):
                self.index.setdefault(getattr(element, field), len(self.index) - 1)
        if isinstance(element, VoltageSource | VoltageControlledVoltage | CurrentControlledVoltage):
            self.index[f"{element.name}#branch"] = len(self.index) - 1
        if isinstance(element, Diode):
            inner = element.anode
            if element.model.series_ohms:
                inner = f"{element.name}#inner"
                self.index[inner] = len(self.index) - 1
            self.diodes.append((element, self.index[inner], self.index[element.cathode]))

    def solve(self) -> dict[str, float]:
        x = np.zeros(self.n)
        for _ in range(2000):
            matrix, right = np.zeros((self.n + 1, self.n + 1)), np.zeros(self.n + 1)
            for element in self.circuit.elements:
                self._stamp(element, matrix, right)
            for k, (diode, a, c) in enumerate(self.diodes):
                self._stamp_diode(diode, a, c, self.junction_volts[k], matrix, right)
            new = np.linalg.solve(matrix[:-1, :-1], right[:-1])
            moved = self._limit(np.append(new, 0.0))
            if not moved and np.allclose(new, x, rtol=1e-12, atol=1e-14):
                return {name: float(np.append(new, 0.0)[i]) for name, i in self.index.items()}
            x = new
        raise AssertionError("the dense reference does not converge")

    def _limit(self, x: np.ndarray) -> bool:
        """Move junction voltages towards the solution, forward by a few thermal voltages."""
        limited = False
        for k, (diode, a, c) in enumerate(self.diodes):
            thermal = diode.model.ideality * self.circuit.kelvin * self.volts_per_kelvin
            step = x[a] - x[c] - self.junction_volts[k]
            if step > 2 * thermal and x[a] - x[c] > 5 * thermal:
                step, limited = 2 * thermal, True
            self.junction_volts[k] += step
        return limited

    def _stamp(self, e: Any, matrix: np.ndarray, right: np.ndarray) -> None:
        i = self.index
        if isinstance(e, Diode):
            return
        p, m = i[e.plus], i[e.minus]
        if isinstance(e, Resistor):
            _conductance(matrix, p, m, p, m, e.siemens)
        elif isinstance(e, VoltageControlledCurrent):
            _conductance(matrix, p, m, i[e.control_plus], i[e.control_minus], e.siemens)
        elif isinstance(e, CurrentSource):
            right[p] -= e.amps
            right[m] += e.amps
        elif isinstance(e, CurrentControlledCurrent):
            j = i[f"{e.source}#branch"]
            matrix[p, j] += e.gain
            matrix[m, j] -= e.gain
        else:
            j = i[f"{e.name}#branch"]
            matrix[[p, m], j] += (1.0, -1.0)
            matrix[j, p] += 1.0
            matrix[j, m] -= 1.0
            if isinstance(e, VoltageControlledVoltage):
                matrix[j, i[e.control_plus]] -= e.gain
                matrix[j, i[e.control_minus]] += e.gain
            elif isinstance(e, CurrentControlledVoltage):
                matrix[j, i[f"{e.source}#branch"]] -= e.ohms
            else:
                right[j] += e.volts

    def _stamp_diode(
        self, d: Diode, a: int, c: int, v: float, matrix: np.ndarray, right: np.ndarray
    ) -> None:
        model, kelvin = d.model, self.circuit.kelvin
        thermal = kelvin * self.volts_per_kelvin
        ratio = kelvin / model.nominal_kelvin
        amps = (
            model.saturation_amps * d.area * ratio ** (model.temperature_exponent / model.ideality)
        )
        amps *= math.exp((ratio - 1.0) * model.gap_electronvolts / (model.ideality * thermal))
        thermal *= model.ideality
        if v >= -3 * thermal or not model.reverse_cubic:
            current = amps * math.expm1(v / thermal)
            slope = amps / thermal * math.exp(v / thermal)
        else:
            cube = (3 * thermal / (math.e * v)) ** 3
            current, slope = -amps * (1 + cube), 3 * amps * cube / v
        current += self.circuit.gmin_siemens * v
        slope += self.circuit.gmin_siemens
        _conductance(matrix, a, c, a, c, slope)
        right[a] -= current - slope * v
        right[c] += current - slope * v
        if model.series_ohms:
            outer = self.index[d.anode]
            _conductance(matrix, outer, a, outer, a, d.area / model.series_ohms)


def _conductance(matrix: np.ndarray, p: int, m: int, cp: int, cm: int, siemens: float) -> None:
    matrix[p, cp] += siemens
    matrix[p, cm] -= siemens
    matrix[m, cp] -= siemens
    matrix[m, cm] += siemens


def solve(circuit: Circuit, volts_per_kelvin: float = 1.380649e-23 / 1.602176634e-19) -> Any:
    """Voltages of nodes, and currents of voltage sources as ``name#branch``."""
    return Dense(circuit, volts_per_kelvin).solve()


def assert_same_solution(circuit: Circuit, printed: dict[str, float], atol: float = 1e-9) -> None:
    """A circuit that was read has the node voltages and source currents ngspice printed."""
    assert printed, "ngspice refused the netlist"
    solved = solve(circuit, k_over_q())
    nodes = [name for name in solved if "#" not in name and name != GROUND]
    currents = [name for name in solved if name.endswith("#branch") and name in printed]
    assert nodes
    for name in nodes + currents:
        assert solved[name] == pytest.approx(printed[name], rel=1e-7, abs=atol), name


def without_end(text: str) -> str:
    return text.replace("\n.op\n.end\n", "\n")
