"""Random numbers, models and lines, in the many ways netlists have of writing them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

__all__ = ["TOLERANCES", "Draw", "Lines"]

T = TypeVar("T")

TOLERANCES = "reltol=1e-10 vntol=1e-12 abstol=1e-16 itl1=1000"

_SUFFIXES = {-15: "f", -12: "p", -9: "n", -6: "u", -3: "m", 0: "", 3: "k", 6: "meg", 9: "g"}


class Draw:
    """Random values; numbers have few digits, so that files are the same on any machine.

    Args:
        seed: of a generator of its own.

    Attributes:
        is_harsh: every third circuit has larger voltages, and resistances and saturation currents
            over more decades.
    """

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.is_harsh = seed % 3 == 0
        self.parameters: dict[str, float] = {}

    def chance(self, probability: float) -> bool:
        return bool(self.random.random() < probability)

    def count(self, low: int, high: int) -> int:
        """A whole number from low to high."""
        return int(self.random.integers(low, high + 1))

    def choice(self, among: Sequence[T]) -> T:
        return among[int(self.random.integers(len(among)))]

    def uniform(self, low: float, high: float) -> float:
        return float(f"{low + (high - low) * self.random.random():.4g}")

    def decades(self, low: float, high: float) -> float:
        """Between positive numbers, uniform in the logarithm."""
        exponent = np.log10(low) + np.log10(high / low) * self.random.random()
        return float(f"{10.0**exponent:.4g}")

    def signed(self, low: float, high: float) -> float:
        return self.choice((-1.0, 1.0)) * self.decades(low, high)

    def define_parameters(self, names: Sequence[str], lines: list[str]) -> None:
        """``.param`` lines; later parameters are expressions of earlier ones."""
        for name in names:
            if self.parameters and self.chance(0.6):
                earlier = self.choice(sorted(self.parameters))
                ratio = self.uniform(0.3, 3.0)
                self.parameters[name] = ratio * self.parameters[earlier]
                lines.append(f".param {name}={{{earlier}*{ratio:g}}}")
            else:
                value = self.decades(200.0, 2e4)
                self.parameters[name] = value
                lines.append(f".param {name} = {self.engineering(value)}")

    def write(self, value: float, unit: str = "") -> str:
        """A value as a number, with a suffix, or as an expression of a parameter."""
        kind = self.random.random()
        if kind < 0.2 and self.parameters and value:
            return self._expression(value)
        if kind < 0.6:
            return self.engineering(value) + (unit if self.chance(0.2) else "")
        return f"{value:.4g}"

    def engineering(self, value: float) -> str:
        if value == 0.0:
            return "0"
        exponent = min(9, max(-15, 3 * int(np.floor(np.log10(abs(value)) / 3.0))))
        return f"{value / 10.0**exponent:.5g}{_SUFFIXES[exponent]}"

    def _expression(self, value: float) -> str:
        name = self.choice(sorted(self.parameters))
        ratio = value / self.parameters[name]
        forms = (
            f"{ratio:.4g}*{name}", f"{name}/{1.0 / ratio:.4g}", f"({ratio:.4g})*{name}",
            f"sqrt({name})*sqrt({name})*({ratio:.4g})", f"2*{name}*({0.5 * ratio:.4g})",
            f"{name}*({ratio:.4g}+0)", f"{name}>0 ? {value:.4g} : 1",
        )  # fmt: skip
        return self.choice(("{%s}", "'%s'")) % self.choice(forms)

    def model(self, name: str, *, leaks: bool = False) -> str:
        """A line with a diode model; ``leaks``: of a large saturation current."""
        least = 1e-20 if self.is_harsh else 1e-15
        given = [f"is={self.decades(*((1e-9, 1e-6) if leaks else (least, 1e-8))):.4g}"]
        if self.chance(0.7):
            given.append(f"n={self.uniform(1.0, 2.2):g}")
        if self.chance(0.5):
            given.append(f"rs={self.write(self.decades(0.1, 200.0))}")
        if self.chance(0.4):
            gap, power = self.choice(((1.11, 3.0), (0.69, 2.0), (1.43, 3.0), (0.67, 3.0)))
            given += [f"eg={gap:g}", f"xti={power:g}"]
        if self.chance(0.2):
            given.append(f"tnom={self.uniform(0.0, 50.0):g}")
        given += [text for text in ("cjo=2p", "tt=4n", "kf=0") if self.chance(0.15)]
        body = " ".join(given)
        return f".model {name} {self.choice(('d', 'D'))}({body})"


class Lines:
    """A netlist in the making, with fresh names.

    Args:
        title: its first line.
        draw: for styles of writing.
    """

    def __init__(self, title: str, draw: Draw) -> None:
        self.title = title
        self.draw = draw
        self.rows: list[str] = []
        self.models_in_use: set[str] = set()
        self._used = 0

    def name(self, letter: str) -> str:
        """A name that no other element or node has."""
        self._used += 1
        return f"{letter}{self._used}"

    def add(self, letter: str, *words: str) -> str:
        """A line of an element; its name is returned."""
        name = self.name(letter)
        self.rows.append(" ".join([name, *words]))
        return name

    def text(self) -> str:
        """The netlist, some lines continued, commented or in upper case."""
        rows = [self._styled(row) for row in self.rows]
        return "\n".join([self.title, *rows, ".op", ".end", ""])

    def _styled(self, row: str) -> str:
        words = row.split(" ")
        if self.draw.chance(0.04) and len(words) > 3 and not set(row) & set("{'"):
            at = self.draw.count(2, len(words) - 1)
            row = " ".join(words[:at]) + "\n+ " + " ".join(words[at:])
        if self.draw.chance(0.04):
            row = row.upper()
        if self.draw.chance(0.02):
            row += self.draw.choice((" ; a remark", " $ a remark"))
        return row
