"""Simulator options, and the statements and commands that do not act on an operating point.

From the ngspice manual, sections on simulator variables and on analyses and output control.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sim_backend.spice.errors import NetlistError
from sim_backend.spice.lines import Line
from sim_backend.spice.numbers import parse_number
from sim_backend.spice.scopes import Scope
from sim_backend.spice.statements import lower, split_words

__all__ = ["ZERO_CELSIUS_KELVIN", "Conditions", "check_control", "read_options", "read_temperature"]

ZERO_CELSIUS_KELVIN = 273.15

USED = frozenset({"temp", "tnom", "gmin", "epsmin"})

TOLERANCES = frozenset(
    "abstol chgtol gminfactor gminsteps itl1 itl2 itl3 itl4 itl5 itl6 ltereltol lteabstol maxord "
    "method minbreak noopiter pivrel pivtol reltol sourcesteps srcsteps trtol vntol".split()
)
"""How ngspice gets to a solution and when it stops, but not to which one."""

INERT = frozenset(
    "acct autostop bypass cptime defad defas defl defm defw delmin filetype ingold interp "
    "keepopinfo klu limpts limtim list maxwarns noacct noinit nomod nopage norefvalue node notrtol "
    "numdgt oldlimit opts post probe savecurrents seed seedinfo sparse trytocompact warn width "
    "brief cshunt".split()
)
"""Printing, transients, MOSFETs and bookkeeping."""

ALTERING = USED | frozenset({"gshunt", "rseries", "rshunt", "scale"})
"""Options that a ``set`` in a control section would change too."""

INERT_COMMANDS = frozenset(
    "asciiplot break compose continue cross define destroy display dowhile echo else end exit "
    "foreach gnuplot hardcopy if let listing op plot print quit remzerovec repeat run rusage save "
    "setplot setscale settype show showmod status strcmp undefine unlet version while "
    "wrdata write".split()
)
"""Commands of a control section that only run the operating point, compute and print."""


@dataclass
class Conditions:
    """What the netlist says about the conditions of the operating point.

    Attributes:
        celsius: ``temp``.
        nominal_celsius: ``tnom``, for models without their own.
        gmin_siemens: conductance across junctions.
        least_saturation_amps: ``epsmin``, below which ngspice raises saturation currents.
        notes: accepted statements that are not used.
    """

    celsius: float = 27.0
    nominal_celsius: float = 27.0
    gmin_siemens: float = 1e-12
    least_saturation_amps: float = 1e-28
    notes: list[str] = field(default_factory=list)
    _given: dict[str, float] = field(default_factory=dict)

    def note(self, line: Line, message: str) -> None:
        """Keep a note about a statement."""
        place = f"{line.path}:{line.number}" if line.path else f"line {line.number}"
        self.notes.append(f"{place}: {message}")

    def give(self, name: str, value: float) -> None:
        """Set one of :data:`USED`; twice only to the same value."""
        if self._given.setdefault(name, value) != value:
            raise NetlistError(
                f"`{name}` is {self._given[name]:g} already, and simulators differ in which one "
                "counts; keep one"
            )
        if name in ("temp", "tnom") and not value > -ZERO_CELSIUS_KELVIN:
            raise NetlistError(f"{value:g} degrees Celsius is not above absolute zero")
        if name in ("gmin", "epsmin") and value < 0.0:
            raise NetlistError(f"a negative `{name}`; write 0 or more")
        if name == "temp":
            self.celsius = value
        elif name == "tnom":
            self.nominal_celsius = value
        elif name == "gmin":
            self.gmin_siemens = value
        else:
            self.least_saturation_amps = value


def read_options(line: Line, scope: Scope, conditions: Conditions) -> None:
    """Take in an ``.options`` line.

    Raises:
        NetlistError: on options that change the solution, and on unknown ones.
    """
    words = split_words(lower(line.text))
    for name in [*words.row[1:], *words.named]:
        if name in USED:
            if name not in words.named:
                raise NetlistError(f"the option `{name}` needs a value; write {name}=number")
            conditions.give(name, _number(words.named[name], scope))
        elif name in TOLERANCES:
            conditions.note(line, f"the option `{name}` is not used; tolerances are the solver's")
        elif name not in INERT:
            raise NetlistError(
                f"the option `{name}` is unknown, or changes the solution; delete it, or correct "
                "the spelling"
            )


def read_temperature(line: Line, scope: Scope, conditions: Conditions) -> None:
    """Take in a ``.temp`` line."""
    words = split_words(lower(line.text))
    if len(words.row) != 2 or words.named:
        raise NetlistError("takes one temperature in degrees Celsius; run netlists one by one")
    conditions.give("temp", _number(words.row[1], scope))


def check_control(lines: Sequence[Line]) -> None:
    """See that no command of a control section changes what is solved.

    Raises:
        NetlistError: naming the first command that may.
    """
    for line in lines:
        words = line.text.lower().replace("=", " ").split()
        if words[0] in ("set", "unset"):
            changes = not ALTERING.isdisjoint(words)
        elif words[0] == "let":
            changes = "@" in "".join(words[1:2])
        else:
            changes = words[0] not in INERT_COMMANDS
        if changes:
            raise line.error(
                f"the command `{' '.join(words[:2])}` may change the circuit, or asks for more "
                "than its operating point; put the change into the netlist, or delete it"
            )


def _number(text: str, scope: Scope) -> float:
    if text[0] in "{'":
        return scope.evaluate(text[1:-1])
    return parse_number(text)
