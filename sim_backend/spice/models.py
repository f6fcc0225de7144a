"""Diode models.

The parameters and their effects are those of ngspice's junction diode of level 1 (ngspice
manual, section on the junction diode model; effects at DC found by trial with version 39).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from sim_backend.nodal.elements import DiodeModel
from sim_backend.spice.errors import NetlistError
from sim_backend.spice.lines import Line
from sim_backend.spice.options import ZERO_CELSIUS_KELVIN, Conditions
from sim_backend.spice.statements import lower, split_words

__all__ = ["Model", "diode_model", "model_head"]

_MODELLED = {
    "is": "is", "js": "is", "n": "n", "rs": "rs", "eg": "eg", "xti": "xti", "area": "area",
    "tnom": "tnom", "tref": "tnom",
}  # fmt: skip

_WITHOUT_EFFECT = frozenset(
    "tt ttt1 ttt2 cjo cj0 cj vj pb m mj tm1 tm2 cjp cjsw php mjsw cta ctc ctp tpb tvj tphp tlevc "
    "fc fcs kf af cth0 rth0 fv_max bv_max id_max te_max pd_max ns nbv nr ntun xtitun keg ibv ib "
    "tcv pj".split()
)
"""Charges, noise, ratings, self-heating (off unless the element says ``thermal``), and what only
accompanies one of :data:`_OFF_AT_ZERO` or ``bv``."""

_OFF_AT_ZERO = frozenset("jsw jtun jtunsw isr ikf ik ikr trs trs1 trs2 tlev".split())
"""Effects that are not modelled, and that the value 0 switches off."""

_NEVER_REACHED_VOLTS = 1e6


class Model(NamedTuple):
    """A diode model and the area of diodes that give none."""

    diode: DiodeModel
    area: float


def model_head(line: Line) -> tuple[str, str]:
    """The name a ``.model`` line defines, and the type of the model."""
    words = split_words(lower(line.text)).row
    if len(words) < 3:
        raise NetlistError("a model needs a name and a type; write .model name D(IS=... N=...)")
    return words[1], words[2]


def diode_model(line: Line, number: Callable[[str], float], conditions: Conditions) -> Model:
    """The diode model of a ``.model`` line.

    Args:
        line: the statement, of a model of type D.
        number: what gives the value of a word.
        conditions: for the default of TNOM, and the least saturation current.

    Raises:
        NetlistError: if it is wrong, or has an effect that is not modelled.
    """
    given = _parameters(line, number)
    for name, value in given.items():
        _refuse_unmodelled(name, value)
    saturation_amps = given.get("is", 1e-14)
    if not saturation_amps >= conditions.least_saturation_amps or saturation_amps <= 0.0:
        raise NetlistError(
            f"IS={saturation_amps:g}, and ngspice raises it to "
            f"{conditions.least_saturation_amps:g} A (option epsmin); write a larger IS"
        )
    if not given.get("n", 1.0) > 0.0:
        raise NetlistError("N must be above 0; write a positive emission coefficient")
    if given.get("rs", 0.0) < 0.0:
        raise NetlistError("a negative RS; write 0 or a positive resistance")
    kelvin = given.get("tnom", conditions.nominal_celsius) + ZERO_CELSIUS_KELVIN
    if not kelvin > 0.0:
        raise NetlistError("TNOM is not above absolute zero; it is in degrees Celsius")
    diode = DiodeModel(
        saturation_amps=saturation_amps,
        ideality=given.get("n", 1.0),
        series_ohms=given.get("rs", 0.0),
        gap_electronvolts=given.get("eg", 1.11),
        temperature_exponent=given.get("xti", 3.0),
        nominal_kelvin=kelvin,
        reverse_cubic=True,
    )
    return Model(diode, given.get("area", 1.0))


def _parameters(line: Line, number: Callable[[str], float]) -> dict[str, float]:
    """Values by name; ``name value`` is as good as ``name=value``."""
    words = split_words(lower(line.text))
    loose = words.row[3:]
    if len(loose) % 2:
        raise NetlistError(f"`{loose[-1]}` has no value; write name=value")
    pairs = list(words.named.items()) + list(zip(loose[::2], loose[1::2], strict=True))
    given: dict[str, float] = {}
    for name, value in pairs:
        known = _MODELLED.get(name, name)
        if known in given:
            raise NetlistError(f"`{name}` is given twice; delete one")
        given[known] = number(value)
    return given


def _refuse_unmodelled(name: str, value: float) -> None:
    if name in _MODELLED.values() or name in _WITHOUT_EFFECT:
        return
    if name in _OFF_AT_ZERO:
        if value != 0.0:
            raise NetlistError(f"the effect of `{name}` is not modelled; delete it, or write 0")
    elif name == "bv":
        if abs(value) < _NEVER_REACHED_VOLTS:
            raise NetlistError(
                f"breakdown (`bv`) is not modelled; delete it if no diode reaches -{value:g} V"
            )
    elif name == "level":
        if value != 1.0:
            raise NetlistError(f"diodes of level {value:g} are not modelled; only level 1 is")
    else:
        raise NetlistError(f"there is no diode parameter `{name}`; correct the spelling")
